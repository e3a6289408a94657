#include "fetch-novel/value.hpp"

#include <charconv>

#include "fetch-novel/utf8.hpp"

namespace jobhost::novel {
namespace {

namespace html = support::html;
using html::Node;

}  // namespace

Value Value::ofText(std::string text) {
  Value out;
  out.kind = Kind::Text;
  out.text = std::move(text);
  return out;
}

Value Value::ofNode(std::shared_ptr<html::Document> tree, Node* node, bool own) {
  Value out;
  out.kind = Kind::Node;
  out.tree = std::move(tree);
  out.node = node;
  out.own = own;
  return out;
}

Value Value::ofList(std::vector<Value> items) {
  Value out;
  out.kind = Kind::List;
  out.items = std::move(items);
  return out;
}

bool Value::isEmpty() const {
  switch (kind) {
    case Kind::Empty:
      return true;
    case Kind::Text:
      return isBlank(text);
    case Kind::Node:
      return node == nullptr;
    case Kind::List:
      return items.empty();
  }
  return true;
}

std::string Value::asText() const {
  switch (kind) {
    case Kind::Text:
      return text;
    case Kind::Node:
      return html::textOf(*node);
    case Kind::List:
      for (const Value& item : items) {
        if (!item.isEmpty()) return item.asText();
      }
      return {};
    case Kind::Empty:
      return {};
  }
  return {};
}

std::vector<std::string> Value::asTexts() const {
  if (kind != Kind::List) return isEmpty() ? std::vector<std::string>{} : std::vector<std::string>{asText()};
  std::vector<std::string> out;
  for (const Value& item : items) {
    if (std::string one = item.asText(); !isBlank(one)) out.push_back(std::move(one));
  }
  return out;
}

std::optional<double> wholeNumber(std::string_view text) {
  std::string digits;
  for (const char c : trimmed(text)) {
    if (c != ',' || digits.empty()) digits += c;
  }
  double out = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), out, std::chars_format::fixed);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return out;
}

std::optional<double> firstNumber(std::string_view text) {
  const std::size_t at = text.find_first_of("0123456789");
  if (at == std::string_view::npos) return std::nullopt;
  const char* start = text.data() + at - (at > 0 && text[at - 1] == '-' ? 1 : 0);
  double out = 0;
  const auto [end, error] = std::from_chars(start, text.data() + text.size(), out, std::chars_format::fixed);
  if (error != std::errc{}) return std::nullopt;
  return out;
}

}  // namespace jobhost::novel
