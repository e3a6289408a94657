#include "store/sql_principals.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "store/sql_rows.hpp"

namespace jobhost::store {

using core::Error;
using core::ErrorCode;
using core::Result;

namespace {

std::optional<std::int64_t> microsOf(const std::optional<core::Instant>& at) {
  return at ? std::optional(core::toMicros(*at)) : std::nullopt;
}

std::optional<core::Instant> instantOf(const std::optional<std::int64_t>& micros) {
  return micros ? std::optional(core::fromMicros(*micros)) : std::nullopt;
}

Error notFound(std::string_view what, const std::string& id) {
  return {ErrorCode::NotFound, std::string(what) + " " + id + " does not exist", {}, {}};
}

constexpr const char* kUserColumns =
    "id, name, name_key, role, tier, password, disabled, created_at, updated_at, "
    "last_login_at";

constexpr const char* kKeyColumns =
    "id, name, sha256, privileges, created_at, expires_at, revoked_at, owner, all_jobs, rate_per_minute, rate_burst, "
    "mask, last_used_at";

ApiKey readKey(const Query& query) {
  ApiKey key;
  key.id = query.text(0);
  key.name = query.text(1);
  key.sha256 = query.text(2);
  key.privileges = readTags(query.view(3));
  key.created_at = core::fromMicros(query.number(4));
  key.expires_at = instantOf(query.numberOrNull(5));
  key.revoked_at = instantOf(query.numberOrNull(6));
  key.owner = query.text(7);
  key.all_jobs = query.number(8) != 0;
  key.rate_per_minute = query.integer(9);
  key.rate_burst = query.integer(10);
  key.mask = query.text(11);
  key.last_used_at = instantOf(query.numberOrNull(12));
  return key;
}

}  // namespace

int PrincipalSql::changed() const {
  return sqlite3_changes(db_.handle());
}

// ---- keys

Result<void> PrincipalSql::addKey(const ApiKey& key, int max_of_owner, const AuditEntry& audit) {
  Statement taken(db_, "SELECT 1 FROM api_keys WHERE id = $1 OR sha256 = $2");
  if (Query query(taken, key.id, key.sha256); query.step()) {
    return Error{ErrorCode::Conflict, "the key exists already", {}, {}};
  }
  if (!key.owner.empty() && max_of_owner > 0) {
    Statement live(db_,
                   "SELECT count(*) FROM api_keys WHERE owner = $1 AND revoked_at IS NULL AND "
                   "(expires_at IS NULL OR expires_at > $2)");
    Query query(live, key.owner, core::toMicros(key.created_at));
    if (query.step() && query.number(0) >= max_of_owner) {
      return Error{ErrorCode::Exhausted, "the user has " + std::to_string(max_of_owner) + " keys already", {}, {}};
    }
  }
  const std::string privileges = key.privileges.empty() ? "[]" : tagsText(key.privileges);
  Statement insert(db_,
                   "INSERT INTO api_keys (id, name, sha256, privileges, created_at, expires_at, revoked_at, owner, "
                   "all_jobs, rate_per_minute, rate_burst, mask, last_used_at) "
                   "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)");
  Query(insert, key.id, key.name, key.sha256, privileges, core::toMicros(key.created_at), microsOf(key.expires_at),
        microsOf(key.revoked_at), TextOrNull{key.owner}, key.all_jobs, key.rate_per_minute, key.rate_burst, key.mask,
        microsOf(key.last_used_at))
      .run();
  addAudit(audit);
  return {};
}

Result<void> PrincipalSql::revokeKey(const std::string& id, core::Instant at, const AuditEntry& audit) {
  Statement update(db_, "UPDATE api_keys SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL");
  Query(update, core::toMicros(at), id).run();
  if (changed() == 0) {
    return key(id) ? Result<void>() : notFound("key", id);  // revoked already: nothing changed
  }
  addAudit(audit);
  return {};
}

void PrincipalSql::revokeKeysOf(const std::string& user, core::Instant at, const AuditEntry& audit) {
  Statement update(db_, "UPDATE api_keys SET revoked_at = $1 WHERE owner = $2 AND revoked_at IS NULL");
  Query(update, core::toMicros(at), user).run();
  addAudit(audit);
}

void PrincipalSql::touchKey(const std::string& id, core::Instant at) {
  Statement update(db_, "UPDATE api_keys SET last_used_at = $1 WHERE id = $2 AND coalesce(last_used_at, 0) < $1");
  Query(update, core::toMicros(at), id).run();
}

std::vector<ApiKey> PrincipalSql::keys() {
  Statement select(db_, std::string("SELECT ") + kKeyColumns + " FROM api_keys ORDER BY id");
  std::vector<ApiKey> keys;
  for (Query query(select); query.step();) keys.push_back(readKey(query));
  return keys;
}

std::optional<ApiKey> PrincipalSql::key(const std::string& id) {
  Statement select(db_, std::string("SELECT ") + kKeyColumns + " FROM api_keys WHERE id = $1");
  Query query(select, id);
  return query.step() ? std::optional(readKey(query)) : std::nullopt;
}

std::vector<ApiKey> PrincipalSql::keys(const std::string& owner, const std::string& after, int limit) {
  // Two texts, so that each has its index.
  const std::string of =
      owner.empty() ? " FROM api_keys WHERE $1 = '' AND id > $2" : " FROM api_keys WHERE owner = $1 AND id > $2";
  Statement select(db_, std::string("SELECT ") + kKeyColumns + of + " ORDER BY id LIMIT $3");
  std::vector<ApiKey> keys;
  for (Query query(select, owner, after, std::max(0, limit)); query.step();) keys.push_back(readKey(query));
  return keys;
}

int PrincipalSql::purgeKeys(core::Instant cutoff, int limit) {
  // Read whole, once a sweep: what is purged here keeps the table small.
  Statement remove(db_,
                   "DELETE FROM api_keys WHERE id IN (SELECT id FROM api_keys WHERE revoked_at < $1 OR expires_at < $1 "
                   "LIMIT $2)");
  Query(remove, core::toMicros(cutoff), limit).run();
  return changed();
}

// ---- users

bool PrincipalSql::nameTaken(const User& user) {
  Statement taken(db_, "SELECT 1 FROM users WHERE name_key = $1 AND id <> $2");
  return Query(taken, user.name_key, user.id).step();
}

Result<void> PrincipalSql::addUser(const User& user, std::int64_t max_users, const AuditEntry& audit) {
  if (nameTaken(user)) return Error{ErrorCode::Conflict, "the name is taken", {}, {{"/name", "is taken"}}};
  if (db_.number("SELECT count(*) FROM users").value_or(0) >= max_users) {
    return Error{ErrorCode::Exhausted, "there are " + std::to_string(max_users) + " users already", {}, {}};
  }
  Statement insert(
      db_, std::string("INSERT INTO users (") + kUserColumns + ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)");
  Query(insert, user.id, user.name, user.name_key, user.role, user.tier, user.password, user.disabled,
        core::toMicros(user.created_at), core::toMicros(user.updated_at), microsOf(user.last_login_at))
      .run();
  addAudit(audit);
  return {};
}

Result<void> PrincipalSql::changeUser(const User& user, const std::optional<std::string>& end_sessions_but,
                                      const AuditEntry& audit) {
  if (nameTaken(user)) return Error{ErrorCode::Conflict, "the name is taken", {}, {{"/name", "is taken"}}};
  Statement update(db_,
                   "UPDATE users SET name = $1, name_key = $2, role = $3, tier = $4, password = $5, disabled = $6, "
                   "updated_at = $7 WHERE id = $8");
  Query(update, user.name, user.name_key, user.role, user.tier, user.password, user.disabled,
        core::toMicros(user.updated_at), user.id)
      .run();
  if (changed() == 0) return notFound("user", user.id);
  if (end_sessions_but) endSessions(user.id, *end_sessions_but, user.updated_at);
  addAudit(audit);
  return {};
}

Result<void> PrincipalSql::removeUser(const std::string& id, core::Instant at, const AuditEntry& audit) {
  Statement remove(db_, "DELETE FROM users WHERE id = $1");
  Query(remove, id).run();
  if (changed() == 0) return notFound("user", id);
  Statement sessions(db_, "DELETE FROM sessions WHERE user = $1");
  Query(sessions, id).run();
  Statement keys(db_, "UPDATE api_keys SET revoked_at = $1 WHERE owner = $2 AND revoked_at IS NULL");
  Query(keys, core::toMicros(at), id).run();
  addAudit(audit);
  return {};
}

Result<void> PrincipalSql::loggedIn(const std::string& id, core::Instant at, const std::string& password) {
  Statement update(db_, "UPDATE users SET last_login_at = $1, password = coalesce($2, password) WHERE id = $3");
  Query(update, core::toMicros(at), TextOrNull{password}, id).run();
  if (changed() == 0) return notFound("user", id);
  return {};
}

std::vector<User> PrincipalSql::users() {
  Statement select(db_, std::string("SELECT ") + kUserColumns + " FROM users ORDER BY id");
  std::vector<User> users;
  for (Query query(select); query.step();) {
    User user;
    user.id = query.text(0);
    user.name = query.text(1);
    user.name_key = query.text(2);
    user.role = query.text(3);
    user.tier = query.integer(4);
    user.password = query.text(5);
    user.disabled = query.number(6) != 0;
    user.created_at = core::fromMicros(query.number(7));
    user.updated_at = core::fromMicros(query.number(8));
    user.last_login_at = instantOf(query.numberOrNull(9));
    users.push_back(std::move(user));
  }
  return users;
}

// ---- sessions

std::vector<std::string> PrincipalSql::addSession(const Session& session, int max_per_user) {
  Statement insert(db_,
                   "INSERT INTO sessions (id, sha256, user, created_at, seen_at, expires_at, revoked_at, address, "
                   "agent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
  Query(insert, session.id, session.sha256, session.user, core::toMicros(session.created_at),
        core::toMicros(session.seen_at), core::toMicros(session.expires_at), microsOf(session.revoked_at),
        session.address, session.agent)
      .run();
  // A handful of rows: at most the limit, and those that ended and were not yet purged.
  std::vector<std::pair<std::int64_t, std::string>> live;
  {
    Statement select(db_,
                     "SELECT id, created_at FROM sessions WHERE user = $1 AND revoked_at IS NULL AND expires_at > $2");
    for (Query query(select, session.user, core::toMicros(session.created_at)); query.step();) {
      if (query.view(0) != session.id) live.emplace_back(query.number(1), query.text(0));
    }
  }
  std::sort(live.begin(), live.end());
  std::vector<std::string> ended;
  const auto room = static_cast<std::size_t>(std::max(1, max_per_user)) - 1;
  Statement revoke(db_, "UPDATE sessions SET revoked_at = $1 WHERE id = $2");
  for (std::size_t i = 0; i + room < live.size(); ++i) {
    Query(revoke, core::toMicros(session.created_at), live[i].second).run();
    ended.push_back(live[i].second);
  }
  return ended;
}

Result<void> PrincipalSql::revokeSession(const std::string& id, core::Instant at, const AuditEntry* audit) {
  Statement update(db_, "UPDATE sessions SET revoked_at = coalesce(revoked_at, $1) WHERE id = $2");
  Query(update, core::toMicros(at), id).run();
  if (changed() == 0) return notFound("session", id);
  if (audit != nullptr) addAudit(*audit);
  return {};
}

void PrincipalSql::endSessions(const std::string& user, const std::string& but, core::Instant at) {
  Statement update(db_, "UPDATE sessions SET revoked_at = $1 WHERE user = $2 AND id <> $3 AND revoked_at IS NULL");
  Query(update, core::toMicros(at), user, but).run();
}

void PrincipalSql::revokeSessions(const std::string& user, const std::string& keep, core::Instant at,
                                  const AuditEntry& audit) {
  endSessions(user, keep, at);
  addAudit(audit);
}

void PrincipalSql::touchSession(const std::string& id, core::Instant at) {
  Statement update(db_, "UPDATE sessions SET seen_at = $1 WHERE id = $2 AND seen_at < $1");
  Query(update, core::toMicros(at), id).run();
}

std::vector<Session> PrincipalSql::sessions(core::Instant now) {
  Statement select(db_,
                   "SELECT id, sha256, user, created_at, seen_at, expires_at, address, agent FROM sessions "
                   "WHERE revoked_at IS NULL AND expires_at > $1");
  std::vector<Session> sessions;
  for (Query query(select, core::toMicros(now)); query.step();) {
    Session session;
    session.id = query.text(0);
    session.sha256 = query.text(1);
    session.user = query.text(2);
    session.created_at = core::fromMicros(query.number(3));
    session.seen_at = core::fromMicros(query.number(4));
    session.expires_at = core::fromMicros(query.number(5));
    session.address = query.text(6);
    session.agent = query.text(7);
    sessions.push_back(std::move(session));
  }
  return sessions;
}

int PrincipalSql::purgeSessions(core::Instant cutoff, int limit) {
  // A revoked one stays until its time would have been over: the index leads there.
  Statement remove(db_, "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < $1 LIMIT $2)");
  Query(remove, core::toMicros(cutoff), limit).run();
  return changed();
}

// ---- the audit log

void PrincipalSql::addAudit(const AuditEntry& entry) {
  Statement insert(db_,
                   "INSERT INTO audit (at, actor, actor_name, action, target, address, detail) "
                   "VALUES ($1, $2, $3, $4, $5, $6, $7)");
  Query(insert, core::toMicros(entry.at), entry.actor, entry.actor_name, entry.action, entry.target, entry.address,
        entry.detail_json)
      .run();
}

std::vector<AuditLine> PrincipalSql::audit(const AuditFilter& filter) {
  Statement select(db_,
                   "SELECT id, at, actor, actor_name, action, target, address, detail FROM audit WHERE id < $1 "
                   "AND ($2 = '' OR actor = $2) AND ($3 = '' OR action = $3) AND ($4 = '' OR target = $4) "
                   "ORDER BY id DESC LIMIT $5");
  const std::int64_t before = filter.before.value_or(std::numeric_limits<std::int64_t>::max());
  std::vector<AuditLine> lines;
  for (Query query(select, before, filter.actor, filter.action, filter.target, std::clamp(filter.limit, 1, 1000));
       query.step();) {
    AuditLine line;
    line.id = query.number(0);
    line.entry.at = core::fromMicros(query.number(1));
    line.entry.actor = query.text(2);
    line.entry.actor_name = query.text(3);
    line.entry.action = query.text(4);
    line.entry.target = query.text(5);
    line.entry.address = query.text(6);
    line.entry.detail_json = query.text(7);
    lines.push_back(std::move(line));
  }
  return lines;
}

int PrincipalSql::purgeAudit(core::Instant cutoff, std::int64_t max_lines, int limit) {
  Statement old(db_, "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < $1 ORDER BY at LIMIT $2)");
  Query(old, core::toMicros(cutoff), limit).run();
  const int removed = changed();
  // Ids are given one by one, and lines go from the old end: their span is their number.
  Statement surplus(db_,
                    "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE id <= "
                    "(SELECT max(id) FROM audit) - $1 ORDER BY id LIMIT $2)");
  Query(surplus, max_lines, limit - removed).run();
  return removed + changed();
}

}  // namespace jobhost::store
