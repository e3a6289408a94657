// SqliteStore's side of PrincipalStore.
#include "store/sql_principals.hpp"
#include "store/sql_reader.hpp"
#include "store/sqlite_change.hpp"

namespace jobhost::store {

using core::Result;

Result<void> SqliteStore::addKey(const ApiKey& key, int max_of_owner, const AuditEntry& audit) {
  return change<void>([&](WriteSide& side) { return PrincipalSql(side.database).addKey(key, max_of_owner, audit); });
}

Result<void> SqliteStore::revokeKey(const std::string& id, core::Instant at, const AuditEntry& audit) {
  return change<void>([&](WriteSide& side) { return PrincipalSql(side.database).revokeKey(id, at, audit); });
}

Result<void> SqliteStore::revokeKeysOf(const std::string& user, core::Instant at, const AuditEntry& audit) {
  return change<void>([&](WriteSide& side) {
    PrincipalSql(side.database).revokeKeysOf(user, at, audit);
    return Result<void>();
  });
}

void SqliteStore::touchKey(const std::string& id, core::Instant at) {
  changeAsync<void>(
      [id, at](WriteSide& side) {
        PrincipalSql(side.database).touchKey(id, at);
        return Result<void>();
      },
      {});
}

Result<std::vector<ApiKey>> SqliteStore::keys() {
  return readers_->with<std::vector<ApiKey>>([](Reader& reader) { return PrincipalSql(reader.database()).keys(); });
}

Result<ApiKey> SqliteStore::key(const std::string& id) {
  auto found =
      readers_->with<std::optional<ApiKey>>([&](Reader& reader) { return PrincipalSql(reader.database()).key(id); });
  if (!found) return found.error();
  if (!*found) return core::Error{core::ErrorCode::NotFound, "key " + id + " does not exist", {}, {}};
  return **std::move(found);
}

Result<std::vector<ApiKey>> SqliteStore::keys(const std::string& owner, const std::string& after, int limit) {
  return readers_->with<std::vector<ApiKey>>(
      [&](Reader& reader) { return PrincipalSql(reader.database()).keys(owner, after, limit); });
}

Result<int> SqliteStore::purgeKeys(core::Instant cutoff, int limit) {
  return change<int>([&](WriteSide& side) { return Result(PrincipalSql(side.database).purgeKeys(cutoff, limit)); });
}

Result<void> SqliteStore::addUser(const User& user, std::int64_t max_users, const AuditEntry& audit) {
  return change<void>([&](WriteSide& side) { return PrincipalSql(side.database).addUser(user, max_users, audit); });
}

Result<void> SqliteStore::changeUser(const User& user, const std::optional<std::string>& end_sessions_but,
                                     const AuditEntry& audit) {
  return change<void>(
      [&](WriteSide& side) { return PrincipalSql(side.database).changeUser(user, end_sessions_but, audit); });
}

Result<void> SqliteStore::removeUser(const std::string& id, core::Instant at, const AuditEntry& audit) {
  return change<void>([&](WriteSide& side) { return PrincipalSql(side.database).removeUser(id, at, audit); });
}

Result<void> SqliteStore::loggedIn(const std::string& id, core::Instant at, const std::string& password) {
  return change<void>([&](WriteSide& side) { return PrincipalSql(side.database).loggedIn(id, at, password); });
}

Result<std::vector<User>> SqliteStore::users() {
  return readers_->with<std::vector<User>>([](Reader& reader) { return PrincipalSql(reader.database()).users(); });
}

Result<std::vector<std::string>> SqliteStore::addSession(const Session& session, int max_per_user) {
  return change<std::vector<std::string>>(
      [&](WriteSide& side) { return Result(PrincipalSql(side.database).addSession(session, max_per_user)); });
}

Result<void> SqliteStore::revokeSession(const std::string& id, core::Instant at, const AuditEntry* audit) {
  return change<void>([&](WriteSide& side) { return PrincipalSql(side.database).revokeSession(id, at, audit); });
}

Result<void> SqliteStore::revokeSessions(const std::string& user, const std::string& keep, core::Instant at,
                                         const AuditEntry& audit) {
  return change<void>([&](WriteSide& side) {
    PrincipalSql(side.database).revokeSessions(user, keep, at, audit);
    return Result<void>();
  });
}

void SqliteStore::touchSession(const std::string& id, core::Instant at) {
  changeAsync<void>(
      [id, at](WriteSide& side) {
        PrincipalSql(side.database).touchSession(id, at);
        return Result<void>();
      },
      {});
}

Result<std::vector<Session>> SqliteStore::sessions(core::Instant now) {
  return readers_->with<std::vector<Session>>(
      [&](Reader& reader) { return PrincipalSql(reader.database()).sessions(now); });
}

Result<int> SqliteStore::purgeSessions(core::Instant cutoff, int limit) {
  return change<int>([&](WriteSide& side) { return Result(PrincipalSql(side.database).purgeSessions(cutoff, limit)); });
}

Result<void> SqliteStore::addAudit(const AuditEntry& entry) {
  return change<void>([&](WriteSide& side) {
    PrincipalSql(side.database).addAudit(entry);
    return Result<void>();
  });
}

Result<std::vector<AuditLine>> SqliteStore::audit(const AuditFilter& filter) {
  return readers_->with<std::vector<AuditLine>>(
      [&](Reader& reader) { return PrincipalSql(reader.database()).audit(filter); });
}

Result<int> SqliteStore::purgeAudit(core::Instant cutoff, std::int64_t max_lines, int limit) {
  return change<int>(
      [&](WriteSide& side) { return Result(PrincipalSql(side.database).purgeAudit(cutoff, max_lines, limit)); });
}

}  // namespace jobhost::store
