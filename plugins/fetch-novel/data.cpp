#include "fetch-novel/data.hpp"

#include <jobhost/json.hpp>

#include <algorithm>
#include <charconv>
#include <unordered_set>

#include "fetch-novel/utf8.hpp"

namespace jobhost::novel {
namespace {

bool isDigit(char c) {
  return c >= '0' && c <= '9';
}

// Throws DataError inside this file only.
class JsonParser {
 public:
  JsonParser(std::string_view text, bool unique, const DataLimits& limits)
      : text_(text), unique_(unique), limits_(limits) {}

  Data whole() {
    if (text_.size() > limits_.bytes) fail("more than " + std::to_string(limits_.bytes) + " bytes");
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
    Data out = value(0);
    skipSpace();
    if (at_ < text_.size()) fail("something follows the value");
    return out;
  }

 private:
  [[noreturn]] void fail(std::string reason) const { throw DataError{line_, std::move(reason)}; }

  void skipSpace() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') ++line_;
      if (c != ' ' && c != '\t' && c != '\n' && c != '\r') return;
    }
  }
  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    skipSpace();
    if (peek() != c || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }

  Data value(std::size_t depth) {
    skipSpace();
    if (at_ >= text_.size()) fail("the text ends too early");
    if (depth > limits_.depth) fail("nested deeper than " + std::to_string(limits_.depth));
    if (++nodes_ > limits_.nodes) fail("more than " + std::to_string(limits_.nodes) + " values");
    Data out;
    out.line = line_;
    switch (text_[at_]) {
      case '{':
        object(out, depth);
        break;
      case '[':
        array(out, depth);
        break;
      case '"':
        out.kind = Data::Kind::String;
        out.text = string();
        break;
      case 't':
        word("true", out, Data::Kind::Bool, true);
        break;
      case 'f':
        word("false", out, Data::Kind::Bool, false);
        break;
      case 'n':
        word("null", out, Data::Kind::Null, false);
        break;
      default:
        number(out);
    }
    return out;
  }

  void word(std::string_view expected, Data& out, Data::Kind kind, bool boolean) {
    if (text_.substr(at_, expected.size()) != expected) fail("expected a value");
    at_ += expected.size();
    out.kind = kind;
    out.boolean = boolean;
  }

  void digits() {
    if (!isDigit(peek())) fail("expected a value");
    while (isDigit(peek())) ++at_;
  }

  void number(Data& out) {
    const std::size_t start = at_;
    if (peek() == '-') ++at_;
    if (peek() == '0') {
      ++at_;
    } else {
      digits();
    }
    if (peek() == '.') {
      ++at_;
      digits();
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      digits();
    }
    out.kind = Data::Kind::Number;
    out.text = text_.substr(start, at_ - start);
  }

  unsigned hex4() {
    unsigned code = 0;
    if (text_.size() - at_ < 4) fail("an escape ends too early");
    const auto [end, problem] = std::from_chars(text_.data() + at_, text_.data() + at_ + 4, code, 16);
    if (problem != std::errc{} || end != text_.data() + at_ + 4) fail("\\u needs four hexadecimal digits");
    at_ += 4;
    return code;
  }

  void escape(std::string& out) {
    if (at_ >= text_.size()) fail("a string is not closed");
    const char c = text_[at_++];
    switch (c) {
      case '"':
      case '\\':
      case '/':
        out += c;
        return;
      case 'b':
        out += '\b';
        return;
      case 'f':
        out += '\f';
        return;
      case 'n':
        out += '\n';
        return;
      case 'r':
        out += '\r';
        return;
      case 't':
        out += '\t';
        return;
      case 'u':
        break;
      default:
        fail("no such escape in a string");
    }
    char32_t code = hex4();
    if (code >= 0xD800 && code < 0xDC00 && text_.substr(at_, 2) == "\\u") {
      at_ += 2;
      const unsigned low = hex4();
      code = low >= 0xDC00 && low < 0xE000 ? 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00) : 0xFFFD;
    }
    appendUtf8(out, code);
  }

  std::string string() {
    std::string out;
    for (++at_;;) {
      if (at_ >= text_.size()) fail("a string is not closed");
      const char c = text_[at_++];
      if (c == '"') return out;
      if (c == '\\') {
        escape(out);
      } else if (static_cast<unsigned char>(c) < 0x20) {
        fail("a control character in a string");
      } else {
        out += c;
      }
    }
  }

  void array(Data& out, std::size_t depth) {
    out.kind = Data::Kind::List;
    ++at_;
    if (take(']')) return;
    do out.items.push_back(value(depth + 1));
    while (take(','));
    if (!take(']')) fail("expected ',' or ']'");
  }

  void object(Data& out, std::size_t depth) {
    out.kind = Data::Kind::Map;
    ++at_;
    if (take('}')) return;
    std::unordered_set<std::string> names;
    do {
      skipSpace();
      if (peek() != '"') fail("expected a name in quotes");
      std::string name = string();
      if (!take(':')) fail("expected ':'");
      const bool fresh = names.insert(name).second;
      if (!fresh && unique_) fail("'" + name + "' is there twice");
      Data member = value(depth + 1);
      if (fresh) {
        out.members.push_back({std::move(name), std::move(member)});
      } else {
        *out.find(name) = std::move(member);
      }
    } while (take(','));
    if (!take('}')) fail("expected ',' or '}'");
  }

  std::string_view text_;
  bool unique_;
  const DataLimits& limits_;
  std::size_t at_ = 0;
  std::size_t nodes_ = 0;
  int line_ = 1;
};

}  // namespace

const Data* Data::find(std::string_view name) const {
  for (const auto& [key, value] : members) {
    if (key == name) return &value;
  }
  return nullptr;
}

Data* Data::find(std::string_view name) {
  return const_cast<Data*>(std::as_const(*this).find(name));
}

std::string Data::scalarText() const {
  switch (kind) {
    case Kind::String:
    case Kind::Number:
      return text;
    case Kind::Bool:
      return boolean ? "true" : "false";
    default:
      return {};
  }
}

std::optional<Data> parseJson(std::string_view text, DataError& error, bool unique, const DataLimits& limits) {
  try {
    return JsonParser(text, unique, limits).whole();
  } catch (const DataError& problem) {
    error = problem;
    return std::nullopt;
  }
}

void appendJsonString(std::string& out, std::string_view text) {
  out += Json(text).dump();
}

std::string toJson(const Data& data) {
  std::string out;
  switch (data.kind) {
    case Data::Kind::Null:
      return "null";
    case Data::Kind::Bool:
    case Data::Kind::Number:
      return data.scalarText();
    case Data::Kind::String:
      appendJsonString(out, data.text);
      return out;
    case Data::Kind::List:
      for (const Data& item : data.items) {
        out += out.empty() ? '[' : ',';
        out += toJson(item);
      }
      return out.empty() ? "[]" : out + ']';
    case Data::Kind::Map:
      for (const auto& [name, value] : data.members) {
        out += out.empty() ? '{' : ',';
        appendJsonString(out, name);
        out += ':';
        out += toJson(value);
      }
      return out.empty() ? "{}" : out + '}';
  }
  return out;
}

const Data* atPath(const Data& data, std::string_view path) {
  const Data* at = &data;
  while (at != nullptr && !path.empty()) {
    const std::size_t dot = std::min(path.find('.'), path.size());
    const std::string_view part = path.substr(0, dot);
    path.remove_prefix(std::min(dot + 1, path.size()));
    if (part == "$") continue;
    if (at->isMap()) {
      at = at->find(part);
    } else if (at->isList()) {
      std::size_t index = 0;
      const auto [end, problem] = std::from_chars(part.data(), part.data() + part.size(), index);
      const bool number = problem == std::errc{} && end == part.data() + part.size();
      at = number && index < at->items.size() ? &at->items[index] : nullptr;
    } else {
      at = nullptr;
    }
  }
  return at;
}

}  // namespace jobhost::novel
