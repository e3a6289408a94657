#include "support/html/selector_ast.hpp"

#include <cstdint>
#include <limits>
#include <string_view>

#include "support/common/failure.hpp"
#include "support/common/utf8.hpp"

namespace jobhost::support::html {
namespace {

constexpr std::size_t kBytes = 4096;
constexpr std::size_t kCompounds = 64;  // the matcher keeps one bit for each
constexpr std::size_t kAlternatives = 64;
constexpr int kNesting = 8;

bool isSpace(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}
bool isDigit(char c) {
  return c >= '0' && c <= '9';
}
bool isHex(char c) {
  return isDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool isNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool isName(char c) {
  return isNameStart(c) || isDigit(c) || c == '-';
}

std::string lowered(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::shared_ptr<const SelectorList> whole() {
    auto list = selectorList(false, 0);
    if (at_ < text_.size()) fail("unexpected '" + std::string(1, text_[at_]) + "'");
    return list;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Failure(FailureKind::BadInput, "selector.syntax",
                  what + " at character " + std::to_string(at_ + 1) + " of '" + std::string(text_) + "'");
  }
  [[noreturn]] void tooMuch(const std::string& what) const {
    throw Failure(FailureKind::Limit, "selector.limit", "the selector has more than " + what);
  }

  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  [[nodiscard]] bool atEnd() const { return at_ >= text_.size(); }
  bool take(char c) {
    if (atEnd() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool skipSpace() {
    const std::size_t start = at_;
    while (!atEnd() && isSpace(text_[at_])) ++at_;
    return at_ != start;
  }
  void expect(char c) {
    if (!take(c)) fail(std::string("expected '") + c + "'");
  }

  std::shared_ptr<const SelectorList> selectorList(bool relative, int nesting) {
    if (nesting > kNesting) tooMuch(std::to_string(kNesting) + " levels of parentheses");
    auto list = std::make_shared<SelectorList>();
    do {
      skipSpace();
      if (list->alternatives.size() == kAlternatives) tooMuch(std::to_string(kAlternatives) + " alternatives");
      list->alternatives.push_back(complex(relative, nesting));
      skipSpace();
    } while (take(','));
    return list;
  }

  bool combinator(Combinator& out) {
    const bool space = skipSpace();
    switch (peek()) {
      case '>':
        out = Combinator::Child;
        break;
      case '+':
        out = Combinator::Next;
        break;
      case '~':
        out = Combinator::Later;
        break;
      default:
        out = Combinator::Descendant;
        return space && !atEnd() && peek() != ',' && peek() != ')';
    }
    ++at_;
    skipSpace();
    return true;
  }

  Complex complex(bool relative, int nesting) {
    Complex out;
    Combinator before = Combinator::Descendant;
    if (relative) combinator(before);
    do {
      if (out.compounds.size() == kCompounds - 1) tooMuch(std::to_string(kCompounds - 1) + " compounds");
      out.compounds.push_back(compound(before, nesting));
    } while (combinator(before));
    return out;
  }

  Compound compound(Combinator before, int nesting) {
    Compound out{before, {}};
    bool any = false;
    if (take('*')) {
      any = true;
    } else if (isNameStart(peek()) || peek() == '\\' || peek() == '-') {
      out.simples.push_back({.kind = SimpleKind::Tag, .name = lowered(identifier())});
      any = true;
    }
    if (peek() == '|' && peek(1) != '=') fail("namespaces are not supported");
    for (;; any = true) {
      if (take('#')) {
        out.simples.push_back({.kind = SimpleKind::Id, .name = identifier(true)});
      } else if (take('.')) {
        out.simples.push_back({.kind = SimpleKind::Class, .name = identifier()});
      } else if (take('[')) {
        out.simples.push_back(attribute());
      } else if (peek() == ':') {
        ++at_;
        if (peek() == ':') fail("pseudo-elements have nothing to select");
        out.simples.push_back(pseudo(nesting));
      } else {
        break;
      }
    }
    if (!any) fail(atEnd() ? "a selector ends too early" : "unexpected '" + std::string(1, peek()) + "'");
    return out;
  }

  void escape(std::string& out) {
    ++at_;  // the backslash
    if (atEnd()) fail("an escape ends too early");
    if (!isHex(peek())) {
      out += text_[at_++];
      return;
    }
    std::uint32_t code = 0;
    for (int i = 0; i < 6 && isHex(peek()); ++i) {
      const char c = text_[at_++];
      code = code * 16 + static_cast<std::uint32_t>(isDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    if (isSpace(peek())) ++at_;
    appendUtf8(out, code == 0 ? U'\uFFFD' : static_cast<char32_t>(code));
  }

  std::string identifier(bool hash = false) {
    std::string out;
    if (!hash) {
      // A name does not start with a digit, nor with a hyphen and a digit.
      const std::size_t dash = peek() == '-' ? 1 : 0;
      const char c = peek(dash);
      if (!(isNameStart(c) || c == '\\' || (dash == 1 && c == '-'))) fail("expected a name");
    }
    while (!atEnd()) {
      if (text_[at_] == '\\') {
        escape(out);
      } else if (isName(text_[at_])) {
        out += text_[at_++];
      } else {
        break;
      }
    }
    if (out.empty()) fail("expected a name");
    return out;
  }

  std::string quoted() {
    const char quote = text_[at_++];
    std::string out;
    while (!atEnd() && text_[at_] != quote) {
      if (text_[at_] != '\\') {
        out += text_[at_++];
      } else if (peek(1) == '\n') {
        at_ += 2;
      } else {
        escape(out);
      }
    }
    if (!take(quote)) fail("a quotation is not closed");
    return out;
  }

  std::string stringOrName() {
    skipSpace();
    if (peek() == '"' || peek() == '\'') return quoted();
    return identifier(true);
  }

  Simple attribute() {
    Simple out{.kind = SimpleKind::HasAttribute};
    skipSpace();
    out.name = lowered(identifier());
    skipSpace();
    if (take(']')) return out;
    switch (peek()) {
      case '=':
        out.kind = SimpleKind::Equals;
        break;
      case '~':
        out.kind = SimpleKind::Includes;
        break;
      case '|':
        out.kind = SimpleKind::DashMatch;
        break;
      case '^':
        out.kind = SimpleKind::Prefix;
        break;
      case '$':
        out.kind = SimpleKind::Suffix;
        break;
      case '*':
        out.kind = SimpleKind::Substring;
        break;
      default:
        fail("expected an operator or ']'");
    }
    if (peek() != '=') ++at_;
    expect('=');
    out.value = stringOrName();
    out.ignore_case = out.name == "type";  // as HTML has it
    skipSpace();
    if (peek() == 'i' || peek() == 'I') {
      out.ignore_case = true;
      ++at_;
      skipSpace();
    } else if (peek() == 's' || peek() == 'S') {
      out.ignore_case = false;
      ++at_;
      skipSpace();
    }
    expect(']');
    return out;
  }

  int integer(bool sign_allowed) {
    int sign = 1;
    if (sign_allowed && (peek() == '+' || peek() == '-')) sign = text_[at_++] == '-' ? -1 : 1;
    if (!isDigit(peek())) fail("expected a number");
    std::int64_t value = 0;
    while (isDigit(peek())) {
      value = value * 10 + (text_[at_++] - '0');
      if (value > std::numeric_limits<int>::max() / 2) fail("the number is too large");
    }
    return sign * static_cast<int>(value);
  }

  bool word(std::string_view expected) {
    if (lowered(std::string(text_.substr(at_, expected.size()))) != expected || isName(peek(expected.size())))
      return false;
    at_ += expected.size();
    return true;
  }

  void anPlusB(Simple& out) {
    skipSpace();
    if (word("odd")) {
      out.a = 2;
      out.b = 1;
    } else if (word("even")) {
      out.a = 2;
    } else {
      const char sign = peek();
      const std::size_t after = sign == '+' || sign == '-' ? 1 : 0;
      if ((peek(after) | 0x20) == 'n') {
        at_ += after + 1;
        out.a = sign == '-' ? -1 : 1;
      } else {
        const int number = integer(true);
        if ((peek() | 0x20) != 'n') {
          out.b = number;
          skipSpace();
          return;
        }
        ++at_;
        out.a = number;
      }
      skipSpace();
      if (peek() == '+' || peek() == '-') {
        const int b_sign = text_[at_++] == '-' ? -1 : 1;
        skipSpace();
        out.b = b_sign * integer(false);
      }
    }
    skipSpace();
  }

  Simple nth(bool from_end, bool of_type) {
    Simple out{.kind = SimpleKind::Nth, .from_end = from_end, .of_type = of_type};
    expect('(');
    anPlusB(out);
    expect(')');
    return out;
  }

  static Simple place(bool from_end, bool of_type) {
    return {.kind = SimpleKind::Nth, .b = 1, .from_end = from_end, .of_type = of_type};
  }

  // Both ends: a list of its own with two conditions.
  static Simple only(bool of_type) {
    auto list = std::make_shared<SelectorList>();
    list->alternatives.push_back({{Compound{Combinator::Descendant, {place(false, of_type), place(true, of_type)}}}});
    return {.kind = SimpleKind::Is, .list = std::move(list)};
  }

  Simple withList(SimpleKind kind, int nesting) {
    expect('(');
    Simple out{.kind = kind};
    out.list = selectorList(kind == SimpleKind::Has, nesting + 1);
    expect(')');
    return out;
  }

  Simple contains() {
    Simple out{.kind = SimpleKind::Contains};
    expect('(');
    do {
      out.texts.push_back(stringOrName());
      skipSpace();
    } while (take(','));
    expect(')');
    return out;
  }

  Simple pseudo(int nesting) {
    const std::string name = lowered(identifier());
    if (name == "first-child") return place(false, false);
    if (name == "last-child") return place(true, false);
    if (name == "first-of-type") return place(false, true);
    if (name == "last-of-type") return place(true, true);
    if (name == "only-child") return only(false);
    if (name == "only-of-type") return only(true);
    if (name == "nth-child") return nth(false, false);
    if (name == "nth-last-child") return nth(true, false);
    if (name == "nth-of-type") return nth(false, true);
    if (name == "nth-last-of-type") return nth(true, true);
    if (name == "root") return {.kind = SimpleKind::Root};
    if (name == "empty") return {.kind = SimpleKind::Empty};
    if (name == "link") return {.kind = SimpleKind::Link};
    if (name == "enabled") return {.kind = SimpleKind::Enabled};
    if (name == "disabled") return {.kind = SimpleKind::Disabled};
    if (name == "checked") return {.kind = SimpleKind::Checked};
    if (name == "scope") return {.kind = SimpleKind::Scope};
    if (name == "visited" || name == "active" || name == "hover" || name == "focus" || name == "target") {
      return {.kind = SimpleKind::Never};
    }
    if (name == "lang") {
      expect('(');
      Simple out{.kind = SimpleKind::Lang, .value = lowered(stringOrName())};
      skipSpace();
      expect(')');
      return out;
    }
    if (name == "not") return withList(SimpleKind::Not, nesting);
    if (name == "is" || name == "where") return withList(SimpleKind::Is, nesting);
    if (name == "has") return withList(SimpleKind::Has, nesting);
    if (name == "-soup-contains") return contains();
    fail("the pseudo-class :" + name + " is not known");
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::shared_ptr<const SelectorList> parseSelectorList(std::string_view text) {
  if (text.size() > kBytes) {
    throw Failure(FailureKind::Limit, "selector.limit",
                  "the selector has more than " + std::to_string(kBytes) + " bytes");
  }
  return Parser(text).whole();
}

}  // namespace jobhost::support::html
