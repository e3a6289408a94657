// jobhost SDK: a small JSON value, reader and writer. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <clocale>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "error.hpp"

namespace jobhost {

/// A JSON value. Integers that fit 64 bits signed stay exact; others are doubles. Objects keep the order of their
/// members; of members with the same name the last counts. A braced list whose items are all {"name", value} pairs is
/// an object, any other an array:   Json{{"width", 640}, {"tags", Json::array({"a", "b"})}} Not for sharing between
/// threads while one writes.
class Json {
 public:
  enum class Type { Null, Bool, Int, Double, String, Array, Object };
  static constexpr int kMaxDepth = 64;

  Json() noexcept = default;
  Json(std::nullptr_t) noexcept {}
  template <class T, std::enable_if_t<std::is_same_v<T, bool>, int> = 0>
  Json(T value) noexcept : type_(Type::Bool), int_(value ? 1 : 0) {}
  template <class T, std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>, int> = 0>
  Json(T value) noexcept {
    if constexpr (std::is_unsigned_v<T> && sizeof(T) >= sizeof(std::int64_t)) {
      if (value > static_cast<T>(std::numeric_limits<std::int64_t>::max())) {
        type_ = Type::Double;
        double_ = static_cast<double>(value);
        return;
      }
    }
    type_ = Type::Int;
    int_ = static_cast<std::int64_t>(value);
  }
  template <class T, std::enable_if_t<std::is_floating_point_v<T>, int> = 0>
  Json(T value) noexcept : type_(Type::Double), double_(static_cast<double>(value)) {}
  Json(const char* text) : type_(Type::String), string_(text) {}
  Json(std::string text) : type_(Type::String), string_(std::move(text)) {}
  Json(std::string_view text) : type_(Type::String), string_(text) {}
  Json(std::vector<Json> items) : type_(Type::Array), items_(std::move(items)) {}
  inline Json(std::initializer_list<Json> items);

  static Json array(std::vector<Json> items = {}) { return Json(std::move(items)); }
  inline static Json object();

  /// Parses a whole document. Throws Error (bad input) naming the byte where it goes wrong.
  static Json parse(std::string_view text, int max_depth = kMaxDepth);
  /// Compact text. NaN and infinities become null; strings that are not UTF-8 get U+FFFD.
  std::string dump() const {
    std::string out;
    write(out);
    return out;
  }

  Type type() const noexcept { return type_; }
  bool isNull() const noexcept { return type_ == Type::Null; }
  bool isBool() const noexcept { return type_ == Type::Bool; }
  bool isInt() const noexcept { return type_ == Type::Int; }
  bool isNumber() const noexcept { return type_ == Type::Int || type_ == Type::Double; }
  bool isString() const noexcept { return type_ == Type::String; }
  bool isArray() const noexcept { return type_ == Type::Array; }
  bool isObject() const noexcept { return type_ == Type::Object; }

  /// The value when it is of that type, else the fallback. Integers are doubles too; whole doubles are not integers.
  bool boolOr(bool fallback) const noexcept { return isBool() ? int_ != 0 : fallback; }
  std::int64_t intOr(std::int64_t fallback) const noexcept { return isInt() ? int_ : fallback; }
  double numberOr(double fallback) const noexcept {
    return isInt() ? static_cast<double>(int_) : type_ == Type::Double ? double_ : fallback;
  }
  std::string_view stringOr(std::string_view fallback) const noexcept {
    return isString() ? std::string_view(string_) : fallback;
  }

  /// Items of an array or members of an object; 0 for the rest.
  std::size_t size() const noexcept { return items_.size(); }
  /// The items of an array, or the values of an object's members, whose names are names() in the same order. Of a
  /// temporary they are moved out, so that `for (const auto& item : Json::parse(text).items())` is safe.
  const std::vector<Json>& items() const& noexcept { return items_; }
  std::vector<Json> items() && noexcept { return std::move(items_); }
  const std::vector<std::string>& names() const& noexcept { return names_; }
  std::vector<std::string> names() && noexcept { return std::move(names_); }
  /// The member or item; nullptr when there is none.
  inline const Json* find(std::string_view name) const noexcept;
  const Json* find(std::size_t index) const noexcept {
    return isArray() && index < items_.size() ? &items_[index] : nullptr;
  }
  /// The member or item, or a null value.
  const Json& operator[](std::string_view name) const noexcept {
    const Json* found = find(name);
    return found != nullptr ? *found : nullValue();
  }
  const Json& operator[](const char* name) const noexcept { return (*this)[std::string_view(name)]; }
  const Json& at(std::size_t index) const noexcept {
    const Json* found = find(index);
    return found != nullptr ? *found : nullValue();
  }

  /// Adds or replaces a member; makes a null value an object. Anything else is replaced.
  inline Json& set(std::string_view name, Json value);
  /// Appends an item; makes a null value an array.
  Json& push(Json value) {
    if (!isArray()) *this = array();
    items_.push_back(std::move(value));
    return *this;
  }

  inline friend bool operator==(const Json& a, const Json& b);
  friend bool operator!=(const Json& a, const Json& b) { return !(a == b); }

 private:
  class Parser;
  static const Json& nullValue() noexcept {
    static const Json value;
    return value;
  }
  inline void write(std::string& out) const;
  inline static void writeString(std::string& out, std::string_view text);
  inline static void writeDouble(std::string& out, double value);

  Type type_ = Type::Null;
  std::int64_t int_ = 0;
  double double_ = 0;
  std::string string_;
  std::vector<Json> items_;
  std::vector<std::string> names_;  // of an object: as many as items_
};

inline Json::Json(std::initializer_list<Json> items) {
  bool pairs = items.size() > 0;
  for (const Json& item : items) {
    pairs = pairs && item.isArray() && item.items_.size() == 2 && item.items_[0].isString();
  }
  type_ = pairs ? Type::Object : Type::Array;
  if (!pairs) {
    items_.assign(items.begin(), items.end());
    return;
  }
  for (const Json& item : items) {
    names_.push_back(item.items_[0].string_);
    items_.push_back(item.items_[1]);
  }
}

inline Json Json::object() {
  Json value;
  value.type_ = Type::Object;
  return value;
}

inline const Json* Json::find(std::string_view name) const noexcept {
  for (std::size_t i = names_.size(); i-- > 0;) {
    if (names_[i] == name) return &items_[i];
  }
  return nullptr;
}

inline Json& Json::set(std::string_view name, Json value) {
  if (!isObject()) *this = object();
  if (const Json* found = find(name); found != nullptr) {
    items_[static_cast<std::size_t>(found - items_.data())] = std::move(value);
    return *this;
  }
  names_.emplace_back(name);
  items_.push_back(std::move(value));
  return *this;
}

inline bool operator==(const Json& a, const Json& b) {
  if (a.type_ != b.type_) return a.isNumber() && b.isNumber() && a.numberOr(0) == b.numberOr(0);
  switch (a.type_) {
    case Json::Type::Null:
      return true;
    case Json::Type::Bool:
    case Json::Type::Int:
      return a.int_ == b.int_;
    case Json::Type::Double:
      return a.double_ == b.double_;
    case Json::Type::String:
      return a.string_ == b.string_;
    case Json::Type::Array:
      return a.items_ == b.items_;
    case Json::Type::Object:
      break;
  }
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const Json* other = b.find(a.names_[i]);
    if (other == nullptr || *other != a.items_[i]) return false;
  }
  return true;
}

namespace detail {

/// The length of the UTF-8 sequence at text[at] (1 to 4), or 0 when it is malformed.
inline std::size_t utf8Length(std::string_view text, std::size_t at) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(at);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return 0;
  }
  const unsigned second = byte(at + 1);
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90) ||
      (first == 0xf4 && second > 0x8f)) {
    return 0;
  }
  return length;
}

/// Where the printable ASCII that needs no escape ends: most of most texts, which is taken in one go.
inline std::size_t plainEnd(std::string_view text, std::size_t from) noexcept {
  const char* const bytes = text.data();
  const std::size_t size = text.size();
  while (from < size && bytes[from] >= 0x20 && bytes[from] < 0x7f && bytes[from] != '"' && bytes[from] != '\\') ++from;
  return from;
}

}  // namespace detail

inline void Json::writeString(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out.push_back('"');
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t plain = detail::plainEnd(text, i);
    out.append(text.data() + i, plain - i);
    i = plain;
    if (i == text.size()) break;
    const char c = text[i];
    const std::size_t length = detail::utf8Length(text, i);
    if (length == 0) {
      out += "\xef\xbf\xbd";
      ++i;
      continue;
    }
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      if (c == '\n') {
        out += "\\n";
      } else if (c == '\t') {
        out += "\\t";
      } else if (c == '\r') {
        out += "\\r";
      } else {
        out += "\\u00";
        out.push_back(kHex[(c >> 4) & 15]);
        out.push_back(kHex[c & 15]);
      }
    } else {
      out.append(text.data() + i, length);
    }
    i += length;
  }
  out.push_back('"');
}

inline void Json::writeDouble(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char text[40];
#if defined(__cpp_lib_to_chars)
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  out.append(text, end);
#else
  for (int digits = 15; digits <= 17; ++digits) {  // the fewest that read back as the same number
    std::snprintf(text, sizeof(text), "%.*g", digits, value);
    if (std::strtod(text, nullptr) == value) break;
  }
  std::string number = text;
  const std::string point = std::localeconv()->decimal_point;  // a library may have set the process's locale
  if (const auto at = number.find(point); at != std::string::npos) number.replace(at, point.size(), ".");
  out += number;
#endif
}

inline void Json::write(std::string& out) const {
  switch (type_) {
    case Type::Null:
      out += "null";
      break;
    case Type::Bool:
      out += int_ != 0 ? "true" : "false";
      break;
    case Type::Int:
      out += std::to_string(int_);
      break;
    case Type::Double:
      writeDouble(out, double_);
      break;
    case Type::String:
      writeString(out, string_);
      break;
    case Type::Array: {
      out.push_back('[');
      for (std::size_t i = 0; i < items_.size(); ++i) {
        if (i > 0) out.push_back(',');
        items_[i].write(out);
      }
      out.push_back(']');
      break;
    }
    case Type::Object: {
      out.push_back('{');
      for (std::size_t i = 0; i < items_.size(); ++i) {
        if (i > 0) out.push_back(',');
        writeString(out, names_[i]);
        out.push_back(':');
        items_[i].write(out);
      }
      out.push_back('}');
      break;
    }
  }
}

/// Strict RFC 8259: no comments, no trailing commas, UTF-8 checked, depth bounded.
class Json::Parser {
 public:
  Parser(std::string_view text, int max_depth) : text_(text), depth_(max_depth) {}

  Json document() {
    Json value = parseValue();
    skipSpace();
    if (at_ != text_.size()) fail("more text after the end of the document");
    return value;
  }

 private:
  [[noreturn]] void fail(const char* why) const {
    throw Error::badInput("not JSON: " + std::string(why) + " at byte " + std::to_string(at_)).code("bad_json");
  }
  void skipSpace() noexcept {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r')) {
      ++at_;
    }
  }
  char peek() const noexcept { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) noexcept {
    if (peek() != c || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }
  void word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) fail("an unknown word");
    at_ += expected.size();
  }

  Json parseValue() {
    skipSpace();
    switch (peek()) {
      case '{':
        return parseObject();
      case '[':
        return parseArray();
      case '"':
        return Json(parseString());
      case 't':
        word("true");
        return Json(true);
      case 'f':
        word("false");
        return Json(false);
      case 'n':
        word("null");
        return Json();
      default:
        return parseNumber();
    }
  }

  void enter() {
    if (depth_-- <= 0) fail("nested too deep");
  }

  Json parseObject() {
    enter();
    ++at_;
    Json value = object();
    skipSpace();
    if (!take('}')) {
      do {
        skipSpace();
        if (peek() != '"') fail("a member name was expected");
        std::string name = parseString();
        skipSpace();
        if (!take(':')) fail("':' was expected");
        value.items_.push_back(parseValue());
        value.names_.push_back(std::move(name));
        skipSpace();
      } while (take(','));
      if (!take('}')) fail("',' or '}' was expected");
    }
    ++depth_;
    return value;
  }

  Json parseArray() {
    enter();
    ++at_;
    Json value = array();
    skipSpace();
    if (!take(']')) {
      do {
        value.items_.push_back(parseValue());
        skipSpace();
      } while (take(','));
      if (!take(']')) fail("',' or ']' was expected");
    }
    ++depth_;
    return value;
  }

  unsigned parseHex() {
    if (at_ + 4 > text_.size()) fail("a short \\u escape");
    unsigned value = 0;
    const auto result = std::from_chars(text_.data() + at_, text_.data() + at_ + 4, value, 16);
    if (result.ptr != text_.data() + at_ + 4) fail("a bad \\u escape");
    at_ += 4;
    return value;
  }

  static void appendUtf8(std::string& out, unsigned code) {
    const auto put = [&out](unsigned byte) { out.push_back(static_cast<char>(byte)); };
    if (code < 0x80) {
      put(code);
    } else if (code < 0x800) {
      put(0xc0 | (code >> 6));
      put(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
      put(0xe0 | (code >> 12));
      put(0x80 | ((code >> 6) & 0x3f));
      put(0x80 | (code & 0x3f));
    } else {
      put(0xf0 | (code >> 18));
      put(0x80 | ((code >> 12) & 0x3f));
      put(0x80 | ((code >> 6) & 0x3f));
      put(0x80 | (code & 0x3f));
    }
  }

  void parseEscape(std::string& out) {
    const char c = peek();
    ++at_;
    switch (c) {
      case '"':
      case '\\':
      case '/':
        out.push_back(c);
        return;
      case 'b':
        out.push_back('\b');
        return;
      case 'f':
        out.push_back('\f');
        return;
      case 'n':
        out.push_back('\n');
        return;
      case 'r':
        out.push_back('\r');
        return;
      case 't':
        out.push_back('\t');
        return;
      case 'u':
        break;
      default:
        --at_;
        fail("an unknown escape");
    }
    unsigned code = parseHex();
    if (code >= 0xdc00 && code <= 0xdfff) fail("half of a surrogate pair");
    if (code >= 0xd800 && code <= 0xdbff) {
      if (!take('\\') || !take('u')) fail("half of a surrogate pair");
      const unsigned low = parseHex();
      if (low < 0xdc00 || low > 0xdfff) fail("half of a surrogate pair");
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    appendUtf8(out, code);
  }

  std::string parseString() {
    ++at_;
    std::string out;
    for (;;) {
      const std::size_t plain = detail::plainEnd(text_, at_);
      out.append(text_.data() + at_, plain - at_);
      at_ = plain;
      if (at_ >= text_.size()) fail("a string without an end");
      const char c = text_[at_];
      if (c == '"') break;
      if (static_cast<unsigned char>(c) < 0x20) fail("a control character in a string");
      if (c == '\\') {
        ++at_;
        if (at_ >= text_.size()) fail("a string without an end");
        parseEscape(out);
        continue;
      }
      const std::size_t length = detail::utf8Length(text_, at_);
      if (length == 0) fail("bytes that are not UTF-8");
      out.append(text_.data() + at_, length);
      at_ += length;
    }
    ++at_;
    return out;
  }

  bool digits() noexcept {
    const std::size_t start = at_;
    while (peek() >= '0' && peek() <= '9') ++at_;
    return at_ > start;
  }

  Json parseNumber() {
    const std::size_t start = at_;
    bool whole = true;
    take('-');
    const bool zero = peek() == '0';
    const std::size_t first = at_;
    if (!digits()) fail(at_ >= text_.size() ? "the document ends too early" : "a value was expected");
    if (zero && at_ - first > 1) fail("a number with a leading zero");
    if (take('.')) {
      whole = false;
      if (!digits()) fail("a number without digits after the point");
    }
    if (take('e') || take('E')) {
      whole = false;
      if (!take('+')) take('-');
      if (!digits()) fail("a number without an exponent");
    }
    const char* begin = text_.data() + start;
    const char* end = text_.data() + at_;
    if (whole) {
      std::int64_t value = 0;
      if (std::from_chars(begin, end, value).ec == std::errc()) return Json(value);
    }
#if defined(__cpp_lib_to_chars)
    double value = 0;
    if (std::from_chars(begin, end, value).ec != std::errc()) fail("a number out of range");
#else
    std::string number(begin, end);
    if (const auto point = number.find('.'); point != std::string::npos) {
      number.replace(point, 1, std::localeconv()->decimal_point);  // strtod reads as the process's locale writes
    }
    const double value = std::strtod(number.c_str(), nullptr);
#endif
    if (!std::isfinite(value)) fail("a number out of range");
    return Json(value);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_;
};

inline Json Json::parse(std::string_view text, int max_depth) {
  return Parser(text, max_depth).document();
}

}  // namespace jobhost
