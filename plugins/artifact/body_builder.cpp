#include "artifact/body_builder.hpp"

#include <algorithm>

namespace jobhost::artifact {
namespace {

bool isCell(Element element) {
  return element == Element::Cell || element == Element::HeaderCell;
}
bool isList(Element element) {
  return element == Element::List || element == Element::OrderedList;
}

bool isSpace(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

}  // namespace

void BodyBuilder::push(Element element, Span span) {
  sink_.open(element, span);
  open_.push_back(element);
}

void BodyBuilder::closeTo(std::size_t count) {
  while (open_.size() > count) {
    sink_.close(open_.back());
    open_.pop_back();
  }
}

// Opens what must stand between the innermost open container and `element`; Paragraph stands for any block.
void BodyBuilder::makeRoomFor(Element element) {
  if (!open_.empty() && isList(open_.back()) && element != Element::Item) push(Element::Item);
  if (inside(Element::Table) && element != Element::Row) push(Element::Row);
  if (inside(Element::Row) && !isCell(element)) push(Element::Cell);
}

void BodyBuilder::enterContainer(Element element, Span span) {
  endParagraph();
  // A sibling ends what was put in for content that had none.
  const bool is_part = element == Element::Item || element == Element::Row || isCell(element);
  if (is_part) {
    const auto around = std::find_if(wanted_.rbegin(), wanted_.rend(), [](const Wanted& one) { return one.asked; });
    if (around != wanted_.rend()) closeTo(around->inside);
  }
  wanted_.push_back({element, span});
}

void BodyBuilder::leaveContainer() {
  endParagraph();
  if (wanted_.back().asked) closeTo(wanted_.back().outside);
  wanted_.pop_back();
}

void BodyBuilder::openWanted() {
  for (Wanted& one : wanted_) {
    if (one.asked) continue;
    one.asked = true;
    one.outside = one.inside = open_.size();
    const bool in_table = inside(Element::Table) || inside(Element::Row);
    const bool misplaced = (one.element == Element::Item && (open_.empty() || !isList(open_.back()))) ||
                           (one.element == Element::Row && !inside(Element::Table)) ||
                           (isCell(one.element) && !in_table);
    if (misplaced || open_.size() + 3 > kDepth) continue;
    makeRoomFor(one.element);
    push(one.element, one.span);
    one.inside = open_.size();
  }
}

void BodyBuilder::endParagraph() {
  space_ = false;
  breaks_ = 0;
  if (!paragraph_) return;
  while (!open_formats_.empty()) {
    sink_.close(open_formats_.back());
    open_formats_.pop_back();
  }
  sink_.close(*paragraph_);
  paragraph_.reset();
}

void BodyBuilder::enterKind(Element kind) {
  endParagraph();
  kinds_.push_back(kind);
}

void BodyBuilder::leaveKind() {
  endParagraph();
  kinds_.pop_back();
}

void BodyBuilder::enterFormat(Element format) {
  const bool repeated =
      std::any_of(formats_.begin(), formats_.end(), [&](const Format& one) { return one.element == format; });
  formats_.push_back({format, repeated});
}

void BodyBuilder::leaveFormat() {
  const Format leaving = formats_.back();
  formats_.pop_back();
  // Formats nest, so when it is open nothing is open within it.
  if (leaving.repeated || open_formats_.empty() || open_formats_.back() != leaving.element) return;
  sink_.close(leaving.element);
  open_formats_.pop_back();
}

void BodyBuilder::beginInline() {
  if (breaks_ > 1 && kind() == Element::Paragraph) endParagraph();
  if (!paragraph_) {
    openWanted();
    makeRoomFor(Element::Paragraph);
    paragraph_ = kind();
    sink_.open(*paragraph_, {});
    space_ = false;
    breaks_ = 0;
  }
  if (breaks_ > 0) {
    for (; breaks_ > 0; --breaks_) sink_.lineBreak();
  } else if (space_) {
    sink_.text(" ");
  }
  space_ = false;
  std::size_t depth = 0;
  for (const Format& one : formats_) {
    if (one.repeated) continue;
    if (depth++ < open_formats_.size()) continue;
    sink_.open(one.element, {});
    open_formats_.push_back(one.element);
  }
}

void BodyBuilder::text(std::string_view text) {
  if (kind() == Element::Preformatted) {
    if (text.empty()) return;
    beginInline();
    sink_.text(text);
    return;
  }
  while (!text.empty()) {
    const auto word = std::find_if_not(text.begin(), text.end(), isSpace);
    if (word != text.begin()) space_ = space_ || (paragraph_ && breaks_ == 0);
    text.remove_prefix(static_cast<std::size_t>(word - text.begin()));
    if (text.empty()) return;
    beginInline();
    // Words with single spaces between them go out together.
    std::size_t end = 0;
    while (end < text.size() &&
           !(isSpace(text[end]) && (text[end] != ' ' || end + 1 == text.size() || isSpace(text[end + 1])))) {
      ++end;
    }
    sink_.text(text.substr(0, end));
    text.remove_prefix(end);
  }
}

void BodyBuilder::lineBreak() {
  if (!paragraph_) return;
  if (kind() == Element::Preformatted) {
    sink_.lineBreak();
    return;
  }
  space_ = false;
  // A heading stays one, and shows one break however many there are.
  breaks_ = kind() == Element::Paragraph ? std::min(breaks_ + 1, 2) : 1;
}

void BodyBuilder::rule() {
  endParagraph();
  openWanted();
  makeRoomFor(Element::Paragraph);
  sink_.rule();
}

void BodyBuilder::image(const std::string& href, const std::string& alt) {
  beginInline();
  sink_.image(href, alt);
}

void BodyBuilder::ruby(const std::vector<RubyPair>& pairs) {
  beginInline();
  sink_.ruby(pairs);
}

void BodyBuilder::finish() {
  endParagraph();
  closeTo(0);
}

}  // namespace jobhost::artifact
