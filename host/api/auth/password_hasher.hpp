#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace jobhost::api {

/// What a hash costs.
struct HashCost {
  std::uint32_t memory_kib = 19'456;
  std::uint32_t iterations = 2;
  std::uint32_t lanes = 1;
  bool operator==(const HashCost&) const = default;
};

/// Whether a cost reaches what OWASP's Password Storage Cheat Sheet asks of Argon2id as a minimum: 46 MiB once, or
/// 19 MiB twice, 12 MiB three times, 9 MiB four times, 7 MiB five times.
bool meetsOwaspFloor(const HashCost& cost);

/// Hashes and checks passwords with Argon2id. A hash takes much memory on purpose, so only a few are made at once; more
/// callers wait for their turn, and beyond a limit they are sent away.
///
/// Thread-safety: every method from any thread; they block for the time of a hash (tens of milliseconds) and of the
/// wait before it. The memory of a hash is mapped for it alone, wiped and given back at its end.
class PasswordHasher {
 public:
  struct Options {
    HashCost cost;
    int parallel = 2;  ///< hashes at once
    int queue = 16;    ///< callers that wait; more are answered Exhausted
  };
  explicit PasswordHasher(Options options);

  /// A PHC string: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`. Errors: Exhausted, Unavailable (no memory).
  core::Result<std::string> hash(std::string_view password);
  /// Whether the password is the one of the hash. Errors as hash(); Internal: `phc` is no hash this can check.
  core::Result<bool> verify(std::string_view password, const std::string& phc);
  /// Takes as long as verify() of a hash of today's cost, for a name nobody has.
  core::Result<void> pretend(std::string_view password);
  /// Whether a hash was made at another cost than today's.
  [[nodiscard]] bool outdated(const std::string& phc) const;

 private:
  class Turn;
  const Options options_;
  std::mutex mutex_;
  std::condition_variable free_;
  int running_ = 0;
  int waiting_ = 0;
};

/// The parts of a PHC string; nullopt: not one of ours, or its cost is beyond all reason (1 GiB, 64 times, 16 lanes).
struct PhcHash {
  HashCost cost;
  std::string salt;
  std::string hash;
};
std::optional<PhcHash> parsePhc(std::string_view text);

}  // namespace jobhost::api
