// The paragraphs step.
#include "fetch-novel/markup.hpp"
#include "fetch-novel/utf8.hpp"
#include "fetch-novel/value.hpp"

namespace jobhost::novel {
namespace {

namespace html = support::html;
using html::Node;

class Paragraphs {
 public:
  Paragraphs(const std::vector<std::string>& blocks, const std::vector<std::string>& preserve,
             const std::vector<std::string>& alone)
      : blocks_(blocks), preserve_(preserve), alone_(alone) {}

  std::string of(const Node& node) {
    if (node.isElement() && isOneOf(preserve_, node.data)) {
      keep(node);
    } else {
      walk(node);
    }
    flush();
    return std::move(out_);
  }

 private:
  void flush() {
    if (content_) {
      out_ += "<p>";
      // What is inside of open inline elements began after them; each is closed here and opened again in the next.
      out_ += trimmed(current_);
      for (auto at = open_.rbegin(); at != open_.rend(); ++at) out_ += "</" + *at + ">";
      out_ += "</p>";
    }
    current_.clear();
    content_ = false;
    for (const std::string& tag : open_) current_ += "<" + tag + ">";
  }

  void keep(const Node& node) {
    current_ += html::outerHtml(node);
    content_ = content_ || !isBlank(html::textOf(node)) || hasImage(node) || node.is("canvas");
  }

  void walk(const Node& parent) {
    for (const Node* child = parent.first; child != nullptr; child = child->next) {
      if (child->type == html::NodeType::Comment) continue;
      if (child->type == html::NodeType::Text) {
        html::appendEscapedText(current_, child->data);
        content_ = content_ || !isBlank(child->data);
        continue;
      }
      if (!html::isVisible(*child)) continue;
      const std::string tag(html::writtenName(*child));
      if (isOneOf(alone_, tag)) {
        flush();
        if (!isBlank(html::textOf(*child)) || hasImage(*child)) out_ += html::outerHtml(*child);
      } else if (isOneOf(preserve_, tag)) {
        keep(*child);
      } else if (tag == "br" || tag == "hr") {
        flush();
      } else if (isOneOf(blocks_, tag)) {
        flush();
        walk(*child);
        flush();
      } else {
        inlined(*child);
      }
    }
  }

  void inlined(const Node& node) {
    if (isBlank(html::textOf(node)) && !hasImage(node)) {
      // Nothing to format; a break in it still is one.
      walk(node);
      return;
    }
    const std::string tag(html::writtenName(node));
    const std::string start = "<" + tag + ">";
    current_ += start;
    open_.push_back(tag);
    walk(node);
    open_.pop_back();
    if (current_.ends_with(start)) {
      current_.resize(current_.size() - start.size());  // nothing came after the last break in it
    } else {
      current_ += "</" + tag + ">";
    }
  }

  const std::vector<std::string>& blocks_;
  const std::vector<std::string>& preserve_;
  const std::vector<std::string>& alone_;
  std::vector<std::string> open_;
  std::string current_, out_;
  bool content_ = false;
};

}  // namespace

std::string paragraphsOf(const Node& node, const std::vector<std::string>& block_tags,
                         const std::vector<std::string>& preserve, const std::vector<std::string>& alone) {
  return Paragraphs(block_tags, preserve, alone).of(node);
}

}  // namespace jobhost::novel
