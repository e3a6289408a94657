#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace jobhost::support::html {

enum class NodeType : unsigned char { Document, Element, Text, Comment };

struct Attribute {
  std::string name;  ///< lower case
  std::string value;
};

/// One node of a Document. The links are for reading; change them with the functions below, which keep both ends.
struct Node {
  NodeType type = NodeType::Text;
  std::string data;  ///< Element: the tag name in lower case; Text and Comment: the text; Document: empty
  std::vector<Attribute> attributes;
  Node* parent = nullptr;
  Node* first = nullptr;
  Node* last = nullptr;
  Node* prev = nullptr;
  Node* next = nullptr;

  [[nodiscard]] bool isElement() const { return type == NodeType::Element; }
  [[nodiscard]] bool is(std::string_view tag) const { return isElement() && data == tag; }
  /// The value, or nullptr when there is no such attribute. `name` in lower case.
  [[nodiscard]] const std::string* attribute(std::string_view name) const;
  void setAttribute(std::string_view name, std::string value);
  void removeAttribute(std::string_view name);
};

/// A tree and all its nodes, taken out ones too, which live as long as it does. Moving it keeps the nodes' addresses.
/// Not for sharing between threads while one writes.
class Document {
 public:
  Document();
  Document(Document&&) = default;
  Document& operator=(Document&&) = default;
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;

  [[nodiscard]] Node& root() { return nodes_.front(); }
  [[nodiscard]] const Node& root() const { return nodes_.front(); }
  /// Made by parseFragment: there is no html element, `:scope` is the root itself.
  [[nodiscard]] bool fragment() const { return fragment_; }
  void setFragment(bool fragment) { fragment_ = fragment; }
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }

  Node& create(NodeType type, std::string data);
  /// A deep copy of another tree's node, not yet in this tree.
  Node& copyOf(const Node& other);

 private:
  std::deque<Node> nodes_;
  bool fragment_ = false;
};

/// Puts `child`, which must have no parent, at the end of `parent`.
void append(Node& parent, Node& child);
/// Puts `node`, which must have no parent, before `place`.
void insertBefore(Node& place, Node& node);
/// Takes the node with all below it out of its tree.
void detach(Node& node);
/// Puts the node's children in its place.
void unwrap(Node& node);

/// The node after `node` in document order within `root`; nullptr at the end.
const Node* following(const Node* node, const Node& root);
Node* following(Node* node, const Node& root);
/// The same without what is below `node`.
const Node* skipping(const Node* node, const Node& root);
Node* skipping(Node* node, const Node& root);

/// The text of the node and all below, nothing inserted. Comments have none; scripts, styles, templates and what frames
/// hold for browsers without them only count when asked for themselves.
std::string textOf(const Node& node);
/// Whether the element's text is for readers.
bool isVisible(const Node& element);
/// Appends all text at or below the node, scripts too.
void appendAllText(const Node& node, std::string& out);

/// As HTML that parses to the same tree, but for what writtenName() says.
std::string outerHtml(const Node& node);
std::string innerHtml(const Node& node);
void appendEscapedText(std::string& out, std::string_view text);
void appendEscapedAttribute(std::string& out, std::string_view value);
/// The name an element is written with: its own, and pre for xmp and plaintext, which look the same. Their text stands
/// for itself, so it cannot be escaped; one cannot hold its own end, the other never ends.
std::string_view writtenName(const Node& element);
/// Elements without content and end tag: br, img, …
bool isVoidElement(std::string_view tag);

}  // namespace jobhost::support::html
