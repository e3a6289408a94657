#pragma once

#include <string>
#include <vector>

namespace jobhost::metadata {

/// What a file says of itself.
struct Found {
  std::vector<std::string> tags;  ///< "artist:x"; may have one twice
  std::string title;              ///< empty: none
  std::string summary;            ///< plain text; empty: none

  [[nodiscard]] bool empty() const { return tags.empty() && title.empty() && summary.empty(); }
};

inline constexpr std::size_t kMaxTitleBytes = 2000;
inline constexpr std::size_t kMaxSummaryBytes = 32'768;
inline constexpr std::size_t kMaxTagBytes = 300;
inline constexpr std::size_t kMaxTags = 500;

/// Text of HTML or of plain text with blanks tidied: paragraphs and breaks become blanks.
[[nodiscard]] std::string plainText(const std::string& text);

/// Cut to `most` bytes, not within a letter.
[[nodiscard]] std::string shortened(std::string text, std::size_t most);

}  // namespace jobhost::metadata
