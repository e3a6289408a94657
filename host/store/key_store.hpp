#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/result.hpp"

namespace jobhost::store {

/// An administrative act: who, when, what, to what, from where. Holds no secret.
struct AuditEntry {
  core::Instant at;
  std::string actor;       ///< principal's id; "host" for what the host does by itself
  std::string actor_name;  ///< as it was then
  std::string action;      ///< "user.create", "key.revoke", …
  std::string target;      ///< id of what was acted on
  std::string address;     ///< where the caller was; empty for the host
  std::string detail_json = "{}";
};

/// An API key as stored: never the key itself, only its SHA-256.
struct ApiKey {
  std::string id;  ///< public handle, "key_" + 16 hex digits
  std::string name;
  std::string sha256;  ///< lower-case hex of the raw key
  std::vector<std::string>
      privileges;  ///< "admin", "run_jobs", "abort_jobs", "delete_jobs", "read_jobs", "tag_jobs", …
  core::Instant created_at;
  std::optional<core::Instant> expires_at;
  std::optional<core::Instant> revoked_at;
  std::string owner;        ///< user's id; empty: the host's own
  bool all_jobs = true;     ///< reaches jobs of others too
  int rate_per_minute = 0;  ///< requests; 0: no limit
  int rate_burst = 0;       ///< requests at once; 0: as many as in a minute
  std::string mask;         ///< how the key begins, to tell it from others; empty: made before masks were kept
  std::optional<core::Instant> last_used_at;  ///< to about a minute
};

/// Where API keys live. Thread-safety and errors as JobStore; each change is stored with its audit line or not at all.
class KeyStore {
 public:
  virtual ~KeyStore() = default;
  /// Conflict: the id or hash exists. Exhausted: the owner has `max_of_owner` live keys already (0: no limit).
  virtual core::Result<void> addKey(const ApiKey& key, int max_of_owner, const AuditEntry& audit) = 0;
  /// NotFound for an unknown id. One that is revoked already stays as it is, and no line is written.
  virtual core::Result<void> revokeKey(const std::string& id, core::Instant at, const AuditEntry& audit) = 0;
  /// All live keys of a user.
  virtual core::Result<void> revokeKeysOf(const std::string& user, core::Instant at, const AuditEntry& audit) = 0;
  /// Writes down when it was last used. Does not wait; a loss is no harm.
  virtual void touchKey(const std::string& id, core::Instant at) = 0;
  virtual core::Result<std::vector<ApiKey>> keys() = 0;
  /// NotFound for an unknown id.
  virtual core::Result<ApiKey> key(const std::string& id) = 0;
  /// By id, those after `after` (empty: from the first), at most `limit`; of one user, or of all (empty).
  virtual core::Result<std::vector<ApiKey>> keys(const std::string& owner, const std::string& after, int limit) = 0;
  /// Forgets at most `limit` keys that were revoked or expired before `cutoff`; answers how many.
  virtual core::Result<int> purgeKeys(core::Instant cutoff, int limit) = 0;
};

}  // namespace jobhost::store
