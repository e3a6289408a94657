#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "api/auth/actor.hpp"
#include "api/auth/key_ring.hpp"
#include "api/auth/login_throttle.hpp"
#include "api/auth/password_hasher.hpp"
#include "api/auth/principal.hpp"
#include "core/clock.hpp"
#include "core/result.hpp"
#include "store/principal_store.hpp"

namespace jobhost::api {

/// What a new user shall be.
struct UserRequest {
  std::string name;
  std::string password;
  std::string role = "user";
  int tier = 0;
  bool disabled = false;
};

/// What shall change of a user; absent: stays.
struct UserChange {
  std::optional<std::string> name, password, role;
  std::optional<int> tier;
  std::optional<bool> disabled;
};

/// The users and their sessions, in memory; the store is the truth, this follows each change made through it.
///
/// Passwords are checked by PasswordHasher in a bounded number at once, attempts are slowed down by LoginThrottle, and
/// whether a name exists can be told neither from the answer nor from its time. Of a session's token only the SHA-256
/// is kept. Thread-safety: every method from any thread; those that hash or change something block.
class Accounts {
 public:
  struct Options {
    PasswordHasher::Options hashing;
    LoginThrottle::Options throttle;
    core::Millis session{7LL * 24 * 3600 * 1000};   ///< a session ends so long after the login
    core::Millis session_idle{24LL * 3600 * 1000};  ///< or when it was not used for so long
    int sessions_per_user = 20;                     ///< the oldest ends when another begins
    std::int64_t max_users = 100'000;
    std::size_t password_min = 8;  ///< characters
  };
  struct Parts {
    store::UserStore& users;
    store::SessionStore& sessions;
    KeyRing& keys;
    const core::Clock& clock;
  };
  /// Borrowed until destroyed. Call load() before serving, and before KeyRing::load().
  Accounts(Parts parts, Options options);

  core::Result<void> load();

  // ---- sessions
  struct Opened {
    store::User user;
    store::Session session;
    std::string token;  ///< for the cookie; kept nowhere
  };
  struct Login {
    core::Result<Opened> opened;
    core::Millis retry_after{0};  ///< with Exhausted: how long to wait
  };
  /// Errors: Unauthenticated (name or password is wrong: no word which), PermissionDenied (right, but disabled),
  /// Exhausted (too many attempts, or too many passwords being checked).
  Login login(std::string_view name, std::string_view password, const std::string& address, std::string_view agent);
  struct Verified {
    core::Result<store::User> user;
    core::Millis retry_after{0};  ///< as Login has it
  };
  /// login() that opens no session, for callers who show name and password each time, or get a token of a dialect's
  /// own. Errors as login(); what it costs and how it is slowed down is the same.
  Verified verify(std::string_view name, std::string_view password, const std::string& address);
  /// Who calls with this token; null: unknown, ended, or its user is gone or disabled.
  [[nodiscard]] PrincipalRef findSession(std::string_view token) const;
  /// Who a principal of findSession(), or of KeyRing::find(), is now; null: the session or key ended. It counts as no
  /// use of it.
  [[nodiscard]] PrincipalRef again(const Principal& principal) const;
  /// Whether that one can still do all that the principal can.
  [[nodiscard]] bool stillMay(const Principal& principal) const;
  /// Told when sessions, users or keys ended or can do less; nullptr: nobody.
  void observe(CredentialObserver* observer);
  core::Result<void> logout(const std::string& session);
  /// Live ones, oldest first; of one user, or of all (empty).
  [[nodiscard]] std::vector<store::Session> sessions(const std::string& user) const;
  [[nodiscard]] std::optional<store::Session> session(const std::string& id) const;
  core::Result<void> revokeSession(const std::string& id, const Actor& actor);
  core::Result<void> revokeSessions(const std::string& user, const Actor& actor);

  // ---- users. Errors: InvalidArgument naming each wrong member, NotFound, Conflict (the name is taken), those of
  // PasswordHasher.
  core::Result<store::User> create(UserRequest request, const Actor& actor);
  /// A new password or `disabled` ends the user's sessions.
  core::Result<store::User> change(const std::string& id, UserChange change, const Actor& actor);
  /// One's own: the old one must be right (Unauthenticated, Exhausted as login()). Other sessions than this end.
  core::Result<void> changePassword(const std::string& id, std::string_view old_password, std::string new_password,
                                    const std::string& session, const Actor& actor, core::Millis& retry_after);
  core::Result<void> remove(const std::string& id, const Actor& actor);
  [[nodiscard]] std::optional<store::User> find(const std::string& id) const;
  [[nodiscard]] std::optional<store::User> findByName(std::string_view name) const;
  /// In the order of lower-case names, those after `after` (a lower-case name; empty: from the first).
  [[nodiscard]] std::vector<store::User> list(const std::string& after, std::size_t limit) const;
  [[nodiscard]] bool anyUser() const;

  /// The name in lower case: what makes two names one.
  static std::string fold(std::string_view name);

 private:
  struct SessionEntry {
    store::Session session;
    PrincipalRef principal;
    std::atomic<std::int64_t> seen{0};  ///< microseconds
    std::atomic<std::int64_t> written{0};
  };
  using SessionRef = std::shared_ptr<SessionEntry>;

  enum class Verdict { Right, Wrong, Disabled };
  core::Result<Verdict> check(const std::optional<store::User>& user, std::string_view password);
  core::Result<Verdict> checkInTurn(const std::optional<store::User>& user, std::string_view name_key,
                                    std::string_view password, std::string_view address);
  core::Result<Opened> open(const store::User& user, std::string fresh_hash, const std::string& address,
                            std::string_view agent);
  core::Result<void> checkUser(const UserRequest& request, bool with_password,
                               const char* password_pointer = "/password") const;
  [[nodiscard]] bool live(const SessionEntry& entry, core::Instant now) const;
  void putSession(store::Session session, const store::User& user);    ///< under the exclusive lock
  void putUser(const store::User& user);                               ///< under the exclusive lock
  void dropSessions(const std::string& user, const std::string& but);  ///< under the exclusive lock

  Parts parts_;
  const Options options_;
  PasswordHasher hasher_;
  LoginThrottle throttle_;
  std::mutex change_mutex_;  ///< held over read, store and remember of a change; never while hashing
  ObserverSlot observer_;
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, store::User> users_;
  std::map<std::string, std::string> ids_;  ///< by lower-case name
  std::unordered_map<Digest, SessionRef, DigestHash> sessions_;
};

}  // namespace jobhost::api
