#include <chrono>

#include "api/lncrawl/parts.hpp"

namespace jobhost::api::lncrawl {
namespace {

constexpr std::size_t kMaxName = 256;
constexpr std::size_t kMaxPassword = 4096;

Response forNobodyElse(Response response) {
  response.with("Cache-Control", "no-store");
  return response;
}

Response login(const Parts& parts, Call& call) {
  const auto body = call.request.body->all(kSmallBody);
  if (!body) return failure(body.error());
  BodyFields fields(*body);
  const auto name = fields.text("email", kMaxName);
  const auto password = fields.text("password", kMaxPassword);
  if (!fields.faults().empty()) return invalid(fields.faults());
  const auto verified = parts.deps.accounts.verify(*name, *password, call.address);
  if (!verified.user) {
    const auto& why = verified.user.error();
    if (why.code == core::ErrorCode::Unauthenticated) {
      // The contract tells an unknown name from a wrong password; guesses of names are slowed down alike.
      return parts.deps.accounts.findByName(*name) ? unauthorized() : failure(404, "No such user");
    }
    if (why.code == core::ErrorCode::PermissionDenied) return failure(403, "User is inactive");
    auto response = failure(why);
    if (why.code == core::ErrorCode::Exhausted) {
      const auto wait = std::chrono::ceil<std::chrono::seconds>(verified.retry_after).count();
      for (auto& [header, value] : response.headers) {
        if (header == "Retry-After" && wait > 0) value = std::to_string(wait);
      }
    }
    return response;
  }
  JsonWriter json;
  json.beginObject().key("token").string(parts.tokens.issue(*verified.user, parts.deps.clock.now())).key("user");
  writeUser(json, *verified.user);
  json.endObject();
  return forNobodyElse(answer(json.take()));
}

Response me(const Parts& parts, Call& call) {
  const auto user = parts.credentials.userOf(*call.principal);
  if (!user) return unauthorized();
  JsonWriter json;
  writeUser(json, *user);
  return forNobodyElse(answer(json.take()));
}

}  // namespace

void addAuthRoutes(RouteTable& routes, const Parts& parts) {
  routes.add(
      Method::Post, "/api/auth/login", Privilege::None, [parts](Call& call) { return login(parts, call); }, false,
      Body::Small);
  routes.add(Method::Get, "/api/auth/me", Privilege::Known, [parts](Call& call) { return me(parts, call); });
  routes.add(
      Method::Post, "/api/auth/me/create-token", Privilege::Known,
      // An invitation could be used by nothing: there is no sign-up here, admins make the users.
      [](Call&) { return failure(403, "Sign-up is not offered here", "An admin makes the users"); }, false,
      Body::Small);
  const auto pong = [](Call&) { return answer(R"("pong")"); };
  routes.add(Method::Get, "/api/ping", Privilege::None, pong);
  routes.add(Method::Options, "/api/ping", Privilege::None, pong);
}

}  // namespace jobhost::api::lncrawl
