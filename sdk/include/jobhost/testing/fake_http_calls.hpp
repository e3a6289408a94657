// jobhost SDK, for tests: jobhost.http/1 as C functions. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <utility>

#include "fake_state.hpp"

namespace jobhost::testing::detail {

struct HttpCalls {
  static State& host() noexcept { return *State::active(); }
  static Reply closed() { return {JH_E_MISUSE, "the response is not open (any more)"}; }
  static jh_job* running() noexcept { return reinterpret_cast<jh_job*>(host().current); }

  static jh_result JH_CALL fetch(jh_job* job, jh_str request_json, const void* body, std::size_t len,
                                 jh_http_response** response) noexcept {
    {
      const std::lock_guard lock(host().mutex);
      host().http.failure.clear();
    }
    return host().call("http.fetch", job, true, [&](auto& lock) {
      State& state = host();
      if (response == nullptr || (body == nullptr && len > 0))
        return failed(JH_E_INVALID, "http.invalid_request", "response or body is NULL", JH_CLASS_PERMANENT);
      *response = nullptr;
      Fetch one;
      one.request = Json::parse(text(request_json));
      one.url = std::string(one.request["url"].stringOr(""));
      one.method = std::string(one.request["method"].stringOr("GET"));
      if (len > 0) one.body.assign(static_cast<const char*>(body), len);
      if (!mayReach(state.manifest, one.url)) {
        return failed(JH_E_DENIED, "http.host_denied",
                      one.url + ": the manifest's permissions.net does not name the host", JH_CLASS_DENIED);
      }
      state.attempt.fetches.push_back(one);
      FetchEnd end = FetchEnd::failed(JH_E_IO, "http.dns", "the test answers no fetches: see onFetch()");
      if (const auto hook = state.on_fetch) {
        lock.unlock();
        end = hook(one);
        lock.lock();
      }
      if (state.cancel.reason() != JH_CANCEL_NO) return Reply{JH_E_CANCELLED, "the job was asked to stop"};
      if (end.result != JH_OK)
        return failed(end.result, end.code, one.method + " " + one.url + ": " + end.message, end.error_class);
      const auto most = one.request["max_body_bytes"].intOr(std::int64_t{1} << 30);
      if (static_cast<std::int64_t>(end.body.size()) > most) {
        return failed(JH_E_LIMIT, "http.body_too_large",
                      "the body is longer than the limit of " + std::to_string(most) + " bytes", JH_CLASS_PERMANENT);
      }
      Json headers = Json::array();
      for (const auto& [name, value] : end.headers) {
        Json pair = Json::array();
        pair.push(name);
        pair.push(value);
        headers.push(std::move(pair));
      }
      Json info{{"status", end.status},
                {"url", end.url.empty() ? one.url : end.url},
                {"redirects", end.url.empty() ? 0 : 1},
                {"tries", 1},
                {"body_bytes", end.body.size()},
                {"wire_bytes", end.body.size()},
                {"elapsed_ms", 0},
                {"retry_after_ms", end.retry_after_ms >= 0 ? Json(end.retry_after_ms) : Json()}};
      info.set("headers", std::move(headers));
      const std::uintptr_t handle = ++state.http.serial << 4 | 0x6;  // a number, never an address
      state.http.open[handle] = {info.dump(), std::move(end.body), {}, 0};
      *response = reinterpret_cast<jh_http_response*>(handle);
      return Reply{};
    });
  }
  static jh_str JH_CALL failure(jh_job* job) noexcept {
    return host().words("http.failure", job, [] { return host().http.failure; });
  }
  static jh_str JH_CALL info(jh_http_response* response) noexcept {
    return host().words("http.info", running(), [&] {
      const auto* open = host().http.find(response);
      if (open == nullptr) host().complain("http.info: the response is not open (any more)");
      return open != nullptr ? open->info : std::string();
    });
  }
  static jh_result JH_CALL read(jh_http_response* response, void* buffer, std::size_t len, std::size_t* got) noexcept {
    return host().call("http.read", running(), false, [&](auto&) {
      if (got == nullptr || (buffer == nullptr && len > 0)) return Reply{JH_E_INVALID, "buffer or got is NULL"};
      auto* open = host().http.find(response);
      if (open == nullptr) return closed();
      *got = std::min(len, open->body.size() - open->at);
      if (*got > 0) std::memcpy(buffer, open->body.data() + open->at, *got);
      open->at += *got;
      return Reply{};
    });
  }
  static jh_result JH_CALL path(jh_http_response* response, jh_str* path) noexcept {
    return host().call("http.path", running(), false, [&](auto&) {
      if (path == nullptr) return Reply{JH_E_INVALID, "path is NULL"};
      auto* open = host().http.find(response);
      if (open == nullptr) return closed();
      if (open->path.empty()) {
        open->path =
            host().files.tempDir() + "/http-" + std::to_string(reinterpret_cast<std::uintptr_t>(response) >> 4);
        std::ofstream(open->path, std::ios::binary) << open->body;
      }
      *path = {open->path.data(), open->path.size()};
      return Reply{};
    });
  }
  static jh_result JH_CALL save_to(jh_http_response* response, jh_output* out) noexcept {
    return host().call("http.save_to", running(), true, [&](auto&) {
      auto* open = host().http.find(response);
      if (open == nullptr) return closed();
      Reply reply = host().files.write(reinterpret_cast<std::uintptr_t>(out), open->body.data() + open->at,
                                       open->body.size() - open->at);
      if (reply.code == JH_OK) open->at = open->body.size();
      return reply;
    });
  }
  static jh_result JH_CALL close(jh_http_response* response) noexcept {
    return host().call("http.close", running(), false, [&](auto&) {
      const auto* open = host().http.find(response);
      if (open == nullptr) return closed();
      std::error_code ignored;
      if (!open->path.empty()) std::filesystem::remove(open->path, ignored);
      host().http.open.erase(reinterpret_cast<std::uintptr_t>(response));
      return Reply{};
    });
  }

 private:
  static Reply failed(jh_result result, const std::string& code, const std::string& why, std::int32_t error_class) {
    host().http.failure = Json{{"code", code}, {"message", why}, {"class", error_class}}.dump();
    return {result, why};
  }
};

}  // namespace jobhost::testing::detail
