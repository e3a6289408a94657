#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/clock.hpp"
#include "core/result.hpp"
#include "store/key_store.hpp"

namespace jobhost::api {

/// What a caller may do. One bit each, so that a check is one AND.
enum class Privilege : std::uint32_t {
  None = 0,  ///< open to everybody
  ReadJobs = 1,
  RunJobs = 2,
  AbortJobs = 4,
  DeleteJobs = 8,
  TagJobs = 16,
  Admin = 32,  ///< implies all others
};

/// "read_jobs"; nullopt for a word that is no privilege.
std::optional<Privilege> privilegeFromString(std::string_view word);
std::string_view toString(Privilege privilege);

/// Who calls.
struct Principal {
  std::string id;  ///< the key's public handle; becomes a job's owner
  std::string name;
  std::uint32_t privileges = 0;

  [[nodiscard]] bool may(Privilege privilege) const {
    const auto bit = static_cast<std::uint32_t>(privilege);
    return bit == 0 || (privileges & (bit | static_cast<std::uint32_t>(Privilege::Admin))) != 0;
  }
};
using PrincipalRef = std::shared_ptr<const Principal>;

/// The API keys in use, in memory; KeyStore is the truth, this follows each change made through it.
/// Only SHA-256 digests of keys are held; a presented key is hashed and its digest compared in constant time.
/// Thread-safety: every method from any thread.
class KeyRing {
 public:
  /// Borrowed until destroyed. Call load() before serving.
  KeyRing(store::KeyStore& store, const core::Clock& clock) : store_(store), clock_(clock) {}

  /// Reads all keys anew.
  core::Result<void> load();
  /// The owner of this raw key; null: unknown, revoked or expired.
  [[nodiscard]] PrincipalRef find(std::string_view raw_key) const;
  /// The owner of the key whose whole Authorization header would be `Bearer ` + base64(key) (minion's form).
  [[nodiscard]] PrincipalRef findBase64(std::string_view base64_key) const;

  struct Created {
    store::ApiKey key;
    std::string raw;  ///< shown to its owner once, kept nowhere
  };
  /// Makes a random 256-bit key. InvalidArgument: unknown privilege, empty or long name, expiry in the past.
  core::Result<Created> create(std::string name, std::vector<std::string> privileges,
                               std::optional<core::Instant> expires_at);
  core::Result<void> revoke(const std::string& id);
  core::Result<std::vector<store::ApiKey>> list() const;

 private:
  using Digest = std::array<unsigned char, 32>;
  struct DigestHash {
    std::size_t operator()(const Digest& digest) const noexcept;
  };
  struct Entry {
    PrincipalRef principal;
    std::optional<core::Instant> expires_at;
  };
  static std::optional<Digest> digestFromHex(std::string_view hex);
  void put(const store::ApiKey& key);  ///< under the exclusive lock

  store::KeyStore& store_;
  const core::Clock& clock_;
  mutable std::shared_mutex mutex_;
  std::unordered_map<Digest, Entry, DigestHash> entries_;  ///< live keys only
};

/// Sees to it that `<data>/keys/admin.key` (mode 0600, folder 0700) holds a key with all privileges that the store
/// knows; makes a new one when the file is lost, unreadable or of another database. Answers the file's path.
core::Result<std::filesystem::path> ensureAdminKey(const std::filesystem::path& data_folder, KeyRing& keys);

}  // namespace jobhost::api
