#include "wire/messages.hpp"

#include "wire/codec.hpp"

namespace jobhost::wire {
namespace {

constexpr std::uint32_t kMaxListed = 100'000;  ///< items of any list in a message

template <class E>
bool inRange(E value, E last) {
  return static_cast<std::uint64_t>(value) <= static_cast<std::uint64_t>(last);
}

std::string own(Decoder& in) {
  return std::string(in.str());
}

void encodeFile(Encoder& to, const std::string& name, const std::string& media_type, std::uint64_t size) {
  to.str(name);
  to.str(media_type);
  to.u64(size);
}

template <class File>
void decodeFiles(Decoder& in, std::vector<File>& files) {
  const std::uint32_t n = in.count(16, kMaxListed);
  files.clear();
  files.reserve(n);
  for (std::uint32_t i = 0; i < n && in.ok(); ++i) {
    File file;
    file.name = own(in);
    file.media_type = own(in);
    file.size_bytes = in.u64();
    files.push_back(std::move(file));
  }
}

}  // namespace

std::string_view toString(SandboxLevel level) {
  switch (level) {
    case SandboxLevel::None:
      return "none";
    case SandboxLevel::Basic:
      return "basic";
    case SandboxLevel::Standard:
      return "standard";
    case SandboxLevel::Full:
      return "full";
  }
  return "unknown";
}

std::string_view toString(LoadStage stage) {
  switch (stage) {
    case LoadStage::Setup:
      return "setup";
    case LoadStage::Open:
      return "open";
    case LoadStage::Entry:
      return "entry";
    case LoadStage::Check:
      return "check";
    case LoadStage::Init:
      return "init";
  }
  return "unknown";
}

void encode(std::string& out, const Hello& m) {
  Encoder to(out);
  to.u32(m.magic);
  to.u16(m.version_min);
  to.u16(m.version_max);
  to.u32(m.pid);
  to.u32(m.abi_major);
  to.u32(m.abi_minor);
  to.u64(m.features);
  to.str(m.runner_version);
}

bool decode(std::string_view payload, Hello& m) {
  Decoder in(payload);
  m.magic = in.u32();
  m.version_min = in.u16();
  m.version_max = in.u16();
  m.pid = in.u32();
  m.abi_major = in.u32();
  m.abi_minor = in.u32();
  m.features = in.u64();
  m.runner_version = own(in);
  return in.ok() && m.magic == kHelloMagic && m.version_min <= m.version_max;
}

void encode(std::string& out, const Welcome& m) {
  Encoder to(out);
  to.u16(m.version);
  to.u64(m.features);
  to.str(m.host_version);
  to.str(m.work_dir);
  to.u8(static_cast<std::uint8_t>(m.sandbox));
  to.u32(m.host_flags);
  to.u64(m.max_result_bytes);
  to.u64(m.max_output_bytes);
  to.u32(m.max_outputs);
  to.u32(m.max_log_line_bytes);
  to.u32(m.log_lines_per_s);
  to.u32(m.log_burst);
  to.u32(m.progress_per_s);
  to.u64(m.credit_bytes);
  to.u32(static_cast<std::uint32_t>(m.limits.size()));
  for (const auto& limit : m.limits) {
    to.u32(limit.resource);
    to.u64(limit.limit);
  }
  to.str(m.inspection);
}

bool decode(std::string_view payload, Welcome& m) {
  Decoder in(payload);
  m.version = in.u16();
  m.features = in.u64();
  m.host_version = own(in);
  m.work_dir = own(in);
  m.sandbox = static_cast<SandboxLevel>(in.u8());
  m.host_flags = in.u32();
  m.max_result_bytes = in.u64();
  m.max_output_bytes = in.u64();
  m.max_outputs = in.u32();
  m.max_log_line_bytes = in.u32();
  m.log_lines_per_s = in.u32();
  m.log_burst = in.u32();
  m.progress_per_s = in.u32();
  m.credit_bytes = in.u64();
  const std::uint32_t n = in.count(12, 64);
  m.limits.clear();
  for (std::uint32_t i = 0; i < n; ++i) {
    const std::uint32_t resource = in.u32();
    m.limits.push_back({resource, in.u64()});
  }
  m.inspection = in.left() == 0 ? std::string() : own(in);  // absent from hosts older than it
  return in.ok() && inRange(m.sandbox, SandboxLevel::Full);
}

void encode(std::string& out, const Load& m) {
  Encoder to(out);
  to.str(m.path);
  to.str(m.plugin_dir);
  to.str(m.manifest);
}

bool decode(std::string_view payload, Load& m) {
  Decoder in(payload);
  m.path = own(in);
  m.plugin_dir = own(in);
  m.manifest = own(in);
  return in.ok() && m.manifest.size() <= kMaxManifestBytes;
}

void encode(std::string& out, const Loaded& m) {
  Encoder to(out);
  to.u32(m.abi_major);
  to.u32(m.abi_minor);
  to.u32(m.abi_min_minor);
  to.u8(static_cast<std::uint8_t>(m.sandbox));
  to.str(m.sandbox_missing);
  to.u64(m.load_us);
  to.u64(m.init_us);
  to.u32(static_cast<std::uint32_t>(m.types.size()));
  for (const auto& type : m.types) to.str(type);
}

bool decode(std::string_view payload, Loaded& m) {
  Decoder in(payload);
  m.abi_major = in.u32();
  m.abi_minor = in.u32();
  m.abi_min_minor = in.u32();
  m.sandbox = static_cast<SandboxLevel>(in.u8());
  m.sandbox_missing = own(in);
  m.load_us = in.u64();
  m.init_us = in.u64();
  const std::uint32_t n = in.count(4, 4096);
  m.types.clear();
  for (std::uint32_t i = 0; i < n; ++i) m.types.push_back(own(in));
  return in.ok() && inRange(m.sandbox, SandboxLevel::Full);
}

void encode(std::string& out, const LoadFailed& m) {
  Encoder to(out);
  to.u8(static_cast<std::uint8_t>(m.stage));
  to.str(m.code);
  to.str(m.message);
  to.str(m.detail);
}

bool decode(std::string_view payload, LoadFailed& m) {
  Decoder in(payload);
  m.stage = static_cast<LoadStage>(in.u8());
  m.code = own(in);
  m.message = own(in);
  m.detail = own(in);
  return in.ok() && inRange(m.stage, LoadStage::Init);
}

void encode(std::string& out, const Run& m) {
  Encoder to(out);
  to.u64(m.job_id);
  to.u32(m.attempt);
  to.u32(m.max_attempts);
  to.u32(m.type_index);
  to.u32(m.flags);
  to.i32(m.priority);
  to.i64(m.deadline_us);
  to.u64(m.parent_id);
  to.u64(m.root_id);
  to.str(m.tags_json);
  to.str(m.limits_json);
  to.str(m.params);
  to.u32(static_cast<std::uint32_t>(m.inputs.size()));
  for (const auto& input : m.inputs) encodeFile(to, input.name, input.media_type, input.size_bytes);
  to.str(m.owner);
  to.u32(m.rescues);
}

bool decode(std::string_view payload, Run& m) {
  Decoder in(payload);
  m.job_id = in.u64();
  m.attempt = in.u32();
  m.max_attempts = in.u32();
  m.type_index = in.u32();
  m.flags = in.u32();
  m.priority = in.i32();
  m.deadline_us = in.i64();
  m.parent_id = in.u64();
  m.root_id = in.u64();
  m.tags_json = in.str();
  m.limits_json = in.str();
  m.params = in.str();
  decodeFiles(in, m.inputs);
  m.owner = in.left() > 0 ? in.str() : std::string_view();
  m.rescues = in.left() > 0 ? in.u32() : 0;
  return in.ok();
}

void encode(std::string& out, const Cancel& m) {
  Encoder(out).u8(static_cast<std::uint8_t>(m.reason));
}

bool decode(std::string_view payload, Cancel& m) {
  Decoder in(payload);
  m.reason = static_cast<CancelReason>(in.u8());
  return in.ok() && m.reason != CancelReason::None && inRange(m.reason, CancelReason::Shutdown);
}

void encode(std::string& out, const SlotList& m) {
  Encoder to(out);
  to.u32(static_cast<std::uint32_t>(m.slots.size()));
  for (const auto slot : m.slots) to.u32(slot);
}

bool decode(std::string_view payload, SlotList& m) {
  Decoder in(payload);
  const std::uint32_t n = in.count(4, kMaxListed);
  m.slots.clear();
  for (std::uint32_t i = 0; i < n; ++i) m.slots.push_back(in.u32());
  return in.ok();
}

void encode(std::string& out, const Started& m) {
  Encoder(out).i64(m.started_us);
}

bool decode(std::string_view payload, Started& m) {
  Decoder in(payload);
  m.started_us = in.i64();
  return in.ok();
}

void encode(std::string& out, const Log& m) {
  Encoder to(out);
  to.u8(m.level);
  to.i64(m.time_us);
  to.str(m.text);
}

bool decode(std::string_view payload, Log& m) {
  Decoder in(payload);
  m.level = in.u8();
  m.time_us = in.i64();
  m.text = own(in);
  return in.ok();
}

void encode(std::string& out, const Progress& m) {
  Encoder to(out);
  to.f64(m.done);
  to.f64(m.total);
  to.str(m.message);
}

/// Answers false for numbers that are not finite or negative: the runner never sends them.
bool decode(std::string_view payload, Progress& m) {
  Decoder in(payload);
  m.done = in.f64();
  m.total = in.f64();
  m.message = own(in);
  constexpr double kMost = 1e300;
  return in.ok() && m.done >= 0 && m.done <= kMost && m.total >= 0 && m.total <= kMost;
}

void encode(std::string& out, const Note& m) {
  Encoder to(out);
  to.str(m.key);
  to.str(m.json);
}

bool decode(std::string_view payload, Note& m) {
  Decoder in(payload);
  m.key = own(in);
  m.json = own(in);
  return in.ok() && !m.key.empty() && m.key.size() <= 255;
}

void encode(std::string& out, const Done& m) {
  Encoder to(out);
  to.u8(static_cast<std::uint8_t>(m.status));
  to.u32(m.flags);
  to.i64(m.started_us);
  to.i64(m.finished_us);
  to.u64(m.cpu_us);
  to.u64(m.peak_rss_bytes);
  to.u64(m.read_bytes);
  to.u64(m.written_bytes);
  to.u64(m.dropped_log_lines);
  to.i32(m.error_class);
  to.i64(m.retry_after_ms);
  to.str(m.error_code);
  to.str(m.error_message);
  to.str(m.error_details_json);
  to.str(m.result_json);
  to.u32(static_cast<std::uint32_t>(m.outputs.size()));
  for (const auto& output : m.outputs) encodeFile(to, output.name, output.media_type, output.size_bytes);
}

bool decode(std::string_view payload, Done& m) {
  Decoder in(payload);
  m.status = static_cast<DoneStatus>(in.u8());
  m.flags = in.u32();
  m.started_us = in.i64();
  m.finished_us = in.i64();
  m.cpu_us = in.u64();
  m.peak_rss_bytes = in.u64();
  m.read_bytes = in.u64();
  m.written_bytes = in.u64();
  m.dropped_log_lines = in.u64();
  m.error_class = in.i32();
  m.retry_after_ms = in.i64();
  m.error_code = own(in);
  m.error_message = own(in);
  m.error_details_json = own(in);
  m.result_json = own(in);
  decodeFiles(in, m.outputs);
  return in.ok() && inRange(m.status, DoneStatus::Suspended) && m.error_class >= 0 && m.error_class <= 9;
}

void encode(std::string& out, const Call& m) {
  Encoder to(out);
  to.u16(static_cast<std::uint16_t>(m.method));
  to.str(m.body);
}

bool decode(std::string_view payload, Call& m) {
  Decoder in(payload);
  m.method = static_cast<Method>(in.u16());
  m.body = in.str();
  return in.ok();
}

void encode(std::string& out, const HttpFetch& m) {
  Encoder(out).str(m.request_json);
  out.append(m.body);
}

bool decode(std::string_view payload, HttpFetch& m) {
  Decoder in(payload);
  m.request_json = in.str();
  m.body = in.ok() ? payload.substr(payload.size() - in.left()) : std::string_view();
  return in.ok();
}

void encode(std::string& out, const HttpFetched& m) {
  Encoder(out).str(m.response_json);
  out.append(m.body);
}

bool decode(std::string_view payload, HttpFetched& m) {
  Decoder in(payload);
  m.response_json = in.str();
  m.body = in.ok() ? payload.substr(payload.size() - in.left()) : std::string_view();
  return in.ok();
}

void encode(std::string& out, const RecordCall& m) {
  Encoder to(out);
  to.str(m.collection);
  to.str(m.key);
  to.str(m.options_json);
  to.str(m.value);
}

bool decode(std::string_view payload, RecordCall& m) {
  Decoder in(payload);
  m.collection = in.str();
  m.key = in.str();
  m.options_json = in.str();
  m.value = in.str();
  return in.ok() && m.options_json.size() <= kMaxRecordOptions;
}

void encode(std::string& out, const Return& m) {
  Encoder to(out);
  to.i32(m.result);
  to.str(m.error);
  to.str(m.body);
}

bool decode(std::string_view payload, Return& m) {
  Decoder in(payload);
  m.result = in.i32();
  m.error = in.str();
  m.body = in.str();
  return in.ok() && m.result <= 0;
}

void encode(std::string& out, const Credit& m) {
  Encoder(out).u64(m.bytes);
}

bool decode(std::string_view payload, Credit& m) {
  Decoder in(payload);
  m.bytes = in.u64();
  return in.ok();
}

void encode(std::string& out, const Bye& m) {
  Encoder(out).str(m.reason);
}

bool decode(std::string_view payload, Bye& m) {
  Decoder in(payload);
  m.reason = own(in);
  return in.ok();
}

}  // namespace jobhost::wire
