#include <limits>

#include "api/json_reader.hpp"
#include "api/json_writer.hpp"
#include "api/native/native_dialect.hpp"
#include "api/native/parse.hpp"
#include "api/native/render.hpp"

namespace jobhost::api::native {
namespace {

constexpr std::int64_t kMaxPage = 1000;
constexpr std::int64_t kIntMax = std::numeric_limits<int>::max();

Response shown(const store::User& user, int status = 200) {
  JsonWriter json;
  writeUser(json, user);
  return {status, kJson, json.take()};
}

core::Error noSuchUser() {
  return {core::ErrorCode::NotFound, "there is no user with this id", "", {}};
}

Response list(const Parts& parts, Call& call) {
  auto query = QueryReader::from(call.request);
  if (!query) return problem(query.error());
  const auto name = query->text("name");
  const auto cursor = query->text("cursor").value_or("");
  const auto limit = static_cast<std::size_t>(query->integer("limit", 1, kMaxPage).value_or(100));
  if (const auto wrong = query->done()) return problem(*wrong);
  std::vector<store::User> users;
  if (name) {
    if (auto user = parts.deps.accounts.findByName(*name)) users.push_back(*std::move(user));
  } else {
    users = parts.deps.accounts.list(cursor, limit + 1);
  }
  const bool more = users.size() > limit;
  if (more) users.resize(limit);
  JsonWriter json;
  json.beginObject().key("users").beginArray();
  for (const auto& user : users) writeUser(json, user);
  json.endArray().key("next_cursor");
  more ? json.string(users.back().name_key) : json.null();
  json.endObject();
  return {200, kJson, json.take()};
}

Response create(const Parts& parts, Call& call) {
  const auto document = readJsonBody(call, kSmallBody);
  if (!document) return problem(document.error());
  std::vector<core::FieldError> errors;
  JsonObject object(*document, "", errors);
  object.require("name");
  object.require("password");
  UserRequest request;
  request.name = object.string("name").value_or("");
  request.password = object.string("password").value_or("");
  request.role = object.string("role", 64).value_or("user");
  request.tier = static_cast<int>(object.integer("tier", 0, kIntMax).value_or(0));
  request.disabled = object.boolean("disabled").value_or(false);
  object.refuseUnknown();
  if (!errors.empty()) return problem(invalid("the user's description is not valid", std::move(errors)));
  const auto user = parts.deps.accounts.create(std::move(request), actorOf(parts, call));
  if (!user) return problem(user.error());
  auto response = shown(*user, 201);
  response.with("Location", "/api/v1/users/" + user->id);
  return response;
}

/// What nobody can do to himself: an admin who makes a slip would have to ask another one.
std::optional<Response> refuseOnOneself(const Call& call, bool takes_away, bool password) {
  if (call.principal->user.empty() || call.principal->user != call.captures[0]) return std::nullopt;
  if (takes_away) {
    return problem({core::ErrorCode::Conflict, "you cannot disable, demote or delete yourself", "", {}});
  }
  if (password) {
    return problem(
        {core::ErrorCode::PermissionDenied, "your own password is changed at /api/v1/auth/password", "", {}});
  }
  return std::nullopt;
}

Response change(const Parts& parts, Call& call) {
  const auto document = readJsonBody(call, kSmallBody);
  if (!document) return problem(document.error());
  std::vector<core::FieldError> errors;
  JsonObject object(*document, "", errors);
  UserChange change;
  change.name = object.string("name");
  change.password = object.string("password");
  change.role = object.string("role", 64);
  if (const auto tier = object.integer("tier", 0, kIntMax)) change.tier = static_cast<int>(*tier);
  change.disabled = object.boolean("disabled");
  object.refuseUnknown();
  if (!errors.empty()) return problem(invalid("the change is not valid", std::move(errors)));
  if (!change.name && !change.password && !change.role && !change.tier && !change.disabled) {
    return problem(invalid("the change is not valid", {{"", "must have name, password, role, tier or disabled"}}));
  }
  const bool takes_away = change.disabled.value_or(false) || (change.role && *change.role != "admin");
  if (auto refused = refuseOnOneself(call, takes_away, change.password.has_value())) return *std::move(refused);
  const auto user = parts.deps.accounts.change(call.captures[0], std::move(change), actorOf(parts, call));
  return user ? shown(*user) : problem(user.error());
}

Response remove(const Parts& parts, Call& call) {
  if (auto refused = refuseOnOneself(call, true, false)) return *std::move(refused);
  const auto removed = parts.deps.accounts.remove(call.captures[0], actorOf(parts, call));
  return removed ? Response(204, {}, "") : problem(removed.error());
}

/// Ends the user's sessions, and with `{"keys": true}` the keys too.
Response revoke(const Parts& parts, Call& call) {
  const auto body = call.request.body->all(kSmallBody);
  if (!body) return problem(body.error());
  bool keys = false;
  if (!body->empty()) {
    const auto document = parseJson(*body);
    if (!document) return problem(document.error());
    std::vector<core::FieldError> errors;
    JsonObject object(*document, "", errors);
    keys = object.boolean("keys").value_or(false);
    object.refuseUnknown();
    if (!errors.empty()) return problem(invalid("the body is not valid", std::move(errors)));
  }
  const auto& id = call.captures[0];
  auto actor = actorOf(parts, call);
  if (const auto ended = parts.deps.accounts.revokeSessions(id, actor); !ended) return problem(ended.error());
  actor.live = nullptr;  // one's own session may just have ended by it
  // After the sessions: a key that one of them is making now is either there to be revoked, or refused.
  if (keys) {
    if (const auto ended = parts.deps.keys.revokeOf(id, actor); !ended) return problem(ended.error());
  }
  return {204, {}, ""};
}

}  // namespace

void addUserRoutes(RouteTable& routes, const Parts& parts) {
  routes.add(
      Method::Get, "/api/v1/users", Privilege::Admin, [parts](Call& call) { return list(parts, call); }, kTakesQuery);
  routes.add(
      Method::Post, "/api/v1/users", Privilege::Admin, [parts](Call& call) { return create(parts, call); }, false,
      Body::Small);
  routes.add(Method::Get, "/api/v1/users/{id}", Privilege::Admin, [parts](Call& call) {
    const auto user = parts.deps.accounts.find(call.captures[0]);
    return user ? shown(*user) : problem(noSuchUser());
  });
  routes.add(
      Method::Patch, "/api/v1/users/{id}", Privilege::Admin, [parts](Call& call) { return change(parts, call); }, false,
      Body::Small);
  routes.add(Method::Delete, "/api/v1/users/{id}", Privilege::Admin,
             [parts](Call& call) { return remove(parts, call); });
  routes.add(
      Method::Post, "/api/v1/users/{id}/revoke", Privilege::Admin, [parts](Call& call) { return revoke(parts, call); },
      false, Body::Small);
}

}  // namespace jobhost::api::native
