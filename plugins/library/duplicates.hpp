#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jobhost::library {

/// A SHA-1 as 40 hex digits; its unit of difference is a digit.
struct HexHash {
  static constexpr int kUnits = 40;
  std::array<std::uint64_t, 3> words{};  ///< 16, 16 and 8 digits; the first digit in the highest bits

  /// nullopt unless it is 40 hex digits.
  static std::optional<HexHash> parse(std::string_view text);
  auto operator<=>(const HexHash&) const = default;
};

/// A perceptual hash; its unit of difference is a bit.
struct BitHash {
  static constexpr int kUnits = 64;
  std::uint64_t bits = 0;

  /// nullopt unless it is 16 hex digits.
  static std::optional<BitHash> parse(std::string_view text);
  [[nodiscard]] std::string text() const;
  auto operator<=>(const BitHash&) const = default;
};

/// In how many units two hashes differ.
[[nodiscard]] int distance(const HexHash& a, const HexHash& b);
[[nodiscard]] int distance(const BitHash& a, const BitHash& b);

/// What groupAlike() tells beside the groups.
struct GroupingWork {
  std::uint64_t compared = 0;  ///< pairs whose distance was computed
};

/// Groups of positions into `hashes` that are connected by distances of at most `threshold`, each group sorted and of
/// two or more, the groups by their first position. Exact for every threshold.
///
/// Two hashes of at most that distance have one of threshold + 1 parts in common (there are not enough differences for
/// all of them), so only those that share a part are compared. Where parts get so short that this would be more work
/// than comparing all pairs, all pairs are compared (figures: docs/benchmarks.md).
/// `step` is called often, and may throw to stop.
template <class Hash>
[[nodiscard]] std::vector<std::vector<std::size_t>> groupAlike(const std::vector<Hash>& hashes, int threshold,
                                                               const std::function<void()>& step,
                                                               GroupingWork* work = nullptr);

extern template std::vector<std::vector<std::size_t>> groupAlike(const std::vector<HexHash>&, int,
                                                                 const std::function<void()>&, GroupingWork*);
extern template std::vector<std::vector<std::size_t>> groupAlike(const std::vector<BitHash>&, int,
                                                                 const std::function<void()>&, GroupingWork*);

/// The key of a group: `dupgp_` and the first ten characters of each id. Where that is longer than a record's key may
/// be, as many of them as fit and the SHA-1 of all the ids.
[[nodiscard]] std::string groupKey(const std::vector<std::string>& sorted_ids);

}  // namespace jobhost::library
