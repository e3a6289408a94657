#include "support/html/selector.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include "support/common/failure.hpp"
#include "support/html/selector_ast.hpp"

namespace jobhost::support::html {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool isSpace(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

bool hasWord(std::string_view list, std::string_view word) {
  if (word.empty()) return false;
  for (std::size_t i = 0; i < list.size();) {
    while (i < list.size() && isSpace(list[i])) ++i;
    const std::size_t start = i;
    while (i < list.size() && !isSpace(list[i])) ++i;
    if (list.substr(start, i - start) == word) return true;
  }
  return false;
}

bool compareAttribute(SimpleKind kind, std::string_view have, std::string_view want) {
  switch (kind) {
    case SimpleKind::Equals:
      return have == want;
    case SimpleKind::Includes:
      return hasWord(have, want);
    case SimpleKind::DashMatch:
      return have == want || (have.size() > want.size() && have.starts_with(want) && have[want.size()] == '-');
    // An empty value matches nothing in these three.
    case SimpleKind::Prefix:
      return !want.empty() && have.starts_with(want);
    case SimpleKind::Suffix:
      return !want.empty() && have.ends_with(want);
    case SimpleKind::Substring:
      return !want.empty() && have.find(want) != std::string_view::npos;
    default:
      return false;
  }
}

bool isFormControl(const Node& node) {
  static constexpr std::array<std::string_view, 7> kControls{"button",   "input",  "select",  "textarea",
                                                             "optgroup", "option", "fieldset"};
  return std::find(kControls.begin(), kControls.end(), node.data) != kControls.end();
}

const Node* nextElement(const Node* node) {
  do node = node->next;
  while (node != nullptr && !node->isElement());
  return node;
}

const Node* prevElement(const Node* node) {
  do node = node->prev;
  while (node != nullptr && !node->isElement());
  return node;
}

// Where an element stands among its siblings, from 1.
struct Places {
  int child, child_end, type, type_end;
};

struct Key {
  const Complex* complex;
  std::size_t position;
  const Node* node;
  bool operator==(const Key&) const = default;
};

struct KeyHash {
  std::size_t operator()(const Key& key) const {
    const auto a = reinterpret_cast<std::uintptr_t>(key.complex) >> 4;
    const auto b = reinterpret_cast<std::uintptr_t>(key.node) >> 4;
    return (a * 31 + key.position) * 0x9E3779B97F4A7C15u + b * 0xC2B2AE3D27D4EB4Fu;
  }
};

// One query. Complex selectors are matched from the right; what was found out about "the part up to here ends at this
// node", and about its ancestors and earlier siblings, is kept, so that no selector is exponential or worse than nodes
// × compounds. :has() goes down instead, with one bit a compound; its answer is kept for each element.
class Matcher {
 public:
  Matcher(const Document& document, const Node& scope, const QueryLimits& limits) : steps_(limits.steps) {
    scope_ = &scope;
    if (scope.type == NodeType::Document && !document.fragment()) {
      for (const Node* child = scope.first; child != nullptr; child = child->next) {
        if (child->isElement()) scope_ = child;
      }
    }
  }

  bool matches(const SelectorList& list, const Node& node) {
    return std::any_of(list.alternatives.begin(), list.alternatives.end(),
                       [&](const Complex& complex) { return endsAt(complex, complex.compounds.size() - 1, node); });
  }

 private:
  void spend(std::uint64_t steps) {
    if (steps > steps_) throw Failure(FailureKind::Limit, "selector.steps", "the selector takes too long on this page");
    steps_ -= steps;
  }

  // Whether compounds [0, position] match with the last of them at `node`.
  bool endsAt(const Complex& complex, std::size_t position, const Node& node) {
    if (!matchesCompound(complex.compounds[position], node)) return false;
    if (position == 0) return true;
    switch (complex.compounds[position].before) {
      case Combinator::Child:
        return node.parent != nullptr && kept(ends_, complex, position - 1, *node.parent);
      case Combinator::Next: {
        const Node* before = prevElement(&node);
        return before != nullptr && kept(ends_, complex, position - 1, *before);
      }
      case Combinator::Descendant:
        return among(above_, complex, position - 1, node, [](const Node* n) { return n->parent; });
      case Combinator::Later:
        return among(earlier_, complex, position - 1, node, &prevElement);
    }
    return false;
  }

  using Memo = std::unordered_map<Key, bool, KeyHash>;

  bool kept(Memo& memo, const Complex& complex, std::size_t position, const Node& node) {
    const Key key{&complex, position, &node};
    if (const auto found = memo.find(key); found != memo.end()) return found->second;
    const bool answer = endsAt(complex, position, node);
    memo.emplace(key, answer);
    return answer;
  }

  // Whether any node from `step(node)` on is an end. The chain is cut where an answer is known already, and all of it
  // up to the end that was found has the same answer.
  template <class Step>
  bool among(Memo& memo, const Complex& complex, std::size_t position, const Node& node, Step step) {
    if (const auto found = memo.find({&complex, position, &node}); found != memo.end()) return found->second;
    bool answer = false;
    const Node* at = step(&node);
    for (; at != nullptr; at = step(at)) {
      spend(1);
      if (kept(ends_, complex, position, *at)) {
        answer = true;
        break;
      }
      if (const auto found = memo.find({&complex, position, at}); found != memo.end()) {
        answer = found->second;
        break;
      }
    }
    for (const Node* passed = &node; passed != at; passed = step(passed))
      memo.emplace(Key{&complex, position, passed}, answer);
    return answer;
  }

  bool matchesCompound(const Compound& compound, const Node& node) {
    spend(1 + compound.simples.size());
    if (!node.isElement()) {
      // The root of a fragment is no element; only :scope names it.
      return &node == scope_ && compound.simples.size() == 1 && compound.simples[0].kind == SimpleKind::Scope;
    }
    return std::all_of(compound.simples.begin(), compound.simples.end(),
                       [&](const Simple& simple) { return matchesSimple(simple, node); });
  }

  bool matchesSimple(const Simple& simple, const Node& node) {
    switch (simple.kind) {
      case SimpleKind::Tag:
        return node.data == simple.name;
      case SimpleKind::Id: {
        const std::string* id = node.attribute("id");
        return id != nullptr && *id == simple.name;
      }
      case SimpleKind::Class: {
        const std::string* names = node.attribute("class");
        return names != nullptr && hasWord(*names, simple.name);
      }
      case SimpleKind::HasAttribute:
        return node.attribute(simple.name) != nullptr;
      case SimpleKind::Equals:
      case SimpleKind::Includes:
      case SimpleKind::DashMatch:
      case SimpleKind::Prefix:
      case SimpleKind::Suffix:
      case SimpleKind::Substring: {
        const std::string* value = node.attribute(simple.name);
        if (value == nullptr) return false;
        spend(value->size() / 64);
        return simple.ignore_case ? compareAttribute(simple.kind, lowered(*value), lowered(simple.value))
                                  : compareAttribute(simple.kind, *value, simple.value);
      }
      case SimpleKind::Nth:
        return matchesNth(simple, node);
      case SimpleKind::Root:
        return node.parent != nullptr && node.parent->type == NodeType::Document;
      case SimpleKind::Empty:
        for (const Node* child = node.first; child != nullptr; child = child->next) {
          if (child->isElement() || (child->type == NodeType::Text && !child->data.empty())) return false;
        }
        return true;
      case SimpleKind::Link:
        return (node.data == "a" || node.data == "area" || node.data == "link") && node.attribute("href") != nullptr;
      case SimpleKind::Enabled:
        return isFormControl(node) && node.attribute("disabled") == nullptr;
      case SimpleKind::Disabled:
        return isFormControl(node) && node.attribute("disabled") != nullptr;
      case SimpleKind::Checked:
        return node.data == "option" ? node.attribute("selected") != nullptr
                                     : node.data == "input" && node.attribute("checked") != nullptr;
      case SimpleKind::Lang:
        return matchesLang(simple, node);
      case SimpleKind::Never:
        return false;
      case SimpleKind::Scope:
        return &node == scope_;
      case SimpleKind::Contains:
        return contains(simple, node);
      case SimpleKind::Is:
        return matches(*simple.list, node);
      case SimpleKind::Not:
        return !matches(*simple.list, node);
      case SimpleKind::Has:
        return has(simple, node);
    }
    return false;
  }

  bool matchesNth(const Simple& simple, const Node& node) {
    const Places& places = placesOf(node);
    const int place = simple.of_type ? (simple.from_end ? places.type_end : places.type)
                                     : (simple.from_end ? places.child_end : places.child);
    const int rest = place - simple.b;
    if (simple.a == 0) return rest == 0;
    return rest % simple.a == 0 && rest / simple.a >= 0;
  }

  // Counts all siblings at once, so that :nth-child over a long list is linear.
  const Places& placesOf(const Node& node) {
    if (const auto found = places_.find(&node); found != places_.end()) return found->second;
    const Node* first = &node;
    if (node.parent != nullptr) {
      first = node.parent->first;
      if (!first->isElement()) first = nextElement(first);
    }
    int child = 0;
    std::unordered_map<std::string_view, int> types;
    const Node* last = first;
    for (const Node* at = first; at != nullptr; at = nextElement(at)) {
      spend(1);
      places_[at] = {++child, 0, ++types[at->data], 0};
      last = at;
    }
    child = 0;
    types.clear();
    for (const Node* at = last; at != nullptr; at = prevElement(at)) {
      Places& places = places_[at];
      places.child_end = ++child;
      places.type_end = ++types[at->data];
    }
    return places_[&node];
  }

  static bool matchesLang(const Simple& simple, const Node& node) {
    for (const Node* at = &node; at != nullptr; at = at->parent) {
      if (const std::string* lang = at->attribute("lang"); lang != nullptr) {
        return compareAttribute(SimpleKind::DashMatch, lowered(*lang), simple.value);
      }
    }
    return false;
  }

  bool contains(const Simple& simple, const Node& node) {
    std::string text;
    appendAllText(node, text);
    spend(text.size() / 16);
    for (const Node* at = following(&node, node); at != nullptr; at = following(at, node)) spend(1);
    return std::any_of(simple.texts.begin(), simple.texts.end(),
                       [&](const std::string& part) { return text.find(part) != std::string::npos; });
  }

  bool has(const Simple& simple, const Node& anchor) {
    const auto key = std::pair{&simple, &anchor};
    const std::size_t hash = KeyHash{}({nullptr, reinterpret_cast<std::uintptr_t>(key.first), key.second});
    auto [begin, end] = has_.equal_range(hash);
    for (; begin != end; ++begin) {
      if (begin->second.first == key) return begin->second.second;
    }
    const auto& alternatives = simple.list->alternatives;
    const bool answer = std::any_of(alternatives.begin(), alternatives.end(),
                                    [&](const Complex& complex) { return hasOne(complex, anchor); });
    has_.emplace(hash, std::pair{key, answer});
    return answer;
  }

  // Bit 0 stands for the anchor, bit i + 1 for "compounds up to i end here".
  struct Level {
    std::uint64_t parent = 0, above = 0, previous = 0, earlier = 0;
  };

  bool hasOne(const Complex& complex, const Node& anchor) {
    const Combinator lead = complex.compounds.front().before;
    if (lead == Combinator::Descendant || lead == Combinator::Child) {
      return hasAmong(complex, anchor.first, {.parent = 1, .above = 1});
    }
    return hasAmong(complex, anchor.next, {.previous = 1, .earlier = 1});
  }

  // Recursion is bounded by the depth of the tree.
  bool hasAmong(const Complex& complex, const Node* node, Level level) {
    const std::uint64_t goal = std::uint64_t{1} << complex.compounds.size();
    for (; node != nullptr; node = node->next) {
      if (!node->isElement()) continue;
      std::uint64_t here = 0;
      for (std::size_t i = 0; i < complex.compounds.size(); ++i) {
        const std::uint64_t from = std::uint64_t{1} << i;
        std::uint64_t ready = 0;
        switch (complex.compounds[i].before) {
          case Combinator::Descendant:
            ready = level.above;
            break;
          case Combinator::Child:
            ready = level.parent;
            break;
          case Combinator::Next:
            ready = level.previous;
            break;
          case Combinator::Later:
            ready = level.earlier;
            break;
        }
        if ((ready & from) != 0 && matchesCompound(complex.compounds[i], *node)) here |= from << 1;
      }
      if ((here & goal) != 0) return true;
      if (node->first != nullptr && hasAmong(complex, node->first, {.parent = here, .above = level.above | here}))
        return true;
      level.previous = here;
      level.earlier |= here;
    }
    return false;
  }

  const Node* scope_;
  std::uint64_t steps_;
  Memo ends_, above_, earlier_;
  std::unordered_map<const Node*, Places> places_;
  std::unordered_multimap<std::size_t, std::pair<std::pair<const Simple*, const Node*>, bool>> has_;
};

}  // namespace

Selector Selector::parse(std::string_view text) {
  auto list = parseSelectorList(text);
  return {std::string(text), std::move(list)};
}

std::vector<const Node*> Selector::select(const Document& document, const Node& scope, std::size_t max,
                                          const QueryLimits& limits) const {
  Matcher matcher(document, scope, limits);
  std::vector<const Node*> out;
  for (const Node* node = following(&scope, scope); node != nullptr; node = following(node, scope)) {
    if (!node->isElement() || !matcher.matches(*list_, *node)) continue;
    out.push_back(node);
    if (out.size() == max) break;
  }
  return out;
}

std::vector<Node*> Selector::select(Document& document, Node& scope, std::size_t max, const QueryLimits& limits) const {
  std::vector<Node*> out;
  for (const Node* node : select(std::as_const(document), std::as_const(scope), max, limits)) {
    out.push_back(const_cast<Node*>(node));  // the caller's own tree
  }
  return out;
}

const Node* Selector::first(const Document& document, const Node& scope, const QueryLimits& limits) const {
  const auto found = select(document, scope, 1, limits);
  return found.empty() ? nullptr : found.front();
}

}  // namespace jobhost::support::html
