#include "store/record_value.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>

#include "core/json_text.hpp"

namespace jobhost::store {

namespace {

constexpr char kFalse = 1;
constexpr char kTrue = 2;
constexpr char kNumber = 3;
constexpr char kText = 4;
constexpr std::uint64_t kSign = std::uint64_t{1} << 63;
constexpr int kMaxParts = 4;

core::Error wrong(std::string message) {
  return {core::ErrorCode::InvalidArgument, std::move(message), {}, {}};
}

/// The bits of a double, turned so that they compare as it does, big end first.
std::string numberKey(double number) {
  const auto raw = std::bit_cast<std::uint64_t>(number == 0 ? 0.0 : number);
  const std::uint64_t bits = (raw & kSign) != 0 ? ~raw : raw | kSign;
  std::string key(1, kNumber);
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>((bits >> shift) & 0xff));
  return key;
}

bool isNamePart(std::string_view part) {
  return !part.empty() && std::all_of(part.begin(), part.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

}  // namespace

core::Result<std::string> orderKey(std::string_view json) {
  if (json == "null") return std::string();
  if (json == "false") return std::string(1, kFalse);
  if (json == "true") return std::string(1, kTrue);
  if (const auto text = core::jsonString(json)) {
    if (text->size() > kMaxOrderText) {
      return wrong("a text that is sorted or indexed by has at most " + std::to_string(kMaxOrderText) + " bytes");
    }
    return kText + *text;
  }
  const auto number = core::jsonNumber(json);
  if (!number) return wrong("must be null, a boolean, a number or a text");
  // Beyond 2^53 two integers can be one double, and would be found for each other.
  if (const auto integer = core::jsonInteger(json); integer && std::abs(*number) >= 9007199254740992.0) {
    if (std::abs(*number) > 9.2e18 || static_cast<std::int64_t>(*number) != *integer) {
      return wrong("a number that is sorted or indexed by must be exact as a double");
    }
  }
  return numberKey(*number);
}

std::string orderKeyJson(std::string_view key) {
  if (key.empty()) return "null";
  switch (key.front()) {
    case kFalse:
      return "false";
    case kTrue:
      return "true";
    case kText:
      return core::quoteJson(key.substr(1));
    case kNumber:
      break;
    default:
      return "null";
  }
  if (key.size() != 9) return "null";
  std::uint64_t bits = 0;
  for (const char c : key.substr(1)) bits = bits << 8 | static_cast<unsigned char>(c);
  const double number = std::bit_cast<double>((bits & kSign) != 0 ? bits & ~kSign : ~bits);
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, number).ptr;
  return std::isfinite(number) ? std::string(text, end) : "null";
}

bool isFieldName(std::string_view field) {
  if (field.size() > kMaxFieldBytes) return false;
  for (int parts = 1; parts <= kMaxParts; ++parts) {
    const auto dot = field.find('.');
    if (!isNamePart(field.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    field.remove_prefix(dot + 1);
  }
  return false;
}

core::Result<std::vector<std::string>> indexedValues(std::string_view document, std::string_view field) {
  std::optional<std::string_view> found = document;
  for (std::string_view rest = field; found && !rest.empty();) {
    const auto dot = rest.find('.');
    found = core::jsonFind(*found, rest.substr(0, dot));
    rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
  }
  std::vector<std::string> keys;
  if (!found) return keys;
  std::vector<std::string_view> scalars{*found};
  if (found->front() == '[') scalars = core::jsonItems(*found).value_or(std::vector<std::string_view>());
  if (scalars.size() > kMaxIndexedValues) {
    return wrong("the indexed field \"" + std::string(field) + "\" has more than " + std::to_string(kMaxIndexedValues) +
                 " values");
  }
  for (const auto scalar : scalars) {
    auto key = orderKey(scalar);
    if (!key) return wrong("the indexed field \"" + std::string(field) + "\": " + key.error().message);
    if (!key->empty()) keys.push_back(*std::move(key));
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

}  // namespace jobhost::store
