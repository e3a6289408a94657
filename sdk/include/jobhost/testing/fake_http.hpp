// jobhost SDK, for tests: the far side of jobhost.http/1. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../abi.h"
#include "../json.hpp"

namespace jobhost::testing {

/// One request the plugin made.
struct Fetch {
  std::string method;
  std::string url;
  Json request;      ///< all that was asked for, as jobhost.http/1 has it
  std::string body;  ///< sent along

  /// The first header of that name, as it was given; empty: none.
  [[nodiscard]] std::string header(std::string_view name) const {
    for (const Json& one : request["headers"].items()) {
      if (one.at(0).stringOr("") == name) return std::string(one.at(1).stringOr(""));
    }
    return {};
  }
};

/// What a FakeHost::onFetch callback answers: a response, or why there is none.
struct FetchEnd {
  int status = 200;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
  std::string url;                                           ///< that answered; empty: the one asked for
  std::int64_t retry_after_ms = -1;

  jh_result result = JH_OK;  ///< not JH_OK: the fetch fails with code, message and class
  std::string code, message;
  std::int32_t error_class = JH_CLASS_UPSTREAM;

  static FetchEnd ok(std::string body, const std::string& media_type = "text/plain") {
    FetchEnd end;
    end.body = std::move(body);
    end.headers = {{"content-type", media_type}};
    return end;
  }
  static FetchEnd json(const Json& value) { return ok(value.dump(), "application/json"); }
  static FetchEnd answered(int status, std::string body = {}) {
    FetchEnd end;
    end.status = status;
    end.body = std::move(body);
    return end;
  }
  static FetchEnd failed(jh_result result, std::string code, std::string message,
                         std::int32_t error_class = JH_CLASS_UPSTREAM) {
    FetchEnd end;
    end.result = result;
    end.code = std::move(code);
    end.message = std::move(message);
    end.error_class = error_class;
    return end;
  }
  static FetchEnd timeout() { return failed(JH_E_TIMEOUT, "http.timeout", "not done in time"); }
  static FetchEnd truncated() { return failed(JH_E_IO, "http.truncated", "the body ended before it was whole"); }
};

namespace detail {

/// Whether `host` is one of the manifest's permissions.net.
inline bool mayReach(const Json& manifest, const std::string& url) {
  const auto begin = url.find("://");
  if (begin == std::string::npos) return false;
  std::string host = url.substr(begin + 3, url.find_first_of("/?#", begin + 3) - begin - 3);
  if (const auto at = host.rfind('@'); at != std::string::npos) host = host.substr(at + 1);
  if (const auto colon = host.rfind(':'); colon != std::string::npos && host.back() != ']')
    host = host.substr(0, colon);
  for (const Json& one : manifest["permissions"]["net"].items()) {
    const std::string_view pattern = one.stringOr("");
    if (pattern == "*" || pattern == host) return true;
    if (pattern.size() > 2 && pattern.substr(0, 2) == "*." && host.size() > pattern.size() - 1 &&
        std::string_view(host).substr(host.size() - pattern.size() + 1) == pattern.substr(1)) {
      return true;
    }
  }
  return false;
}

/// The responses that are open.
struct FakeResponses {
  struct Open {
    std::string info, body, path;
    std::size_t at = 0;
  };
  std::map<std::uintptr_t, Open> open;
  std::uintptr_t serial = 0;
  std::string failure;

  Open* find(const jh_http_response* response) {
    const auto found = open.find(reinterpret_cast<std::uintptr_t>(response));
    return found != open.end() ? &found->second : nullptr;
  }
};

}  // namespace detail
}  // namespace jobhost::testing
