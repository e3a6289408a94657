#pragma once

#include "api/router.hpp"
#include "api/server.hpp"

namespace jobhost::api::minion {

/// LANraragi's Minion API: `/api/minion/{jobid}`, `…/detail`, `/api/minion/{jobname}/queue`; what no other surface owns
/// under `/api` is answered with its 404.
/// Bodies have sorted keys and '/' as '\/', as upstream's have. docs/api/minion.md says where we deviate.
class MinionDialect final : public Dialect {
 public:
  MinionDialect(const Deps& deps, const MinionOptions& options) : deps_(deps), options_(options) {}
  [[nodiscard]] bool owns(std::string_view path) const override;
  Response handle(Request& request) override;
  [[nodiscard]] Response failure(const core::Error& error, int status) const override;
  [[nodiscard]] std::string_view openApi() const override;

 private:
  enum class Operation { Status, Detail, Queue };
  [[nodiscard]] Response serve(Request& request, const std::string& name, Operation operation);
  [[nodiscard]] Response refuse() const;
  [[nodiscard]] PrincipalRef authorise(Request& request, const std::optional<Query>& query) const;
  /// `caller` null: the route is open.
  Response status(std::string_view id_text, Operation operation, const PrincipalRef& caller);
  Response queue(std::string_view task, const std::optional<Query>& query, const PrincipalRef& principal);
  [[nodiscard]] std::string refuseTask(const std::string& task) const;
  [[nodiscard]] Response unknownId(Operation operation) const;

  const Deps& deps_;
  const MinionOptions& options_;
};

}  // namespace jobhost::api::minion
