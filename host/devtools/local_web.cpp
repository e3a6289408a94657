#include "devtools/local_web.hpp"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/json_text.hpp"
#include "jobhost/abi.h"

namespace jobhost::devtools {
namespace {

using Answer = std::function<void(pool::HttpAnswer)>;

pool::HttpAnswer failed(std::int32_t result, const char* code, const char* why) {
  std::string json = "{\"code\":" + core::quoteJson(code) + ",\"message\":" + core::quoteJson(why) + ",\"class\":6}";
  return {result, why, std::move(json), {}};
}

pool::HttpAnswer answered(int status, const std::string& url, std::string body) {
  const auto bytes = std::to_string(body.size());
  std::string json = "{\"status\":" + std::to_string(status) + ",\"url\":" + core::quoteJson(url) +
                     ",\"headers\":[[\"content-type\",\"text/plain\"],[\"content-length\",\"" + bytes +
                     "\"]],\"redirects\":0,\"tries\":1,\"body_bytes\":" + bytes + ",\"wire_bytes\":" + bytes +
                     ",\"elapsed_ms\":0,\"retry_after_ms\":null}";
  return {0, {}, std::move(json), std::move(body)};
}

/// Belongs to the pool's thread, as all sessions do: answers come at once, or with stop().
class Session final : public pool::HttpSession {
 public:
  Session(Web web, const std::function<void()>& waits) : web_(web), waits_(waits) {}

  void fetch(pool::HttpCall call, Answer done) override {
    if (stopped_) return done(failed(JH_E_CANCELLED, "http.canceled", "the job was asked to stop"));
    std::string url;
    if (const auto members = core::jsonMembers(call.request_json)) {
      for (const auto& one : *members) {
        if (one.key == "url") url = core::jsonString(one.value).value_or("");
      }
    }
    if (url.rfind("http://", 0) != 0 && url.rfind("https://", 0) != 0) {
      return done(failed(JH_E_INVALID, "http.invalid_request", "url: must be an http or https URL"));
    }
    switch (web_) {
      case Web::Fine:
      case Web::Real:
        return done(answered(200, url, "a page that jobhost plugin check made up\n"));
      case Web::NotFound:
        return done(answered(404, url, "not found\n"));
      case Web::Timeout:
        return done(failed(JH_E_TIMEOUT, "http.timeout", "not done in time"));
      case Web::Truncated:
        return done(failed(JH_E_IO, "http.truncated", "the body ended before it was whole"));
      case Web::Silent:
        waiting_.push_back(std::move(done));
        if (waits_) waits_();
        return;
    }
  }

  void stop() override {
    stopped_ = true;
    for (auto& done : std::exchange(waiting_, {})) {
      done(failed(JH_E_CANCELLED, "http.canceled", "the job was asked to stop"));
    }
  }

 private:
  const Web web_;
  const std::function<void()>& waits_;
  bool stopped_ = false;
  std::vector<Answer> waiting_;
};

}  // namespace

std::unique_ptr<pool::HttpSession> LocalWeb::open() {
  return std::make_unique<Session>(web_, waits_);
}

}  // namespace jobhost::devtools
