#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jobhost::api {

/// What a caller may do. One bit each, so that a check is one AND.
enum class Privilege : std::uint32_t {
  None = 0,  ///< open to everybody
  ReadJobs = 1,
  RunJobs = 2,
  AbortJobs = 4,
  DeleteJobs = 8,
  TagJobs = 16,
  Admin = 32,           ///< implies all others
  Known = 0x8000'0000,  ///< whoever has valid credentials; no key names it
};

/// "read_jobs"; nullopt for a word that is no privilege a key can have.
std::optional<Privilege> privilegeFromString(std::string_view word);
std::string_view toString(Privilege privilege);
/// The words of a set of bits, in the order of the enum.
std::vector<std::string> privilegeWords(std::uint32_t privileges);

enum class Role { Admin, User, Viewer };

/// A role, its word, and what it may do: the one table.
struct RoleRow {
  Role role;
  std::string_view name;
  std::uint32_t privileges;
};
std::span<const RoleRow> roles();
/// nullptr: no such role.
const RoleRow* findRole(std::string_view name);

class TokenBucket;

/// Who calls.
struct Principal {
  std::string id;  ///< becomes a job's owner: the user's id, or a host key's public handle
  std::string name;
  std::uint32_t privileges = 0;
  bool all_jobs = true;  ///< reaches jobs of others too; a caller without sees and touches its own alone
  std::string user;      ///< the user behind it; empty: a key of the host
  std::string key;       ///< public handle of the key that was presented; empty: none was
  std::string session;   ///< public handle of the session; empty: none
  std::array<unsigned char, 32> credential{};   ///< SHA-256 of that key or of the session's token: to find it again
  std::shared_ptr<TokenBucket> rate = nullptr;  ///< of the key; null: no limit

  [[nodiscard]] bool may(Privilege privilege) const {
    if (privilege == Privilege::Known) return true;
    const auto bit = static_cast<std::uint32_t>(privilege);
    return bit == 0 || (privileges & (bit | static_cast<std::uint32_t>(Privilege::Admin))) != 0;
  }
  /// Whether a job of this owner exists for the caller.
  [[nodiscard]] bool reaches(std::string_view owner) const { return all_jobs || owner == id; }
};
using PrincipalRef = std::shared_ptr<const Principal>;

}  // namespace jobhost::api
