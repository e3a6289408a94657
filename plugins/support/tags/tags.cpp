#include "support/tags/tags.hpp"

#include <algorithm>
#include <cstdint>

namespace jobhost::support {
namespace {

constexpr std::string_view kBlanks = " \t\r\n\v\f";

struct Letter {
  std::uint32_t code = 0;
  std::size_t bytes = 0;  // 0: no UTF-8
};

Letter letterAt(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) -> std::uint32_t {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const std::uint32_t first = byte(at);
  if (first < 0x80) return {first, 1};
  if (first >= 0xC2 && first < 0xE0 && tail(at + 1)) return {((first & 0x1FU) << 6) | (byte(at + 1) & 0x3FU), 2};
  if (first >= 0xE0 && first < 0xF0 && tail(at + 1) && tail(at + 2)) {
    const std::uint32_t code = ((first & 0x0FU) << 12) | ((byte(at + 1) & 0x3FU) << 6) | (byte(at + 2) & 0x3FU);
    return code < 0x800 || (code >= 0xD800 && code < 0xE000) ? Letter{} : Letter{code, 3};
  }
  if (first >= 0xF0 && first < 0xF5 && tail(at + 1) && tail(at + 2) && tail(at + 3)) {
    const std::uint32_t code = ((first & 0x07U) << 18) | ((byte(at + 1) & 0x3FU) << 12) |
                               ((byte(at + 2) & 0x3FU) << 6) | (byte(at + 3) & 0x3FU);
    return code < 0x10000 || code > 0x10FFFF ? Letter{} : Letter{code, 4};
  }
  return {};
}

// Letters below U+0800 alone have another case here, so two bytes always do.
std::uint32_t lowerLetter(std::uint32_t code) {
  if (code >= 'A' && code <= 'Z') return code + 32;
  if (code < 0xC0) return code;
  if (code <= 0xDE) return code == 0xD7 ? code : code + 32;
  if (code == 0x178) return 0xFF;
  if (code == 0x130) return 'i';
  const bool even_is_upper = (code >= 0x100 && code <= 0x137) || (code >= 0x14A && code <= 0x177);
  const bool odd_is_upper = (code >= 0x139 && code <= 0x148) || (code >= 0x179 && code <= 0x17E);
  if (even_is_upper) return code | 1U;
  if (odd_is_upper) return (code & 1U) != 0 ? code + 1 : code;
  if (code >= 0x391 && code <= 0x3A9) return code + 32;
  if (code >= 0x400 && code <= 0x40F) return code + 80;
  if (code >= 0x410 && code <= 0x42F) return code + 32;
  return code;
}

}  // namespace

std::string lowerCase(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Letter letter = letterAt(text, at);
    const std::uint32_t lower = lowerLetter(letter.code);
    if (letter.bytes == 0 || lower == letter.code) {
      out.append(text, at, letter.bytes == 0 ? 1 : letter.bytes);
    } else if (lower < 0x80) {
      out += static_cast<char>(lower);
    } else {
      out += static_cast<char>(0xC0U | (lower >> 6));
      out += static_cast<char>(0x80U | (lower & 0x3FU));
    }
    at += letter.bytes == 0 ? 1 : letter.bytes;
  }
  return out;
}

std::string asUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t bytes = letterAt(text, at).bytes;
    bytes == 0 ? out.append("\xef\xbf\xbd") : out.append(text, at, bytes);
    at += bytes == 0 ? 1 : bytes;
  }
  return out;
}

std::string tidied(std::string_view text) {
  std::string out;
  for (std::size_t at = text.find_first_not_of(kBlanks); at != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(kBlanks, at), text.size());
    if (!out.empty()) out += ' ';
    out.append(text, at, end - at);
    at = text.find_first_not_of(kBlanks, end);
  }
  return out;
}

std::vector<std::string> splitTags(std::string_view list) {
  std::vector<std::string> all;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    if (auto tag = tidied(list.substr(at, end - at)); !tag.empty()) all.push_back(std::move(tag));
    at = end + 1;
  }
  return all;
}

std::string joinTags(const std::vector<std::string>& tags) {
  std::string out;
  for (const auto& tag : tags) (out += out.empty() ? "" : ", ") += tag;
  return out;
}

std::string makeTag(std::string_view name_space, std::string_view value) {
  std::string plain;
  for (const char c : value) plain += c != ',' ? std::string_view(&c, 1) : name_space == "source" ? "%2C" : " ";
  plain = tidied(plain);
  if (plain.empty() || name_space.empty()) return plain;
  return std::string(name_space) + ":" + plain;
}

TagList::TagList(std::string_view list) {
  for (const auto& tag : splitTags(list)) add(tag);
}

bool TagList::add(const std::string& tag) {
  if (tag.empty() || !known_.insert(lowerCase(tag)).second) return false;
  tags_.push_back(tag);
  return true;
}

std::string newTagsText(std::string_view present, const std::vector<std::string>& found) {
  TagList known(present);
  std::string out;
  for (const auto& tag : found) {
    if (known.add(tag)) (out += out.empty() ? " " : ", ") += tag;
  }
  return out;
}

}  // namespace jobhost::support
