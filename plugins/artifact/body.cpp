#include "artifact/body.hpp"

#include <libxml/HTMLparser.h>
#include <libxml/parser.h>

#include <algorithm>
#include <charconv>
#include <exception>
#include <map>
#include <memory>

#include "artifact/body_builder.hpp"
#include "artifact/text.hpp"
#include "support/common/failure.hpp"

namespace jobhost::artifact {
namespace {

enum class Role {
  LookThrough,  // its content stands where it stands
  Dropped,      // goes with its content
  Block,        // ends the paragraph before and after
  Container,
  Kind,
  Format,
  Break,
  Rule,
  Image,
  Ruby,
  RubyText,
  RubyBase,
};

struct Meaning {
  Role role = Role::LookThrough;
  Element element = Element::Paragraph;
};

Meaning meaningOf(std::string_view name) {
  using enum Element;
  static const std::map<std::string_view, Meaning> all = {
      {"p", {Role::Block}},
      {"div", {Role::Block}},
      {"section", {Role::Block}},
      {"article", {Role::Block}},
      {"aside", {Role::Block}},
      {"main", {Role::Block}},
      {"header", {Role::Block}},
      {"footer", {Role::Block}},
      {"nav", {Role::Block}},
      {"address", {Role::Block}},
      {"center", {Role::Block}},
      {"figure", {Role::Block}},
      {"figcaption", {Role::Block}},
      {"details", {Role::Block}},
      {"summary", {Role::Block}},
      {"dl", {Role::Block}},
      {"dt", {Role::Block}},
      {"fieldset", {Role::Block}},
      {"legend", {Role::Block}},
      {"form", {Role::Block}},
      {"caption", {Role::Block}},
      {"thead", {Role::Block}},
      {"tbody", {Role::Block}},
      {"tfoot", {Role::Block}},
      {"dd", {Role::Container, Quote}},
      {"blockquote", {Role::Container, Quote}},
      {"ul", {Role::Container, List}},
      {"menu", {Role::Container, List}},
      {"dir", {Role::Container, List}},
      {"ol", {Role::Container, OrderedList}},
      {"li", {Role::Container, Item}},
      {"table", {Role::Container, Table}},
      {"tr", {Role::Container, Row}},
      {"td", {Role::Container, Cell}},
      {"th", {Role::Container, HeaderCell}},
      // h1 is the chapter's title.
      {"h1", {Role::Kind, Heading2}},
      {"h2", {Role::Kind, Heading2}},
      {"h3", {Role::Kind, Heading3}},
      {"h4", {Role::Kind, Heading4}},
      {"h5", {Role::Kind, Heading5}},
      {"h6", {Role::Kind, Heading6}},
      {"pre", {Role::Kind, Preformatted}},
      {"listing", {Role::Kind, Preformatted}},
      {"xmp", {Role::Kind, Preformatted}},
      {"em", {Role::Format, Emphasis}},
      {"strong", {Role::Format, Strong}},
      {"i", {Role::Format, Italic}},
      {"b", {Role::Format, Bold}},
      {"u", {Role::Format, Underlined}},
      {"ins", {Role::Format, Underlined}},
      {"s", {Role::Format, Struck}},
      {"strike", {Role::Format, Struck}},
      {"del", {Role::Format, Struck}},
      {"sub", {Role::Format, Subscript}},
      {"sup", {Role::Format, Superscript}},
      {"small", {Role::Format, Small}},
      {"code", {Role::Format, Code}},
      {"tt", {Role::Format, Code}},
      {"kbd", {Role::Format, Keyboard}},
      {"samp", {Role::Format, Sample}},
      {"var", {Role::Format, Variable}},
      {"q", {Role::Format, Quotation}},
      {"cite", {Role::Format, Citation}},
      {"dfn", {Role::Format, Definition}},
      {"mark", {Role::Format, Marked}},
      {"bdi", {Role::Format, Isolated}},
      {"bdo", {Role::Format, RightToLeft}},
      {"br", {Role::Break}},
      {"hr", {Role::Rule}},
      {"img", {Role::Image}},
      {"ruby", {Role::Ruby}},
      {"rt", {Role::RubyText}},
      {"rb", {Role::RubyBase}},
      {"rp", {Role::Dropped}},
      {"head", {Role::Dropped}},
      {"title", {Role::Dropped}},
      {"script", {Role::Dropped}},
      {"style", {Role::Dropped}},
      {"template", {Role::Dropped}},
      {"noscript", {Role::Dropped}},
      {"iframe", {Role::Dropped}},
      {"object", {Role::Dropped}},
      {"embed", {Role::Dropped}},
      {"applet", {Role::Dropped}},
      {"audio", {Role::Dropped}},
      {"video", {Role::Dropped}},
      {"canvas", {Role::Dropped}},
      {"svg", {Role::Dropped}},
      {"math", {Role::Dropped}},
      {"map", {Role::Dropped}},
      {"select", {Role::Dropped}},
      {"textarea", {Role::Dropped}},
      {"button", {Role::Dropped}},
      {"datalist", {Role::Dropped}},
      {"frameset", {Role::Dropped}},
      {"noframes", {Role::Dropped}},
  };
  const auto found = all.find(name);
  return found == all.end() ? Meaning{} : found->second;
}

bool isIdCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  return out;
}

int spanOf(const std::string& text, int most) {
  int value = 1;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return std::clamp(value, 1, most);
}

/// Takes libxml2's events for one body.
class BodyReader {
 public:
  BodyReader(BodySink& sink, const ImageResolver& resolve) : builder_(sink), resolve_(resolve) {}

  /// False: the markup nests too deep, and nothing more was read.
  bool read(const std::string& html) {
    const std::unique_ptr<htmlParserCtxt, decltype(&htmlFreeParserCtxt)> parser(htmlNewParserCtxt(),
                                                                                &htmlFreeParserCtxt);
    if (!parser) throw std::bad_alloc();
    *parser->sax = {};
    parser->sax->startElement = [](void* self, const xmlChar* name, const xmlChar** attributes) {
      guarded(self, [&](BodyReader& reader) { reader.start(view(name), attributes); });
    };
    parser->sax->endElement = [](void* self, const xmlChar*) {
      guarded(self, [](BodyReader& reader) { reader.end(); });
    };
    parser->sax->characters = [](void* self, const xmlChar* text, int length) {
      guarded(self, [&](BodyReader& reader) {
        reader.text({reinterpret_cast<const char*>(text), static_cast<std::size_t>(length)});
      });
    };
    parser->sax->ignorableWhitespace = parser->sax->characters;
    parser->userData = this;
    parser_ = parser.get();
    // The document's own idea of its encoding is that of the page it came from.
    xmlDoc* document = htmlCtxtReadMemory(
        parser.get(), html.data(), static_cast<int>(html.size()), nullptr, "UTF-8",
        HTML_PARSE_NONET | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_RECOVER | HTML_PARSE_IGNORE_ENC);
    if (document != nullptr) xmlFreeDoc(document);
    parser_ = nullptr;
    if (thrown_) std::rethrow_exception(thrown_);
    if (too_deep_) return false;
    while (!frames_.empty()) end();
    builder_.finish();
    return true;
  }

 private:
  struct Frame {
    Meaning meaning;
    bool italic = false, bold = false;  // by its style
  };
  static constexpr std::size_t kMarkupDepth = 256;

  static std::string_view view(const xmlChar* text) { return reinterpret_cast<const char*>(text); }

  // No exception may pass through libxml2's C.
  template <class Act>
  static void guarded(void* self, const Act& act) {
    auto& reader = *static_cast<BodyReader*>(self);
    if (reader.thrown_ || reader.too_deep_) return;
    try {
      act(reader);
    } catch (...) {
      reader.thrown_ = std::current_exception();
      xmlStopParser(reader.parser_);
    }
  }

  // An author who forgot the end of one means no paragraph in it.
  static bool endsRuby(Role role) {
    return role == Role::Block || role == Role::Container || role == Role::Kind || role == Role::Break ||
           role == Role::Rule || role == Role::Ruby;
  }

  static std::string attribute(const xmlChar** attributes, std::string_view name) {
    for (; attributes != nullptr && attributes[0] != nullptr; attributes += 2) {
      if (view(attributes[0]) == name) return attributes[1] == nullptr ? std::string() : cleanText(view(attributes[1]));
    }
    return {};
  }

  void start(std::string_view name, const xmlChar** attributes) {
    if (frames_.size() >= kMarkupDepth) {
      too_deep_ = true;
      xmlStopParser(parser_);
      return;
    }
    Frame frame{meaningOf(name)};
    Meaning& meaning = frame.meaning;
    if (dropped_ > 0) meaning.role = Role::Dropped;
    if (in_ruby_ && endsRuby(meaning.role)) {
      endRuby();
      in_ruby_ = false;
    }
    if (in_ruby_ && meaning.role == Role::Format) meaning.role = Role::LookThrough;
    if (name == "bdo" && lowered(attribute(attributes, "dir")) == "ltr") meaning.element = Element::LeftToRight;
    if (meaning.role != Role::Dropped && !in_ruby_) {
      const std::string style = lowered(attribute(attributes, "style"));
      frame.italic = style.find("italic") != std::string::npos || style.find("oblique") != std::string::npos;
      frame.bold = style.find("bold") != std::string::npos;
    }
    frames_.push_back(frame);
    begin(meaning, attributes);
    if (frame.italic) builder_.enterFormat(Element::Italic);
    if (frame.bold) builder_.enterFormat(Element::Bold);
  }

  void begin(const Meaning& meaning, const xmlChar** attributes) {
    switch (meaning.role) {
      case Role::LookThrough:
        return;
      case Role::Dropped:
        ++dropped_;
        return;
      case Role::Block:
        builder_.endParagraph();
        return;
      case Role::Container:
        builder_.enterContainer(meaning.element, {spanOf(attribute(attributes, "colspan"), 1000),
                                                  spanOf(attribute(attributes, "rowspan"), 1000)});
        return;
      case Role::Kind:
        builder_.enterKind(meaning.element);
        return;
      case Role::Format:
        builder_.enterFormat(meaning.element);
        return;
      case Role::Break:
        builder_.lineBreak();
        return;
      case Role::Rule:
        builder_.rule();
        return;
      case Role::Image:
        image(attributes);
        return;
      case Role::Ruby:
        in_ruby_ = true;
        return;
      case Role::RubyText:
      case Role::RubyBase:
        endReading();
        in_reading_ = in_ruby_ && meaning.role == Role::RubyText;
        return;
    }
  }

  void end() {
    if (frames_.empty()) return;
    const Frame frame = frames_.back();
    frames_.pop_back();
    if (frame.bold) builder_.leaveFormat();
    if (frame.italic) builder_.leaveFormat();
    switch (frame.meaning.role) {
      case Role::Dropped:
        --dropped_;
        return;
      case Role::Block:
        builder_.endParagraph();
        return;
      case Role::Container:
        builder_.leaveContainer();
        return;
      case Role::Kind:
        builder_.leaveKind();
        return;
      case Role::Format:
        builder_.leaveFormat();
        return;
      case Role::RubyText:
        endReading();
        return;
      case Role::Ruby:
        endRuby();
        in_ruby_ = false;
        return;
      case Role::LookThrough:
      case Role::Break:
      case Role::Rule:
      case Role::Image:
      case Role::RubyBase:
        return;
    }
  }

  void text(std::string_view text) {
    if (dropped_ > 0) return;
    const std::string clean = cleanText(text);
    if (in_ruby_) {
      (in_reading_ ? reading_ : base_) += clean;
    } else {
      builder_.text(clean);
    }
  }

  void endReading() {
    if (!in_reading_) return;
    in_reading_ = false;
    std::string base = oneLine(base_, base_.size()), reading = oneLine(reading_, reading_.size());
    base_.clear();
    reading_.clear();
    if (!base.empty() && !reading.empty()) {
      pairs_.emplace_back(std::move(base), std::move(reading));
    } else {
      base_ = base + reading;  // one without the other is plain text
    }
  }

  void endRuby() {
    endReading();
    if (!pairs_.empty()) builder_.ruby(pairs_);
    pairs_.clear();
    builder_.text(base_);
    base_.clear();
  }

  void image(const xmlChar** attributes) {
    if (in_ruby_) endRuby();
    const auto reference = imageReference(attribute(attributes, "src"));
    const auto href = reference && resolve_ ? resolve_(*reference) : std::nullopt;
    if (!href) return;
    const std::string alt = oneLine(attribute(attributes, "alt"));
    builder_.image(*href, alt == reference->id ? std::string() : alt);  // the crawler puts the id there
  }

  BodyBuilder builder_;
  const ImageResolver& resolve_;
  htmlParserCtxt* parser_ = nullptr;  // while it runs
  std::exception_ptr thrown_;
  bool too_deep_ = false;
  std::vector<Frame> frames_;
  int dropped_ = 0;
  bool in_ruby_ = false, in_reading_ = false;
  std::string base_, reading_;
  std::vector<RubyPair> pairs_;
};

}  // namespace

std::optional<ImageReference> imageReference(std::string_view src) {
  if (src.starts_with("./")) src.remove_prefix(2);
  if (!src.starts_with("images/")) return std::nullopt;
  const std::string_view file = src.substr(7);
  const std::size_t dot = file.find('.');
  if (dot == std::string_view::npos || dot == 0 || dot > 64) return std::nullopt;
  const std::string_view id = file.substr(0, dot), ending = file.substr(dot + 1);
  if (ending.empty() || ending.size() > 5) return std::nullopt;
  const auto isSafe = [](std::string_view text) { return std::all_of(text.begin(), text.end(), isIdCharacter); };
  if (!isSafe(id) || !isSafe(ending)) return std::nullopt;
  return ImageReference{std::string(id), std::string(src)};
}

std::string withoutTags(std::string_view html) {
  std::string out;
  while (!html.empty()) {
    const std::size_t tag = std::min(html.find('<'), html.size());
    out += html.substr(0, tag);
    html.remove_prefix(tag);
    const std::size_t end = html.find('>');
    html.remove_prefix(end == std::string_view::npos ? html.size() : end + 1);
    out += ' ';
  }
  return out;
}

bool readBody(const std::string& html, BodySink& sink, const ImageResolver& resolve) {
  return html.empty() || BodyReader(sink, resolve).read(html);
}

}  // namespace jobhost::artifact
