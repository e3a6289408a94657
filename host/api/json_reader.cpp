#include "api/json_reader.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <deque>

#include "api/encoding.hpp"
#include "core/utf8.hpp"

namespace jobhost::api {
namespace {

bool isBlank(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}
bool isDigit(char c) {
  return c >= '0' && c <= '9';
}

int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Four hex digits; -1: not such.
int hex4(std::string_view text, std::size_t at) {
  if (at + 4 > text.size()) return -1;
  int value = 0;
  for (std::size_t i = at; i < at + 4; ++i) {
    const int digit = hexDigit(text[i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/// One pass over a text: checks it and notes the members of the outermost object or array.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  core::Result<JsonDocument> run() {
    JsonDocument document;
    skipBlanks();
    if (!value(document.root, 0, &document.members)) return failure();
    skipBlanks();
    if (at_ != text_.size()) {
      problem_ = "unexpected text after the value";
      return failure();
    }
    return document;
  }

 private:
  core::Error failure() const {
    const std::string reason = "byte " + std::to_string(at_) + ": " + problem_;
    return {core::ErrorCode::InvalidArgument, "the text is not valid JSON: " + reason, "", {{"", reason}}};
  }
  bool fail(const char* problem) {
    problem_ = problem;
    return false;
  }
  void skipBlanks() {
    while (at_ < text_.size() && isBlank(text_[at_])) ++at_;
  }
  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  bool value(JsonValue& out, int depth, std::vector<JsonMember>* members) {
    const std::size_t start = at_;
    bool good = false;
    switch (peek()) {
      case '{':
        out.kind = JsonKind::Object;
        good = object(depth + 1, members);
        break;
      case '[':
        out.kind = JsonKind::Array;
        good = array(depth + 1, members);
        break;
      case '"':
        out.kind = JsonKind::String;
        good = string();
        break;
      case 't':
        out.kind = JsonKind::Bool;
        good = word("true");
        break;
      case 'f':
        out.kind = JsonKind::Bool;
        good = word("false");
        break;
      case 'n':
        out.kind = JsonKind::Null;
        good = word("null");
        break;
      default:
        out.kind = JsonKind::Number;
        good = number();
    }
    if (good) out.raw = text_.substr(start, at_ - start);
    return good;
  }

  bool object(int depth, std::vector<JsonMember>* members) {
    if (depth > kMaxJsonDepth) return fail("nested too deeply");
    const std::size_t first_key = keys_.size();
    ++at_;
    skipBlanks();
    if (peek() == '}') {
      ++at_;
      return true;
    }
    for (;;) {
      if (peek() != '"') return fail("expected a member's name in double quotes");
      const std::size_t start = at_;
      if (!string()) return false;
      JsonMember member{text_.substr(start, at_ - start), {}};
      addKey(member.raw_key);
      skipBlanks();
      if (peek() != ':') return fail("expected ':' after a member's name");
      ++at_;
      skipBlanks();
      if (!value(member.value, depth, nullptr)) return false;
      if (members != nullptr) members->push_back(member);
      skipBlanks();
      if (peek() == ',') {
        ++at_;
        skipBlanks();
        continue;
      }
      if (peek() != '}') return fail("expected ',' or '}' in an object");
      if (hasTwins(first_key)) return fail("an object has the same name twice");
      ++at_;
      return true;
    }
  }

  bool array(int depth, std::vector<JsonMember>* members) {
    if (depth > kMaxJsonDepth) return fail("nested too deeply");
    ++at_;
    skipBlanks();
    if (peek() == ']') {
      ++at_;
      return true;
    }
    for (;;) {
      JsonMember element;
      if (!value(element.value, depth, nullptr)) return false;
      if (members != nullptr) members->push_back(element);
      skipBlanks();
      if (peek() == ',') {
        ++at_;
        skipBlanks();
        continue;
      }
      if (peek() != ']') return fail("expected ',' or ']' in an array");
      ++at_;
      return true;
    }
  }

  bool string() {
    const std::size_t start = ++at_;
    bool high = false;
    for (;;) {
      if (at_ >= text_.size()) return fail("a string does not end");
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c == '"') break;
      if (c < 0x20) return fail("a control character must be escaped");
      if (c == '\\') {
        if (!escape()) return false;
        continue;
      }
      high = high || c >= 0x80;
      ++at_;
    }
    if (high && !core::isUtf8(text_.substr(start, at_ - start))) return fail("a string is not valid UTF-8");
    ++at_;
    return true;
  }

  bool escape() {
    const char c = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (c != 'u') {
      if (c == '\0' || std::string_view("\"\\/bfnrt").find(c) == std::string_view::npos) return fail("a bad escape");
      at_ += 2;
      return true;
    }
    const int unit = hex4(text_, at_ + 2);
    if (unit < 0) return fail("a bad \\u escape");
    if (unit >= 0xDC00 && unit <= 0xDFFF) return fail("a lone surrogate");
    if (unit >= 0xD800 && unit <= 0xDBFF) {
      const int low = text_.substr(at_ + 6, 2) == "\\u" ? hex4(text_, at_ + 8) : -1;
      if (low < 0xDC00 || low > 0xDFFF) return fail("a lone surrogate");
      at_ += 6;
    }
    at_ += 6;
    return true;
  }

  bool number() {
    if (peek() == '-') ++at_;
    if (peek() == '0') {
      ++at_;
    } else if (!digits()) {
      return fail("expected a value");
    }
    if (peek() == '.') {
      ++at_;
      if (!digits()) return fail("expected digits after '.'");
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!digits()) return fail("expected digits in an exponent");
    }
    if (isDigit(peek())) return fail("a number has a leading zero");
    return true;
  }

  bool digits() {
    const std::size_t start = at_;
    while (isDigit(peek())) ++at_;
    return at_ != start;
  }

  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return fail("expected a value");
    at_ += expected.size();
    return true;
  }

  void addKey(std::string_view raw) {
    if (raw.find('\\') == std::string_view::npos) {
      keys_.push_back(raw.substr(1, raw.size() - 2));
    } else {
      keys_.push_back(unescaped_.emplace_back(unescape(raw)));
    }
  }

  /// Looks for equal names among those of the object that just ended, and forgets them.
  bool hasTwins(std::size_t first) {
    const auto begin = keys_.begin() + static_cast<std::ptrdiff_t>(first);
    bool twins = false;
    if (keys_.end() - begin <= 8) {
      for (auto a = begin; a != keys_.end() && !twins; ++a) twins = std::find(a + 1, keys_.end(), *a) != keys_.end();
    } else {
      std::sort(begin, keys_.end());
      twins = std::adjacent_find(begin, keys_.end()) != keys_.end();
    }
    keys_.erase(begin, keys_.end());
    return twins;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  const char* problem_ = "expected a value";
  std::vector<std::string_view> keys_;  ///< of the objects that are open, outermost first
  std::deque<std::string> unescaped_;   ///< owns the keys that had escapes
};

char simpleEscape(char c) {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return c;
  }
}

}  // namespace

std::string_view describe(JsonKind kind) {
  switch (kind) {
    case JsonKind::Null:
      return "null";
    case JsonKind::Bool:
      return "true or false";
    case JsonKind::Number:
      return "a number";
    case JsonKind::String:
      return "a string";
    case JsonKind::Array:
      return "an array";
    case JsonKind::Object:
      return "an object";
  }
  return "a value";
}

core::Result<JsonDocument> parseJson(std::string_view text) {
  return Scanner(text).run();
}

std::string unescape(std::string_view raw) {
  raw = raw.substr(1, raw.size() - 2);
  std::string out;
  out.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\') {
      out += raw[i];
      continue;
    }
    ++i;
    if (raw[i] != 'u') {
      out += simpleEscape(raw[i]);
      continue;
    }
    auto code = static_cast<unsigned>(hex4(raw, i + 1));
    i += 4;
    if (code >= 0xD800 && code <= 0xDBFF) {
      code = 0x10000 + ((code - 0xD800) << 10) + (static_cast<unsigned>(hex4(raw, i + 3)) - 0xDC00);
      i += 6;
    }
    core::appendUtf8(out, code);
  }
  return out;
}

std::optional<std::int64_t> toInteger(std::string_view raw) {
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  if (problem != std::errc{} || end != raw.data() + raw.size()) return std::nullopt;
  return value;
}

JsonObject::JsonObject(const JsonDocument& document, std::string pointer, std::vector<core::FieldError>& errors)
    : document_(document), pointer_(std::move(pointer)), errors_(errors), asked_(document.members.size()) {
  if (document.root.kind != JsonKind::Object) {
    errors_.push_back({pointer_, "must be an object, is " + std::string(describe(document.root.kind))});
    asked_.assign(asked_.size(), true);
  }
}

std::string JsonObject::pointerTo(std::string_view name) const {
  std::string pointer = pointer_ + '/';
  for (const char c : name) {
    if (c == '~') {
      pointer += "~0";
    } else if (c == '/') {
      pointer += "~1";
    } else {
      pointer += c;
    }
  }
  return pointer;
}

void JsonObject::refuse(std::string_view name, std::string reason) {
  errors_.push_back({pointerTo(name), std::move(reason)});
}

const JsonValue* JsonObject::take(std::string_view name) {
  if (document_.root.kind != JsonKind::Object) return nullptr;
  for (std::size_t i = 0; i < document_.members.size(); ++i) {
    const auto raw = document_.members[i].raw_key;
    const auto inner = raw.substr(1, raw.size() - 2);
    if (inner != name && (inner.find('\\') == std::string_view::npos || unescape(raw) != name)) continue;
    asked_[i] = true;
    const auto& value = document_.members[i].value;
    return value.kind == JsonKind::Null ? nullptr : &value;
  }
  return nullptr;
}

const JsonValue* JsonObject::take(std::string_view name, JsonKind kind) {
  const auto* value = take(name);
  if (value == nullptr || value->kind == kind) return value;
  refuse(name, "must be " + std::string(describe(kind)) + ", is " + std::string(describe(value->kind)));
  return nullptr;
}

void JsonObject::require(std::string_view name) {
  if (document_.root.kind == JsonKind::Object && take(name) == nullptr) refuse(name, "is required");
}

void JsonObject::refuseUnknown() {
  for (std::size_t i = 0; i < asked_.size(); ++i) {
    if (!asked_[i]) refuse(unescape(document_.members[i].raw_key), "is not known here");
  }
}

std::optional<std::string> JsonObject::string(std::string_view name, std::size_t max_bytes) {
  const auto* value = take(name, JsonKind::String);
  if (value == nullptr) return std::nullopt;
  auto text = unescape(value->raw);
  if (text.size() > max_bytes) {
    refuse(name, "is longer than " + std::to_string(max_bytes) + " bytes");
  } else if (text.find('\0') != std::string::npos) {
    refuse(name, "must not contain a NUL character");
  } else {
    return text;
  }
  return std::nullopt;
}

std::optional<std::int64_t> JsonObject::integer(std::string_view name, std::int64_t min, std::int64_t max) {
  const auto* value = take(name, JsonKind::Number);
  if (value == nullptr) return std::nullopt;
  const auto number = toInteger(value->raw);
  if (!number) {
    refuse(name, "must be a whole number of at most 64 bits");
  } else if (*number < min || *number > max) {
    refuse(name, "must lie between " + std::to_string(min) + " and " + std::to_string(max));
  } else {
    return number;
  }
  return std::nullopt;
}

std::optional<double> JsonObject::number(std::string_view name, double min, double max) {
  const auto* value = take(name, JsonKind::Number);
  if (value == nullptr) return std::nullopt;
  double number = 0;
  const auto raw = value->raw;
  const auto [end, problem] = std::from_chars(raw.data(), raw.data() + raw.size(), number);
  if (problem != std::errc{} || !std::isfinite(number) || number < min || number > max) {
    refuse(name, "must be a number between " + std::to_string(min) + " and " + std::to_string(max));
    return std::nullopt;
  }
  return number;
}

std::optional<bool> JsonObject::boolean(std::string_view name) {
  const auto* value = take(name, JsonKind::Bool);
  if (value == nullptr) return std::nullopt;
  return value->raw == "true";
}

std::optional<core::Instant> JsonObject::time(std::string_view name) {
  const auto* value = take(name, JsonKind::String);
  if (value == nullptr) return std::nullopt;
  auto at = parseTime(unescape(value->raw));
  if (!at) refuse(name, "must be a time as in RFC 3339, such as 2026-01-31T12:00:00Z");
  return at;
}

std::optional<std::string_view> JsonObject::raw(std::string_view name, JsonKind kind) {
  const auto* value = take(name, kind);
  if (value == nullptr) return std::nullopt;
  return value->raw;
}

std::optional<std::vector<std::string>> JsonObject::strings(std::string_view name, std::size_t max_items,
                                                            std::size_t max_bytes) {
  const auto* value = take(name, JsonKind::Array);
  if (value == nullptr) return std::nullopt;
  const auto array = parseJson(value->raw);
  std::vector<std::string> list;
  if (array->members.size() > max_items) {
    refuse(name, "has more than " + std::to_string(max_items) + " items");
    return std::nullopt;
  }
  for (const auto& item : array->members) {
    const bool is_string = item.value.kind == JsonKind::String;
    auto text = is_string ? unescape(item.value.raw) : std::string();
    if (!is_string || text.size() > max_bytes || text.find('\0') != std::string::npos) {
      errors_.push_back({pointer_ + '/' + std::string(name) + '/' + std::to_string(list.size()),
                         !is_string                ? "must be a string"
                         : text.size() > max_bytes ? "is longer than " + std::to_string(max_bytes) + " bytes"
                                                   : "must not contain a NUL character"});
      return std::nullopt;
    }
    list.push_back(std::move(text));
  }
  return list;
}

std::optional<std::vector<std::int64_t>> JsonObject::integers(std::string_view name, std::size_t max_items,
                                                              std::int64_t min) {
  const auto* value = take(name, JsonKind::Array);
  if (value == nullptr) return std::nullopt;
  const auto array = parseJson(value->raw);
  std::vector<std::int64_t> list;
  if (array->members.size() > max_items) {
    refuse(name, "has more than " + std::to_string(max_items) + " items");
    return std::nullopt;
  }
  for (const auto& item : array->members) {
    const auto number = item.value.kind == JsonKind::Number ? toInteger(item.value.raw) : std::nullopt;
    if (!number || *number < min) {
      errors_.push_back({pointer_ + '/' + std::string(name) + '/' + std::to_string(list.size()),
                         "must be a whole number of at least " + std::to_string(min)});
      return std::nullopt;
    }
    list.push_back(*number);
  }
  return list;
}

}  // namespace jobhost::api
