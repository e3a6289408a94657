#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/body.hpp"

namespace jobhost::artifact {

/// Makes well-nested events out of what an author meant: elements begin and end as the markup says, and nothing is told
/// to the sink before there is something to show in it.
///
/// Two stacks: what the markup wants open, and what is open in the sink. Containers, paragraphs and inline elements are
/// opened when content comes, with the list item, row or cell that is missing between them.
class BodyBuilder {
 public:
  explicit BodyBuilder(BodySink& sink) : sink_(sink) {}

  /// A container (Quote … HeaderCell); end it with leaveContainer.
  void enterContainer(Element element, Span span = {});
  void leaveContainer();
  /// Ends the paragraph; the next content begins another.
  void endParagraph();
  /// What paragraphs are from here on: Paragraph, Preformatted or a heading. Ends the current one.
  void enterKind(Element kind);
  void leaveKind();
  /// An inline element; one that is already wanted counts once. End it with leaveFormat.
  void enterFormat(Element format);
  void leaveFormat();

  void text(std::string_view text);
  void lineBreak();
  void rule();
  void image(const std::string& href, const std::string& alt);
  void ruby(const std::vector<RubyPair>& pairs);

  /// Ends all that is open in the sink.
  void finish();

 private:
  struct Wanted {
    Element element;
    Span span;
    bool asked = false;       // it was decided whether it opens
    std::size_t outside = 0;  // how many were open before it and what it lacked; meaningful once asked
    std::size_t inside = 0;   // how many with it
  };
  struct Format {
    Element element;
    bool repeated;  // wanted by one outside already
  };

  [[nodiscard]] Element kind() const { return kinds_.empty() ? Element::Paragraph : kinds_.back(); }
  [[nodiscard]] bool inside(Element element) const { return !open_.empty() && open_.back() == element; }
  void push(Element element, Span span = {});
  void closeTo(std::size_t count);
  void makeRoomFor(Element element);
  void openWanted();
  void beginInline();

  static constexpr std::size_t kDepth = 40;

  BodySink& sink_;
  std::vector<Wanted> wanted_;
  std::vector<Element> open_;
  std::vector<Element> kinds_;
  std::vector<Format> formats_;        // wanted
  std::vector<Element> open_formats_;  // in the paragraph
  std::optional<Element> paragraph_;
  bool space_ = false;  // white space that shows only if something follows
  int breaks_ = 0;      // line breaks, likewise
};

}  // namespace jobhost::artifact
