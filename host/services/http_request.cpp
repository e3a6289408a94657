#include "services/http_request.hpp"

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "core/json_text.hpp"
#include "core/utf8.hpp"

namespace jobhost::services {
namespace {

using fetch::Failure;
using fetch::FailureCode;
using std::chrono::milliseconds;

constexpr std::size_t kMaxRequestJson = 256 * 1024;

/// Reads one member after another; the first that is wrong is kept.
class Reader {
 public:
  Reader(fetch::Request& request, bool& cookies) : request_(request), cookies_(cookies) {}

  void member(const core::JsonMember& one) {
    const auto& key = one.key;
    if (key == "url") return text(one, request_.url);
    if (key == "method") return text(one, request_.method);
    if (key == "headers") return headers(one);
    if (key == "timeout_ms") return millis(one, request_.timeout);
    if (key == "connect_timeout_ms") return millis(one, request_.connect_timeout);
    if (key == "max_body_bytes") return number(one, request_.max_body_bytes);
    if (key == "max_redirects") return small(one, request_.max_redirects);
    if (key == "decompress") return flag(one, request_.decompress);
    if (key == "cookies") return flag(one, cookies_);
    if (key == "retries") {
      std::optional<int> retries;
      small(one, retries);
      request_.retries = retries.value_or(0);
      return;
    }
    wrong(core::cleanText(key, 64) + ": is no member of a request");
  }

  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  void wrong(std::string why) {
    if (problem_.empty()) problem_ = std::move(why);
  }

  void text(const core::JsonMember& one, std::string& out) {
    auto value = core::jsonString(one.value);
    if (!value) return wrong(one.key + ": must be a string");
    out = *std::move(value);
  }

  void number(const core::JsonMember& one, std::optional<std::int64_t>& out) {
    out = core::jsonInteger(one.value);
    if (!out) wrong(one.key + ": must be an integer");
  }

  void small(const core::JsonMember& one, std::optional<int>& out) {
    std::optional<std::int64_t> value;
    number(one, value);
    if (!value) return;
    if (*value < 0 || *value > std::numeric_limits<int>::max()) return wrong(one.key + ": is out of range");
    out = static_cast<int>(*value);
  }

  void millis(const core::JsonMember& one, std::optional<milliseconds>& out) {
    std::optional<std::int64_t> value;
    number(one, value);
    if (value) out = milliseconds(*value);
  }

  void flag(const core::JsonMember& one, bool& out) {
    if (one.value != "true" && one.value != "false") return wrong(one.key + ": must be true or false");
    out = one.value == "true";
  }

  void headers(const core::JsonMember& one) {
    const auto list = core::jsonItems(one.value);
    if (!list) return wrong("headers: must be an array of [name, value]");
    for (std::size_t i = 0; i < list->size(); ++i) {
      const auto pair = core::jsonItems((*list)[i]);
      const auto name = pair && pair->size() == 2 ? core::jsonString((*pair)[0]) : std::nullopt;
      const auto value = pair && pair->size() == 2 ? core::jsonString((*pair)[1]) : std::nullopt;
      if (!name || !value) return wrong("headers/" + std::to_string(i) + ": must be [name, value], both strings");
      request_.headers.push_back({*name, *value});
    }
  }

  fetch::Request& request_;
  bool& cookies_;
  std::string problem_;
};

// jh_result and JH_CLASS_* of the ABI (sdk/include/jobhost/abi.h).
struct Meaning {
  std::int32_t result;
  int error_class;
};

Meaning meaningOf(FailureCode code) {
  switch (code) {
    case FailureCode::InvalidRequest:
      return {-3, 3};
    case FailureCode::Scheme:
    case FailureCode::HostDenied:
    case FailureCode::AddressDenied:
      return {-4, 5};
    case FailureCode::Dns:
    case FailureCode::Connect:
    case FailureCode::Truncated:
      return {-7, 6};
    case FailureCode::Tls:
    case FailureCode::Protocol:
    case FailureCode::TooManyRedirects:
    case FailureCode::BadRedirect:
      return {-7, 6};
    case FailureCode::ConnectTimeout:
    case FailureCode::Timeout:
    case FailureCode::TooSlow:
      return {-8, 6};
    case FailureCode::HeadersTooLarge:
    case FailureCode::BodyTooLarge:
    case FailureCode::Decompression:
      return {-6, 3};
    case FailureCode::Busy:
    case FailureCode::ShuttingDown:
      return {-11, 2};
    case FailureCode::Disk:
      return {-7, 4};
    case FailureCode::Canceled:
      return {-2, 2};
    case FailureCode::Internal:
      return {-1, 9};
  }
  return {-1, 9};
}

/// A header's value is UTF-8 today and was Latin-1 by the book (RFC 7230, 3.2.4): what is not the one is the other.
std::string asUtf8(const std::string& value) {
  if (core::isUtf8(value)) return value;
  std::string out;
  for (const char c : value) core::appendUtf8(out, static_cast<unsigned char>(c));
  return out;
}

std::string number(std::int64_t value) {
  return std::to_string(value);
}

}  // namespace

std::variant<fetch::Request, Failure> parseHttpRequest(std::string_view json, bool& keeps_cookies) {
  const auto invalid = [](std::string why) { return Failure{FailureCode::InvalidRequest, std::move(why)}; };
  keeps_cookies = true;
  if (json.size() > kMaxRequestJson) return invalid("the request is larger than " + number(kMaxRequestJson) + " bytes");
  const auto members = core::jsonMembers(json);
  if (!members) return invalid("the request must be a JSON object, without a key twice");
  fetch::Request request;
  Reader reader(request, keeps_cookies);
  for (const auto& one : *members) reader.member(one);
  if (!reader.problem().empty()) return invalid(reader.problem());
  if (request.url.empty()) return invalid("url: is missing");
  return request;
}

std::string describeResponse(const fetch::Response& response, std::string_view file) {
  std::string json =
      "{\"status\":" + number(response.status) + ",\"url\":" + core::quoteJson(response.url) + ",\"headers\":[";
  for (const auto& [name, value] : response.headers) {
    if (json.back() == ']') json += ',';
    json += "[" + core::quoteJson(name) + "," + core::quoteJson(asUtf8(value)) + "]";
  }
  json += "],\"redirects\":" + number(response.redirects) + ",\"tries\":" + number(response.tries) +
          ",\"body_bytes\":" + number(response.body_bytes) + ",\"wire_bytes\":" + number(response.wire_bytes) +
          ",\"elapsed_ms\":" + number(response.elapsed.count()) +
          ",\"retry_after_ms\":" + (response.retry_after ? number(response.retry_after->count()) : "null");
  if (!file.empty()) json += ",\"file\":" + core::quoteJson(file);
  return json + "}";
}

pool::HttpAnswer describeFailure(const Failure& failure) {
  const auto meaning = meaningOf(failure.code);
  std::string message = core::cleanText(failure.message, 2048);
  if (failure.code == FailureCode::HostDenied) message += ": the manifest's permissions.net does not name it";
  std::string json = "{\"code\":" + core::quoteJson(fetch::toString(failure.code)) +
                     ",\"message\":" + core::quoteJson(message) + ",\"class\":" + number(meaning.error_class) + "}";
  return {meaning.result, std::move(message), std::move(json), {}};
}

}  // namespace jobhost::services
