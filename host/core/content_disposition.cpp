#include "core/content_disposition.hpp"

#include "core/text.hpp"

namespace jobhost::core {
namespace {

// RFC 8187 attr-char: what an extended value holds as it is.
bool isPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$&+-.^_`|~").find(c) != std::string_view::npos;
}

std::string safeName(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8Length(text, at);
    const auto character = text.substr(at, length == 0 ? 1 : length);
    const bool is_unsafe = length == 0 || hasControl(character) || character == "/" || character == "\\";
    out += is_unsafe ? std::string_view("_") : character;
    at += character.size();
  }
  return out.empty() || out == "." || out == ".." ? "download" : out;
}

}  // namespace

std::string contentDisposition(std::string_view disposition, std::string_view file_name) {
  const std::string name = safeName(file_name);
  std::string ascii, encoded;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_lead = byte >= 0xC0;  // one '_' for each character
    if (byte < 0x80) {
      ascii += c == '"' || c == '%' ? '_' : c;
    } else if (is_lead) {
      ascii += '_';
    }
    if (isPlain(c)) {
      encoded += c;
    } else {
      constexpr std::string_view kHex = "0123456789ABCDEF";
      ((encoded += '%') += kHex[byte >> 4]) += kHex[byte & 15];
    }
  }
  return std::string(disposition) + "; filename=\"" + ascii + "\"; filename*=UTF-8''" + encoded;
}

}  // namespace jobhost::core
