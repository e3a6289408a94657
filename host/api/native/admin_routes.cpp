#include "api/json_reader.hpp"
#include "api/json_writer.hpp"
#include "api/native/native_dialect.hpp"
#include "api/native/parse.hpp"
#include "api/native/render.hpp"

namespace jobhost::api::native {
namespace {

Response listKeys(const Parts& parts) {
  const auto keys = parts.deps.keys.list();
  if (!keys) return problem(keys.error());
  JsonWriter json;
  json.beginObject().key("keys").beginArray();
  for (const auto& key : *keys) writeKey(json, key);
  json.endArray().endObject();
  return {200, kJson, json.take()};
}

Response createKey(const Parts& parts, Call& call) {
  const auto body = call.request.body->all(parts.options.http.body_bytes);
  if (!body) return problem(body.error());
  const auto document = parseJson(*body);
  if (!document) return problem(document.error());
  std::vector<core::FieldError> errors;
  JsonObject object(*document, "", errors);
  object.require("name");
  object.require("privileges");
  auto name = object.string("name", 128).value_or("");
  auto privileges = object.strings("privileges", 32, 64);
  const auto expires_at = object.time("expires_at");
  object.refuseUnknown();
  if (!errors.empty()) return problem(invalid("the key's description is not valid", std::move(errors)));
  const auto created = parts.deps.keys.create(std::move(name), *std::move(privileges), expires_at);
  if (!created) return problem(created.error());
  JsonWriter json;
  writeKey(json, created->key, created->raw);
  Response response(201, kJson, json.take());
  response.with("Location", "/api/v1/keys/" + created->key.id).with("Cache-Control", "no-store");
  return response;
}

}  // namespace

void addAdminRoutes(RouteTable& routes, const Parts& parts) {
  routes.add(Method::Get, "/api/v1/keys", Privilege::Admin, [parts](Call&) { return listKeys(parts); });
  routes.add(Method::Post, "/api/v1/keys", Privilege::Admin, [parts](Call& call) { return createKey(parts, call); });
  routes.add(Method::Delete, "/api/v1/keys/{id}", Privilege::Admin, [parts](Call& call) {
    const auto revoked = parts.deps.keys.revoke(call.captures[0]);
    return revoked ? Response(204, {}, "") : problem(revoked.error());
  });
  routes.add(Method::Get, "/api/v1/config", Privilege::Admin, [parts](Call&) {
    return Response(200, kJson, parts.deps.config_json ? parts.deps.config_json() : std::string("{}"));
  });
}

}  // namespace jobhost::api::native
