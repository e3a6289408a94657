#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/job.hpp"

namespace jobhost::api::lncrawl {

/// How this surface spells job numbers: as UUIDs of version 4, which tell nothing of the number to whoever has no key.
///
/// A UUID v4 leaves 122 bits free. They hold the number after a keyed permutation (a Feistel network of two halves of
/// 61 bits, HMAC-SHA-256 as its round function), so each number has one UUID, and of the UUIDs that are no job's all
/// but one in 2^58 decode to nothing. Immutable; any thread.
class JobUuids {
 public:
  /// `key`: random bytes that stay the same as long as the ids shall.
  explicit JobUuids(std::string_view key);

  [[nodiscard]] std::string spell(core::JobId id) const;
  /// nullopt: not the lower-case spelling of a UUID that spell() gives.
  [[nodiscard]] std::optional<core::JobId> read(std::string_view text) const;

 private:
  [[nodiscard]] std::uint64_t round(int number, std::uint64_t half) const;

  std::string key_;
};

}  // namespace jobhost::api::lncrawl
