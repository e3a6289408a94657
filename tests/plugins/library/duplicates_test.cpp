#include "library/duplicates.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <stdexcept>

namespace jobhost::library {
namespace {

using Groups = std::vector<std::vector<std::size_t>>;
constexpr std::uint64_t kSeed = 20260901;

/// The slow obvious way: every pair of texts, unit by unit, then a walk through who is connected.
Groups obvious(const std::vector<std::string>& texts, int threshold) {
  std::vector<bool> seen(texts.size());
  Groups groups;
  const auto near = [&](std::size_t a, std::size_t b) {
    int differing = 0;
    for (std::size_t i = 0; i < texts[a].size(); ++i) differing += texts[a][i] == texts[b][i] ? 0 : 1;
    return differing <= threshold;
  };
  for (std::size_t start = 0; start < texts.size(); ++start) {
    if (seen[start]) continue;
    std::vector<std::size_t> group{start};
    seen[start] = true;
    for (std::size_t at = 0; at < group.size(); ++at) {
      for (std::size_t other = 0; other < texts.size(); ++other) {
        if (seen[other] || !near(group[at], other)) continue;
        seen[other] = true;
        group.push_back(other);
      }
    }
    std::sort(group.begin(), group.end());
    if (group.size() > 1) groups.push_back(group);
  }
  return groups;
}

/// Texts of `letters`, many of them near others: copies with a few places changed.
std::vector<std::string> relatives(std::mt19937_64& random, std::size_t count, std::size_t length,
                                   const std::string& letters) {
  const auto letter = [&] { return letters[random() % letters.size()]; };
  std::vector<std::string> texts;
  while (texts.size() < count) {
    std::string text;
    if (texts.empty() || random() % 3 == 0) {
      for (std::size_t i = 0; i < length; ++i) text += letter();
    } else {
      text = texts[random() % texts.size()];
      for (std::size_t changes = random() % (length / 3); changes > 0; --changes) text[random() % length] = letter();
    }
    texts.push_back(text);
  }
  return texts;
}

BitHash ofBits(const std::string& bits) {
  BitHash hash;
  for (const char bit : bits) hash.bits = hash.bits << 1U | (bit == '1' ? 1U : 0U);
  return hash;
}

TEST(Duplicates, AreThoseOfTheObviousWayWhateverTheThreshold) {
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < 60; ++round) {
    const std::size_t count = 2 + random() % 120;
    const auto hex = relatives(random, count, 40, "0123456789abcdef");
    const auto bits = relatives(random, count, 64, "01");
    std::vector<HexHash> hex_hashes;
    std::vector<BitHash> bit_hashes;
    for (const auto& text : hex) hex_hashes.push_back(HexHash::parse(text).value());
    for (const auto& text : bits) bit_hashes.push_back(ofBits(text));
    for (const int threshold : {0, 1, 2, 3, 5, 8, 13, 20, 30, 39, 40, 64}) {
      EXPECT_EQ(groupAlike(hex_hashes, threshold, [] {}), obvious(hex, threshold))
          << "seed " << kSeed << " round " << round << " threshold " << threshold;
      EXPECT_EQ(groupAlike(bit_hashes, threshold, [] {}), obvious(bits, threshold))
          << "seed " << kSeed << " round " << round << " threshold " << threshold;
    }
  }
}

TEST(Duplicates, DistanceCountsDigitsAndBits) {
  const auto hash = [](std::string text) { return HexHash::parse(text).value(); };
  const std::string zeros(40, '0');
  for (std::size_t i = 0; i < 40; ++i) {
    for (const char digit : {'1', '2', '4', '8', 'f'}) {
      std::string text = zeros;
      text[i] = digit;
      EXPECT_EQ(distance(hash(text), hash(zeros)), 1);
    }
  }
  EXPECT_EQ(distance(hash(std::string(40, 'f')), hash(zeros)), 40);
  EXPECT_EQ(distance(BitHash{~0ULL}, BitHash{0}), 64);
  EXPECT_EQ(distance(BitHash{5}, BitHash{6}), 2);
}

TEST(Duplicates, HashesAreReadStrictly) {
  EXPECT_FALSE(HexHash::parse(std::string(39, '0')));
  EXPECT_FALSE(HexHash::parse(std::string(39, '0') + "g"));
  EXPECT_FALSE(HexHash::parse(""));
  EXPECT_FALSE(BitHash::parse("0x00000000000000"));
  EXPECT_EQ(BitHash::parse("00ff00ff00ff00a1")->text(), "00ff00ff00ff00a1");
}

TEST(Duplicates, CompareFewPairsWhereHashesAreUnlike) {
  std::mt19937_64 random(kSeed);
  std::vector<HexHash> hashes(20'000);
  for (auto& hash : hashes) hash.words = {random(), random(), random() & ~0xffffffffULL};
  GroupingWork work;
  EXPECT_TRUE(groupAlike(
                  hashes, 5, [] {}, &work)
                  .empty());
  EXPECT_LT(work.compared, 20'000U);
  std::vector<HexHash> equal(20'000, hashes.front());
  EXPECT_EQ(groupAlike(
                equal, 5, [] {}, &work)
                .at(0)
                .size(),
            20'000U);
  EXPECT_EQ(work.compared, 0U);
}

TEST(Duplicates, StopWhenAsked) {
  std::mt19937_64 random(kSeed);
  std::vector<BitHash> hashes(5000);
  for (auto& hash : hashes) hash.bits = random();
  EXPECT_THROW((void)groupAlike(hashes, 30, [] { throw std::runtime_error("stop"); }), std::runtime_error);
}

TEST(Duplicates, KeysNameTheirArchives) {
  EXPECT_EQ(groupKey({std::string(40, 'a'), std::string(40, 'b')}), "dupgp_aaaaaaaaaabbbbbbbbbb");
  std::vector<std::string> many;
  for (int i = 0; i < 200; ++i) many.push_back(std::to_string(1'000'000'000 + i) + std::string(30, 'c'));
  const std::string key = groupKey(many);
  EXPECT_LE(key.size(), 512U);
  many.back().back() = 'd';
  EXPECT_NE(groupKey(many), key);
}

}  // namespace
}  // namespace jobhost::library
