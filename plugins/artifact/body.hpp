#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jobhost::artifact {

/// The elements a cleaned body is made of. Blocks first, then inline elements.
enum class Element {
  Paragraph,
  Heading2,
  Heading3,
  Heading4,
  Heading5,
  Heading6,
  Preformatted,
  Quote,
  List,
  OrderedList,
  Item,
  Table,
  Row,
  Cell,
  HeaderCell,
  Emphasis,
  Strong,
  Italic,
  Bold,
  Underlined,
  Struck,
  Subscript,
  Superscript,
  Small,
  Code,
  Keyboard,
  Sample,
  Variable,
  Quotation,
  Citation,
  Definition,
  Marked,
  Isolated,
  LeftToRight,
  RightToLeft,
};

/// How many columns and rows a cell takes.
struct Span {
  int columns = 1, rows = 1;
};

/// A base text and its reading (`<ruby>`).
using RubyPair = std::pair<std::string, std::string>;

/// Takes a cleaned body. What arrives is always well nested and may be written down as it comes:
/// - blocks: Quote, Item, Cell and the body hold blocks; List and OrderedList hold Item, Table holds Row, Row holds
///   cells; Paragraph, Preformatted and headings hold inline elements, text, breaks, pictures and ruby;
/// - inline elements stand in those, each at most once on a path; text stands nowhere else;
/// - nothing is empty but by what the sink itself leaves out.
/// Text is clean UTF-8 (text.hpp), not escaped; white space is single spaces except in Preformatted.
class BodySink {
 public:
  virtual ~BodySink() = default;
  virtual void open(Element element, Span span) = 0;
  virtual void close(Element element) = 0;
  virtual void text(std::string_view text) = 0;
  virtual void lineBreak() = 0;
  virtual void rule() = 0;
  virtual void image(const std::string& href, const std::string& alt) = 0;
  virtual void ruby(const std::vector<RubyPair>& pairs) = 0;
};

/// A picture a body names as `images/<id>.<ending>`.
struct ImageReference {
  std::string id;    ///< of letters, digits, '-' and '_'
  std::string name;  ///< "images/<id>.<ending>"
};
/// Answers what to write for a picture; nullopt leaves it out.
using ImageResolver = std::function<std::optional<std::string>(const ImageReference&)>;

/// The id in an src, as a body names its pictures; nullopt for every other address.
[[nodiscard]] std::optional<ImageReference> imageReference(std::string_view src);

/// Reads HTML of any kind, however broken, and tells `sink` what a book can hold of it. The HTML is clean (text.hpp).
///
/// Scripts, forms, embedded objects, comments, attributes and links go, their text stays where it is text; unknown
/// elements are looked through. Loose text becomes paragraphs, two line breaks in a row end one; what stands in the
/// wrong place (text in a table, a list item without list) gets what it lacks. What the sink gets is at most 40 blocks
/// deep. `resolve` is asked for each picture in order; without it there are none.
/// False: the markup nests deeper than 256 elements, which costs a parser more than it says. What the sink got is not
/// to be used; withoutTags() can be read instead. Throws what the sink and the resolver throw.
[[nodiscard]] bool readBody(const std::string& html, BodySink& sink, const ImageResolver& resolve);

/// The HTML with a space for each tag; entities stay.
[[nodiscard]] std::string withoutTags(std::string_view html);

/// Any HTML as XHTML for an EPUB content document: a run of blocks, escaped; empty when there is nothing to show.
[[nodiscard]] std::string toXhtml(std::string_view html, const ImageResolver& resolve);

/// Any HTML as plain text: blocks with an empty line between them, items with a dash or number, cells with tabs between
/// them, pictures as "[picture: <what the resolver answers>]"; ends without a line end.
[[nodiscard]] std::string toText(std::string_view html, const ImageResolver& resolve);

}  // namespace jobhost::artifact
