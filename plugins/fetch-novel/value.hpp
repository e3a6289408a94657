#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fetch-novel/spec.hpp"
#include "support/html/dom.hpp"

namespace jobhost::novel {

/// What an extractor is working on: nothing, a text, a piece of markup, or a list of these.
struct Value {
  enum class Kind : unsigned char { Empty, Text, Node, List };

  Kind kind = Kind::Empty;
  std::string text;
  std::shared_ptr<support::html::Document> tree;  ///< Node: keeps it alive
  support::html::Node* node = nullptr;
  bool own = false;  ///< Node: a copy of ours, to be changed freely
  std::vector<Value> items;

  static Value ofText(std::string text);
  static Value ofNode(std::shared_ptr<support::html::Document> tree, support::html::Node* node, bool own = false);
  static Value ofList(std::vector<Value> items);

  /// Nothing, blank text, or a list without entries.
  [[nodiscard]] bool isEmpty() const;
  /// The text, that of the first entry of a list which has one, or that of the node.
  [[nodiscard]] std::string asText() const;
  /// All texts of a list that are not blank; a single text is a list of one.
  [[nodiscard]] std::vector<std::string> asTexts() const;
};

/// Runs the steps. Pages are never changed: the first step that would works on a copy. A step for one value runs on
/// each of a list, and what becomes empty stays in its place until drop_empty. Throws support::Failure Limit.
Value runPipe(Value value, const Pipe& pipe);

/// The paragraphs step. What is in `alone` is kept whole between paragraphs, not in one.
std::string paragraphsOf(const support::html::Node& node, const std::vector<std::string>& block_tags,
                         const std::vector<std::string>& preserve, const std::vector<std::string>& alone = {});

/// The number in a text that is nothing else ("1,024" too).
std::optional<double> wholeNumber(std::string_view text);
/// The first number of a text: "Chapter 12.5" has 12.5.
std::optional<double> firstNumber(std::string_view text);

}  // namespace jobhost::novel
