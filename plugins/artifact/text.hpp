#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace jobhost::artifact {

/// The longest title a book shows; longer ones are cut at a character.
inline constexpr std::size_t kMaxTitleBytes = 1000;

/// UTF-8 that every format can hold: what is no UTF-8 becomes U+FFFD; control characters but tab and line ends,
/// noncharacters and the byte order mark go. Pure, as everything here.
[[nodiscard]] std::string cleanText(std::string_view text);

/// One line: clean, white space of any kind to single spaces, none at the ends, cut at `max_bytes`.
[[nodiscard]] std::string oneLine(std::string_view text, std::size_t max_bytes = kMaxTitleBytes);
/// oneLine, or `otherwise` when nothing is left.
[[nodiscard]] std::string lineOr(std::string_view text, std::string otherwise);

/// For XML content and attributes: & < > " escaped.
[[nodiscard]] std::string escaped(std::string_view text);
void appendEscaped(std::string& out, std::string_view text);

/// A BCP 47 tag by its shape ("en", "zh-Hant-TW"); empty when it is none.
[[nodiscard]] std::string languageTag(std::string_view text);

/// Whether it can stand in an href as it is: http or https, a host, and none but characters of a URL.
[[nodiscard]] bool isWebUrl(std::string_view text);

/// `%0<digits>d`.
[[nodiscard]] std::string padded(int number, int digits);

}  // namespace jobhost::artifact
