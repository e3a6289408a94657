#include <algorithm>

#include "api/json_writer.hpp"
#include "api/native/form.hpp"
#include "api/native/native_dialect.hpp"
#include "api/native/render.hpp"

namespace jobhost::api::native {
namespace {

Response listTypes(const Parts& parts) {
  JsonWriter json;
  json.beginObject().key("job_types").beginArray();
  for (const auto& type : parts.deps.catalog.types()) writeJobType(json, type);
  json.endArray().endObject();
  return {200, kJson, json.take()};
}

Response showType(const Parts& parts, Call& call) {
  const auto entry = parts.deps.catalog.findType(call.captures[0]);
  if (!entry) return problem({core::ErrorCode::NotFound, "there is no job type with this name", "", {}});
  JsonWriter json;
  writeJobType(json, entry->info);
  return {200, kJson, json.take()};
}

Response showForm(const Parts& parts, Call& call) {
  const auto entry = parts.deps.catalog.findType(call.captures[0]);
  if (!entry) return problem({core::ErrorCode::NotFound, "there is no job type with this name", "", {}});
  JsonWriter json;
  writeForm(json, entry->info);
  return {200, kJson, json.take()};
}

Response listPlugins(const Parts& parts) {
  JsonWriter json;
  json.beginObject().key("plugins").beginArray();
  for (const auto& plugin : parts.deps.catalog.plugins()) writePlugin(json, plugin);
  json.endArray().endObject();
  return {200, kJson, json.take()};
}

/// Every file that has (or had) this id, and the story of why it is as it is.
Response showPlugin(const Parts& parts, Call& call) {
  const auto& id = call.captures[0];
  auto plugins = parts.deps.catalog.plugins();
  std::erase_if(plugins, [&](const auto& plugin) {
    return plugin.plugin_id != id && plugin.path.filename() != id && plugin.path != id;
  });
  std::vector<catalog::Decision> story;
  if (parts.deps.plugin_why) {
    auto why = parts.deps.plugin_why(id);
    if (!why && (why.error().code != core::ErrorCode::NotFound || plugins.empty())) return problem(why.error());
    if (why) story = *std::move(why);
  } else if (plugins.empty()) {
    return problem({core::ErrorCode::NotFound, "there is no plugin with this id", "", {}});
  }
  JsonWriter json;
  json.beginObject().key("id").string(id).key("files").beginArray();
  for (const auto& plugin : plugins) writePlugin(json, plugin);
  json.endArray().key("why").beginArray();
  for (const auto& step : story) {
    json.beginObject().key("at").time(step.at).key("decision").string(step.decision);
    json.key("reason").string(step.reason).endObject();
  }
  json.endArray().endObject();
  return {200, kJson, json.take()};
}

/// Before the act, so that none goes without its line; a line may stand for an act that was then refused.
core::Result<void> note(const Parts& parts, const Call& call, const char* action) {
  return parts.deps.audit.addAudit(actorOf(parts, call).did(parts.deps.clock.now(), action, call.captures[0]));
}

Response retryPlugin(const Parts& parts, Call& call) {
  if (!parts.deps.plugin_retry) {
    return problem({core::ErrorCode::Unsupported, "this host has no plugin folder", "", {}});
  }
  if (const auto noted = note(parts, call, "plugin.retry"); !noted) return problem(noted.error());
  if (const auto done = parts.deps.plugin_retry(call.captures[0]); !done) return problem(done.error());
  return {202, kJson, "{\"accepted\":true}"};
}

Response grantPlugin(const Parts& parts, Call& call) {
  if (!parts.deps.plugin_grant) {
    return problem({core::ErrorCode::Unsupported, "this host has no plugin folder", "", {}});
  }
  if (const auto noted = note(parts, call, "plugin.grant"); !noted) return problem(noted.error());
  if (const auto done = parts.deps.plugin_grant(call.captures[0]); !done) return problem(done.error());
  return {202, kJson, "{\"accepted\":true}"};
}

}  // namespace

void addCatalogRoutes(RouteTable& routes, const Parts& parts) {
  routes.add(Method::Get, "/api/v1/job-types", Privilege::ReadJobs, [parts](Call&) { return listTypes(parts); });
  routes.add(Method::Get, "/api/v1/job-types/{name}", Privilege::ReadJobs,
             [parts](Call& call) { return showType(parts, call); });
  routes.add(Method::Get, "/api/v1/job-types/{name}/form", Privilege::ReadJobs,
             [parts](Call& call) { return showForm(parts, call); });
  routes.add(Method::Get, "/api/v1/plugins", Privilege::ReadJobs, [parts](Call&) { return listPlugins(parts); });
  routes.add(Method::Get, "/api/v1/plugins/{+id}", Privilege::ReadJobs,
             [parts](Call& call) { return showPlugin(parts, call); });
  routes.add(Method::Post, "/api/v1/plugins/{+id}/retry", Privilege::Admin,
             [parts](Call& call) { return retryPlugin(parts, call); });
  routes.add(Method::Post, "/api/v1/plugins/{+id}/grant", Privilege::Admin,
             [parts](Call& call) { return grantPlugin(parts, call); });
}

}  // namespace jobhost::api::native
