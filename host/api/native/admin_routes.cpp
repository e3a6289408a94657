#include <limits>

#include "api/json_writer.hpp"
#include "api/native/native_dialect.hpp"
#include "api/native/parse.hpp"
#include "api/native/render.hpp"

namespace jobhost::api::native {
namespace {

constexpr std::int64_t kMaxPage = 1000;

Response listAudit(const Parts& parts, Call& call) {
  auto query = QueryReader::from(call.request);
  if (!query) return problem(query.error());
  store::AuditFilter filter;
  filter.actor = query->text("actor").value_or("");
  filter.action = query->text("action").value_or("");
  filter.target = query->text("target").value_or("");
  filter.before = query->integer("cursor", 1, std::numeric_limits<std::int64_t>::max());
  filter.limit = static_cast<int>(query->integer("limit", 1, kMaxPage).value_or(50));
  if (const auto wrong = query->done()) return problem(*wrong);
  const auto lines = parts.deps.audit.audit(filter);
  if (!lines) return problem(lines.error());
  JsonWriter json;
  json.beginObject().key("audit").beginArray();
  for (const auto& line : *lines) writeAudit(json, line);
  json.endArray().key("next_cursor");
  // A full page may be the last one; then the next is empty.
  lines->size() == static_cast<std::size_t>(filter.limit) ? json.number(lines->back().id) : json.null();
  json.endObject();
  return {200, kJson, json.take()};
}

}  // namespace

void addAdminRoutes(RouteTable& routes, const Parts& parts) {
  routes.add(
      Method::Get, "/api/v1/audit", Privilege::Admin, [parts](Call& call) { return listAudit(parts, call); },
      kTakesQuery);
  routes.add(Method::Get, "/api/v1/config", Privilege::Admin, [parts](Call&) {
    return Response(200, kJson, parts.deps.config_json ? parts.deps.config_json() : std::string("{}"));
  });
}

}  // namespace jobhost::api::native
