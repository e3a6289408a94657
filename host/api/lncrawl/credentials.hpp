#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "api/auth/accounts.hpp"
#include "api/http_types.hpp"
#include "api/lncrawl/tokens.hpp"
#include "core/clock.hpp"

namespace jobhost::api::lncrawl {

/// Who calls, by what a request shows: a token, or name and password each time (Basic).
///
/// A password costs a hash that takes tens of milliseconds, and guesses are slowed down; so which name and password
/// were right is remembered for some minutes, as a keyed hash, and holds as long as a token would.
/// Thread-safety: every method from any thread.
class Credentials {
 public:
  /// Borrowed until destroyed.
  Credentials(Accounts& accounts, const core::Clock& clock, const Tokens& tokens, std::string_view key);

  /// Null: nobody we know. Errors: Exhausted (too many attempts by password), PermissionDenied (right, but disabled),
  /// Unavailable.
  core::Result<PrincipalRef> identify(const Request& request, const std::string& address);
  /// By a token alone, as `/static` has it in its query. Null: it does not hold.
  [[nodiscard]] PrincipalRef byToken(std::string_view token) const;
  /// The user behind a caller, as it is now; nullopt: gone or disabled meanwhile.
  [[nodiscard]] std::optional<store::User> userOf(const Principal& principal) const;

 private:
  struct Known {
    std::string user;
    std::string version;
    core::Clock::Steady until;
  };
  core::Result<PrincipalRef> byPassword(std::string_view basic, const std::string& address);
  [[nodiscard]] PrincipalRef holding(const std::string& user, std::string_view version) const;

  Accounts& accounts_;
  const core::Clock& clock_;
  const Tokens& tokens_;
  const std::string key_;
  std::mutex mutex_;
  std::unordered_map<std::string, Known> known_;  ///< by keyed hash of name and password
};

}  // namespace jobhost::api::lncrawl
