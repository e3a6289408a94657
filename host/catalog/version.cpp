#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "catalog/manifest.hpp"

namespace jobhost::catalog {

namespace {

bool isNumber(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto dot = text.find('.');
    parts.push_back(text.substr(0, dot));
    if (dot == std::string_view::npos) return parts;
    text.remove_prefix(dot + 1);
  }
}

bool areIdentifiers(std::string_view text, bool leading_zeros) {
  for (const std::string_view part : split(text)) {
    const auto allowed = [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
    };
    if (part.empty() || !std::all_of(part.begin(), part.end(), allowed)) return false;
    if (!leading_zeros && isNumber(part) && part.size() > 1 && part[0] == '0') return false;
  }
  return true;
}

int compareNumbers(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;  // no leading zeros
  return a.compare(b);
}

int compareIdentifiers(std::string_view a, std::string_view b) {
  const bool number_a = isNumber(a);
  const bool number_b = isNumber(b);
  if (number_a && number_b) return compareNumbers(a, b);
  if (number_a != number_b) return number_a ? -1 : 1;
  return a.compare(b);
}

struct Parts {
  std::vector<std::string_view> core;
  std::string_view pre;
};
Parts take(std::string_view text) {
  text = text.substr(0, text.find('+'));
  const auto dash = text.find('-');
  return {split(text.substr(0, dash)), dash == std::string_view::npos ? std::string_view() : text.substr(dash + 1)};
}

}  // namespace

bool isVersion(std::string_view text) {
  const auto plus = text.find('+');
  if (plus != std::string_view::npos && !areIdentifiers(text.substr(plus + 1), true)) return false;
  text = text.substr(0, plus);
  const auto dash = text.find('-');
  if (dash != std::string_view::npos && !areIdentifiers(text.substr(dash + 1), false)) return false;
  const auto core = split(text.substr(0, dash));
  return core.size() == 3 && std::all_of(core.begin(), core.end(), [](std::string_view part) {
           return isNumber(part) && part.size() <= 9 && (part.size() == 1 || part[0] != '0');
         });
}

int compareVersions(std::string_view a, std::string_view b) {
  const bool right_a = isVersion(a);
  const bool right_b = isVersion(b);
  if (!right_a || !right_b) return static_cast<int>(right_a) - static_cast<int>(right_b);
  const Parts x = take(a);
  const Parts y = take(b);
  for (std::size_t i = 0; i < 3; ++i) {
    if (const int order = compareNumbers(x.core[i], y.core[i]); order != 0) return order;
  }
  if (x.pre.empty() || y.pre.empty()) return static_cast<int>(x.pre.empty()) - static_cast<int>(y.pre.empty());
  const auto pre_x = split(x.pre);
  const auto pre_y = split(y.pre);
  for (std::size_t i = 0; i < std::min(pre_x.size(), pre_y.size()); ++i) {
    if (const int order = compareIdentifiers(pre_x[i], pre_y[i]); order != 0) return order;
  }
  return pre_x.size() < pre_y.size() ? -1 : pre_x.size() > pre_y.size() ? 1 : 0;
}

}  // namespace jobhost::catalog
