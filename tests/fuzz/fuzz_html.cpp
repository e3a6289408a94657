// A selector and a page, from the bytes up to and after the first line feed. Nothing may crash, nothing may take longer
// or more than its limits say, what is written is parsed again, and the links of the tree hold both ways.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "support/common/failure.hpp"
#include "support/html/parse.hpp"
#include "support/html/selector.hpp"

namespace {

namespace html = jobhost::support::html;

void check(bool good) {
  if (!good) std::abort();
}

void checkLinks(const html::Node& node) {
  const html::Node* before = nullptr;
  for (const html::Node* child = node.first; child != nullptr; child = child->next) {
    check(child->parent == &node && child->prev == before);
    before = child;
    checkLinks(*child);
  }
  check(node.last == before);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::size_t line = all.find('\n');
  const std::string_view selector_text = all.substr(0, line);
  const std::string_view page = line == std::string_view::npos ? all : all.substr(line + 1);
  try {
    html::Document document =
        page.size() % 2 == 0 ? html::parse(page, {.memory = 64 << 20, .time = std::chrono::milliseconds(2000)})
                             : html::parseFragment(page, {.memory = 64 << 20, .time = std::chrono::milliseconds(2000)});
    checkLinks(document.root());
    (void)html::textOf(document.root());
    const html::Document again = html::parseFragment(html::innerHtml(document.root()));
    checkLinks(again.root());
    const html::Selector selector = html::Selector::parse(selector_text);
    const auto found = selector.select(document, document.root(), 0, {.steps = 1'000'000});
    for (html::Node* node : found) check(node->isElement());
    const auto first = selector.first(document, document.root(), {.steps = 1'000'000});
    check(first == (found.empty() ? nullptr : found.front()));
    for (html::Node* node : found) {
      if (node->parent == nullptr) continue;
      if (size % 3 == 0) {
        html::unwrap(*node);
      } else {
        html::detach(*node);
      }
    }
    checkLinks(document.root());
  } catch (const jobhost::support::Failure& failure) {
    check(failure.kind() == jobhost::support::FailureKind::Limit ||
          failure.kind() == jobhost::support::FailureKind::BadInput);
  }
  return 0;
}
