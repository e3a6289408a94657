// jobhost SDK: HTTP through the host. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "abi.h"
#include "error.hpp"
#include "files.hpp"
#include "host.hpp"
#include "json.hpp"

namespace jobhost {

/// What to fetch. The manifest must name the host in permissions.net.
///   jobhost::HttpRequest request("https://api.example.com/v1/books?page=2");
///   request.header("Authorization", "Bearer " + job.secret("API_KEY")).retry(3);
struct HttpRequest {
  HttpRequest(std::string address) : url(std::move(address)) {}  // NOLINT(google-explicit-constructor)
  HttpRequest(std::string_view address) : url(address) {}        // NOLINT(google-explicit-constructor)
  HttpRequest(const char* address) : url(address) {}             // NOLINT(google-explicit-constructor)
  HttpRequest(std::string verb, std::string address) : method(std::move(verb)), url(std::move(address)) {}

  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;                        ///< with the rest at most 16 MiB; not with GET and HEAD
  std::optional<std::int64_t> timeout_ms;  ///< of all of it; else the host's
  std::optional<std::int64_t> connect_timeout_ms;
  std::optional<std::int64_t> max_body_bytes;
  std::optional<int> max_redirects;  ///< 0: a redirect is the response
  int retries = 0;                   ///< not of POST and PATCH
  bool decompress = true;
  bool cookies = true;  ///< keep and send the cookies of this attempt

  HttpRequest& header(std::string name, std::string value) {
    headers.emplace_back(std::move(name), std::move(value));
    return *this;
  }
  HttpRequest& send(std::string bytes, std::string media_type) {
    body = std::move(bytes);
    return header("Content-Type", std::move(media_type));
  }
  HttpRequest& retry(int times) { return retries = times, *this; }
  HttpRequest& timeout(std::int64_t ms) { return timeout_ms = ms, *this; }
  HttpRequest& limit(std::int64_t bytes) { return max_body_bytes = bytes, *this; }

  /// As jobhost.http/1 has it.
  std::string json() const {
    Json all{{"url", url}, {"method", method}};
    Json list = Json::array();
    for (const auto& [name, value] : headers) {
      Json pair = Json::array();
      pair.push(name);
      pair.push(value);
      list.push(std::move(pair));
    }
    all.set("headers", std::move(list));
    if (timeout_ms) all.set("timeout_ms", *timeout_ms);
    if (connect_timeout_ms) all.set("connect_timeout_ms", *connect_timeout_ms);
    if (max_body_bytes) all.set("max_body_bytes", *max_body_bytes);
    if (max_redirects) all.set("max_redirects", *max_redirects);
    if (retries != 0) all.set("retries", retries);
    if (!decompress) all.set("decompress", false);
    if (!cookies) all.set("cookies", false);
    return all.dump();
  }
};

/// A response, whole, until the object is gone; made by Job::fetch(). One thread at a time.
class HttpResponse {
 public:
  /// Blocks until the response is whole. Throws Error with the host's code ("http.timeout", "http.address_denied") and
  /// class where there is none, and Cancelled when the job is asked to stop. A status that says no throws nothing.
  HttpResponse(jh_job* job, const HttpRequest& request) : job_(job), api_(detail::need<jh_http_v1>(JH_EXT_HTTP)) {
    const std::string json = request.json();
    const jh_result result = api_->fetch(job, detail::str(json), request.body.data(), request.body.size(), &response_);
    if (result != JH_OK) throwFailure(result);
    try {
      info_ = Json::parse(detail::view(api_->info(response_)));
    } catch (...) {
      api_->close(response_);
      throw;
    }
  }
  HttpResponse(HttpResponse&& other) noexcept
      : job_(other.job_),
        api_(other.api_),
        response_(std::exchange(other.response_, nullptr)),
        info_(std::move(other.info_)) {}
  HttpResponse(const HttpResponse&) = delete;
  HttpResponse& operator=(const HttpResponse&) = delete;
  HttpResponse& operator=(HttpResponse&&) = delete;
  ~HttpResponse() {
    if (response_ != nullptr) api_->close(response_);
  }

  int status() const { return static_cast<int>(info_["status"].intOr(0)); }
  /// 200 to 299.
  bool ok() const { return status() >= 200 && status() < 300; }
  /// The URL that answered, after redirects.
  std::string url() const { return std::string(info_["url"].stringOr("")); }
  /// The first header of that name (in lower case); nullopt: none.
  std::optional<std::string> header(std::string_view name) const {
    for (const Json& one : info_["headers"].items()) {
      if (one.at(0).stringOr("") == name) return std::string(one.at(1).stringOr(""));
    }
    return std::nullopt;
  }
  std::int64_t size() const { return info_["body_bytes"].intOr(0); }
  /// status, url, headers, redirects, tries, body_bytes, wire_bytes, elapsed_ms, retry_after_ms.
  const Json& info() const { return info_; }

  /// Throws unless ok(): Error with the code "http.404", class denied for 401 and 403, permanent for the other 4xx, and
  /// upstream, which is tried again, for 408, 429 and 5xx, when the server says, and for redirects that were not
  /// followed.
  HttpResponse& requireOk() & {
    if (!ok()) throwStatus();
    return *this;
  }
  HttpResponse&& requireOk() && {
    if (!ok()) throwStatus();
    return std::move(*this);
  }

  /// Up to `size` bytes of the body; 0 at its end.
  std::size_t read(void* buffer, std::size_t size) {
    std::size_t got = 0;
    detail::check(job_, api_->read(response_, buffer, size, &got), "read a response");
    return got;
  }
  /// What is left of the body; throws Error http.body_too_large when it is longer than `limit`.
  std::string text(std::size_t limit = std::size_t{16} << 20) {
    std::string all;
    char chunk[16 * 1024];
    while (const std::size_t got = read(chunk, sizeof(chunk))) {
      if (got > limit - all.size()) {
        throw Error::permanent("the body is larger than " + std::to_string(limit) + " bytes")
            .code("http.body_too_large");
      }
      all.append(chunk, got);
    }
    return all;
  }
  /// The body as JSON; throws Error http.not_json when it is none.
  Json json(std::size_t limit = std::size_t{16} << 20) {
    const std::string all = text(limit);
    try {
      return Json::parse(all);
    } catch (const Error& error) {
      throw Error(JH_CLASS_UPSTREAM, "http.not_json", "the body is not JSON: " + error.message());
    }
  }
  /// Appends what is left of the body to an output.
  void saveTo(Output& out) {
    char chunk[16 * 1024];
    while (const std::size_t got = read(chunk, sizeof(chunk))) out.append(chunk, got);
  }
  /// A file with the whole body, while this object lives.
  std::string path() const {
    jh_str path{};
    detail::check(job_, api_->path(response_, &path), "path of a response");
    return std::string(detail::view(path));
  }

 private:
  [[noreturn]] void throwFailure(jh_result result) const {
    const std::string_view text = detail::view(api_->failure(job_));
    if (result != JH_E_CANCELLED && !text.empty()) {
      const Json failure = Json::parse(text);
      throw Error(static_cast<std::int32_t>(failure["class"].intOr(JH_CLASS_UPSTREAM)),
                  std::string(failure["code"].stringOr("http.failed")),
                  std::string(failure["message"].stringOr("the fetch failed")));
    }
    detail::check(job_, result, "fetch");
    throw Error(JH_CLASS_INTERNAL, "http.failed", "fetch: the host answered " + std::to_string(result));
  }
  [[noreturn]] void throwStatus() const {
    const int code = status();
    std::int32_t error_class = JH_CLASS_PERMANENT;
    if (code == 401 || code == 403) error_class = JH_CLASS_DENIED;
    if (code == 408 || code == 429 || code >= 500 || code < 400) error_class = JH_CLASS_UPSTREAM;
    const std::string address = url();
    throw Error(error_class, "http." + std::to_string(code),
                address.substr(0, address.find('?')) + " answered " + std::to_string(code))
        .retryAfterMs(info_["retry_after_ms"].intOr(-1));
  }

  jh_job* job_;
  const jh_http_v1* api_;
  jh_http_response* response_ = nullptr;
  Json info_;
};

}  // namespace jobhost
