#pragma once

#include <optional>
#include <string>

#include "api/lncrawl/credentials.hpp"
#include "api/lncrawl/job_uuid.hpp"
#include "api/lncrawl/parts.hpp"
#include "api/lncrawl/records.hpp"
#include "api/lncrawl/source_scan.hpp"
#include "api/lncrawl/tokens.hpp"
#include "api/router.hpp"
#include "api/server.hpp"

namespace jobhost::api::lncrawl {

/// The server API of lightnovel-crawler (`/api/…`, `/static/…`), as its web client calls it. Of `/api` it owns what it
/// has routes for, and every path whose first segment is one of its words; the rest only where minion is off.
/// docs/api/lncrawl.md says where we deviate.
class LncrawlDialect final : public Dialect {
 public:
  /// Borrowed until destroyed.
  LncrawlDialect(const Deps& deps, const ServerOptions& options);
  core::Result<void> start() override;
  [[nodiscard]] bool owns(std::string_view path) const override;
  Response handle(Request& request) override;
  [[nodiscard]] Response failure(const core::Error& error, int status) const override;
  [[nodiscard]] std::string_view openApi() const override;
  /// The rows in use, to compare with the OpenAPI document.
  [[nodiscard]] const RouteTable& routes() const { return routes_; }

 private:
  Response route(Request& request);
  Response serve(Call& call, const Route& route);
  /// What keeps the caller from the route; nullopt: nothing. Learns who it is.
  std::optional<Response> refuse(Call& call, const Route& route);

  const Deps& deps_;
  const ServerOptions& options_;
  const core::Result<std::string> key_;
  const JobUuids ids_;
  const Tokens tokens_;
  Credentials credentials_;
  const Records records_;
  SourceScan scan_;
  std::atomic<bool> running_{true};
  const Parts parts_;
  RouteTable routes_;
};

}  // namespace jobhost::api::lncrawl
