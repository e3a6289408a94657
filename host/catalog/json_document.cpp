#include "catalog/json_document.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "core/utf8.hpp"

namespace jobhost::catalog {

namespace {

bool isDigit(char c) {
  return c >= '0' && c <= '9';
}

int hexDigit(char c) {
  if (isDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

/// One pass, recursive only as deep as the limits allow. The first failure ends it.
class JsonParser {
 public:
  JsonParser(std::string_view text, const JsonLimits& limits, JsonDocument& document)
      : text_(text), limits_(limits), document_(document) {
    document_.nodes_.reserve(8 + std::min<std::size_t>(text.size() / 8, 1u << 16));
  }

  bool run() {
    skipSpace();
    if (!value(0)) return false;
    skipSpace();
    return at_ == text_.size() || fail("has more text behind its end");
  }

  [[nodiscard]] core::Error error() const {
    std::string message = std::string("the JSON text ") + reason_ + " at byte " + std::to_string(at_);
    return {too_deep_ ? core::ErrorCode::TooLarge : core::ErrorCode::InvalidArgument, message, {}, {{"", message}}};
  }

 private:
  using Node = JsonDocument::Node;

  bool fail(const char* reason) {
    reason_ = reason;
    return false;
  }
  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skipSpace() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
      ++at_;
    }
  }

  std::uint32_t open(JsonKind kind) {
    const auto index = static_cast<std::uint32_t>(document_.nodes_.size());
    document_.nodes_.push_back({static_cast<std::uint32_t>(at_), 0, 0, 0, kind});
    return index;
  }
  bool close(std::uint32_t index, std::uint32_t count = 0) {
    Node& node = document_.nodes_[index];
    node.end = static_cast<std::uint32_t>(at_);
    node.next = static_cast<std::uint32_t>(document_.nodes_.size());
    node.count = count;
    return true;
  }

  bool value(int depth) {
    switch (peek()) {
      case '{':
        return object(depth);
      case '[':
        return array(depth);
      case '"':
        return string();
      case 't':
        return word("true", JsonKind::True);
      case 'f':
        return word("false", JsonKind::False);
      case 'n':
        return word("null", JsonKind::Null);
      default:
        return number();
    }
  }

  bool word(std::string_view expected, JsonKind kind) {
    if (text_.substr(at_, expected.size()) != expected) return fail("has an unknown word");
    const auto node = open(kind);
    at_ += expected.size();
    return close(node);
  }

  bool digits() {
    if (!isDigit(peek())) return false;
    while (isDigit(peek())) ++at_;
    return true;
  }

  bool number() {
    if (at_ >= text_.size()) return fail("ends too early");
    const auto node = open(JsonKind::Number);
    const std::size_t begin = at_;
    if (peek() == '-') ++at_;
    if (peek() == '0') {
      ++at_;
    } else if (!digits()) {
      return fail("has an unexpected character");
    }
    if (peek() == '.') {
      ++at_;
      if (!digits()) return fail("has a number without digits behind its point");
    }
    bool exponent = false;
    if (peek() == 'e' || peek() == 'E') {
      exponent = true;
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!digits()) return fail("has a number without digits in its exponent");
    }
    close(node);
    if ((exponent || at_ - begin > 300) && std::isinf(document_.at(node).number().real)) {
      at_ = begin;
      return fail("has a number beyond the range of a double");
    }
    return true;
  }

  bool string() {
    const auto node = open(JsonKind::String);
    ++at_;
    const std::size_t begin = at_;
    const std::size_t size = text_.size();
    for (std::size_t at = begin; at < size;) {
      const auto c = static_cast<unsigned char>(text_[at]);
      if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
        ++at;
        continue;
      }
      at_ = at;
      if (c == '"') {
        ++at_;
        return close(node);
      }
      if (c == '\\') return escapedString(node, begin);
      if (c < 0x20) return fail("has a bare control character in a string");
      if (!multiByte()) return false;
      at = at_;
    }
    at_ = size;
    return fail("ends inside a string");
  }

  bool multiByte() {
    const std::size_t length = core::utf8Length(text_, at_);
    if (length == 0) return fail("is not valid UTF-8");
    at_ += length;
    return true;
  }

  bool escapedString(std::uint32_t node, std::size_t begin) {
    std::string decoded(text_.substr(begin, at_ - begin));
    while (at_ < text_.size()) {
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c == '"') {
        ++at_;
        document_.decoded_.push_back(std::move(decoded));
        return close(node, static_cast<std::uint32_t>(document_.decoded_.size()));
      }
      if (c < 0x20) return fail("has a bare control character in a string");
      if (c == '\\') {
        if (!escape(decoded)) return false;
        continue;
      }
      const std::size_t start = at_;
      if (c < 0x80) {
        ++at_;
      } else if (!multiByte()) {
        return false;
      }
      decoded.append(text_.substr(start, at_ - start));
    }
    return fail("ends inside a string");
  }

  bool escape(std::string& out) {
    ++at_;
    const char c = peek();
    if (c == 'u') return unicodeEscape(out);
    static constexpr std::string_view kLetters = "\"\\/bfnrt";
    static constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    const auto found = at_ < text_.size() ? kLetters.find(c) : std::string_view::npos;
    if (found == std::string_view::npos) return fail("has an unknown escape in a string");
    out.push_back(kMeanings[found]);
    ++at_;
    return true;
  }

  /// The four digits behind "\u", at_ on the 'u'; -1: not four hexadecimal digits.
  int fourHex() {
    int code = 0;
    for (std::size_t i = 1; i <= 4; ++i) {
      const int digit = at_ + i < text_.size() ? hexDigit(text_[at_ + i]) : -1;
      if (digit < 0) return -1;
      code = code * 16 + digit;
    }
    at_ += 5;
    return code;
  }

  bool unicodeEscape(std::string& out) {
    const int first = fourHex();
    if (first < 0) return fail("has a damaged \\u escape");
    auto code = static_cast<std::uint32_t>(first);
    if (code >= 0xDC00 && code <= 0xDFFF) return fail("has an unpaired surrogate");
    if (code >= 0xD800 && code <= 0xDBFF) {
      if (text_.substr(at_, 2) != "\\u") return fail("has an unpaired surrogate");
      ++at_;
      const int second = fourHex();
      if (second < 0xDC00 || second > 0xDFFF) return fail("has an unpaired surrogate");
      code = 0x10000 + ((code - 0xD800) << 10) + (static_cast<std::uint32_t>(second) - 0xDC00);
    }
    core::appendUtf8(out, code);
    return true;
  }

  bool deeper(int depth) {
    if (depth < limits_.max_depth) return true;
    too_deep_ = true;
    return fail("is nested too deep");
  }

  bool array(int depth) {
    if (!deeper(depth)) return false;
    const auto node = open(JsonKind::Array);
    ++at_;
    skipSpace();
    std::uint32_t count = 0;
    if (peek() == ']') {
      ++at_;
      return close(node, count);
    }
    for (;;) {
      skipSpace();
      if (!value(depth + 1)) return false;
      ++count;
      skipSpace();
      if (peek() == ',') {
        ++at_;
        continue;
      }
      if (peek() != ']') return fail("has an array without a comma or an end");
      ++at_;
      return close(node, count);
    }
  }

  bool object(int depth) {
    if (!deeper(depth)) return false;
    const auto node = open(JsonKind::Object);
    ++at_;
    skipSpace();
    std::uint32_t count = 0;
    if (peek() == '}') {
      ++at_;
      return close(node, count);
    }
    for (;;) {
      skipSpace();
      if (peek() != '"') return fail("has an object member without a name");
      if (!string()) return false;
      skipSpace();
      if (peek() != ':') return fail("has an object member without a colon");
      ++at_;
      skipSpace();
      if (!value(depth + 1)) return false;
      ++count;
      skipSpace();
      if (peek() == ',') {
        ++at_;
        continue;
      }
      if (peek() != '}') return fail("has an object without a comma or an end");
      ++at_;
      close(node, count);
      return noDuplicates(node);
    }
  }

  /// Two readers of one text must not see two meanings.
  bool noDuplicates(std::uint32_t node) {
    const JsonValue object = document_.at(node);
    if (object.size() < 2) return true;
    keys_.clear();
    object.members([this](JsonValue key, JsonValue) { keys_.push_back(key.string()); });
    bool duplicate = false;
    if (keys_.size() <= 8) {
      for (std::size_t i = 1; i < keys_.size() && !duplicate; ++i) {
        duplicate = std::find(keys_.begin(), keys_.begin() + static_cast<std::ptrdiff_t>(i), keys_[i]) !=
                    keys_.begin() + static_cast<std::ptrdiff_t>(i);
      }
    } else {
      std::sort(keys_.begin(), keys_.end());
      duplicate = std::adjacent_find(keys_.begin(), keys_.end()) != keys_.end();
    }
    return !duplicate || fail("has an object that names a member twice, and ends");
  }

  std::string_view text_;
  const JsonLimits& limits_;
  JsonDocument& document_;
  std::size_t at_ = 0;
  const char* reason_ = "";
  bool too_deep_ = false;
  std::vector<std::string_view> keys_;
};

core::Result<JsonDocument> JsonDocument::parse(std::string_view text, const JsonLimits& limits) {
  const std::size_t most = std::min<std::size_t>(limits.max_bytes, std::numeric_limits<std::uint32_t>::max() / 2);
  if (text.size() > most) {
    std::string message =
        "the JSON text has " + std::to_string(text.size()) + " bytes; at most " + std::to_string(most) + " are allowed";
    return core::Error{core::ErrorCode::TooLarge, message, {}, {{"", message}}};
  }
  JsonDocument document;
  document.text_ = text;
  JsonParser parser(text, limits, document);
  if (!parser.run()) return parser.error();
  return document;
}

JsonKind JsonValue::kind() const {
  return document_->nodes_[index_].kind;
}
std::size_t JsonValue::begin() const {
  return document_->nodes_[index_].begin;
}
std::size_t JsonValue::end() const {
  return document_->nodes_[index_].end;
}
std::string_view JsonValue::raw() const {
  return document_->text_.substr(begin(), end() - begin());
}

std::uint32_t JsonValue::size() const {
  const auto& node = document_->nodes_[index_];
  return node.kind == JsonKind::Array || node.kind == JsonKind::Object ? node.count : 0;
}

std::string_view JsonValue::string() const {
  const auto& node = document_->nodes_[index_];
  if (node.kind != JsonKind::String) return {};
  if (node.count > 0) return document_->decoded_[node.count - 1];
  return document_->text_.substr(node.begin + 1, node.end - node.begin - 2);
}

JsonNumber JsonValue::number() const {
  const std::string_view text = raw();
  JsonNumber number;
  const char* last = text.data() + text.size();
  if (const auto [end, error] = std::from_chars(text.data(), last, number.integer);
      error == std::errc() && end == last) {
    number.is_int = true;
    number.real = static_cast<double>(number.integer);
    return number;
  }
  if (std::from_chars(text.data(), last, number.real).ec == std::errc::result_out_of_range) {
    const auto e = text.find_first_of("eE");
    const bool tiny = e != std::string_view::npos ? text.substr(e + 1, 1) == "-" : text.substr(0, 3).find("0.") < 2;
    number.real = tiny ? 0.0 : std::numeric_limits<double>::infinity();
  }
  return number;
}

std::optional<JsonValue> JsonValue::find(std::string_view key) const {
  if (!is(JsonKind::Object)) return std::nullopt;
  const auto& nodes = document_->nodes_;
  std::uint32_t at = index_ + 1;
  for (std::uint32_t i = 0; i < size(); ++i, at = nodes[at + 1].next) {
    if (JsonValue(*document_, at).string() == key) return JsonValue(*document_, at + 1);
  }
  return std::nullopt;
}

std::string JsonValue::canonical() const {
  switch (kind()) {
    case JsonKind::Null:
      return "null";
    case JsonKind::False:
      return "false";
    case JsonKind::True:
      return "true";
    case JsonKind::String:
      return quoteJson(string());
    case JsonKind::Number: {
      const JsonNumber value = number();
      if (value.is_int) return std::to_string(value.integer);
      // 2^63 is the first double beyond what an integer holds.
      if (value.isIntegral() && std::abs(value.real) < 9223372036854775808.0) {
        return std::to_string(static_cast<std::int64_t>(value.real));
      }
      char buffer[32];
      return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value.real).ptr};
    }
    case JsonKind::Array: {
      std::string out = "[";
      elements([&out](JsonValue element) { out += element.canonical() + ","; });
      return out + "]";
    }
    case JsonKind::Object: {
      std::vector<std::pair<std::string, std::string>> sorted;
      members([&sorted](JsonValue key, JsonValue value) {
        sorted.emplace_back(quoteJson(key.string()), value.canonical());
      });
      std::sort(sorted.begin(), sorted.end());
      std::string out = "{";
      for (const auto& [key, value] : sorted) out += key + ":" + value + ",";
      return out + "}";
    }
  }
  return {};
}

bool JsonNumber::isIntegral() const {
  return is_int || (std::isfinite(real) && std::floor(real) == real);
}

int compare(const JsonNumber& a, const JsonNumber& b) {
  if (a.is_int && b.is_int) return a.integer < b.integer ? -1 : a.integer > b.integer ? 1 : 0;
  // A long double holds every double and every 64-bit integer exactly on the platforms we build for.
  const long double x = a.is_int ? static_cast<long double>(a.integer) : static_cast<long double>(a.real);
  const long double y = b.is_int ? static_cast<long double>(b.integer) : static_cast<long double>(b.real);
  return x < y ? -1 : x > y ? 1 : 0;
}

std::string quoteJson(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  out.reserve(text.size() + 2);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20) {
      out += "\\u00";
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
  return out;
}

std::size_t countCodePoints(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; }));
}

}  // namespace jobhost::catalog
