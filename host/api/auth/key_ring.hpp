#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "api/auth/actor.hpp"
#include "api/auth/credential_observer.hpp"
#include "api/auth/principal.hpp"
#include "api/auth/secrets.hpp"
#include "core/clock.hpp"
#include "core/result.hpp"
#include "store/principal_store.hpp"

namespace jobhost::api {

/// What a new key shall be.
struct KeyRequest {
  std::string name;
  std::vector<std::string> privileges;
  std::optional<core::Instant> expires_at;
  std::string owner;        ///< user's id; empty: the host's own
  bool all_jobs = true;     ///< reaches jobs of others too
  int rate_per_minute = 0;  ///< requests; 0: no limit
  int rate_burst = 0;       ///< 0: as many as in a minute
};

/// The API keys in use, in memory; KeyStore is the truth, this follows each change made through it.
/// Only SHA-256 digests of keys are held; a presented key is hashed and its digest compared in constant time.
/// A key of a user can do no more than its user, and ends with it: the ring is told of users by Accounts.
/// Thread-safety: every method from any thread.
class KeyRing {
 public:
  struct Options {
    int keys_per_user = 50;
    int changes_per_minute = 60;  ///< keys one user makes and revokes, and as many at once; admins: no limit
  };
  /// Borrowed until destroyed. Call load() before serving.
  KeyRing(store::KeyStore& store, const core::Clock& clock, Options options)
      : store_(store), clock_(clock), options_(options) {}
  KeyRing(store::KeyStore& store, const core::Clock& clock) : KeyRing(store, clock, Options{}) {}

  /// Reads all keys anew.
  core::Result<void> load();
  /// Who calls with this raw key; null: unknown, revoked or expired, or its user is gone or disabled.
  [[nodiscard]] PrincipalRef find(std::string_view raw_key) const;
  /// The same for a key whose whole Authorization header would be `Bearer ` + base64(key) (minion's form).
  [[nodiscard]] PrincipalRef findBase64(std::string_view base64_key) const;

  /// Who a principal of find() is now; null: its key ended. It counts as no use of the key.
  [[nodiscard]] PrincipalRef again(const Principal& principal) const;
  /// Told when keys ended or can do less; nullptr: nobody.
  void observe(CredentialObserver* observer) { observer_.observe(observer); }

  struct Created {
    store::ApiKey key;
    std::string raw;  ///< shown to its owner once, kept nowhere
  };
  /// Makes a random 256-bit key. InvalidArgument: unknown privilege, empty or long name, expiry in the past, no such
  /// user, a rate out of bounds. Exhausted: the user has too many, or changes keys too fast. Unauthenticated: who asks
  /// is known no longer.
  core::Result<Created> create(KeyRequest request, const Actor& actor);
  /// One that is revoked already stays as it is. NotFound; Exhausted and Unauthenticated as create().
  core::Result<void> revoke(const std::string& id, const Actor& actor);
  core::Result<void> revokeOf(const std::string& user, const Actor& actor);
  /// Keys by id, those after `after` (empty: from the first), of one user or of all (empty); revoked ones too, until
  /// retention takes them, with the moment of last use to the second.
  core::Result<std::vector<store::ApiKey>> list(const std::string& user, const std::string& after, int limit) const;
  /// NotFound for an unknown id.
  core::Result<store::ApiKey> key(const std::string& id) const;

  // ---- what Accounts tells
  void setUsers(std::span<const store::User> users);
  void userChanged(const store::User& user);
  void userRemoved(const std::string& id);

 private:
  struct UserState {
    std::string name;
    std::uint32_t privileges = 0;
    bool disabled = false;
    std::shared_ptr<TokenBucket> changes = nullptr;  ///< of keys; made with the first
  };
  struct Usage {
    std::atomic<std::int64_t> last{0};     ///< microseconds
    std::atomic<std::int64_t> written{0};  ///< what the store was told
  };
  struct Entry {
    store::ApiKey key;
    PrincipalRef principal;  ///< null while its user is gone or disabled
    std::shared_ptr<Usage> usage;
    Digest digest;
  };
  void put(const store::ApiKey& key);                  ///< under the exclusive lock
  PrincipalRef principalOf(const Entry& entry) const;  ///< under a lock
  void refresh(const std::string& user);               ///< under the exclusive lock
  void putUser(const store::User& user);               ///< under the exclusive lock
  /// What stands before each change, under change_mutex_.
  core::Result<void> mayChange(const Actor& actor);

  store::KeyStore& store_;
  const core::Clock& clock_;
  const Options options_;
  std::mutex change_mutex_;  ///< held over store and remember of a change, so that both follow one order
  ObserverSlot observer_;
  mutable std::shared_mutex mutex_;
  std::unordered_map<Digest, Entry, DigestHash> entries_;  ///< live keys only
  std::unordered_map<std::string, UserState> users_;
};

}  // namespace jobhost::api
