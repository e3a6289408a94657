#include "api/lncrawl/credentials.hpp"

#include <chrono>

#include "api/encoding.hpp"
#include "api/lncrawl/keyed_hash.hpp"
#include "core/utf8.hpp"

namespace jobhost::api::lncrawl {
namespace {

constexpr std::size_t kMaxBasic = 4096;
constexpr std::size_t kMaxKnown = 1000;
constexpr auto kRemembered = std::chrono::minutes(10);

/// What follows the scheme; nullopt: another scheme.
std::optional<std::string_view> afterScheme(std::string_view header, std::string_view scheme) {
  if (header.size() <= scheme.size() || !sameNoCase(header.substr(0, scheme.size()), scheme)) return std::nullopt;
  return header.substr(scheme.size());
}

PrincipalRef principalOf(const store::User& user) {
  const auto* role = findRole(user.role);
  if (user.disabled || role == nullptr) return nullptr;
  auto principal = std::make_shared<Principal>();
  principal->id = principal->user = user.id;
  principal->name = user.name;
  principal->privileges = role->privileges;
  principal->all_jobs = principal->may(Privilege::Admin);
  return principal;
}

}  // namespace

Credentials::Credentials(Accounts& accounts, const core::Clock& clock, const Tokens& tokens, std::string_view key)
    : accounts_(accounts), clock_(clock), tokens_(tokens), key_(keyedHash(key, "passwords")) {}

std::optional<store::User> Credentials::userOf(const Principal& principal) const {
  auto user = accounts_.find(principal.user);
  return user && !user->disabled ? user : std::nullopt;
}

PrincipalRef Credentials::holding(const std::string& id, std::string_view version) const {
  const auto user = accounts_.find(id);
  return user && tokens_.versionOf(*user) == version ? principalOf(*user) : nullptr;
}

PrincipalRef Credentials::byToken(std::string_view token) const {
  const auto claims = tokens_.read(token, clock_.now());
  return claims ? holding(claims->user, claims->version) : nullptr;
}

core::Result<PrincipalRef> Credentials::byPassword(std::string_view basic, const std::string& address) {
  const auto text = basic.size() > kMaxBasic ? std::nullopt : fromBase64(basic);
  const auto colon = text ? text->find(':') : std::string::npos;
  if (colon == std::string::npos || !core::isUtf8(*text)) return PrincipalRef();
  const auto digest = keyedHash(key_, *text);
  const auto now = clock_.steadyNow();
  {
    std::lock_guard lock(mutex_);
    if (const auto found = known_.find(digest); found != known_.end()) {
      if (now < found->second.until) {
        if (auto principal = holding(found->second.user, found->second.version)) return principal;
      }
      known_.erase(found);
    }
  }
  const std::string_view all(*text);
  const auto verified = accounts_.verify(all.substr(0, colon), all.substr(colon + 1), address);
  if (!verified.user) {
    if (verified.user.error().code == core::ErrorCode::Unauthenticated) return PrincipalRef();
    return verified.user.error();
  }
  const auto& user = *verified.user;
  std::lock_guard lock(mutex_);
  if (known_.size() >= kMaxKnown) {
    std::erase_if(known_, [now](const auto& one) { return one.second.until <= now; });
    if (known_.size() >= kMaxKnown) known_.erase(known_.begin());
  }
  known_[digest] = {user.id, tokens_.versionOf(user), now + kRemembered};
  return principalOf(user);
}

core::Result<PrincipalRef> Credentials::identify(const Request& request, const std::string& address) {
  const auto header = request.header("Authorization");
  if (!header) return PrincipalRef();
  if (const auto basic = afterScheme(*header, "Basic ")) return byPassword(*basic, address);
  if (const auto token = afterScheme(*header, "Bearer ")) return byToken(*token);
  return PrincipalRef();
}

}  // namespace jobhost::api::lncrawl
