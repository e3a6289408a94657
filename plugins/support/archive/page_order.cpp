#include "support/archive/page_order.hpp"

#include <algorithm>
#include <array>
#include <tuple>

namespace jobhost::support {
namespace {

constexpr std::size_t kDigitsPadded = 4;
constexpr std::array<std::string_view, 11> kPageEndings{"png",  "jpg",  "jpeg", "jfif", "gif", "bmp",
                                                        "webp", "avif", "heif", "heic", "jxl"};

bool isDigit(char c) {
  return c >= '0' && c <= '9';
}

// ASCII only, whatever the locale: names are bytes.
std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::string_view baseName(std::string_view path) {
  const auto slash = path.find_last_of('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

bool hasEnding(std::string_view name, std::string_view ending) {
  return name.size() > ending.size() + 1 && name.ends_with(ending) && name[name.size() - ending.size() - 1] == '.';
}

}  // namespace

bool isPageName(std::string_view name) {
  if (name.starts_with("__MACOSX/") || contains(name, "/__MACOSX/")) return false;
  const std::string base = lower(baseName(name));
  if (base.starts_with("._")) return false;
  return std::any_of(kPageEndings.begin(), kPageEndings.end(),
                     [&](std::string_view ending) { return hasEnding(base, ending); });
}

std::string pageSortKey(std::string_view name) {
  const std::string low = lower(name);
  std::string key;
  key.reserve(low.size() + 8);
  for (std::size_t i = 0; i < low.size();) {
    if (!isDigit(low[i])) {
      key += low[i++];
      continue;
    }
    std::size_t end = i;
    while (end < low.size() && isDigit(low[end])) ++end;
    while (i < end && low[i] == '0') ++i;
    if (end - i < kDigitsPadded) key.append(kDigitsPadded - (end - i), '0');
    key.append(low, i, end - i);
    i = end;
  }
  return key;
}

bool isCoverName(std::string_view name) {
  const std::string low = lower(name);
  if (!contains(low, "cover")) return false;
  static constexpr std::array<std::string_view, 5> kNotFront{"back", "end", "rear", "recover", "discover"};
  return std::none_of(kNotFront.begin(), kNotFront.end(), [&](std::string_view word) { return contains(low, word); });
}

bool isCreditName(std::string_view name) {
  const std::string low = lower(name);
  const std::string_view base = baseName(low);
  const std::string_view stem = base.substr(0, base.find_last_of('.'));
  return contains(low, "end_card_save_file") || contains(low, "artist_info") || contains(low, "credit") ||
         stem.ends_with("note") || stem.ends_with("notes") || contains(stem, "999");
}

std::vector<std::size_t> orderPages(const std::vector<std::string>& names) {
  struct Keyed {
    int group;
    std::string key;
    std::size_t position;
  };
  std::vector<Keyed> pages;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!isPageName(names[i])) continue;
    const int group = isCoverName(names[i]) ? 0 : isCreditName(names[i]) ? 2 : 1;
    pages.push_back({group, pageSortKey(names[i]), i});
  }
  std::sort(pages.begin(), pages.end(), [](const Keyed& a, const Keyed& b) {
    return std::tie(a.group, a.key, a.position) < std::tie(b.group, b.key, b.position);
  });
  std::vector<std::size_t> order;
  order.reserve(pages.size());
  for (const Keyed& page : pages) order.push_back(page.position);
  return order;
}

}  // namespace jobhost::support
