#include "api/json_writer.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "api/encoding.hpp"
#include "api/json_reader.hpp"
#include "core/utf8.hpp"

namespace jobhost::api {
namespace {

/// Each byte that is not part of well-formed UTF-8 becomes U+FFFD.
std::string repaired(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = core::utf8Length(text, i);
    out += length == 0 ? std::string_view("\xEF\xBF\xBD") : text.substr(i, length);
    i += std::max<std::size_t>(length, 1);
  }
  return out;
}

}  // namespace

JsonWriter& JsonWriter::open(char bracket) {
  comma();
  out_ += bracket;
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  out_ += bracket;
  needs_comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::bare(std::string_view text) {
  comma();
  out_ += text;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  comma();
  quoted(name);
  out_ += ':';
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::string(std::string_view text) {
  comma();
  quoted(text);
  return *this;
}

void JsonWriter::quoted(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  const bool good = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<signed char>(c) >= 0; }) ||
                    core::isUtf8(text);
  if (!good) {
    quoted(repaired(text));
    return;
  }
  out_ += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out_ += "\\\"";
        break;
      case '\\':
        out_ += "\\\\";
        break;
      case '\n':
        out_ += "\\n";
        break;
      case '\r':
        out_ += "\\r";
        break;
      case '\t':
        out_ += "\\t";
        break;
      case '/':
        out_ += escape_slash_ ? "\\/" : "/";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out_ += "\\u00";
          out_ += kHex[static_cast<unsigned char>(c) >> 4];
          out_ += kHex[static_cast<unsigned char>(c) & 15];
        } else {
          out_ += c;
        }
    }
  }
  out_ += '"';
}

JsonWriter& JsonWriter::number(std::int64_t value) {
  char buffer[24];
  const auto [end, problem] = std::to_chars(buffer, buffer + sizeof buffer, value);
  static_cast<void>(problem);
  return bare({buffer, static_cast<std::size_t>(end - buffer)});
}

JsonWriter& JsonWriter::number(double value) {
  if (!std::isfinite(value)) return null();
  char buffer[40];
  const auto [end, problem] = std::to_chars(buffer, buffer + sizeof buffer, value);
  static_cast<void>(problem);
  return bare({buffer, static_cast<std::size_t>(end - buffer)});
}

JsonWriter& JsonWriter::time(core::Instant at) {
  comma();
  out_ += '"';
  appendTime(out_, at);
  out_ += '"';
  return *this;
}

JsonWriter& JsonWriter::canonical(std::string_view json) {
  if (json.empty()) return null();
  const auto document = parseJson(json);
  if (!document) return string(json);
  switch (document->root.kind) {
    case JsonKind::Object: {
      std::vector<std::pair<std::string, std::string_view>> members;
      members.reserve(document->members.size());
      for (const auto& member : document->members) members.emplace_back(unescape(member.raw_key), member.value.raw);
      std::sort(members.begin(), members.end());
      beginObject();
      for (const auto& [name, value] : members) key(name).canonical(value);
      return endObject();
    }
    case JsonKind::Array:
      beginArray();
      for (const auto& element : document->members) canonical(element.value.raw);
      return endArray();
    case JsonKind::String:
      return string(unescape(document->root.raw));
    default:
      return bare(document->root.raw);
  }
}

}  // namespace jobhost::api
