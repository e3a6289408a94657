#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace jobhost::support {

/// True for entries that are pages: png jpg jpeg jfif gif bmp webp avif heif heic jxl in any case, and neither
/// AppleDouble nor AppleSingle (`__MACOSX/…`, `._*`).
[[nodiscard]] bool isPageName(std::string_view name);

/// What page names are compared by: lower case, each digit run without leading zeros padded to four ("P12" → "p0012").
/// Runs of five and more digits stay as they are, as the Minion clients know it.
[[nodiscard]] std::string pageSortKey(std::string_view name);

/// A front cover: "cover" anywhere in the name and none of back, end, rear, recover, discover before or after it.
[[nodiscard]] bool isCoverName(std::string_view name);

/// A closing page (credits, notes, end cards): it goes last.
[[nodiscard]] bool isCreditName(std::string_view name);

/// Positions into `names` of its pages in reading order: covers, pages, credits, each by pageSortKey in byte order;
/// equal keys keep their order in `names`.
[[nodiscard]] std::vector<std::size_t> orderPages(const std::vector<std::string>& names);

}  // namespace jobhost::support
