#pragma once

#include <cstddef>
#include <string_view>

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

}  // namespace jobhost::core
