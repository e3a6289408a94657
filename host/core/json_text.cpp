#include "core/json_text.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "core/utf8.hpp"

namespace jobhost::core {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// A checker of JSON text that builds nothing.
class Scanner {
 public:
  Scanner(std::string_view text, int max_depth) : text_(text), max_depth_(max_depth) {}

  bool document() {
    space();
    if (!value(0)) return false;
    space();
    return at_ == text_.size();
  }

  void space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
      ++at_;
    }
  }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  [[nodiscard]] std::size_t position() const { return at_; }
  [[nodiscard]] bool atEnd() const { return at_ == text_.size(); }

  bool value(int depth) {
    if (at_ >= text_.size()) return false;
    switch (text_[at_]) {
      case '{':
        return object(depth);
      case '[':
        return array(depth);
      case '"':
        return string();
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        return number();
    }
  }

  bool string() {
    if (!take('"')) return false;
    while (at_ < text_.size()) {
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c == '"') return ++at_, true;
      if (c < 0x20) return false;
      if (c == '\\') {
        if (!escape()) return false;
      } else {
        const std::size_t bytes = utf8Length(text_, at_);
        if (bytes == 0) return false;
        at_ += bytes;
      }
    }
    return false;
  }

 private:
  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return false;
    at_ += expected.size();
    return true;
  }
  bool escape() {
    ++at_;
    if (at_ >= text_.size()) return false;
    const char c = text_[at_++];
    if (c != 'u') return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
    for (int i = 0; i < 4; ++i, ++at_) {
      if (at_ >= text_.size() ||
          std::string_view("0123456789abcdefABCDEF").find(text_[at_]) == std::string_view::npos) {
        return false;
      }
    }
    return true;
  }
  bool digits() {
    const std::size_t start = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ > start;
  }
  bool number() {
    take('-');
    if (take('0')) {
      if (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') return false;
    } else if (!digits()) {
      return false;
    }
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      return digits();
    }
    return true;
  }
  bool array(int depth) {
    if (depth >= max_depth_) return false;
    ++at_;
    space();
    if (take(']')) return true;
    do {
      space();
      if (!value(depth + 1)) return false;
      space();
    } while (take(','));
    return take(']');
  }
  bool object(int depth) {
    if (depth >= max_depth_) return false;
    ++at_;
    space();
    if (take('}')) return true;
    do {
      space();
      if (!string()) return false;
      space();
      if (!take(':')) return false;
      space();
      if (!value(depth + 1)) return false;
      space();
    } while (take(','));
    return take('}');
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int max_depth_;
};

/// The code unit behind "\u" in checked text; the cursor stands on the first hex digit.
std::uint32_t hexUnit(std::string_view text, std::size_t at) {
  std::uint32_t unit = 0;
  std::from_chars(text.data() + at, text.data() + at + 4, unit, 16);
  return unit;
}

/// Unescapes the inside of a checked JSON string.
std::string unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out.push_back(text[i]);
      continue;
    }
    const char c = text[++i];
    if (c != 'u') {
      constexpr std::string_view kFrom = "\"\\/bfnrt";
      constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
      out.push_back(kTo[kFrom.find(c)]);
      continue;
    }
    std::uint32_t code = hexUnit(text, i + 1);
    i += 4;
    if (code >= 0xD800 && code < 0xDC00 && i + 6 < text.size() && text[i + 1] == '\\' && text[i + 2] == 'u') {
      const std::uint32_t low = hexUnit(text, i + 3);
      if (low >= 0xDC00 && low < 0xE000) {
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        i += 6;
      }
    }
    appendUtf8(out, code >= 0xD800 && code < 0xE000 ? 0xFFFD : code);
  }
  return out;
}

}  // namespace

std::string cleanText(std::string_view text, std::size_t max_bytes) {
  std::string out;
  out.reserve(std::min(text.size(), max_bytes));
  while (!text.empty()) {
    const std::size_t bytes = text[0] == '\0' ? 0 : utf8Length(text, 0);
    const std::string_view piece = bytes == 0 ? kReplacement : text.substr(0, bytes);
    if (out.size() + piece.size() > max_bytes) break;
    out.append(piece);
    text.remove_prefix(bytes == 0 ? 1 : bytes);
  }
  return out;
}

void appendJsonString(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out.push_back('"');
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text[0]);
    const std::size_t bytes = utf8Length(text, 0);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(text[0]);
    } else if (c == '\n') {
      out.append("\\n");
    } else if (c == '\t') {
      out.append("\\t");
    } else if (c < 0x20 || c == 0x7F) {
      out.append("\\u00");
      out.push_back(kHex[c >> 4]);
      out.push_back(kHex[c & 15]);
    } else {
      out.append(bytes == 0 ? kReplacement : text.substr(0, bytes));
    }
    text.remove_prefix(bytes == 0 ? 1 : bytes);
  }
  out.push_back('"');
}

std::string quoteJson(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  appendJsonString(out, text);
  return out;
}

bool isJson(std::string_view json, int max_depth) {
  return Scanner(json, max_depth).document();
}

std::optional<std::vector<JsonMember>> jsonMembers(std::string_view json) {
  Scanner scan(json, 64);
  std::vector<JsonMember> members;
  scan.space();
  if (!scan.take('{')) return std::nullopt;
  scan.space();
  if (!scan.take('}')) {
    do {
      scan.space();
      const std::size_t key = scan.position();
      if (!scan.string()) return std::nullopt;
      std::string name = unescape(json.substr(key + 1, scan.position() - key - 2));
      scan.space();
      if (!scan.take(':')) return std::nullopt;
      scan.space();
      const std::size_t value = scan.position();
      if (!scan.value(1)) return std::nullopt;
      const auto same = [&](const JsonMember& member) { return member.key == name; };
      if (std::any_of(members.begin(), members.end(), same) || members.size() >= 1024) return std::nullopt;
      members.push_back({std::move(name), json.substr(value, scan.position() - value)});
      scan.space();
    } while (scan.take(','));
    if (!scan.take('}')) return std::nullopt;
  }
  scan.space();
  if (!scan.atEnd()) return std::nullopt;
  return members;
}

std::optional<std::vector<std::string_view>> jsonItems(std::string_view json) {
  Scanner scan(json, 64);
  std::vector<std::string_view> items;
  scan.space();
  if (!scan.take('[')) return std::nullopt;
  scan.space();
  if (!scan.take(']')) {
    do {
      scan.space();
      const std::size_t value = scan.position();
      if (!scan.value(1)) return std::nullopt;
      items.push_back(json.substr(value, scan.position() - value));
      scan.space();
    } while (scan.take(','));
    if (!scan.take(']')) return std::nullopt;
  }
  scan.space();
  if (!scan.atEnd()) return std::nullopt;
  return items;
}

std::optional<std::string_view> jsonFind(std::string_view json, std::string_view key) {
  Scanner scan(json, 64);
  scan.space();
  if (!scan.take('{')) return std::nullopt;
  do {
    scan.space();
    const std::size_t name = scan.position();
    if (!scan.string()) return std::nullopt;
    const std::string_view raw = json.substr(name + 1, scan.position() - name - 2);
    scan.space();
    if (!scan.take(':')) return std::nullopt;
    scan.space();
    const std::size_t value = scan.position();
    if (!scan.value(1)) return std::nullopt;
    const bool found = raw.find('\\') == std::string_view::npos ? raw == key : unescape(raw) == key;
    if (found) return json.substr(value, scan.position() - value);
    scan.space();
  } while (scan.take(','));
  return std::nullopt;
}

std::optional<std::string> jsonString(std::string_view json) {
  Scanner scan(json, 1);
  if (!scan.string() || !scan.atEnd()) return std::nullopt;
  return unescape(json.substr(1, json.size() - 2));
}

std::optional<double> jsonNumber(std::string_view json) {
  double value = 0;
  if (json.empty() || json.front() == '"' || !isJson(json)) return std::nullopt;
  const auto [end, error] = std::from_chars(json.data(), json.data() + json.size(), value);
  if (error != std::errc{} || end != json.data() + json.size()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> jsonInteger(std::string_view json) {
  std::int64_t value = 0;
  if (!isJson(json)) return std::nullopt;  // from_chars takes leading zeros
  const auto [end, error] = std::from_chars(json.data(), json.data() + json.size(), value);
  if (error != std::errc{} || end != json.data() + json.size()) return std::nullopt;
  return value;
}

}  // namespace jobhost::core
