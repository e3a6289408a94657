#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/utf8.hpp"

namespace jobhost::core {

/// Whether UTF-8 text has a control character: C0, DEL or C1 (U+0080 to U+009F). C1 counts because a terminal takes
/// U+009B for the start of an escape sequence, just as ESC '['. Pure; bytes that are no UTF-8 are not judged.
constexpr bool hasControl(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7F) return true;
    const bool c1 = byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (c1) return true;
  }
  return false;
}

/// Text of unknown intent, fit for one line of a log or a terminal: control characters and what is not UTF-8 become '?',
/// and what is longer than `max_bytes` is cut at a character and ends with an ellipsis. Pure.
inline std::string printable(std::string_view text, std::size_t max_bytes = std::string_view::npos) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8Length(text, at);
    const auto character = text.substr(at, length == 0 ? 1 : length);
    if (out.size() + character.size() > max_bytes) return out + "…";
    if (length == 0 || hasControl(character)) {
      out += '?';
    } else {
      out += character;
    }
    at += character.size();
  }
  return out;
}

}  // namespace jobhost::core
