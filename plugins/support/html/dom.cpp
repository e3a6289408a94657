#include "support/html/dom.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace jobhost::support::html {
namespace {

constexpr std::array<std::string_view, 15> kVoid{"area", "base", "br",    "col",    "embed", "hr",  "img",  "input",
                                                 "link", "meta", "param", "source", "track", "wbr", "frame"};
constexpr std::array<std::string_view, 5> kRawText{"script", "style", "iframe", "noembed", "noframes"};

// For programs, or for browsers of another time.
bool isHiddenText(std::string_view tag) {
  return tag == "template" || std::find(kRawText.begin(), kRawText.end(), tag) != kRawText.end();
}

bool isRawText(const Node* node) {
  if (node == nullptr || !node->isElement() ||
      std::find(kRawText.begin(), kRawText.end(), node->data) == kRawText.end())
    return false;
  // In drawings and formulas the same names are elements like all others.
  for (const Node* up = node->parent; up != nullptr; up = up->parent) {
    if (up->is("svg") || up->is("math")) return false;
  }
  return true;
}

// Parsers leave out a line end right behind these.
bool eatsLineEnd(std::string_view tag) {
  return tag == "pre" || tag == "textarea" || tag == "listing";
}

template <class N>
N* skippingOf(N* node, const Node& root) {
  while (node != nullptr && node != &root) {
    if (node->next != nullptr) return node->next;
    node = node->parent;
  }
  return nullptr;
}

template <class N>
N* followingOf(N* node, const Node& root) {
  return node->first != nullptr ? node->first : skippingOf<N>(node, root);
}

void appendStart(std::string& out, const Node& node) {
  out += '<';
  out += writtenName(node);
  for (const Attribute& attribute : node.attributes) {
    out += ' ';
    out += attribute.name;
    out += "=\"";
    appendEscapedAttribute(out, attribute.value);
    out += '"';
  }
  out += '>';
  const Node* first = node.first;
  const bool line_end = first != nullptr && first->type == NodeType::Text && first->data.starts_with('\n');
  if (line_end && eatsLineEnd(writtenName(node))) out += '\n';
}

// The tree is as deep as ParseLimits::depth lets it be, so recursion is bounded.
void appendHtml(std::string& out, const Node& node) {
  switch (node.type) {
    case NodeType::Text:
      if (isRawText(node.parent)) {
        out += node.data;
      } else {
        appendEscapedText(out, node.data);
      }
      return;
    case NodeType::Comment:
      out += "<!--";
      out += node.data;
      out += "-->";
      return;
    case NodeType::Element:
      appendStart(out, node);
      if (isVoidElement(node.data)) return;
      break;
    case NodeType::Document:
      break;
  }
  for (const Node* child = node.first; child != nullptr; child = child->next) appendHtml(out, *child);
  if (node.isElement()) {
    out += "</";
    out += writtenName(node);
    out += '>';
  }
}

void appendVisibleText(const Node& node, std::string& out) {
  if (node.type == NodeType::Text) out += node.data;
  for (const Node* child = node.first; child != nullptr; child = child->next) {
    if (!(child->isElement() && isHiddenText(child->data))) appendVisibleText(*child, out);
  }
}

}  // namespace

const std::string* Node::attribute(std::string_view name) const {
  for (const Attribute& attribute : attributes) {
    if (attribute.name == name) return &attribute.value;
  }
  return nullptr;
}

void Node::setAttribute(std::string_view name, std::string value) {
  for (Attribute& attribute : attributes) {
    if (attribute.name == name) {
      attribute.value = std::move(value);
      return;
    }
  }
  attributes.push_back({std::string(name), std::move(value)});
}

void Node::removeAttribute(std::string_view name) {
  std::erase_if(attributes, [name](const Attribute& attribute) { return attribute.name == name; });
}

Document::Document() {
  nodes_.emplace_back().type = NodeType::Document;
}

Node& Document::create(NodeType type, std::string data) {
  Node& node = nodes_.emplace_back();
  node.type = type;
  node.data = std::move(data);
  return node;
}

Node& Document::copyOf(const Node& other) {
  Node& copy = create(other.type, other.data);
  copy.attributes = other.attributes;
  for (const Node* child = other.first; child != nullptr; child = child->next) append(copy, copyOf(*child));
  return copy;
}

void append(Node& parent, Node& child) {
  child.parent = &parent;
  child.prev = parent.last;
  child.next = nullptr;
  (parent.last != nullptr ? parent.last->next : parent.first) = &child;
  parent.last = &child;
}

void insertBefore(Node& place, Node& node) {
  node.parent = place.parent;
  node.prev = place.prev;
  node.next = &place;
  if (place.prev != nullptr) {
    place.prev->next = &node;
  } else if (place.parent != nullptr) {
    place.parent->first = &node;
  }
  place.prev = &node;
}

void detach(Node& node) {
  if (node.prev != nullptr) {
    node.prev->next = node.next;
  } else if (node.parent != nullptr) {
    node.parent->first = node.next;
  }
  if (node.next != nullptr) {
    node.next->prev = node.prev;
  } else if (node.parent != nullptr) {
    node.parent->last = node.prev;
  }
  node.parent = node.prev = node.next = nullptr;
}

void unwrap(Node& node) {
  while (node.first != nullptr) {
    Node& child = *node.first;
    detach(child);
    insertBefore(node, child);
  }
  detach(node);
}

const Node* following(const Node* node, const Node& root) {
  return followingOf(node, root);
}
Node* following(Node* node, const Node& root) {
  return followingOf(node, root);
}
const Node* skipping(const Node* node, const Node& root) {
  return skippingOf(node, root);
}
Node* skipping(Node* node, const Node& root) {
  return skippingOf(node, root);
}

std::string textOf(const Node& node) {
  std::string out;
  appendVisibleText(node, out);
  return out;
}

bool isVisible(const Node& element) {
  return !isHiddenText(element.data);
}

void appendAllText(const Node& node, std::string& out) {
  if (node.type == NodeType::Text) out += node.data;
  for (const Node* child = node.first; child != nullptr; child = child->next) appendAllText(*child, out);
}

std::string outerHtml(const Node& node) {
  std::string out;
  appendHtml(out, node);
  return out;
}

std::string innerHtml(const Node& node) {
  std::string out;
  for (const Node* child = node.first; child != nullptr; child = child->next) appendHtml(out, *child);
  return out;
}

void appendEscapedText(std::string& out, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    switch (text[i]) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        // A no-break space is named, as browsers do, so that it can be told from a space.
        if (text[i] == '\xC2' && i + 1 < text.size() && text[i + 1] == '\xA0') {
          out += "&nbsp;";
          ++i;
        } else {
          out += text[i];
        }
    }
  }
}

void appendEscapedAttribute(std::string& out, std::string_view value) {
  for (const char c : value) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
}

std::string_view writtenName(const Node& element) {
  return element.data == "xmp" || element.data == "plaintext" ? std::string_view("pre")
                                                              : std::string_view(element.data);
}

bool isVoidElement(std::string_view tag) {
  return std::find(kVoid.begin(), kVoid.end(), tag) != kVoid.end();
}

}  // namespace jobhost::support::html
