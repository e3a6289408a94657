#include "pool/http_calls.hpp"

#include <memory>
#include <utility>

#include "core/json_text.hpp"
#include "pool/call_request.hpp"
#include "wire/messages.hpp"

namespace jobhost::pool {
namespace {

CallAnswer refused(std::int32_t result, const char* code, int error_class, const std::string& why) {
  std::string json = "{\"code\":" + core::quoteJson(code) + ",\"message\":" + core::quoteJson(why) +
                     ",\"class\":" + std::to_string(error_class) + "}";
  return {result, why, std::move(json)};
}

}  // namespace

void fetchForAttempt(PoolContext& context, Attempt& attempt, const std::filesystem::path& work_folder,
                     const wire::Call& call, std::function<void(const CallAnswer&)> answer) {
  HttpServices* const services = context.services != nullptr ? context.services->http() : nullptr;
  if (services == nullptr) return answer({kUnsupported, "this host fetches nothing for plugins", {}});
  const auto& permissions = attempt.type->info.permissions;
  if (permissions.net.empty()) {
    return answer(refused(kDenied, "http.host_denied", 5,
                          "the manifest does not ask for permission to reach any host: it has no permissions.net"));
  }
  wire::HttpFetch request;
  if (!wire::decode(call.body, request)) {
    return answer(refused(kInvalid, "http.invalid_request", 3, "the request cannot be read"));
  }
  if (!attempt.http) {
    attempt.http = services->open();
    if (attempt.cancel_sent) attempt.http->stop();
  }
  HttpCall one;
  one.request_json = std::string(request.request_json);
  one.body = std::string(request.body);
  one.allowed_hosts = permissions.net;
  one.work_folder = work_folder;
  one.slot = attempt.slot;
  attempt.http->fetch(std::move(one), [&loop = context.loop, answer = std::move(answer)](HttpAnswer came) {
    loop.post([answer, came = std::make_shared<HttpAnswer>(std::move(came))] {
      if (came->result != 0) return answer({came->result, std::move(came->error), std::move(came->json)});
      std::string body;
      wire::encode(body, wire::HttpFetched{came->json, came->body});
      answer({0, {}, std::move(body)});
    });
  });
}

}  // namespace jobhost::pool
