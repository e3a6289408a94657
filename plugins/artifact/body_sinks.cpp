// The two shapes a body is written in.
#include <array>

#include "artifact/body.hpp"
#include "artifact/text.hpp"

namespace jobhost::artifact {
namespace {

// By Element.
constexpr std::array<std::string_view, 35> kNames = {
    "p",    "h2",  "h3",   "h4",  "h5",     "h6",   "pre", "blockquote", "ul",  "ol",  "li",  "table",
    "tr",   "td",  "th",   "em",  "strong", "i",    "b",   "u",          "s",   "sub", "sup", "small",
    "code", "kbd", "samp", "var", "q",      "cite", "dfn", "mark",       "bdi", "bdo", "bdo",
};
static_assert(kNames.size() == static_cast<std::size_t>(Element::RightToLeft) + 1);

std::string_view nameOf(Element element) {
  return kNames.at(static_cast<std::size_t>(element));
}

bool isContainer(Element element) {
  return element >= Element::Quote && element <= Element::HeaderCell;
}
bool isCell(Element element) {
  return element == Element::Cell || element == Element::HeaderCell;
}
bool isBlock(Element element) {
  return element <= Element::HeaderCell;
}

class XhtmlSink final : public BodySink {
 public:
  void open(Element element, Span span) override {
    (out_ += '<') += nameOf(element);
    if (span.columns > 1) out_ += " colspan=\"" + std::to_string(span.columns) + "\"";
    if (span.rows > 1) out_ += " rowspan=\"" + std::to_string(span.rows) + "\"";
    if (element == Element::LeftToRight) out_ += " dir=\"ltr\"";
    if (element == Element::RightToLeft) out_ += " dir=\"rtl\"";
    out_ += isContainer(element) ? ">\n" : ">";
  }
  void close(Element element) override { ((out_ += "</") += nameOf(element)) += isBlock(element) ? ">\n" : ">"; }
  void text(std::string_view text) override { appendEscaped(out_, text); }
  void lineBreak() override { out_ += "<br/>\n"; }
  void rule() override { out_ += "<hr/>\n"; }
  void image(const std::string& href, const std::string& alt) override {
    appendEscaped(out_ += "<img src=\"", href);
    appendEscaped(out_ += "\" alt=\"", alt);
    out_ += "\"/>";
  }
  void ruby(const std::vector<RubyPair>& pairs) override {
    out_ += "<ruby>";
    for (const auto& [base, reading] : pairs) {
      appendEscaped(out_, base);
      appendEscaped(out_ += "<rp>(</rp><rt>", reading);
      out_ += "</rt><rp>)</rp>";
    }
    out_ += "</ruby>";
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

class TextSink final : public BodySink {
 public:
  void open(Element element, Span) override {
    if (element == Element::List || element == Element::OrderedList) {
      lists_.push_back(element == Element::OrderedList ? 1 : 0);
      begin();
    } else if (element == Element::Item) {
      beginItem();
    } else if (element == Element::Row) {
      lines(first_row_ ? 2 : 1);
      first_cell_ = true;
    } else if (element == Element::Table) {
      first_row_ = true;
    } else if (isCell(element)) {
      if (!first_cell_) out_ += '\t';
      first_cell_ = false;
      ++cells_;
      glued_ = true;
    } else if (isBlock(element) && element != Element::Quote) {
      begin();
    }
  }
  void close(Element element) override {
    if (element == Element::List || element == Element::OrderedList) lists_.pop_back();
    if (element == Element::Item) glued_ = false;
    if (element == Element::Row) first_row_ = false;
    if (isCell(element)) {
      --cells_;
      glued_ = false;
    }
  }
  void text(std::string_view text) override {
    out_ += text;
    glued_ = false;
  }
  void lineBreak() override { out_ += cells_ > 0 ? ' ' : '\n'; }
  void rule() override {
    begin();
    text("* * *");
  }
  void image(const std::string& href, const std::string&) override { text("[picture: " + href + "]"); }
  void ruby(const std::vector<RubyPair>& pairs) override {
    for (const auto& [base, reading] : pairs) text(base + " (" + reading + ")");
  }
  std::string take() { return std::move(out_); }

 private:
  // Where a block begins: right behind what announced it, in the line of its cell, or after an empty line.
  void begin() {
    if (glued_) return;
    if (cells_ > 0) {
      out_ += ' ';
    } else {
      lines(2);
    }
  }
  void beginItem() {
    if (cells_ > 0) {
      begin();
    } else if (!glued_) {
      lines(1);
    }
    int& number = lists_.back();
    out_ += number == 0 ? std::string("- ") : std::to_string(number++) + ". ";
    glued_ = true;
  }
  void lines(std::size_t count) {
    if (out_.empty()) return;
    std::size_t there = 0;
    while (there < out_.size() && out_[out_.size() - 1 - there] == '\n') ++there;
    if (there < count) out_.append(count - there, '\n');
  }

  std::string out_;
  std::vector<int> lists_;  // 0: no numbers; else the next one
  int cells_ = 0;           // how deep in cells
  bool glued_ = false;
  bool first_cell_ = true, first_row_ = true;
};

template <class Sink>
std::string rendered(std::string_view html, const ImageResolver& resolve) {
  const std::string clean = cleanText(html);
  Sink sink;
  if (readBody(clean, sink, resolve)) return sink.take();
  Sink flat;
  if (!readBody(withoutTags(clean), flat, resolve)) return {};
  return flat.take();
}

}  // namespace

std::string toXhtml(std::string_view html, const ImageResolver& resolve) {
  return rendered<XhtmlSink>(html, resolve);
}

std::string toText(std::string_view html, const ImageResolver& resolve) {
  return rendered<TextSink>(html, resolve);
}

}  // namespace jobhost::artifact
