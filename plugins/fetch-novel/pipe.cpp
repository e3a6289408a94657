#include <algorithm>
#include <charconv>
#include <unordered_set>

#include "fetch-novel/markup.hpp"
#include "fetch-novel/utf8.hpp"
#include "fetch-novel/value.hpp"
#include "support/html/parse.hpp"

namespace jobhost::novel {
namespace {

namespace html = support::html;
using html::Node;

constexpr std::size_t kListItems = 200'000;

bool hasElement(const Node& node) {
  for (const Node* child = node.first; child != nullptr; child = child->next) {
    if (child->isElement()) return true;
  }
  return false;
}

// Calls `visit` for each element below `root` in document order; it may take the element out or unwrap it.
template <class F>
void eachElement(Node& root, F visit) {
  for (Node* at = root.first; at != nullptr;) {
    Node* const down = html::following(at, root);
    Node* const over = html::skipping(at, root);
    if (!at->isElement()) {
      at = down;
      continue;
    }
    // Unwrapped, its first child stands where it was; taken out, what is below goes with it.
    at = visit(*at) ? over : down;
  }
}

void dropEmptyNodes(Node& root) {
  eachElement(root, [](Node& node) {
    if (node.is("img") || !isBlank(html::textOf(node)) || hasImage(node)) return false;
    html::detach(node);
    return true;
  });
}

const std::vector<std::string> kBlocks{"article", "aside", "div", "h1",   "h2", "h3",
                                       "h4",      "h5",    "h6",  "main", "p",  "section"};

// The elements a step takes for the node's blocks; a fragment's lone wrapper is looked through.
std::vector<Node*> blocksOf(Node& root) {
  std::vector<Node*> out;
  for (Node* child = root.first; child != nullptr; child = child->next) {
    if (child->isElement()) out.push_back(child);
  }
  if (root.type == html::NodeType::Document && out.size() == 1) return blocksOf(*out.front());
  return out;
}

// A heading holds a line and no blocks. Some themes wrap the whole chapter in one element that begins with the title;
// taking that out would lose the chapter.
bool looksLikeHeading(const Node& node, std::size_t whole) {
  for (const Node* at = html::following(&node, node); at != nullptr; at = html::following(at, node)) {
    if (at->isElement() && isOneOf(kBlocks, at->data)) return false;
  }
  return whole == 0 || html::textOf(node).size() * 10 < whole * 9;
}

void dropLeading(Node& root, const Step& step) {
  const std::size_t whole = html::textOf(root).size();
  int seen = 0;
  for (Node* block : blocksOf(root)) {
    if (seen++ == step.number) return;
    if (step.pattern->matches(html::textOf(*block)) && looksLikeHeading(*block, whole)) {
      html::detach(*block);
      return;
    }
  }
}

void unlazy(Node& image) {
  static constexpr const char* kOrder[] = {"data-lazy-src", "data-src", "src"};
  std::string chosen;
  for (const char* name : kOrder) {
    const std::string* value = image.attribute(name);
    if (value != nullptr && chosen.empty()) chosen = trimmed(*value);
  }
  for (const char* name : kOrder) image.removeAttribute(name);
  if (!chosen.empty()) image.setAttribute("src", chosen);
}

void changeNode(html::Document& tree, Node& root, const Step& step) {
  switch (step.op) {
    case StepOp::StripTags:
      eachElement(root, [&](Node& node) {
        if (!isOneOf(step.names, node.data)) return false;
        html::detach(node);
        return true;
      });
      break;
    case StepOp::StripCss:
      for (const html::Selector& selector : step.selectors) {
        for (Node* node : selector.select(tree, root)) html::detach(*node);
      }
      break;
    case StepOp::StripMatching:
      // A container holds the words of all it contains, so only leaves are looked at unless tags are named.
      eachElement(root, [&](Node& node) {
        const bool leaf = !hasElement(node);
        const bool looked_at = step.names.empty() ? leaf : isOneOf(step.names, node.data);
        if (!looked_at || !step.pattern->matches(html::textOf(node))) return false;
        html::detach(node);
        return true;
      });
      break;
    case StepOp::Unwrap:
    case StepOp::UnwrapAll:
      eachElement(root, [&](Node& node) {
        if (step.op == StepOp::UnwrapAll || isOneOf(step.names, node.data)) html::unwrap(node);
        return false;
      });
      break;
    case StepOp::KeepAttrs: {
      const auto keep = [&](Node& node) {
        std::erase_if(node.attributes,
                      [&](const html::Attribute& attribute) { return !isOneOf(step.names, attribute.name); });
        return false;
      };
      keep(root);
      eachElement(root, keep);
      break;
    }
    case StepOp::UnlazyImages:
      if (root.is("img")) unlazy(root);
      eachElement(root, [](Node& node) {
        if (node.is("img")) unlazy(node);
        return false;
      });
      break;
    case StepOp::DropLeading:
      dropLeading(root, step);
      break;
    case StepOp::DropEmptyNodes:
      dropEmptyNodes(root);
      break;
    default:
      break;
  }
}

std::string strippedEnds(std::string text, const std::vector<std::string>& marks, bool prefix) {
  for (const std::string& mark : marks) {
    if (mark.empty()) continue;
    if (prefix && text.starts_with(mark)) text.erase(0, mark.size());
    if (!prefix && text.ends_with(mark)) text.resize(text.size() - mark.size());
  }
  return text;
}

Value changeText(const std::string& text, const Step& step) {
  switch (step.op) {
    case StepOp::ParseHtml: {
      auto tree = std::make_shared<html::Document>(html::parseFragment(text));
      Node* root = &tree->root();
      return Value::ofNode(std::move(tree), root, true);
    }
    case StepOp::Trim:
      return Value::ofText(std::string(trimmed(text)));
    case StepOp::CollapseSpaces:
      return Value::ofText(collapsed(text));
    case StepOp::Lower:
      return Value::ofText(lower(text));
    case StepOp::TitleCase:
      return Value::ofText(titleCase(text));
    case StepOp::NormalizeUnicode:
      return Value::ofText(normalized(text, step.form));
    case StepOp::StripPrefix:
      return Value::ofText(strippedEnds(text, step.names, true));
    case StepOp::StripSuffix:
      return Value::ofText(strippedEnds(text, step.names, false));
    case StepOp::Replace:
      return Value::ofText(step.pattern->replaceAll(text, step.text));
    case StepOp::RegexStep: {
      auto found = step.pattern->search(text, step.number);
      return found ? Value::ofText(*std::move(found)) : Value{};
    }
    case StepOp::Reject:
      return step.pattern->matches(text) ? Value{} : Value::ofText(text);
    case StepOp::Split: {
      std::vector<Value> parts;
      for (std::size_t at = 0; parts.size() < kListItems;) {
        const std::size_t end = std::min(text.find(step.text, at), text.size());
        parts.push_back(Value::ofText(text.substr(at, end - at)));
        if (end == text.size()) break;
        at = end + step.text.size();
      }
      return Value::ofList(std::move(parts));
    }
    default:
      return Value::ofText(text);
  }
}

Value changeOne(Value value, const Step& step) {
  if (value.kind == Value::Kind::Empty) return value;
  if (!takesNode(step.op)) return changeText(value.asText(), step);
  if (value.kind != Value::Kind::Node) return value;  // a const or a default among markup
  switch (step.op) {
    case StepOp::Paragraphs:
      return Value::ofText(paragraphsOf(*value.node, step.names, step.preserve));
    case StepOp::InnerHtml:
      return Value::ofText(html::innerHtml(*value.node));
    case StepOp::Text:
      return Value::ofText(html::textOf(*value.node));
    default:
      break;
  }
  if (!value.own) {
    auto copy = std::make_shared<html::Document>();
    copy->setFragment(true);
    Node& node = copy->copyOf(*value.node);
    if (node.type != html::NodeType::Document) html::append(copy->root(), node);
    value = Value::ofNode(std::move(copy), &node, true);
  }
  changeNode(*value.tree, *value.node, step);
  return value;
}

std::string inElement(const std::string& text, const Step& step) {
  std::string out = "<" + step.text;
  if (step.attr.empty()) {
    out += ">";
    html::appendEscapedText(out, text);
    return out + "</" + step.text + ">";
  }
  out += " " + step.attr + "=\"";
  html::appendEscapedAttribute(out, text);
  return out + (html::isVoidElement(step.text) ? "\">" : "\"></" + step.text + ">");
}

Value changeList(Value value, const Step& step) {
  if (value.kind == Value::Kind::Empty) return value;
  std::vector<Value> items =
      value.kind == Value::Kind::List ? std::move(value.items) : std::vector<Value>{std::move(value)};
  switch (step.op) {
    case StepOp::DropEmpty:
      std::erase_if(items, [](const Value& item) { return item.isEmpty(); });
      break;
    case StepOp::Unique: {
      std::unordered_set<std::string> seen;
      std::erase_if(items, [&](const Value& item) { return !seen.insert(item.asText()).second; });
      break;
    }
    case StepOp::Join: {
      std::string out;
      for (std::size_t i = 0; i < items.size(); ++i) out += (i > 0 ? step.text : "") + items[i].asText();
      return Value::ofText(std::move(out));
    }
    case StepOp::Max:
    case StepOp::Min: {
      std::optional<double> best;
      Value out;
      for (Value& item : items) {
        const auto number = wholeNumber(item.asText());
        if (!number || (best && (step.op == StepOp::Max ? *number <= *best : *number >= *best))) continue;
        best = number;
        out = Value::ofText(std::string(trimmed(item.asText())));
      }
      return out;
    }
    case StepOp::LinesToHtml: {
      std::string out;
      for (const Value& item : items) {
        if (!item.isEmpty()) out += inElement(item.asText(), step);
      }
      return Value::ofText(std::move(out));
    }
    default:
      break;
  }
  return Value::ofList(std::move(items));
}

}  // namespace

Value runPipe(Value value, const Pipe& pipe) {
  for (const Step& step : pipe) {
    if (takesList(step.op)) {
      value = changeList(std::move(value), step);
    } else if (value.kind == Value::Kind::List) {
      std::vector<Value> items;
      items.reserve(value.items.size());
      for (Value& item : value.items) {
        Value one = changeOne(std::move(item), step);
        if (one.kind == Value::Kind::List) {  // split of each of a list: one flat list
          std::move(one.items.begin(), one.items.end(), std::back_inserter(items));
        } else {
          items.push_back(std::move(one));
        }
      }
      value = Value::ofList(std::move(items));
    } else {
      value = changeOne(std::move(value), step);
    }
  }
  return value;
}

}  // namespace jobhost::novel
