#pragma once

#include <string>
#include <string_view>

#include "support/common/utf8.hpp"

namespace jobhost::novel {

using support::appendUtf8;

/// The character at `at`, which moves past it; U+FFFD for a byte that begins none. `at` must be before the end.
char32_t decodeUtf8(std::string_view text, std::size_t& at);
/// Whether all of it is UTF-8.
bool isUtf8(std::string_view text);

/// Unicode White_Space, U+FEFF and U+200B: what readers see as nothing.
bool isSpace(char32_t c);
std::string_view trimmed(std::string_view text);
bool isBlank(std::string_view text);
/// Runs of white space, no-break spaces among them, become one space.
std::string collapsed(std::string_view text);
/// A to Z only.
std::string asciiLower(std::string_view text);
/// All of Unicode, without a locale.
std::string lower(std::string_view text);
/// The first character of each word in upper case, the rest as it was.
std::string titleCase(std::string_view text);

enum class NormalForm { Nfc, Nfd, Nfkc, Nfkd };
std::string normalized(std::string_view text, NormalForm form);
/// NFKD and case folding: for comparing tags.
std::string folded(std::string_view text);
/// Without control and format characters; line feeds and tabs stay, joiners and directional marks too.
std::string withoutControls(std::string_view text);
/// Lower case, what is neither letter nor digit becomes single hyphens, none at the ends.
std::string slug(std::string_view text);
/// As code points.
std::size_t length(std::string_view text);

/// RFC 3986: all but unreserved characters as %XX; `plus`: spaces as '+'.
std::string percentEncoded(std::string_view bytes, bool plus = false);

}  // namespace jobhost::novel
