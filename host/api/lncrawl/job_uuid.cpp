#include "api/lncrawl/job_uuid.hpp"

#include <utility>

#include "api/lncrawl/keyed_hash.hpp"

namespace jobhost::api::lncrawl {
namespace {

// Four rounds make a Feistel network strong against chosen texts either way (Luby and Rackoff); two more cost little.
constexpr int kRounds = 6;
constexpr std::uint64_t kHalf = (std::uint64_t{1} << 61) - 1;
constexpr std::size_t kDashes[] = {8, 13, 18, 23};
constexpr std::string_view kDigits = "0123456789abcdef";

bool isDash(std::size_t at) {
  for (const auto dash : kDashes) {
    if (at == dash) return true;
  }
  return false;
}

std::optional<unsigned> digitOf(char c) {
  const auto at = kDigits.find(c);
  return at == std::string_view::npos ? std::nullopt : std::optional(static_cast<unsigned>(at));
}

}  // namespace

JobUuids::JobUuids(std::string_view key) : key_(keyedHash(key, "job ids")) {}

std::uint64_t JobUuids::round(int number, std::uint64_t half) const {
  std::string message(1, static_cast<char>(number));
  for (int i = 0; i < 8; ++i) message += static_cast<char>(half >> (8 * i));
  const auto hash = keyedHash(key_, message);
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = value << 8 | static_cast<unsigned char>(hash[i]);
  return value & kHalf;
}

std::string JobUuids::spell(core::JobId id) const {
  const auto number = static_cast<std::uint64_t>(id.value);
  std::uint64_t left = number >> 61;
  std::uint64_t right = number & kHalf;
  for (int i = 0; i < kRounds; ++i) {
    left ^= round(i, right);
    std::swap(left, right);
  }
  // 122 bits in a row: 61 of the left half, 61 of the right one.
  const std::uint64_t high = left << 3 | right >> 58;                // the first 64 of them
  const std::uint64_t low = right & ((std::uint64_t{1} << 58) - 1);  // the other 58
  // 48 free bits, the version, 12 free bits | the variant (2 bits), 62 free bits
  const std::uint64_t first = (high >> 16) << 16 | 0x4000 | (high >> 4 & 0xFFF);
  const std::uint64_t second = std::uint64_t{1} << 63 | (high & 0xF) << 58 | low;
  std::string text;
  text.reserve(36);
  for (const auto half : {first, second}) {
    for (int shift = 60; shift >= 0; shift -= 4) {
      if (isDash(text.size())) text += '-';
      text += kDigits[half >> shift & 0xF];
    }
  }
  return text;
}

std::optional<core::JobId> JobUuids::read(std::string_view text) const {
  if (text.size() != 36) return std::nullopt;
  std::uint64_t halves[2] = {0, 0};
  int digits = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (isDash(at)) {
      if (text[at] != '-') return std::nullopt;
      continue;
    }
    const auto digit = digitOf(text[at]);
    if (!digit) return std::nullopt;
    auto& half = halves[digits++ / 16];
    half = half << 4 | *digit;
  }
  const auto [first, second] = std::pair(halves[0], halves[1]);
  if ((first >> 12 & 0xF) != 4 || second >> 62 != 2) return std::nullopt;
  const std::uint64_t high = (first >> 16) << 16 | (first & 0xFFF) << 4 | (second >> 58 & 0xF);
  std::uint64_t left = high >> 3;
  std::uint64_t right = (high & 7) << 58 | (second & ((std::uint64_t{1} << 58) - 1));
  for (int i = kRounds - 1; i >= 0; --i) {
    std::swap(left, right);
    left ^= round(i, right);
  }
  if (left >> 2 != 0) return std::nullopt;
  const auto number = static_cast<std::int64_t>(left << 61 | right);
  return number > 0 ? std::optional(core::JobId{number}) : std::nullopt;
}

}  // namespace jobhost::api::lncrawl
