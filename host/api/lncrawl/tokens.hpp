#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/clock.hpp"
#include "store/principal_store.hpp"

namespace jobhost::api::lncrawl {

/// The tokens a login is answered with: JWTs signed by HS256, kept nowhere.
///
/// Beside `sub`, `scopes` and `exp`, which clients read, they carry `ver`: a keyed hash of the user's password hash and
/// role, so a token ends when either changes. Whether the user is still there and enabled is asked at each request.
/// Immutable; any thread.
class Tokens {
 public:
  Tokens(std::string_view key, core::Millis lifetime);

  [[nodiscard]] std::string issue(const store::User& user, core::Instant now) const;
  struct Claims {
    std::string user;  ///< its id
    std::string version;
  };
  /// nullopt: not one of ours, changed, or past its end.
  [[nodiscard]] std::optional<Claims> read(std::string_view token, core::Instant now) const;
  /// What `ver` must be for the token to hold.
  [[nodiscard]] std::string versionOf(const store::User& user) const;

 private:
  std::string key_;
  core::Millis lifetime_;
};

/// "admin" or "user": the roles this surface knows.
std::string_view roleWord(const store::User& user);
/// 0 BASIC, 1 PREMIUM, 2 VIP.
int tierOf(const store::User& user);

}  // namespace jobhost::api::lncrawl
