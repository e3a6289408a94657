#include "dispatch/live_json.hpp"

#include <charconv>
#include <cmath>

namespace jobhost::dispatch {
namespace {

void appendNumber(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char text[32];
  const auto end = std::to_chars(std::begin(text), std::end(text), value);
  out.append(text, end.ptr);
}

void appendString(std::string& out, const std::string& text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

}  // namespace

std::string progressJson(const core::Progress& progress) {
  std::string out = R"({"progress":)";
  if (progress.fraction < 0) {
    out += "null";
  } else {
    appendNumber(out, progress.fraction);
  }
  if (progress.total > 0) {
    out += R"(,"done":)";
    appendNumber(out, progress.done);
    out += R"(,"total":)";
    appendNumber(out, progress.total);
  }
  out += R"(,"message":)";
  appendString(out, progress.message);
  return out += '}';
}

}  // namespace jobhost::dispatch
