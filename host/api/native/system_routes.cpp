#include "api/native/native_dialect.hpp"
#include "api/native/openapi.hpp"
#include "telemetry/metrics.hpp"

namespace jobhost::api::native {

void addSystemRoutes(RouteTable& routes, const Parts& parts) {
  routes.add(Method::Get, "/healthz", Privilege::None,
             [](Call&) { return Response(200, kJson, "{\"status\":\"ok\"}"); });
  routes.add(Method::Get, "/readyz", Privilege::None, [parts](Call&) {
    const auto ready = parts.deps.ready ? parts.deps.ready() : core::Result<void>{};
    if (ready) return Response(200, kJson, "{\"status\":\"ready\"}");
    return problem({core::ErrorCode::Unavailable, ready.error().message, "", {}});
  });
  routes.add(Method::Get, "/metrics", parts.options.public_metrics ? Privilege::None : Privilege::ReadJobs, [](Call&) {
    return Response(200, "text/plain; version=0.0.4; charset=utf-8", telemetry::metrics().expose());
  });
  routes.add(Method::Get, "/api/v1/openapi.json", Privilege::None,
             [](Call&) { return Response(200, kJson, std::string(openApiDocument())); });
}

}  // namespace jobhost::api::native
