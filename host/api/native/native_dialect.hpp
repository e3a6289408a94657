#pragma once

#include <memory>

#include "api/auth/actor.hpp"
#include "api/router.hpp"
#include "api/server.hpp"
#include "api/sse_hub.hpp"

namespace jobhost::api::native {

/// What the native routes work with. Borrowed until the dialect is destroyed.
struct Parts {
  const Deps& deps;
  const ServerOptions& options;
  SseHub& hub;
  /// The OpenAPI document of all dialects; made when all are, and before the first request.
  const std::string& openapi;
};

/// `/api/v1`, `/healthz`, `/readyz`, `/metrics`, and the answer to every path nobody else owns.
/// Errors are application/problem+json. docs/api/native.md describes each route.
class NativeDialect final : public Dialect {
 public:
  explicit NativeDialect(Parts parts);
  [[nodiscard]] bool owns(std::string_view) const override { return true; }
  Response handle(Request& request) override;
  [[nodiscard]] Response failure(const core::Error& error, int status) const override;
  [[nodiscard]] std::string_view openApi() const override;
  /// The rows in use, to compare with the OpenAPI document.
  [[nodiscard]] const RouteTable& routes() const { return routes_; }

 private:
  /// Who calls, by the key presented or the session's cookie; null: nobody known.
  void identify(Call& call) const;
  /// What keeps the caller from the route; nullopt: nothing.
  [[nodiscard]] std::optional<Response> refuse(const Call& call, const Route& route) const;
  /// Who calls and whether they may, once more.
  [[nodiscard]] std::optional<Response> refuseAnew(Call& call, const Route& route) const;
  Response serve(Call& call, const Route& route) const;

  Parts parts_;
  RouteTable routes_;
};

// Each adds the rows of one concern; one file each.
void addJobRoutes(RouteTable& routes, const Parts& parts);        ///< submit, read, change
void addListRoutes(RouteTable& routes, const Parts& parts);       ///< list, children, counts
void addBulkRoutes(RouteTable& routes, const Parts& parts);       ///< an action for every job of a filter
void addBatchRoutes(RouteTable& routes, const Parts& parts);      ///< batches
void addFileRoutes(RouteTable& routes, const Parts& parts);       ///< logs, outputs
void addInputRoutes(RouteTable& routes, const Parts& parts);      ///< uploads
void addEventRoutes(RouteTable& routes, const Parts& parts);      ///< SSE
void addCatalogRoutes(RouteTable& routes, const Parts& parts);    ///< job types, plugins
void addAuthRoutes(RouteTable& routes, const Parts& parts);       ///< login, sessions, one's own password
void addUserRoutes(RouteTable& routes, const Parts& parts);       ///< users
void addKeyRoutes(RouteTable& routes, const Parts& parts);        ///< API keys
void addAdminRoutes(RouteTable& routes, const Parts& parts);      ///< audit log, config
void addSystemRoutes(RouteTable& routes, const Parts& parts);     ///< health, metrics
void addReferenceRoutes(RouteTable& routes, const Parts& parts);  ///< OpenAPI, and the page that shows it

/// A failure as application/problem+json.
/// `status` 0: the one that fits the error.
Response problem(const core::Error& error, int status = 0);
/// A failure of a submit: what is not there (a type, a parent) is a wrong member of the request, not a missing page.
Response submitProblem(core::Error error);
/// The same with the number of seconds after which to come back.
Response limited(const core::Error& error, std::int64_t retry_after_s);
/// The batch the path names, for a caller who reaches it; what belongs to somebody else is not there.
core::Result<store::Batch> findBatch(const Parts& parts, const Call& call);
/// Who acts, for the audit log.
Actor actorOf(const Parts& parts, const Call& call);
/// The caller's key from `Authorization: Bearer <key>` or `X-API-Key`; nullopt: none sent.
std::optional<std::string_view> presentedKey(const Request& request);

}  // namespace jobhost::api::native
