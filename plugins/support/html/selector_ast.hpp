#pragma once

#include <memory>
#include <string>
#include <vector>

namespace jobhost::support::html {

// The compiled form, shared by the parser and the matcher of selectors.

struct SelectorList;

enum class SimpleKind : unsigned char {
  Tag,
  Id,
  Class,
  HasAttribute,
  Equals,
  Includes,
  DashMatch,
  Prefix,
  Suffix,
  Substring,
  Nth,
  Root,
  Empty,
  Link,
  Enabled,
  Disabled,
  Checked,
  Lang,
  Never,
  Scope,
  Contains,
  Is,
  Not,
  Has,
};

struct Simple {
  SimpleKind kind = SimpleKind::Tag;
  std::string name;                // tag, id, class, attribute
  std::string value;               // of attributes, :lang
  std::vector<std::string> texts;  // :-soup-contains: any of them
  bool ignore_case = false;
  int a = 0, b = 0;  // Nth: a·n + b
  bool from_end = false, of_type = false;
  std::shared_ptr<const SelectorList> list;  // Is, Not, Has
};

enum class Combinator : unsigned char { Descendant, Child, Next, Later };

struct Compound {
  Combinator before = Combinator::Descendant;  // what joins it to the one before it; Has: the first to the anchor
  std::vector<Simple> simples;
};

struct Complex {
  std::vector<Compound> compounds;
};

struct SelectorList {
  std::vector<Complex> alternatives;
};

std::shared_ptr<const SelectorList> parseSelectorList(std::string_view text);

}  // namespace jobhost::support::html
