#include "library/duplicates.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>

#include "support/files/archive_id.hpp"

namespace jobhost::library {
namespace {

constexpr std::size_t kMaxGroupKey = 512;
constexpr std::uint64_t kStepPairs = 1 << 20;  // pairs between two calls of step()

std::optional<std::uint64_t> hexNumber(std::string_view text) {
  std::uint64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  const bool whole = read.ec == std::errc() && read.ptr == text.data() + text.size();
  return whole ? std::optional(value) : std::nullopt;
}

// One bit of each digit that differs: the lowest.
std::uint64_t differingDigits(std::uint64_t a, std::uint64_t b) {
  std::uint64_t x = a ^ b;
  x |= x >> 1U;
  x |= x >> 2U;
  return x & 0x1111111111111111U;
}

std::uint64_t bitsOf(std::uint64_t word, int from, int count) {
  if (count == 0) return 0;
  const std::uint64_t shifted = word >> static_cast<unsigned>(64 - from - count);
  return count == 64 ? shifted : shifted & ((std::uint64_t{1} << static_cast<unsigned>(count)) - 1);
}

/// The units [from, from + count) of a hash, as far as 64 bits hold them: hashes that have them in common have this in
/// common, and whoever has it is looked at closely.
std::uint64_t part(const BitHash& hash, int from, int count) {
  return bitsOf(hash.bits, from, count);
}
std::uint64_t part(const HexHash& hash, int from, int count) {
  std::uint64_t all = 0;
  for (int word = 0; word < 3; ++word) {
    const int begin = std::max(from, word * 16);
    const int end = std::min(from + count, word * 16 + 16);
    if (begin >= end) continue;
    const int bits = 4 * (end - begin);
    all = (bits == 64 ? 0 : all << static_cast<unsigned>(bits)) |
          bitsOf(hash.words[static_cast<std::size_t>(word)], 4 * (begin - word * 16), bits);
  }
  return all;
}

/// Who is connected with whom.
class Forest {
 public:
  explicit Forest(std::size_t count) : parent_(count) { std::iota(parent_.begin(), parent_.end(), 0U); }
  std::uint32_t root(std::uint32_t node) {
    while (parent_[node] != node) node = parent_[node] = parent_[parent_[node]];
    return node;
  }
  void unite(std::uint32_t a, std::uint32_t b) {
    a = root(a);
    b = root(b);
    if (a != b) parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<std::uint32_t> parent_;
};

struct Range {
  std::size_t begin;
  std::size_t end;
  [[nodiscard]] std::uint64_t pairs() const {
    const std::uint64_t n = end - begin;
    return n * (n - (n > 0 ? 1 : 0)) / 2;
  }
};

/// Connects unlike hashes (each there once) by their distances.
template <class Hash>
class Connector {
 public:
  Connector(const std::vector<Hash>& hashes, int threshold, const std::function<void()>& step)
      : hashes_(hashes), threshold_(threshold), step_(step), forest_(hashes.size()) {}

  Forest& run() {
    if (threshold_ <= 0) return forest_;  // unlike hashes differ
    if (threshold_ >= Hash::kUnits) {
      for (std::uint32_t i = 1; i < hashes_.size(); ++i) forest_.unite(0, i);
      return forest_;
    }
    if (const std::uint64_t by_parts = pairsByParts(); by_parts < allPairs()) {
      for (int at = 0; at <= threshold_; ++at) {
        const auto order = sortedBy(at);
        for (const Range& range : rangesOf(order)) compare(order, range);
      }
    } else {
      compareAll();
    }
    return forest_;
  }
  [[nodiscard]] std::uint64_t compared() const { return compared_; }

 private:
  using Keyed = std::pair<std::uint64_t, std::uint32_t>;  // part, position

  [[nodiscard]] std::uint64_t allPairs() const { return Range{0, hashes_.size()}.pairs(); }

  std::vector<Keyed> sortedBy(int at) const {
    const int parts = threshold_ + 1;
    const int from = Hash::kUnits * at / parts;
    const int end = Hash::kUnits * (at + 1) / parts;
    std::vector<Keyed> order(hashes_.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = {part(hashes_[i], from, end - from), i};
    std::sort(order.begin(), order.end());
    return order;
  }

  static std::vector<Range> rangesOf(const std::vector<Keyed>& order) {
    std::vector<Range> all;
    for (std::size_t begin = 0; begin < order.size();) {
      std::size_t end = begin + 1;
      while (end < order.size() && order[end].first == order[begin].first) ++end;
      if (end - begin > 1) all.push_back({begin, end});
      begin = end;
    }
    return all;
  }

  std::uint64_t pairsByParts() const {
    std::uint64_t pairs = 0;
    for (int at = 0; at <= threshold_ && pairs < allPairs(); ++at) {
      step_();
      for (const Range& range : rangesOf(sortedBy(at))) pairs += range.pairs();
    }
    return pairs;
  }

  void compare(const std::vector<Keyed>& order, const Range& range) {
    for (std::size_t i = range.begin; i + 1 < range.end; ++i) {
      for (std::size_t j = i + 1; j < range.end; ++j) {
        const std::uint32_t a = order[i].second;
        const std::uint32_t b = order[j].second;
        if (distance(hashes_[a], hashes_[b]) <= threshold_) forest_.unite(a, b);
      }
      count(range.end - i - 1);
    }
  }

  void compareAll() {
    for (std::uint32_t a = 0; a + 1 < hashes_.size(); ++a) {
      const Hash one = hashes_[a];
      for (std::uint32_t b = a + 1; b < hashes_.size(); ++b) {
        if (distance(one, hashes_[b]) <= threshold_) forest_.unite(a, b);
      }
      count(hashes_.size() - a - 1);
    }
  }

  void count(std::uint64_t pairs) {
    compared_ += pairs;
    since_step_ += pairs;
    if (since_step_ < kStepPairs) return;
    since_step_ = 0;
    step_();
  }

  const std::vector<Hash>& hashes_;
  const int threshold_;
  const std::function<void()>& step_;
  Forest forest_;
  std::uint64_t compared_ = 0;
  std::uint64_t since_step_ = 0;
};

std::string joined(const std::vector<std::string>& ids) {
  std::string all;
  for (const auto& id : ids) all += id;
  return all;
}

}  // namespace

std::optional<HexHash> HexHash::parse(std::string_view text) {
  if (text.size() != 40) return std::nullopt;
  HexHash hash;
  for (std::size_t word = 0; word < 3; ++word) {
    const auto value = hexNumber(text.substr(word * 16, 16));
    if (!value) return std::nullopt;
    hash.words[word] = word == 2 ? *value << 32U : *value;
  }
  return hash;
}

std::optional<BitHash> BitHash::parse(std::string_view text) {
  const auto value = text.size() == 16 ? hexNumber(text) : std::nullopt;
  return value ? std::optional(BitHash{*value}) : std::nullopt;
}

std::string BitHash::text() const {
  std::string hex;
  for (int shift = 60; shift >= 0; shift -= 4) hex += "0123456789abcdef"[(bits >> static_cast<unsigned>(shift)) & 15U];
  return hex;
}

int distance(const HexHash& a, const HexHash& b) {
  // At most three in each digit, forty together: they fit their places.
  const std::uint64_t digits = differingDigits(a.words[0], b.words[0]) + differingDigits(a.words[1], b.words[1]) +
                               differingDigits(a.words[2], b.words[2]);
  const std::uint64_t bytes = (digits & 0x0f0f0f0f0f0f0f0fU) + ((digits >> 4U) & 0x0f0f0f0f0f0f0f0fU);
  return static_cast<int>((bytes * 0x0101010101010101U) >> 56U);
}

int distance(const BitHash& a, const BitHash& b) {
  // By hand: without an instruction for it (not every x86-64 has one) the library's way is a table.
  std::uint64_t x = a.bits ^ b.bits;
  x -= (x >> 1U) & 0x5555555555555555U;
  x = (x & 0x3333333333333333U) + ((x >> 2U) & 0x3333333333333333U);
  x = (x + (x >> 4U)) & 0x0f0f0f0f0f0f0f0fU;
  return static_cast<int>((x * 0x0101010101010101U) >> 56U);
}

template <class Hash>
std::vector<std::vector<std::size_t>> groupAlike(const std::vector<Hash>& hashes, int threshold,
                                                 const std::function<void()>& step, GroupingWork* work) {
  if (threshold < 0) return {};
  // Equal ones are alike at any threshold; a thousand copies of one cover are one hash to compare.
  std::map<Hash, std::uint32_t> number;
  std::vector<Hash> unlike;
  std::vector<std::uint32_t> number_of(hashes.size());
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    const auto [at, added] = number.emplace(hashes[i], static_cast<std::uint32_t>(unlike.size()));
    if (added) unlike.push_back(hashes[i]);
    number_of[i] = at->second;
  }
  Connector<Hash> connector(unlike, threshold, step);
  Forest& forest = connector.run();
  if (work != nullptr) work->compared = connector.compared();
  std::map<std::uint32_t, std::vector<std::size_t>> by_root;
  for (std::size_t i = 0; i < hashes.size(); ++i) by_root[forest.root(number_of[i])].push_back(i);
  std::vector<std::vector<std::size_t>> groups;
  for (auto& [root, members] : by_root) {
    if (members.size() > 1) groups.push_back(std::move(members));
  }
  std::sort(groups.begin(), groups.end());
  return groups;
}

template std::vector<std::vector<std::size_t>> groupAlike(const std::vector<HexHash>&, int,
                                                          const std::function<void()>&, GroupingWork*);
template std::vector<std::vector<std::size_t>> groupAlike(const std::vector<BitHash>&, int,
                                                          const std::function<void()>&, GroupingWork*);

std::string groupKey(const std::vector<std::string>& sorted_ids) {
  std::string key = "dupgp_";
  for (const auto& id : sorted_ids) {
    key += id.substr(0, 10);
    if (key.size() > kMaxGroupKey) return key.substr(0, kMaxGroupKey - 52) + "+" + support::sha1Of(joined(sorted_ids));
  }
  return key;
}

}  // namespace jobhost::library
