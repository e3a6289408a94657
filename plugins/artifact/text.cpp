#include "artifact/text.hpp"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cstdint>

namespace jobhost::artifact {
namespace {

bool isAlpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool isDigit(char c) {
  return c >= '0' && c <= '9';
}

// XML 1.0 forbids the first two kinds; C1 and the noncharacters mean nothing in a book.
bool isKept(UChar32 c) {
  if (c < 0x20) return c == '\t' || c == '\n' || c == '\r';
  return !(c >= 0x7F && c <= 0x9F) && !U_IS_UNICODE_NONCHAR(c) && c != 0xFEFF;
}

// Calls take(code point, its bytes) for each character; code point -1: a byte sequence that is no UTF-8.
template <class Take>
void eachCharacter(std::string_view text, const Take& take) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  const auto size = static_cast<std::int64_t>(text.size());
  for (std::int64_t at = 0; at < size;) {
    const std::int64_t begin = at;
    UChar32 c = 0;
    U8_NEXT(bytes, at, size, c);
    take(c, text.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(at - begin)));
  }
}

}  // namespace

std::string cleanText(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  eachCharacter(text, [&out](UChar32 c, std::string_view bytes) {
    if (c < 0) {
      out += "\xEF\xBF\xBD";
    } else if (isKept(c)) {
      out += bytes;
    }
  });
  return out;
}

std::string oneLine(std::string_view text, std::size_t max_bytes) {
  std::string out;
  bool space = false;
  eachCharacter(text, [&](UChar32 c, std::string_view bytes) {
    if (c >= 0 && u_isUWhiteSpace(c)) {
      space = !out.empty();
      return;
    }
    if (c >= 0 && !isKept(c)) return;
    const std::string_view kept = c < 0 ? std::string_view("\xEF\xBF\xBD") : bytes;
    if (max_bytes == 0 || out.size() + kept.size() + (space ? 1 : 0) > max_bytes) {
      max_bytes = 0;  // nothing fits after the first that did not
      return;
    }
    if (space) out += ' ';
    space = false;
    out += kept;
  });
  return out;
}

std::string lineOr(std::string_view text, std::string otherwise) {
  std::string line = oneLine(text);
  return line.empty() ? otherwise : line;
}

void appendEscaped(std::string& out, std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_of("&<>\"", at), text.size());
    out.append(text, at, end - at);
    if (end < text.size()) {
      const char c = text[end];
      out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : "&quot;";
    }
    at = end + 1;
  }
}

std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  appendEscaped(out, text);
  return out;
}

std::string languageTag(std::string_view text) {
  std::size_t subtag = 0, length = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || text[i] == '-') {
      if (length < (subtag == 0 ? 2u : 1u) || length > (subtag == 0 ? 3u : 8u)) return {};
      ++subtag;
      length = 0;
    } else if (isAlpha(text[i]) || (subtag > 0 && isDigit(text[i]))) {
      ++length;
    } else {
      return {};
    }
  }
  return text.size() <= 35 ? std::string(text) : std::string();
}

bool isWebUrl(std::string_view text) {
  const std::size_t scheme = text.starts_with("https://") ? 8 : text.starts_with("http://") ? 7 : 0;
  if (scheme == 0 || text.size() > 2083) return false;
  if (scheme == text.size() || std::string_view("/?#:").find(text[scheme]) != std::string_view::npos) return false;
  for (std::size_t i = scheme; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '%') {
      const auto hex = [&](std::size_t at) {
        return at < text.size() && (isDigit(text[at]) || (isAlpha(text[at]) && (text[at] | 0x20) <= 'f'));
      };
      if (!hex(i + 1) || !hex(i + 2)) return false;
    } else if (!isAlpha(c) && !isDigit(c) &&
               std::string_view("-._~:/?#@!$&'()*+,;=").find(c) == std::string_view::npos) {
      return false;
    }
  }
  return std::count(text.begin(), text.end(), '#') <= 1;
}

std::string padded(int number, int digits) {
  std::string text = std::to_string(number);
  const auto width = static_cast<std::size_t>(digits);
  return text.size() < width ? std::string(width - text.size(), '0') + text : text;
}

}  // namespace jobhost::artifact
