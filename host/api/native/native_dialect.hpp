#pragma once

#include <memory>

#include "api/router.hpp"
#include "api/server.hpp"
#include "api/sse_hub.hpp"

namespace jobhost::api::native {

/// What the native routes work with. Borrowed until the dialect is destroyed.
struct Parts {
  const Deps& deps;
  const ServerOptions& options;
  const SseHub& hub;
};

/// `/api/v1`, `/healthz`, `/readyz`, `/metrics`, and the answer to every path nobody else owns.
/// Errors are application/problem+json. docs/api/native.md describes each route.
class NativeDialect final : public Dialect {
 public:
  explicit NativeDialect(Parts parts);
  [[nodiscard]] bool owns(std::string_view) const override { return true; }
  Response handle(Request& request) override;
  [[nodiscard]] Response failure(const core::Error& error) const override;
  /// The rows in use, to compare with the OpenAPI document.
  [[nodiscard]] const RouteTable& routes() const { return routes_; }

 private:
  Parts parts_;
  RouteTable routes_;
};

// Each adds the rows of one concern; one file each.
void addJobRoutes(RouteTable& routes, const Parts& parts);      ///< submit, read, change
void addListRoutes(RouteTable& routes, const Parts& parts);     ///< list, children, counts
void addFileRoutes(RouteTable& routes, const Parts& parts);     ///< logs, outputs
void addInputRoutes(RouteTable& routes, const Parts& parts);    ///< uploads
void addEventRoutes(RouteTable& routes, const Parts& parts);    ///< SSE
void addCatalogRoutes(RouteTable& routes, const Parts& parts);  ///< job types, plugins
void addAdminRoutes(RouteTable& routes, const Parts& parts);    ///< keys, config
void addSystemRoutes(RouteTable& routes, const Parts& parts);   ///< health, metrics, OpenAPI

/// A failure as application/problem+json.
/// `status` 0: the one that fits the error.
Response problem(const core::Error& error, int status = 0);
/// The caller's key from `Authorization: Bearer <key>` or `X-API-Key`; nullopt: none sent.
std::optional<std::string_view> presentedKey(const Request& request);

}  // namespace jobhost::api::native
