// jobhost.process/1: the host says whether a program may run and where it is; the runner starts it under a keeper.
#include <utility>

#include "jobhost/json.hpp"
#include "runner/cancel_event.hpp"
#include "runner/host_table.hpp"

namespace jobhost::runner {
namespace {

using wire::SdkCall;

constexpr std::size_t kMostJson = std::size_t{4} << 20;

thread_local std::string last_failure;

/// The attempt that runs now: handles of processes name no job, and only one runs at a time.
std::shared_ptr<Attempt> current() {
  return theSession().current();
}

std::uintptr_t number(const void* handle) {
  return reinterpret_cast<std::uintptr_t>(handle);
}

jh_result failed(const ProcessFailure& failure) {
  last_failure = failure.json();
  return answer(SdkCall::ProcessSpawn, failure.result, failure.message);
}

/// Asks the host whether the attempt may run this program, and where it is.
Processes::Place findProgram(Attempt& attempt, const std::string& name) {
  Processes::Place place;
  if (const auto outcome = attempt.files.tempDir(place.temp_dir); !outcome.ok()) {
    throw ProcessFailure{outcome.code, "process.disk", outcome.why, JH_CLASS_RESOURCE};
  }
  const auto got = theSession().call(attempt, wire::Method::ProcessFind, name, true);
  if (got.code != JH_OK) {
    if (!got.body.empty()) throw ProcessFailure::parse(got.body, got.code);
    const bool stopped = got.code == JH_E_CANCELLED;
    throw ProcessFailure{got.code, stopped ? "process.canceled" : "process.internal", got.error,
                         stopped ? JH_CLASS_TRANSIENT : JH_CLASS_INTERNAL};
  }
  const Json found = Json::parse(got.body);
  place.program = found["program"].stringOr("");
  place.keeper = found["keeper"].stringOr("");
  place.search_path = found["search_path"].stringOr("");
  for (const Json& line : found["environment"].items()) place.environment.emplace_back(line.stringOr(""));
  place.most = static_cast<std::size_t>(found["most"].intOr(1));
  return place;
}

jh_result JH_CALL spawn(jh_job* job, jh_str argv_json, jh_str options_json, jh_process** process) noexcept {
  last_failure.clear();
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(SdkCall::ProcessSpawn);
  const auto invalid = [](std::string why) {
    return failed({JH_E_INVALID, "process.invalid_request", std::move(why), JH_CLASS_PERMANENT});
  };
  if (process == nullptr) return invalid("process is NULL");
  *process = nullptr;
  if (argv_json.len > kMostJson || options_json.len > kMostJson) {
    return failed(
        {JH_E_LIMIT, "process.too_large", "argv and options: at most 4 MiB of JSON each", JH_CLASS_PERMANENT});
  }
  try {
    const Json argv = Json::parse(view(argv_json));
    const Json options = options_json.len > 0 ? Json::parse(view(options_json)) : Json::object();
    const ProcessRequest request = parseProcessRequest(argv, options);
    const int cancel_fd = cancelEvent(*attempt);
    if (cancel_fd < 0) return failed({JH_E_IO, "process.not_started", "no eventfd is to be had", JH_CLASS_RESOURCE});
    const auto place = findProgram(*attempt, request.argv.front());
    std::uintptr_t handle = 0;
    if (const auto failure = attempt->processes.spawn(argv, options, request, place, cancel_fd, handle)) {
      return failed(*failure);
    }
    *process = reinterpret_cast<jh_process*>(handle);
    return answer(SdkCall::ProcessSpawn, JH_OK);
  } catch (const ProcessFailure& failure) {
    return failed(failure);
  } catch (const Error& error) {
    return invalid(error.message());
  }
}

jh_str JH_CALL failure(jh_job*) noexcept {
  answer(SdkCall::ProcessFailure, JH_OK);
  return {last_failure.data(), last_failure.size()};
}

jh_result JH_CALL write(jh_process* process, const void* data, std::size_t len) noexcept {
  const auto attempt = current();
  if (!attempt) return misuse(SdkCall::ProcessWrite);
  if (data == nullptr && len > 0) return answer(SdkCall::ProcessWrite, JH_E_INVALID, "data is NULL");
  return answer(SdkCall::ProcessWrite, attempt->processes.write(number(process), data, len, cancelEvent(*attempt)));
}

jh_result JH_CALL close_input(jh_process* process) noexcept {
  const auto attempt = current();
  if (!attempt) return misuse(SdkCall::ProcessCloseInput);
  return answer(SdkCall::ProcessCloseInput, attempt->processes.closeInput(number(process)));
}

jh_result JH_CALL read(jh_process* process, std::int32_t stream, void* buffer, std::size_t len, std::size_t* got,
                       std::int32_t* from) noexcept {
  const auto attempt = current();
  if (!attempt) return misuse(SdkCall::ProcessRead);
  if (got == nullptr || (buffer == nullptr && len > 0)) {
    return answer(SdkCall::ProcessRead, JH_E_INVALID, "buffer or got is NULL");
  }
  *got = 0;
  std::int32_t which = JH_STREAM_ANY;
  auto outcome = attempt->processes.read(number(process), stream, buffer, len, *got, which, cancelEvent(*attempt));
  if (from != nullptr) *from = which;
  return answer(SdkCall::ProcessRead, std::move(outcome));
}

jh_result JH_CALL wait(jh_process* process, std::int64_t timeout_ms, jh_str* end_json) noexcept {
  const auto attempt = current();
  if (!attempt) return misuse(SdkCall::ProcessWait);
  if (end_json == nullptr) return answer(SdkCall::ProcessWait, JH_E_INVALID, "end_json is NULL");
  std::string_view json;
  auto outcome = attempt->processes.wait(number(process), timeout_ms, json, cancelEvent(*attempt));
  *end_json = {json.data(), json.size()};
  return answer(SdkCall::ProcessWait, std::move(outcome));
}

jh_result JH_CALL kill_process(jh_process* process, std::int32_t force) noexcept {
  const auto attempt = current();
  if (!attempt) return misuse(SdkCall::ProcessKill);
  return answer(SdkCall::ProcessKill, attempt->processes.kill(number(process), force != 0));
}

jh_result JH_CALL close(jh_process* process) noexcept {
  const auto attempt = current();
  if (!attempt) return misuse(SdkCall::ProcessClose);
  // The handler can know of a cancel before cancelCurrent() has come to the programs: they keep their grace.
  if (theSession().cancelled(*attempt) != 0) attempt->processes.stop();
  return answer(SdkCall::ProcessClose, attempt->processes.close(number(process)));
}

}  // namespace

const jh_process_v1* processExtension() {
  static const jh_process_v1 table = {sizeof(jh_process_v1), 0,     &spawn, &failure,      &write,
                                      &close_input,          &read, &wait,  &kill_process, &close};
  return &table;
}

}  // namespace jobhost::runner
