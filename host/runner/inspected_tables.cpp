// The tables a watched plugin gets: each function tells the Inspector, then does what the real one does, or fails, or
// answers from a record.
#include <cstring>
#include <tuple>

#include "runner/host_table.hpp"
#include "runner/inspector.hpp"

namespace jobhost::runner {
namespace {

using Mode = Inspector::Mode;

constexpr std::size_t kShownBytes = 200;
constexpr std::size_t kPoisonBytes = 256;
constexpr char kInjected[] = "made to fail by the inspection";

template <std::size_t N>
struct Name {
  char text[N] = {};
  constexpr Name(const char (&from)[N]) {  // NOLINT: meant to be implicit
    for (std::size_t i = 0; i < N; ++i) text[i] = from[i];
  }
};

template <class Table>
const Table*& realTable() {
  static const Table* table = nullptr;
  return table;
}

std::string hex(const void* data, std::size_t size) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < size; ++i) {
    const auto byte = static_cast<const unsigned char*>(data)[i];
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

std::string unhex(std::string_view text) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    out.push_back(static_cast<char>(digit(text[i]) * 16 + digit(text[i + 1])));
  }
  return out;
}

// ------------------------------------------------------------------------------------------------------- arguments
// One overload for each type that can be told; the others (handles, buffers, callbacks) say nothing.
template <class T>
void tell(Json&, const T&) {}
void tell(Json& out, jh_str text) {
  out.push(view(text).substr(0, Inspector::get()->full() ? text.len : kShownBytes));
}
void tell(Json& out, std::int32_t number) {
  out.push(number);
}
void tell(Json& out, std::int64_t number) {
  out.push(number);
}
void tell(Json& out, std::uint32_t number) {
  out.push(number);
}
void tell(Json& out, std::size_t number) {
  out.push(number);
}
void tell(Json& out, double number) {
  out.push(number);
}
void tell(Json& out, const jh_error* error) {
  if (error == nullptr || error->struct_size < sizeof(jh_error)) return;
  out.push(error->error_class);
  out.push(view(error->code).substr(0, kShownBytes));
  out.push(view(error->message).substr(0, kShownBytes));
}

// --------------------------------------------------------------------------------------------------------- answers
template <std::size_t I, class Tuple>
void tellAnswer(Json& out, const Tuple& arguments) {
  using T = std::tuple_element_t<I, Tuple>;
  const auto& value = std::get<I>(arguments);
  if constexpr (std::is_same_v<T, jh_str*>) {
    if (value != nullptr) out.push(view(*value).substr(0, Inspector::get()->full() ? value->len : kShownBytes));
  } else if constexpr (std::is_same_v<T, const void**>) {
    const auto* size = std::get<I + 1>(arguments);
    out.push(Inspector::get()->full() ? hex(*value, *size) : std::string());
    out.push(*size);
  } else if constexpr (std::is_same_v<T, std::int64_t*> || std::is_same_v<T, std::uint64_t*>) {
    if (value != nullptr) out.push(*value);
  }
}

template <std::size_t I, class Tuple>
void giveRecorded(const Json& recorded, std::size_t& at, const Tuple& arguments) {
  using T = std::tuple_element_t<I, Tuple>;
  const auto& value = std::get<I>(arguments);
  if constexpr (std::is_same_v<T, jh_str*>) {
    if (value != nullptr) *value = Inspector::get()->keep(recorded.at(at++).stringOr(""));
  } else if constexpr (std::is_same_v<T, const void**>) {
    const jh_str kept = Inspector::get()->keep(unhex(recorded.at(at).stringOr("")));
    at += 2;
    *value = kept.data;
    *std::get<I + 1>(arguments) = kept.len;
  } else if constexpr (std::is_same_v<T, std::int64_t*> || std::is_same_v<T, std::uint64_t*>) {
    if (value != nullptr) *value = static_cast<std::remove_pointer_t<T>>(recorded.at(at++).intOr(0));
  }
}

template <class... Args>
Json answersOf(const std::tuple<Args...>& arguments) {
  Json out = Json::array();
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (tellAnswer<I>(out, arguments), ...);
  }
  (std::index_sequence_for<Args...>{});
  return out;
}

template <class... Args>
void answerFrom(const Json& recorded, const std::tuple<Args...>& arguments) {
  std::size_t at = 0;
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (giveRecorded<I>(recorded, at, arguments), ...);
  }
  (std::index_sequence_for<Args...>{});
}

// ------------------------------------------------------------------------------------------------------- functions
template <Name kName, auto kMember>
struct Watched;

template <Name kName, class Table, class R, class... Args, R (*Table::*kMember)(Args...) noexcept>
struct Watched<kName, kMember> {
  static R JH_CALL call(Args... args) noexcept {
    auto& inspector = *Inspector::get();
    const auto step = inspector.begin(kName.text);
    const auto real = realTable<Table>()->*kMember;
    Json told = Json::array();
    (tell(told, args), ...);
    const std::tuple<Args...> arguments(args...);
    if constexpr (std::is_void_v<R>) {
      real(args...);
      inspector.end(step, JH_OK, std::move(told), Json());
    } else if constexpr (std::is_same_v<R, jh_str>) {
      jh_str text{};
      if (step.mode == Mode::Replay) text = inspector.keep(step.recorded->operator[]("o").at(0).stringOr(""));
      if (step.mode == Mode::Real) text = real(args...);
      const jh_result code = step.mode == Mode::Fail ? answer(wire::SdkCall::None, step.code, kInjected) : JH_OK;
      Json out = Json::array();
      tell(out, text);
      inspector.end(step, code, std::move(told), std::move(out));
      return text;
    } else {
      R result{};
      if (step.mode == Mode::Real) {
        result = real(args...);
      } else {
        const char* why = step.mode == Mode::Fail ? kInjected : "as it was recorded";
        result = static_cast<R>(answer(wire::SdkCall::None, step.code, why));
        if (step.code == JH_OK) answerFrom(step.recorded->operator[]("o"), arguments);
      }
      const auto code = static_cast<jh_result>(result < 0 ? result : 0);
      // What a secret is belongs into no file.
      if constexpr (std::string_view(kName.text) == "config.secret") {
        const jh_str* secret = std::get<2>(arguments);
        if (code == JH_OK && secret != nullptr) inspector.hide(view(*secret));
      }
      inspector.end(step, code, std::move(told), code == JH_OK ? answersOf(arguments) : Json());
      return result;
    }
  }
};

// cancelled() is asked millions of times: it is counted, and written down where its answer changes.
std::int32_t JH_CALL cancelled(jh_job* job) noexcept {
  return Inspector::get()->cancelledAsked(realTable<jh_host>()->cancelled(job));
}

jh_str JH_CALL last_error(jh_job* job) noexcept {
  return realTable<jh_host>()->last_error(job);
}

template <class Table>
struct Padded {
  Table table;
  unsigned char beyond[kPoisonBytes];
};

/// The table as the plan wants it: as it is, with bytes of a later version behind it, or cut after its first function.
template <class Table>
const Table* presented(Table table) {
  static Padded<Table> padded;
  const auto& inspector = *Inspector::get();
  std::memset(padded.beyond, 0xa5, sizeof(padded.beyond));
  if (inspector.longer()) table.struct_size = sizeof(padded);
  if constexpr (!std::is_same_v<Table, jh_host>) {
    constexpr std::size_t kFirst = 2 * sizeof(std::uint32_t) + sizeof(void*);
    if (inspector.shorter()) {
      table.struct_size = kFirst;
      auto* bytes = reinterpret_cast<unsigned char*>(&table);
      std::memset(bytes + kFirst, 0, sizeof(table) - kFirst);
    }
  }
  padded.table = table;
  return &padded.table;
}

#define WATCHED(name, member) &Watched<name, &member>::call

const void* outputTable() {
  return presented(
      jh_output_v1{sizeof(jh_output_v1), 0, WATCHED("output.dir", jh_output_v1::dir),
                   WATCHED("output.create", jh_output_v1::create), WATCHED("output.write", jh_output_v1::write),
                   WATCHED("output.commit", jh_output_v1::commit), WATCHED("output.abort", jh_output_v1::abort),
                   WATCHED("output.publish", jh_output_v1::publish), WATCHED("output.reserve", jh_output_v1::reserve)});
}

const void* inputTable() {
  return presented(jh_input_v1{sizeof(jh_input_v1), 0, WATCHED("input.list", jh_input_v1::list),
                               WATCHED("input.path", jh_input_v1::path), WATCHED("input.open", jh_input_v1::open),
                               WATCHED("input.read", jh_input_v1::read), WATCHED("input.size", jh_input_v1::size),
                               WATCHED("input.close", jh_input_v1::close)});
}

const void* tempTable() {
  return presented(jh_temp_v1{sizeof(jh_temp_v1), 0, WATCHED("temp.dir", jh_temp_v1::dir)});
}

const void* configTable() {
  return presented(jh_config_v1{sizeof(jh_config_v1), 0, WATCHED("config", jh_config_v1::config),
                                WATCHED("config.secret", jh_config_v1::secret)});
}

const void* cancelTable() {
  return presented(jh_cancel_v1{sizeof(jh_cancel_v1), 0, WATCHED("cancel.on_cancel", jh_cancel_v1::on_cancel),
                                WATCHED("cancel.remove", jh_cancel_v1::remove),
                                WATCHED("cancel.wait_handle", jh_cancel_v1::wait_handle)});
}

const void* httpTable() {
  return presented(jh_http_v1{sizeof(jh_http_v1), 0, WATCHED("http.fetch", jh_http_v1::fetch),
                              WATCHED("http.failure", jh_http_v1::failure), WATCHED("http.info", jh_http_v1::info),
                              WATCHED("http.read", jh_http_v1::read), WATCHED("http.path", jh_http_v1::path),
                              WATCHED("http.save_to", jh_http_v1::save_to),
                              WATCHED("http.close", jh_http_v1::close)});
}

const void* processTable() {
  return presented(
      jh_process_v1{sizeof(jh_process_v1), 0, WATCHED("process.spawn", jh_process_v1::spawn),
                    WATCHED("process.failure", jh_process_v1::failure), WATCHED("process.write", jh_process_v1::write),
                    WATCHED("process.close_input", jh_process_v1::close_input),
                    WATCHED("process.read", jh_process_v1::read), WATCHED("process.wait", jh_process_v1::wait),
                    WATCHED("process.kill", jh_process_v1::kill), WATCHED("process.close", jh_process_v1::close)});
}

const void* childrenTable() {
  return presented(jh_children_v1{sizeof(jh_children_v1), 0, WATCHED("children.submit", jh_children_v1::submit),
                                  WATCHED("children.wait", jh_children_v1::wait),
                                  WATCHED("children.result", jh_children_v1::result),
                                  WATCHED("children.cancel", jh_children_v1::cancel)});
}

const void* checkpointTable() {
  return presented(jh_checkpoint_v1{sizeof(jh_checkpoint_v1), 0, WATCHED("checkpoint.save", jh_checkpoint_v1::save),
                                    WATCHED("checkpoint.load", jh_checkpoint_v1::load)});
}

const void* recordsTable() {
  return presented(
      jh_records_v1{sizeof(jh_records_v1), 0, WATCHED("records.get", jh_records_v1::get),
                    WATCHED("records.put", jh_records_v1::put), WATCHED("records.del", jh_records_v1::del),
                    WATCHED("records.list", jh_records_v1::list), WATCHED("records.count", jh_records_v1::count)});
}

const void* kvTable() {
  return presented(jh_kv_v1{sizeof(jh_kv_v1), 0, WATCHED("kv.get", jh_kv_v1::get), WATCHED("kv.put", jh_kv_v1::put),
                            WATCHED("kv.del", jh_kv_v1::del), WATCHED("kv.list", jh_kv_v1::list)});
}

/// What the plugin gets for an extension of the real host. One that is not watched here is handed on as it is.
const void* watchedExtension(std::string_view id, const void* real) {
  if (id == JH_EXT_OUTPUT) return realTable<jh_output_v1>() = static_cast<const jh_output_v1*>(real), outputTable();
  if (id == JH_EXT_INPUT) return realTable<jh_input_v1>() = static_cast<const jh_input_v1*>(real), inputTable();
  if (id == JH_EXT_TEMP) return realTable<jh_temp_v1>() = static_cast<const jh_temp_v1*>(real), tempTable();
  if (id == JH_EXT_CONFIG) return realTable<jh_config_v1>() = static_cast<const jh_config_v1*>(real), configTable();
  if (id == JH_EXT_CANCEL) return realTable<jh_cancel_v1>() = static_cast<const jh_cancel_v1*>(real), cancelTable();
  if (id == JH_EXT_HTTP) return realTable<jh_http_v1>() = static_cast<const jh_http_v1*>(real), httpTable();
  if (id == JH_EXT_PROCESS) return realTable<jh_process_v1>() = static_cast<const jh_process_v1*>(real), processTable();
  if (id == JH_EXT_CHILDREN) {
    return realTable<jh_children_v1>() = static_cast<const jh_children_v1*>(real), childrenTable();
  }
  if (id == JH_EXT_CHECKPOINT) {
    return realTable<jh_checkpoint_v1>() = static_cast<const jh_checkpoint_v1*>(real), checkpointTable();
  }
  if (id == JH_EXT_RECORDS) return realTable<jh_records_v1>() = static_cast<const jh_records_v1*>(real), recordsTable();
  if (id == JH_EXT_KV) return realTable<jh_kv_v1>() = static_cast<const jh_kv_v1*>(real), kvTable();
  return real;
}

std::mutex extension_mutex;

const void* JH_CALL get_extension(const char* id) noexcept {
  auto& inspector = *Inspector::get();
  const auto step = inspector.begin("get_extension");
  const std::string_view name = id != nullptr ? std::string_view(id) : std::string_view();
  const void* found = nullptr;
  if (step.mode != Mode::Fail && !inspector.isAbsent(name)) found = realTable<jh_host>()->get_extension(id);
  if (found != nullptr) {
    const std::lock_guard lock(extension_mutex);
    found = watchedExtension(name, found);
  }
  inspector.end(step, found != nullptr ? JH_OK : JH_E_NOT_FOUND, Json::array({name.substr(0, kShownBytes)}), Json());
  return found;
}

}  // namespace

const jh_host* inspectedHost(const jh_host* real, std::uint32_t abi_minor, std::uint32_t flags) {
  realTable<jh_host>() = real;
  jh_host table = *real;
  table.abi_minor = abi_minor;
  table.flags |= flags;
  table.params = WATCHED("params", jh_host::params);
  table.info = WATCHED("info", jh_host::info);
  table.cancelled = &cancelled;
  table.log = WATCHED("log", jh_host::log);
  table.progress = WATCHED("progress", jh_host::progress);
  table.note = WATCHED("note", jh_host::note);
  table.set_result = WATCHED("set_result", jh_host::set_result);
  table.set_error = WATCHED("set_error", jh_host::set_error);
  table.last_error = &last_error;
  table.get_extension = &get_extension;
  return presented(table);
}

}  // namespace jobhost::runner
