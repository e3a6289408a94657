// jobhost.http/1: a call to the host, and the responses it answers.
#include <array>
#include <utility>

#include "jobhost/json.hpp"
#include "runner/host_table.hpp"

namespace jobhost::runner {
namespace {

using wire::SdkCall;

constexpr std::size_t kMostSent = wire::kMaxCheckpointBytes;  // what the host takes in one message
constexpr std::size_t kMostRequest = 256 * 1024;

thread_local std::string last_failure;

/// The attempt that runs now: handles of responses name no job, and only one runs at a time.
std::shared_ptr<Attempt> current() {
  return theSession().current();
}

std::uintptr_t number(const void* handle) {
  return reinterpret_cast<std::uintptr_t>(handle);
}

jh_result failed(jh_result code, const char* name, std::string why, int error_class) {
  last_failure = Json{{"code", name}, {"message", why}, {"class", error_class}}.dump();
  return answer(SdkCall::HttpFetch, code, std::move(why));
}

jh_result keepResponse(Attempt& attempt, Session::Answer got, jh_http_response** response) {
  wire::HttpFetched fetched;
  if (!wire::decode(got.body, fetched)) {
    return failed(JH_E_FAILED, "http.internal", "the host's answer cannot be read", JH_CLASS_INTERNAL);
  }
  std::string file;
  try {
    const Json head = Json::parse(fetched.response_json);
    const std::string_view name = head["file"].stringOr("");
    if (!name.empty()) {
      if (auto outcome = attempt.files.tempDir(file); !outcome.ok()) {
        return failed(outcome.code, "http.disk", outcome.why, JH_CLASS_RESOURCE);
      }
      file += "/" + std::string(name);
    }
  } catch (const Error& error) {
    return failed(JH_E_FAILED, "http.internal", error.message(), JH_CLASS_INTERNAL);
  }
  std::uintptr_t handle = 0;
  auto outcome =
      attempt.responses.add(std::string(fetched.response_json), std::string(fetched.body), std::move(file), handle);
  if (!outcome.ok()) return failed(outcome.code, "http.too_many_open", outcome.why, JH_CLASS_PERMANENT);
  *response = reinterpret_cast<jh_http_response*>(handle);
  return answer(SdkCall::HttpFetch, JH_OK);
}

jh_result JH_CALL fetch(jh_job* job, jh_str request_json, const void* body, std::size_t len,
                        jh_http_response** response) noexcept {
  last_failure.clear();
  const auto attempt = theSession().find(job);
  if (!attempt) return misuse(SdkCall::HttpFetch);
  const auto invalid = [](const char* why) {
    return failed(JH_E_INVALID, "http.invalid_request", why, JH_CLASS_PERMANENT);
  };
  if (response == nullptr) return invalid("response is NULL");
  *response = nullptr;
  if (body == nullptr && len > 0) return invalid("body is NULL");
  if (request_json.len > kMostRequest) return invalid("the request is larger than 256 KiB");
  if (len > kMostSent - request_json.len) return invalid("body: with the request at most 16 MiB");
  // The host puts large bodies into the attempt's temp folder, which must be there.
  std::string temp;
  if (auto outcome = attempt->files.tempDir(temp); !outcome.ok()) {
    return failed(outcome.code, "http.disk", outcome.why, JH_CLASS_RESOURCE);
  }
  std::string call;
  wire::encode(call, wire::HttpFetch{view(request_json), {static_cast<const char*>(body), len}});
  auto got = theSession().call(*attempt, wire::Method::HttpFetch, call, true);
  if (got.code == JH_OK) return keepResponse(*attempt, std::move(got), response);
  if (!got.body.empty()) {
    last_failure = std::move(got.body);
    return answer(SdkCall::HttpFetch, got.code, std::move(got.error));
  }
  return failed(got.code, got.code == JH_E_CANCELLED ? "http.canceled" : "http.internal", std::move(got.error),
                got.code == JH_E_CANCELLED ? JH_CLASS_TRANSIENT : JH_CLASS_INTERNAL);
}

jh_str JH_CALL failure(jh_job*) noexcept {
  answer(SdkCall::HttpFailure, JH_OK);
  return {last_failure.data(), last_failure.size()};
}

jh_str JH_CALL info(jh_http_response* response) noexcept {
  const auto attempt = current();
  if (!attempt) return misuse(SdkCall::HttpInfo), jh_str{};
  std::string_view json;
  if (answer(SdkCall::HttpInfo, attempt->responses.info(number(response), json)) != JH_OK) return {};
  return {json.data(), json.size()};
}

jh_result JH_CALL read(jh_http_response* response, void* buffer, std::size_t len, std::size_t* got) noexcept {
  const auto attempt = current();
  if (!attempt) return misuse(SdkCall::HttpRead);
  if (got == nullptr || (buffer == nullptr && len > 0)) {
    return answer(SdkCall::HttpRead, JH_E_INVALID, "buffer or got is NULL");
  }
  *got = 0;
  return answer(SdkCall::HttpRead, attempt->responses.read(number(response), buffer, len, *got));
}

jh_result JH_CALL path(jh_http_response* response, jh_str* out) noexcept {
  const auto attempt = current();
  if (!attempt) return misuse(SdkCall::HttpPath);
  if (out == nullptr) return answer(SdkCall::HttpPath, JH_E_INVALID, "path is NULL");
  std::string temp;
  auto outcome = attempt->files.tempDir(temp);
  std::string_view found;
  if (outcome.ok()) outcome = attempt->responses.path(number(response), temp, found);
  if (outcome.ok()) *out = {found.data(), found.size()};
  return answer(SdkCall::HttpPath, std::move(outcome));
}

jh_result JH_CALL save_to(jh_http_response* response, jh_output* out) noexcept {
  const auto attempt = current();
  if (!attempt) return misuse(SdkCall::HttpSaveTo);
  std::array<char, 64 * 1024> chunk;
  for (;;) {
    std::size_t got = 0;
    if (theSession().cancelled(*attempt) != 0) {
      return answer(SdkCall::HttpSaveTo, JH_E_CANCELLED, "the job was asked to stop");
    }
    auto outcome = attempt->responses.read(number(response), chunk.data(), chunk.size(), got);
    if (!outcome.ok() || got == 0) return answer(SdkCall::HttpSaveTo, std::move(outcome));
    outcome = attempt->files.write(number(out), chunk.data(), got);
    if (!outcome.ok()) return answer(SdkCall::HttpSaveTo, std::move(outcome));
  }
}

jh_result JH_CALL close(jh_http_response* response) noexcept {
  const auto attempt = current();
  return attempt ? answer(SdkCall::HttpClose, attempt->responses.close(number(response))) : misuse(SdkCall::HttpClose);
}

}  // namespace

const jh_http_v1* httpExtension() {
  static const jh_http_v1 table = {sizeof(jh_http_v1), 0, &fetch, &failure, &info, &read, &path, &save_to, &close};
  return &table;
}

}  // namespace jobhost::runner
