#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "store/principal_store.hpp"
#include "store/sql_database.hpp"

namespace jobhost::store {

/// The SQL of users, sessions, keys and the audit log, on a connection of the caller. Rarely run, so statements are
/// prepared for each use. Changes run inside the caller's transaction; all throw SqlError.
class PrincipalSql {
 public:
  explicit PrincipalSql(Database& database) : db_(database) {}

  core::Result<void> addKey(const ApiKey& key, int max_of_owner, const AuditEntry& audit);
  core::Result<void> revokeKey(const std::string& id, core::Instant at, const AuditEntry& audit);
  void revokeKeysOf(const std::string& user, core::Instant at, const AuditEntry& audit);
  void touchKey(const std::string& id, core::Instant at);
  std::vector<ApiKey> keys();
  std::optional<ApiKey> key(const std::string& id);
  std::vector<ApiKey> keys(const std::string& owner, const std::string& after, int limit);
  int purgeKeys(core::Instant cutoff, int limit);

  core::Result<void> addUser(const User& user, std::int64_t max_users, const AuditEntry& audit);
  core::Result<void> changeUser(const User& user, const std::optional<std::string>& end_sessions_but,
                                const AuditEntry& audit);
  core::Result<void> removeUser(const std::string& id, core::Instant at, const AuditEntry& audit);
  core::Result<void> loggedIn(const std::string& id, core::Instant at, const std::string& password);
  std::vector<User> users();

  std::vector<std::string> addSession(const Session& session, int max_per_user);
  core::Result<void> revokeSession(const std::string& id, core::Instant at, const AuditEntry* audit);
  void revokeSessions(const std::string& user, const std::string& keep, core::Instant at, const AuditEntry& audit);
  void touchSession(const std::string& id, core::Instant at);
  std::vector<Session> sessions(core::Instant now);
  int purgeSessions(core::Instant cutoff, int limit);

  void addAudit(const AuditEntry& entry);
  std::vector<AuditLine> audit(const AuditFilter& filter);
  int purgeAudit(core::Instant cutoff, std::int64_t max_lines, int limit);

 private:
  [[nodiscard]] int changed() const;
  bool nameTaken(const User& user);
  void endSessions(const std::string& user, const std::string& but, core::Instant at);

  Database& db_;
};

}  // namespace jobhost::store
