#pragma once

#include "api/minion/minion_render.hpp"
#include "api/minion/minion_routes.hpp"
#include "api/minion/parameters.hpp"
#include "api/router.hpp"
#include "api/server.hpp"

namespace jobhost::api::minion {

/// LANraragi's Minion API (`/api/minion/…`) and the routes of its that hand out job ids and thumbnails, with or without
/// a configured prefix; what no other surface owns under `/api` is answered with its 404.
/// Bodies have sorted keys and '/' as '\/', as upstream's have. docs/api/minion.md says where we deviate.
class MinionDialect final : public Dialect {
 public:
  /// Borrowed until destroyed.
  MinionDialect(const Deps& deps, const ServerOptions& options);
  [[nodiscard]] bool owns(std::string_view path) const override;
  Response handle(Request& request) override;
  [[nodiscard]] Response failure(const core::Error& error, int status) const override;
  [[nodiscard]] std::string_view openApi() const override;

 private:
  /// One request on its way, with what was found out about it.
  struct Visit {
    Request& request;
    const MinionRoute& route;
    const std::string& target;  ///< what the path captured
    Parameters parameters;
    PrincipalRef caller;  ///< null: the route is open, and nobody showed a key
  };
  /// A job as a route makes it.
  struct Order {
    std::string task;
    std::string args_json;
    int priority = 0;
    int attempts = 1;
    std::string unique_key = {};
  };

  [[nodiscard]] std::string_view withoutPrefix(std::string_view path) const;
  Response route(Request& request);
  /// `status` 0: the error's usual one.
  [[nodiscard]] Response failed(const core::Error& error, int status = 0) const;
  Response serve(Visit& visit);
  Response dispatch(Visit& visit);
  [[nodiscard]] Response refuse() const;
  [[nodiscard]] PrincipalRef authorise(const Visit& visit) const;
  /// The key or session of the native API, which an upload may come by. An error: a session without its token.
  [[nodiscard]] core::Result<PrincipalRef> identify(const Request& request) const;

  Response status(const Visit& visit);
  Response queue(const Visit& visit);
  Response thumbnail(const Visit& visit);
  Response tankThumbnail(const Visit& visit);
  Response pageThumbnails(const Visit& visit);
  Response regenThumbnails(const Visit& visit);
  Response downloadUrl(const Visit& visit);
  Response queuePlugin(const Visit& visit);
  Response upload(const Visit& visit);

  core::Result<core::JobId> submit(const Visit& visit, Order order);
  /// How a refused order reads: the fields of its arguments stand under `args_path`.
  [[nodiscard]] Response refusal(const core::Error& error, std::string_view args_path) const;
  [[nodiscard]] bool queueIsFull(const std::string& task) const;
  [[nodiscard]] std::optional<std::int64_t> pageCount(const std::string& archive) const;
  [[nodiscard]] std::string refuseTask(const std::string& task) const;
  [[nodiscard]] Response unknownId(const MinionRoute& route) const;

  const Deps& deps_;
  const ServerOptions& server_;
  const MinionOptions& options_;
  const std::string cookie_;
};

}  // namespace jobhost::api::minion
