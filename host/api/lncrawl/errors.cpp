#include "api/lncrawl/errors.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "api/json_writer.hpp"
#include "api/router.hpp"
#include "core/json_text.hpp"
#include "telemetry/log.hpp"

namespace jobhost::api::lncrawl {
namespace {

constexpr std::size_t kMaxInput = 1024;  ///< bytes of a wrong value that are shown
constexpr std::size_t kMaxFaults = 100;

bool isIndex(std::string_view text) {
  return !text.empty() && text.size() < 10 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

Response answer(std::string json, int status) {
  return {status, kJson, std::move(json)};
}

Response answerTrue() {
  return answer("true");
}

Response failure(int status, std::string_view error, std::string_view detail) {
  JsonWriter json;
  json.beginObject().key("error").string(error).key("detail");
  detail.empty() ? json.null() : json.string(detail);
  json.endObject();
  return answer(json.take(), status);
}

Response noSuch(std::string_view what) {
  return failure(404, "No such " + std::string(what));
}

Response unauthorized() {
  return failure(401, "Unauthorized");
}

Response forbidden() {
  return failure(403, "Forbidden");
}

Response failure(const core::Error& error, int status) {
  auto response = refusal(error, status);
  if (response.status >= 500) {
    telemetry::log("api").error("request failed status={} code={} reason=\"{}\" detail=\"{}\"", response.status,
                                core::toString(error.code), error.message, error.detail);
  }
  return response;
}

Response refusal(const core::Error& error, int status) {
  if (status == 0) status = error.code == core::ErrorCode::InvalidArgument ? 422 : statusOf(error.code);
  if (status == 500) return failure(500, "Internal Server Error");
  std::string detail;
  for (const auto& field : error.fields) {
    if (detail.size() > 1000) break;
    detail += (detail.empty() ? "" : "; ") + (field.pointer.empty() ? "" : field.pointer + ": ") + field.message;
  }
  auto response = failure(status, error.message, detail);
  if (status == 429 || status == 503) response.with("Retry-After", "1");
  return response;
}

bool numbersFit(std::string_view json) {
  bool quoted = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (quoted && c == '\\') ++i;
    if (c == '"') quoted = !quoted;
    if (quoted || (c != '-' && (c < '0' || c > '9'))) continue;
    double number = 0;
    const auto read = std::from_chars(json.data() + i, json.data() + json.size(), number);
    if (read.ec != std::errc{}) return false;
    i = static_cast<std::size_t>(read.ptr - json.data()) - 1;
  }
  return true;
}

Response invalid(const std::vector<Fault>& faults) {
  JsonWriter json;
  json.beginObject().key("detail").beginArray();
  for (std::size_t i = 0; i < std::min(faults.size(), kMaxFaults); ++i) {
    const auto& fault = faults[i];
    json.beginObject().key("type").string(fault.type).key("loc").beginArray();
    for (const auto& step : fault.where) isIndex(step) ? json.raw(step) : json.string(step);
    json.endArray().key("msg").string(fault.message).key("input");
    const bool as_it_came = fault.input_json.size() <= kMaxInput && numbersFit(fault.input_json);
    as_it_came ? json.raw(fault.input_json) : json.string(core::cleanText(fault.input_json, kMaxInput));
    if (!fault.context_json.empty()) json.key("ctx").raw(fault.context_json);
    json.endObject();
  }
  json.endArray().endObject();
  return answer(json.take(), 422);
}

}  // namespace jobhost::api::lncrawl
