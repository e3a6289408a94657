#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/html/dom.hpp"

namespace jobhost::support::html {

struct SelectorList;  // compiled; selector.cpp

/// What one query may cost.
struct QueryLimits {
  /// One step looks at one node for one simple selector; a second or two at the default.
  std::uint64_t steps = 50'000'000;
};

/// A compiled CSS selector: level 3 (the pseudo-classes of user action match nothing, pseudo-elements are refused) with
/// `:has()`, `:is()`, `:where()`, `:not()` with lists, `:scope`, `:-soup-contains("…")` and the `i` flag of attributes.
/// Names of elements and attributes match in any case, as does the value of `type`; all else is case-sensitive.
/// Immutable: may be shared between threads.
class Selector {
 public:
  /// Throws support::Failure BadInput "selector.syntax" saying what is wrong and at which character, or Limit
  /// "selector.limit": over 4096 bytes, 64 compounds, 64 alternatives or 8 levels of parentheses.
  static Selector parse(std::string_view text);

  /// All matches below `scope` in document order, `scope` itself not among them; what is above it counts for the match.
  /// Throws support::Failure Limit "selector.steps". `max` 0: no bound on how many.
  [[nodiscard]] std::vector<const Node*> select(const Document& document, const Node& scope, std::size_t max = 0,
                                                const QueryLimits& limits = {}) const;
  [[nodiscard]] std::vector<Node*> select(Document& document, Node& scope, std::size_t max = 0,
                                          const QueryLimits& limits = {}) const;
  /// The first of them, or nullptr.
  [[nodiscard]] const Node* first(const Document& document, const Node& scope, const QueryLimits& limits = {}) const;

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  Selector(std::string text, std::shared_ptr<const SelectorList> list)
      : text_(std::move(text)), list_(std::move(list)) {}

  std::string text_;
  std::shared_ptr<const SelectorList> list_;
};

}  // namespace jobhost::support::html
