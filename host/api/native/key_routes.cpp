#include <cstdint>

#include "api/json_reader.hpp"
#include "api/json_writer.hpp"
#include "api/native/native_dialect.hpp"
#include "api/native/parse.hpp"
#include "api/native/render.hpp"

namespace jobhost::api::native {
namespace {

constexpr std::int64_t kMaxRate = 1'000'000;
constexpr std::int64_t kMaxPage = 1000;

/// A user has keys; a key that is the host's own looks after none but with the privilege for all of them.
std::optional<Response> refuseNobody(const Call& call) {
  if (call.principal->may(Privilege::Admin) || !call.principal->user.empty()) return std::nullopt;
  return problem({core::ErrorCode::PermissionDenied, "this needs the privilege admin", "", {}});
}

/// A stolen key must not make keys that outlive it.
std::optional<Response> refuseByKey(const Call& call) {
  if (call.principal->may(Privilege::Admin) || !call.principal->session.empty()) return std::nullopt;
  return problem({core::ErrorCode::PermissionDenied, "this needs a session, or the privilege admin", "", {}});
}

Response listKeys(const Parts& parts, Call& call) {
  if (auto refused = refuseNobody(call)) return *std::move(refused);
  auto query = QueryReader::from(call.request);
  if (!query) return problem(query.error());
  auto user = query->text("user_id").value_or("");
  const auto cursor = query->text("cursor").value_or("");
  const auto limit = static_cast<std::size_t>(query->integer("limit", 1, kMaxPage).value_or(100));
  if (const auto wrong = query->done()) return problem(*wrong);
  if (!call.principal->may(Privilege::Admin)) {
    if (!user.empty() && user != call.principal->user) {
      return problem({core::ErrorCode::PermissionDenied, "keys of others need the privilege admin", "", {}});
    }
    user = call.principal->user;
  }
  auto keys = parts.deps.keys.list(user, cursor, static_cast<int>(limit) + 1);
  if (!keys) return problem(keys.error());
  const bool more = keys->size() > limit;
  if (more) keys->resize(limit);
  JsonWriter json;
  json.beginObject().key("keys").beginArray();
  for (const auto& key : *keys) writeKey(json, key);
  json.endArray().key("next_cursor");
  more ? json.string(keys->back().id) : json.null();
  json.endObject();
  return {200, kJson, json.take()};
}

/// Nobody gives away what he has not got.
void refuseMore(const Principal& principal, const KeyRequest& request, std::vector<core::FieldError>& errors) {
  if (principal.may(Privilege::Admin)) return;
  for (std::size_t i = 0; i < request.privileges.size(); ++i) {
    const auto privilege = privilegeFromString(request.privileges[i]);
    if (privilege && !principal.may(*privilege)) {
      errors.push_back({"/privileges/" + std::to_string(i), "is more than you may do yourself"});
    }
  }
  if (request.all_jobs) errors.push_back({"/all_jobs", "needs the privilege admin"});
  if (request.owner != principal.user) errors.push_back({"/user_id", "keys of others need the privilege admin"});
}

Response createKey(const Parts& parts, Call& call) {
  if (auto refused = refuseNobody(call)) return *std::move(refused);
  if (auto refused = refuseByKey(call)) return *std::move(refused);
  const auto document = readJsonBody(call, kSmallBody);
  if (!document) return problem(document.error());
  std::vector<core::FieldError> errors;
  JsonObject object(*document, "", errors);
  object.require("name");
  object.require("privileges");
  KeyRequest request;
  request.name = object.string("name", 128).value_or("");
  request.privileges = object.strings("privileges", 32, 64).value_or(std::vector<std::string>{});
  request.expires_at = object.time("expires_at");
  // An admin makes keys of the host unless a user is named, anybody else his own.
  const bool admin = call.principal->may(Privilege::Admin);
  request.owner = object.string("user_id", 64).value_or(admin ? std::string() : call.principal->user);
  request.all_jobs = object.boolean("all_jobs").value_or(request.owner.empty());
  request.rate_per_minute = static_cast<int>(object.integer("rate_per_minute", 0, kMaxRate).value_or(0));
  request.rate_burst = static_cast<int>(object.integer("rate_burst", 0, kMaxRate).value_or(0));
  object.refuseUnknown();
  refuseMore(*call.principal, request, errors);
  if (!errors.empty()) return problem(invalid("the key's description is not valid", std::move(errors)));
  const auto created = parts.deps.keys.create(std::move(request), actorOf(parts, call));
  if (!created) return problem(created.error());
  JsonWriter json;
  writeKey(json, created->key, created->raw);
  Response response(201, kJson, json.take());
  response.with("Location", "/api/v1/keys/" + created->key.id).with("Cache-Control", "no-store");
  return response;
}

Response revokeKey(const Parts& parts, Call& call) {
  if (auto refused = refuseNobody(call)) return *std::move(refused);
  if (auto refused = refuseByKey(call)) return *std::move(refused);
  const auto& id = call.captures[0];
  if (!call.principal->may(Privilege::Admin)) {
    const auto key = parts.deps.keys.key(id);
    if (!key) return problem(key.error());
    if (key->owner != call.principal->user) {
      return problem({core::ErrorCode::NotFound, "key " + id + " does not exist", "", {}});
    }
  }
  const auto revoked = parts.deps.keys.revoke(id, actorOf(parts, call));
  return revoked ? Response(204, {}, "") : problem(revoked.error());
}

}  // namespace

void addKeyRoutes(RouteTable& routes, const Parts& parts) {
  routes.add(
      Method::Get, "/api/v1/keys", Privilege::Known, [parts](Call& call) { return listKeys(parts, call); },
      kTakesQuery);
  routes.add(
      Method::Post, "/api/v1/keys", Privilege::Known, [parts](Call& call) { return createKey(parts, call); }, false,
      Body::Small);
  routes.add(Method::Delete, "/api/v1/keys/{id}", Privilege::Known,
             [parts](Call& call) { return revokeKey(parts, call); });
}

}  // namespace jobhost::api::native
