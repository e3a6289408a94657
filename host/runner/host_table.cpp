#include "runner/host_table.hpp"

#include <cmath>
#include <cstring>

#include "jobhost/json.hpp"
#include "runner/text.hpp"

namespace jobhost::runner {
namespace {

using wire::SdkCall;

constexpr std::size_t kMaxNoteBytes = 256 * 1024;
constexpr std::size_t kMaxMessageBytes = 4 * 1024;
constexpr std::size_t kMaxDetailsBytes = 64 * 1024;
constexpr std::size_t kMaxProgressText = 1024;

Session* session = nullptr;
std::mutex init_mutex;
std::string init_error;
thread_local std::string last_error;

/// The name the lock-free table of the ABI wants; empty views for a job that is not running.
jh_str JH_CALL params(jh_job* job) noexcept {
  const auto attempt = session->find(job);
  answer(SdkCall::Params, attempt ? JH_OK : JH_E_MISUSE);
  return attempt ? jh_str{attempt->run.params.data(), attempt->run.params.size()} : jh_str{};
}

std::string makeInfo(const Attempt& attempt, const std::string& type) {
  const auto& run = attempt.run;
  Json info{{"id", run.job_id},
            {"type", type},
            {"attempt", run.attempt},
            {"max_attempts", run.max_attempts},
            {"priority", run.priority},
            {"deadline_ms", run.deadline_us > 0 ? Json(run.deadline_us / 1000) : Json()},
            {"parent", run.parent_id != 0 ? Json(run.parent_id) : Json()},
            {"root", run.root_id != 0 ? Json(run.root_id) : Json(run.job_id)},
            {"resumed", (run.flags & wire::kRunResumed) != 0},
            {"rescues", run.rescues}};
  if (!run.owner.empty()) info.set("owner", run.owner);
  std::string text = info.dump();
  text.pop_back();  // the host's own JSON goes in as it is
  text += ",\"tags\":" + (run.tags_json.empty() ? std::string("[]") : std::string(run.tags_json));
  text += ",\"limits\":" + (run.limits_json.empty() ? std::string("{}") : std::string(run.limits_json)) + "}";
  return text;
}

jh_str JH_CALL info(jh_job* job) noexcept {
  const auto attempt = session->find(job);
  answer(SdkCall::Info, attempt ? JH_OK : JH_E_MISUSE);
  if (!attempt) return {};
  const std::lock_guard lock(attempt->mutex);
  if (attempt->info_json.empty()) attempt->info_json = makeInfo(*attempt, attempt->type_name);
  return {attempt->info_json.data(), attempt->info_json.size()};
}

std::int32_t JH_CALL cancelled(jh_job* job) noexcept {
  session->status().beat();
  return session->cancelled(job);
}

void JH_CALL log(jh_job* job, std::int32_t level, jh_str text) noexcept {
  std::string line = cleanText(view(text), session->welcome().max_log_line_bytes);
  while (!line.empty() && line.back() == '\n') line.pop_back();
  const auto attempt = session->find(job);
  answer(SdkCall::Log, attempt || job == nullptr ? JH_OK : JH_E_MISUSE);
  if (job == nullptr) {
    if (level >= JH_LOG_ERROR) {
      const std::lock_guard lock(init_mutex);
      init_error = line;
    }
    return session->log(nullptr, level, std::move(line));
  }
  if (!attempt) return;
  std::uint64_t dropped = 0;
  {
    const std::lock_guard lock(attempt->mutex);
    if (attempt->ended.load()) return;
    if (!attempt->lines.take(steadyMicros())) {
      ++attempt->lines_dropped;
      ++attempt->lines_dropped_total;
      return;
    }
    dropped = std::exchange(attempt->lines_dropped, 0);
  }
  if (dropped > 0) {
    session->log(attempt.get(), JH_LOG_WARN,
                 std::to_string(dropped) + " log lines dropped: more than " +
                     std::to_string(session->welcome().log_lines_per_s) + " a second");
  }
  session->log(attempt.get(), level, std::move(line));
}

double sane(double value) {
  return std::isfinite(value) && value > 0 ? std::min(value, 1e300) : 0.0;
}

jh_result JH_CALL progress(jh_job* job, double done, double total, jh_str note) noexcept {
  const auto attempt = session->find(job);
  if (!attempt) return misuse(SdkCall::Progress);
  if (session->cancelled(*attempt) != 0) return answer(SdkCall::Progress, JH_E_CANCELLED, "the job was asked to stop");
  wire::Progress now{sane(done), sane(total), cleanText(view(note), kMaxProgressText)};
  if (now.total > 0 && now.done > now.total) now.done = now.total;
  session->progress(*attempt, std::move(now));
  return answer(SdkCall::Progress, JH_OK);
}

/// Why the text is not one JSON value; empty: it is.
std::string jsonProblem(std::string_view text) {
  try {
    Json::parse(text);
    return {};
  } catch (const Error& error) {
    return error.message();
  }
}

jh_result JH_CALL note(jh_job* job, jh_str key, jh_str json) noexcept {
  const auto attempt = session->find(job);
  if (!attempt) return misuse(SdkCall::Note);
  const auto name = view(key);
  if (name.empty() || name.size() > 255 || !isUtf8(name)) {
    return answer(SdkCall::Note, JH_E_INVALID, "the key must be 1 to 255 bytes of UTF-8");
  }
  if (json.len > kMaxNoteBytes) return answer(SdkCall::Note, JH_E_LIMIT, "the note is over 256 KiB");
  if (auto problem = jsonProblem(view(json)); !problem.empty()) {
    return answer(SdkCall::Note, JH_E_INVALID, std::move(problem));
  }
  const bool sent = session->note(*attempt, {std::string(name), std::string(view(json))});
  return sent ? answer(SdkCall::Note, JH_OK) : misuse(SdkCall::Note);
}

jh_result JH_CALL set_result(jh_job* job, jh_str json) noexcept {
  const auto attempt = session->find(job);
  if (!attempt) return misuse(SdkCall::SetResult);
  const std::uint64_t limit = session->welcome().max_result_bytes;
  if (json.len > limit) {
    return answer(SdkCall::SetResult, JH_E_LIMIT,
                  "the result of " + std::to_string(json.len) + " bytes is over the limit of " + std::to_string(limit));
  }
  if (auto problem = jsonProblem(view(json)); !problem.empty()) {
    return answer(SdkCall::SetResult, JH_E_INVALID, std::move(problem));
  }
  const std::lock_guard lock(attempt->mutex);
  attempt->result = std::string(view(json));
  return answer(SdkCall::SetResult, JH_OK);
}

jh_result JH_CALL set_error(jh_job* job, const jh_error* error) noexcept {
  const auto attempt = session->find(job);
  if (!attempt) return misuse(SdkCall::SetError);
  constexpr std::size_t kBaseline = offsetof(jh_error, details_json) + sizeof(jh_str);
  if (error == nullptr || error->struct_size < kBaseline) {
    return answer(SdkCall::SetError, JH_E_INVALID, "the jh_error is missing or its struct_size is too small");
  }
  AttemptError taken;
  const std::int32_t error_class = error->error_class;
  taken.error_class = (error_class >= 1 && error_class <= 6) || error_class == 9 ? error_class : JH_CLASS_INTERNAL;
  taken.retry_after_ms = error->retry_after_ms >= 0 ? error->retry_after_ms : -1;
  taken.code = cleanText(view(error->code), 128);
  taken.message = cleanText(view(error->message), kMaxMessageBytes);
  const auto details = view(error->details_json);
  if (details.size() <= kMaxDetailsBytes && !details.empty() && jsonProblem(details).empty()) {
    taken.details_json = std::string(details);
  }
  const std::lock_guard lock(attempt->mutex);
  attempt->error = std::move(taken);
  return answer(SdkCall::SetError, JH_OK);
}

jh_str JH_CALL last_error_text(jh_job*) noexcept {
  return {last_error.data(), last_error.size()};
}

const void* JH_CALL get_extension(const char* id) noexcept {
  const std::string_view name = id != nullptr ? std::string_view(id) : std::string_view();
  const void* found = nullptr;
  if (name == JH_EXT_OUTPUT) found = outputExtension();
  if (name == JH_EXT_INPUT) found = inputExtension();
  if (name == JH_EXT_TEMP) found = tempExtension();
  if (name == JH_EXT_CONFIG) found = configExtension();
  if (name == JH_EXT_CANCEL) found = cancelExtension();
  if (name == JH_EXT_HTTP) found = httpExtension();
  if (name == JH_EXT_PROCESS) found = processExtension();
  if (name == JH_EXT_CHILDREN) found = childrenExtension();
  if (name == JH_EXT_CHECKPOINT) found = checkpointExtension();
  if (name == JH_EXT_RECORDS) found = recordsExtension();
  if (name == JH_EXT_KV) found = kvExtension();
  answer(SdkCall::GetExtension, found != nullptr ? JH_OK : JH_E_NOT_FOUND);
  return found;
}

}  // namespace

Session& theSession() {
  return *session;
}

jh_result answer(SdkCall call, jh_result code, std::string why) {
  if (code != JH_OK) last_error = std::move(why);
  session->status().crumb(call, code);
  return code;
}

jh_result misuse(SdkCall call) {
  return answer(call, JH_E_MISUSE, "this job is not running (any more)");
}

std::string lastInitError() {
  const std::lock_guard lock(init_mutex);
  return init_error;
}

const jh_host* makeHostTable(Session& the_session) {
  session = &the_session;
  static jh_host table = JH_INIT(jh_host);
  table.abi_major = JH_ABI_MAJOR;
  table.abi_minor = JH_ABI_MINOR;
  table.flags = session->welcome().host_flags;
  table.params = &params;
  table.info = &info;
  table.cancelled = &cancelled;
  table.log = &log;
  table.progress = &progress;
  table.note = &note;
  table.set_result = &set_result;
  table.set_error = &set_error;
  table.last_error = &last_error_text;
  table.get_extension = &get_extension;
  return &table;
}

}  // namespace jobhost::runner
