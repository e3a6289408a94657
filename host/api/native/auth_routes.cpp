#include <chrono>

#include "api/auth/secrets.hpp"
#include "api/auth/session_cookie.hpp"
#include "api/json_reader.hpp"
#include "api/json_writer.hpp"
#include "api/native/native_dialect.hpp"
#include "api/native/parse.hpp"
#include "api/native/render.hpp"

namespace jobhost::api::native {
namespace {

constexpr std::size_t kMaxLogin = 256;

Response forNobodyElse(Response response) {
  response.with("Cache-Control", "no-store");
  return response;
}

std::int64_t secondsOf(core::Millis wait) {
  return std::chrono::ceil<std::chrono::seconds>(wait).count();
}

Response login(const Parts& parts, Call& call) {
  // Or a page elsewhere could log its visitor in as somebody else.
  if (const auto wrong = refuseForeignOrigin(call.request, parts.options.auth)) return problem(*wrong);
  const auto document = readJsonBody(call, kSmallBody);
  if (!document) return problem(document.error());
  std::vector<core::FieldError> errors;
  JsonObject object(*document, "", errors);
  object.require("name");
  object.require("password");
  const auto name = object.string("name", kMaxLogin).value_or("");
  const auto password = object.string("password", kSmallBody).value_or("");
  object.refuseUnknown();
  if (!errors.empty()) return problem(invalid("the login is not valid", std::move(errors)));
  auto login = parts.deps.accounts.login(name, password, call.address, call.request.header("User-Agent").value_or(""));
  if (!login.opened) return limited(login.opened.error(), secondsOf(login.retry_after));
  const auto& opened = *login.opened;
  JsonWriter json;
  json.beginObject().key("user");
  writeUser(json, opened.user);
  json.key("session");
  writeSession(json, opened.session, true);
  json.key("csrf_token").string(csrfTokenOf(opened.token)).endObject();
  auto response = forNobodyElse({200, kJson, json.take()});
  response.with("Set-Cookie", sessionCookie(opened.token, parts.options.auth));
  return response;
}

Response logout(const Parts& parts, Call& call) {
  if (call.principal->session.empty()) {
    return problem({core::ErrorCode::Conflict, "a key has no session to end", "", {}});
  }
  if (const auto ended = parts.deps.accounts.logout(call.principal->session); !ended) return problem(ended.error());
  Response response(204, {}, "");
  response.with("Set-Cookie", sessionCookie({}, parts.options.auth));
  return response;
}

Response me(const Parts& parts, Call& call) {
  const auto& principal = *call.principal;
  JsonWriter json;
  json.beginObject().key("kind").string(principal.session.empty() ? "key" : "session");
  json.key("id").string(principal.id).key("name").string(principal.name).key("privileges").beginArray();
  for (const auto& word : privilegeWords(principal.privileges)) json.string(word);
  json.endArray().key("all_jobs").boolean(principal.all_jobs).key("user");
  const auto user = principal.user.empty() ? std::nullopt : parts.deps.accounts.find(principal.user);
  user ? writeUser(json, *user) : static_cast<void>(json.null());
  json.key("key_id");
  principal.key.empty() ? json.null() : json.string(principal.key);
  json.key("session_id");
  principal.session.empty() ? json.null() : json.string(principal.session);
  json.key("csrf_token");
  call.session_token.empty() ? json.null() : json.string(csrfTokenOf(call.session_token));
  json.endObject();
  return forNobodyElse({200, kJson, json.take()});
}

Response changePassword(const Parts& parts, Call& call) {
  const auto& principal = *call.principal;
  if (principal.session.empty()) {
    return problem({core::ErrorCode::PermissionDenied, "one's own password is changed in a session", "", {}});
  }
  const auto document = readJsonBody(call, kSmallBody);
  if (!document) return problem(document.error());
  std::vector<core::FieldError> errors;
  JsonObject object(*document, "", errors);
  object.require("old_password");
  object.require("new_password");
  const auto old_password = object.string("old_password", kSmallBody).value_or("");
  auto new_password = object.string("new_password", kSmallBody).value_or("");
  object.refuseUnknown();
  if (!errors.empty()) return problem(invalid("the change is not valid", std::move(errors)));
  core::Millis wait{0};
  const auto changed = parts.deps.accounts.changePassword(principal.user, old_password, std::move(new_password),
                                                          principal.session, actorOf(parts, call), wait);
  return changed ? Response(204, {}, "") : limited(changed.error(), secondsOf(wait));
}

Response listSessions(const Parts& parts, Call& call) {
  auto query = QueryReader::from(call.request);
  if (!query) return problem(query.error());
  const auto user = query->text("user_id");
  const bool admin = call.principal->may(Privilege::Admin);
  if (const auto wrong = query->done()) return problem(*wrong);
  if (!admin && (call.principal->user.empty() || (user && *user != call.principal->user))) {
    return problem({core::ErrorCode::PermissionDenied, "sessions of others need the privilege admin", "", {}});
  }
  JsonWriter json;
  json.beginObject().key("sessions").beginArray();
  for (const auto& session : parts.deps.accounts.sessions(admin ? user.value_or("") : call.principal->user)) {
    writeSession(json, session, session.id == call.principal->session);
  }
  json.endArray().endObject();
  return {200, kJson, json.take()};
}

Response revokeSession(const Parts& parts, Call& call) {
  const auto& id = call.captures[0];
  const auto session = parts.deps.accounts.session(id);
  const bool mine = session && !call.principal->session.empty() && session->user == call.principal->user;
  if (!session || (!mine && !call.principal->may(Privilege::Admin))) {
    return problem({core::ErrorCode::NotFound, "there is no session with this id", "", {}});
  }
  const auto revoked = parts.deps.accounts.revokeSession(id, actorOf(parts, call));
  return revoked ? Response(204, {}, "") : problem(revoked.error());
}

}  // namespace

void addAuthRoutes(RouteTable& routes, const Parts& parts) {
  routes.add(
      Method::Post, "/api/v1/auth/login", Privilege::None, [parts](Call& call) { return login(parts, call); }, false,
      Body::Small);
  routes.add(
      Method::Post, "/api/v1/auth/logout", Privilege::Known, [parts](Call& call) { return logout(parts, call); }, false,
      Body::Small);
  routes.add(Method::Get, "/api/v1/auth/me", Privilege::Known, [parts](Call& call) { return me(parts, call); });
  routes.add(
      Method::Post, "/api/v1/auth/password", Privilege::Known,
      [parts](Call& call) { return changePassword(parts, call); }, false, Body::Small);
  routes.add(
      Method::Get, "/api/v1/auth/sessions", Privilege::Known, [parts](Call& call) { return listSessions(parts, call); },
      kTakesQuery);
  routes.add(Method::Delete, "/api/v1/auth/sessions/{id}", Privilege::Known,
             [parts](Call& call) { return revokeSession(parts, call); });
}

}  // namespace jobhost::api::native
