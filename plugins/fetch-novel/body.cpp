#include "fetch-novel/body.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "fetch-novel/digest.hpp"
#include "fetch-novel/url.hpp"
#include "fetch-novel/utf8.hpp"
#include "fetch-novel/value.hpp"
#include "support/html/parse.hpp"

namespace jobhost::novel {
namespace {

namespace html = support::html;
using html::Node;

constexpr std::array<std::string_view, 29> kRemoved{
    "address", "amp-auto-ads", "audio",    "button",  "figcaption", "footer",   "form",   "header", "iframe", "input",
    "ins",     "map",          "nav",      "noembed", "noframes",   "noscript", "object", "output", "script", "select",
    "source",  "style",        "textarea", "tfoot",   "video",      "template", "link",   "meta",   "svg"};
constexpr std::array<std::string_view, 6> kFlattened{"a", "abbr", "acronym", "label", "span", "time"};
constexpr std::array<std::string_view, 6> kKept{"colspan", "rowspan", "headers", "scope", "axis", "id"};

// Besides the usual ones, what would not be well-formed inside of a paragraph.
const std::vector<std::string>& blockTags() {
  static const std::vector<std::string> kTags{
      "article", "aside",   "div",    "h1",     "h2",      "h3",      "h4",       "h5",      "h6",     "main",
      "p",       "section", "center", "figure", "details", "summary", "fieldset", "hgroup",  "search", "li",
      "dt",      "dd",      "td",     "th",     "tr",      "tbody",   "thead",    "caption", "dir",    "listing"};
  return kTags;
}
const std::vector<std::string>& aloneTags() {
  static const std::vector<std::string> kTags{"pre", "table", "ul", "ol", "dl", "blockquote"};
  return kTags;
}

template <class Names>
bool isOneOf(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Of a style only what makes letters slanted or bold.
std::string fontStyle(std::string_view style) {
  std::string out;
  for (std::size_t at = 0; at < style.size();) {
    const std::size_t end = std::min(style.find(';', at), style.size());
    const std::string_view rule = style.substr(at, end - at);
    const std::size_t colon = std::min(rule.find(':'), rule.size());
    const std::string name = asciiLower(trimmed(rule.substr(0, colon)));
    const std::string value = asciiLower(trimmed(rule.substr(std::min(colon + 1, rule.size()))));
    const bool plain = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    });
    if ((name == "font-style" || name == "font-weight") && plain) out += (out.empty() ? "" : ";") + name + ":" + value;
    at = end + 1;
  }
  return out;
}

// Names of tags may hold nearly anything ("a<b"), those that stay must not.
bool isPlainName(std::string_view name) {
  const auto letter = [](char c) { return c >= 'a' && c <= 'z'; };
  return !name.empty() && letter(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '-'; });
}

// Whether it cannot stand in a paragraph.
bool holdsBlock(const Node& node) {
  for (const Node* at = html::following(&node, node); at != nullptr; at = html::following(at, node)) {
    if (!at->isElement()) continue;
    const std::string_view name = html::writtenName(*at);
    if (isOneOf(blockTags(), name) || isOneOf(aloneTags(), name)) return true;
  }
  return false;
}

class Cleaner {
 public:
  Cleaner(html::Document& tree, const BodyOptions& options)
      : tree_(tree), options_(options), base_(parseUrl(options.chapter_url)) {}

  void clean() {
    Node& root = tree_.root();
    for (Node* at = root.first; at != nullptr;) {
      Node* down = html::following(at, root);
      Node* over = html::skipping(at, root);
      if (at->type == html::NodeType::Comment || (at->isElement() && isOneOf(kRemoved, at->data))) {
        html::detach(*at);
        at = over;
      } else if (at->type == html::NodeType::Text) {
        at->data = withoutControls(at->data);
        at = down;
      } else if (at->is("img")) {
        if (!image(*at)) html::detach(*at);
        at = over;
      } else {
        attributes(*at);
        if (isOneOf(kFlattened, at->data)) {
          flatten(*at);
        } else if (!isPlainName(at->data) || ((at->is("canvas") || at->is("ruby")) && holdsBlock(*at))) {
          html::unwrap(*at);
        }
        at = down;
      }
    }
  }

  std::vector<BodyImage> images;

 private:
  bool image(Node& node) {
    std::string found;
    for (const char* name : {"data-lazy-src", "data-src", "src"}) {
      if (const std::string* value = node.attribute(name); value != nullptr && found.empty()) found = trimmed(*value);
    }
    const std::string* own = node.attribute("alt");
    // Stored already: the address is ours.
    if (own != nullptr && found == "images/" + *own + ".jpg" && own->size() == 32) {
      node.attributes = {{"src", found}, {"alt", *own}};
      return true;
    }
    if (found.empty() || found.starts_with("data:")) return false;
    const auto url = base_ ? resolveUrl(*base_, found) : parseUrl(found);
    if (!url) return false;
    const std::string absolute = url->text();
    const std::string id = imageId(options_.site, options_.chapter_url, absolute);
    if (seen_.insert(id).second) images.push_back({id, absolute});
    node.attributes = {{"src", "images/" + id + ".jpg"}, {"alt", id}};
    return true;
  }

  // A span that slants or thickens its letters says something; others are the theme's.
  static void flatten(Node& node) {
    const std::string style = node.attribute("style") == nullptr ? std::string() : *node.attribute("style");
    if (style.find("font-style:italic") != std::string::npos || style.find("font-style:oblique") != std::string::npos) {
      node.data = "em";
    } else if (style.find("font-weight:bold") != std::string::npos ||
               style.find("font-weight:6") != std::string::npos || style.find("font-weight:7") != std::string::npos ||
               style.find("font-weight:8") != std::string::npos || style.find("font-weight:9") != std::string::npos) {
      node.data = "strong";
    } else {
      html::unwrap(node);
      return;
    }
    node.attributes.clear();
  }

  static void attributes(Node& node) {
    std::string style;
    if (const std::string* found = node.attribute("style"); found != nullptr) style = fontStyle(*found);
    std::erase_if(node.attributes, [](const html::Attribute& attribute) { return !isOneOf(kKept, attribute.name); });
    for (html::Attribute& attribute : node.attributes) attribute.value = withoutControls(attribute.value);
    if (!style.empty()) node.setAttribute("style", style);
  }

  html::Document& tree_;
  const BodyOptions& options_;
  std::optional<Url> base_;
  std::set<std::string> seen_;
};

void dropBlocked(html::Document& tree, const std::vector<std::string>& texts) {
  if (texts.empty()) return;
  std::set<std::string> blocked;
  for (const std::string& text : texts) blocked.insert(folded(trimmed(collapsed(text))));
  for (Node* at = tree.root().first; at != nullptr;) {
    Node* const next = at->next;
    if (at->is("p") && blocked.contains(folded(trimmed(collapsed(html::textOf(*at)))))) html::detach(*at);
    at = next;
  }
}

}  // namespace

std::string imageId(std::string_view site, std::string_view chapter_url, std::string_view image_url) {
  std::string all(site);
  all += '\n';
  all += chapter_url;
  all += '\n';
  return hexMd5(all.append(image_url));
}

Body cleanBody(std::string_view text, const BodyOptions& options) {
  html::Document tree = html::parseFragment(text);
  Cleaner cleaner(tree, options);
  cleaner.clean();
  static const std::vector<std::string> kPreserve{"img", "canvas", "ruby"};
  Body out;
  out.html = paragraphsOf(tree.root(), blockTags(), kPreserve, aloneTags());
  if (!options.text_blocklist.empty()) {
    html::Document again = html::parseFragment(out.html);
    dropBlocked(again, options.text_blocklist);
    out.html = html::innerHtml(again.root());
  }
  out.images = std::move(cleaner.images);
  return out;
}

}  // namespace jobhost::novel
