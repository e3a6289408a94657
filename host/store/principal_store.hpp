#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/result.hpp"
#include "store/key_store.hpp"

namespace jobhost::store {

/// A person who logs in. Never holds the password, only its hash.
struct User {
  std::string id;        ///< UUID; becomes the owner of the user's jobs
  std::string name;      ///< what is typed to log in; unique without regard to case
  std::string name_key;  ///< the name in lower case
  std::string role;      ///< "admin", "user", "viewer"
  int tier = 0;          ///< 0 and up; what it buys is a dialect's business
  std::string password;  ///< Argon2id hash, PHC string form
  bool disabled = false;
  core::Instant created_at;
  core::Instant updated_at;
  std::optional<core::Instant> last_login_at;
};

/// What a session is known by: never its token, only the SHA-256.
struct Session {
  std::string id;      ///< public handle, "ses_" + 16 hex digits
  std::string sha256;  ///< lower-case hex of the token
  std::string user;
  core::Instant created_at;
  core::Instant seen_at;
  core::Instant expires_at;
  std::optional<core::Instant> revoked_at;
  std::string address;  ///< where it was opened from
  std::string agent;    ///< with what (User-Agent, cut)
};

/// A line of the audit log as stored.
struct AuditLine {
  std::int64_t id = 0;  ///< increasing
  AuditEntry entry;
};

struct AuditFilter {
  std::string actor, action, target;   ///< empty: any
  std::optional<std::int64_t> before;  ///< lines older than this one (the cursor)
  int limit = 50;                      ///< 1..1000
};

/// Where people live. Thread-safety and errors as JobStore; each change is stored with its audit line or not at all.
class UserStore {
 public:
  virtual ~UserStore() = default;
  /// Conflict: the name is taken. Exhausted: there are `max_users` already.
  virtual core::Result<void> addUser(const User& user, std::int64_t max_users, const AuditEntry& audit) = 0;
  /// Replaces all but id, created_at and last_login_at. `end_sessions_but`: the user's sessions end with it, except
  /// this one ("": all); nullopt: they go on. NotFound; Conflict: the new name is taken.
  virtual core::Result<void> changeUser(const User& user, const std::optional<std::string>& end_sessions_but,
                                        const AuditEntry& audit) = 0;
  /// Takes the user's sessions and keys along (keys are revoked and stay in the list). NotFound for an unknown id.
  virtual core::Result<void> removeUser(const std::string& id, core::Instant at, const AuditEntry& audit) = 0;
  /// After a login: the time, and a fresh hash where the old one's parameters are out of date (empty: keep).
  virtual core::Result<void> loggedIn(const std::string& id, core::Instant at, const std::string& password) = 0;
  virtual core::Result<std::vector<User>> users() = 0;
};

/// Where sessions live. Thread-safety and errors as JobStore.
class SessionStore {
 public:
  virtual ~SessionStore() = default;
  /// Ends the user's oldest beyond `max_per_user`, and answers the ids of those.
  virtual core::Result<std::vector<std::string>> addSession(const Session& session, int max_per_user) = 0;
  /// NotFound for an unknown id. `audit` null: nobody's business but the user's (logging out).
  virtual core::Result<void> revokeSession(const std::string& id, core::Instant at, const AuditEntry* audit) = 0;
  /// All of a user's but `keep` (empty: all).
  virtual core::Result<void> revokeSessions(const std::string& user, const std::string& keep, core::Instant at,
                                            const AuditEntry& audit) = 0;
  /// Writes down when it was last seen. Does not wait; a loss is no harm.
  virtual void touchSession(const std::string& id, core::Instant at) = 0;
  /// Those neither revoked nor expired at `now`.
  virtual core::Result<std::vector<Session>> sessions(core::Instant now) = 0;
  /// Forgets at most `limit` sessions that ended before `cutoff`; answers how many.
  virtual core::Result<int> purgeSessions(core::Instant cutoff, int limit) = 0;
};

/// The log of administrative acts: added to, read, and cut off at its old end. Thread-safety and errors as JobStore.
class AuditStore {
 public:
  virtual ~AuditStore() = default;
  virtual core::Result<void> addAudit(const AuditEntry& entry) = 0;
  /// Newest first.
  virtual core::Result<std::vector<AuditLine>> audit(const AuditFilter& filter) = 0;
  /// Removes at most `limit` lines: those before `cutoff`, and the oldest beyond `max_lines`; answers how many.
  virtual core::Result<int> purgeAudit(core::Instant cutoff, std::int64_t max_lines, int limit) = 0;
};

/// Everything about who may call.
class PrincipalStore : public KeyStore, public UserStore, public SessionStore, public AuditStore {};

}  // namespace jobhost::store
