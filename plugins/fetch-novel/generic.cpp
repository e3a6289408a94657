#include "fetch-novel/generic.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <unordered_map>

#include "fetch-novel/regex.hpp"
#include "fetch-novel/utf8.hpp"
#include "fetch-novel/value.hpp"
#include "support/html/selector.hpp"

namespace jobhost::novel {
namespace {

namespace html = support::html;
using html::Node;

// Texts of links that lead to chapters, in the languages sources are in, or that begin with a number.
constexpr char kChapter[] =
    "(?i)\\b(chapter|chap|ch\\.|episode|ep\\.|part|section|prologue|epilogue|interlude|chapitre|cap[íi]tulo|capitolo|"
    "kapitel|hoofdstuk|rozdzia[łl]|глава|b[öo]l[üu]m|ch[ưu][ơo]ng)\\b|第\\s*[0-9〇零一二三四五六七八九十百千万]+\\s*["
    "章回节節話话卷]|"
    "제?\\s*\\d+\\s*[화장]|الفصل|^\\s*(\\d+|[IVXLC]+)[.):\\s]|^\\s*\\d+\\s*$";
constexpr char kGoodName[] =
    "(?i)(^|[-_ "
    "])(toc|chapters?|contents?|index|episodes?|list|eplister|article|entry|post|story|reader?|text|body|novel|main)";
constexpr char kBadName[] =
    "(?i)(comment|sidebar|side-bar|menu|nav|footer|header|breadcrumb|related|recommend|popular|share|social|promo|"
    "banner|advert|"
    "(^|[-_ ])ads?([-_ ]|$)|pager|pagination|widget|cookie|login|tags?([-_ ]|$))";
constexpr char kNext[] =
    "(?i)^\\W*(next( "
    "(chapter|page|part))?|下一[章页頁节回]|次(へ|の話)?|suivant|weiter|siguiente|próximo|далее|следующая( "
    "глава)?)\\W*$|^\\s*[→»›]\\s*$";

constexpr char kChapterPath[] = "(?i)/(chapter|chap|ch|episode|ep)[-_/]?\\d+";

struct Patterns {
  std::shared_ptr<const Regex> chapter = compiled(kChapter), chapter_path = compiled(kChapterPath),
                               good_name = compiled(kGoodName), bad_name = compiled(kBadName), next = compiled(kNext);

  static std::shared_ptr<const Regex> compiled(const char* text) {
    std::string error;
    auto out = Regex::compile(text, error);
    if (out == nullptr) throw std::logic_error(error);  // a slip of ours that any test finds
    return out;
  }
};

const Patterns& patterns() {
  static const Patterns all;
  return all;
}

std::string nameOf(const Node& node) {
  std::string out;
  for (const char* name : {"id", "class"}) {
    if (const std::string* value = node.attribute(name); value != nullptr) out += *value + " ";
  }
  return out;
}

double nameFactor(const Node& node) {
  const std::string name = nameOf(node);
  if (isBlank(name)) return 1;
  return (patterns().bad_name->matches(name) ? 0.25 : 1) * (patterns().good_name->matches(name) ? 1.5 : 1);
}

std::string meta(const Page& page, std::initializer_list<const char*> names) {
  const auto& tree = page.html();
  for (const char* name : names) {
    for (const Node* node = &tree->root(); node != nullptr; node = html::following(node, tree->root())) {
      if (!node->is("meta")) continue;
      const std::string* key = node->attribute("property");
      if (key == nullptr) key = node->attribute("name");
      const std::string* value = node->attribute("content");
      if (key != nullptr && value != nullptr && asciiLower(*key) == name && !isBlank(*value))
        return std::string(trimmed(*value));
    }
  }
  return {};
}

// The things JSON-LD describes on this page: a thing, a list of things, or a graph of them.
void collectThings(const Data& data, std::vector<const Data*>& out, int depth) {
  if (depth > 4 || out.size() > 100) return;
  if (data.isList()) {
    for (const Data& item : data.items) collectThings(item, out, depth + 1);
  } else if (data.isMap()) {
    out.push_back(&data);
    if (const Data* graph = data.find("@graph"); graph != nullptr) collectThings(*graph, out, depth + 1);
    if (const Data* main = data.find("mainEntity"); main != nullptr) collectThings(*main, out, depth + 1);
  }
}

// A name, a thing with a name or an address, or a list of these.
std::vector<std::string> namesIn(const Data* data) {
  std::vector<std::string> out;
  if (data == nullptr) return out;
  if (data->isList()) {
    for (const Data& item : data->items) {
      for (std::string& name : namesIn(&item)) out.push_back(std::move(name));
    }
  } else if (data->isMap()) {
    for (const char* key : {"name", "url", "contentUrl"}) {
      if (const Data* found = data->find(key); found != nullptr && found->isString()) return {found->text};
    }
  } else if (!isBlank(data->scalarText())) {
    out.push_back(data->scalarText());
  }
  return out;
}

bool isBook(const Data& thing) {
  for (const std::string& type : namesIn(thing.find("@type"))) {
    const std::string low = asciiLower(type);
    if (low.find("book") != std::string::npos || low.find("creativework") != std::string::npos || low == "article" ||
        low == "publicationissue")
      return true;
  }
  return false;
}

std::string asParagraph(std::string_view text) {
  std::string out = "<p>";
  html::appendEscapedText(out, trimmed(text));
  return out + "</p>";
}

void addDistinct(std::vector<std::string>& list, std::string text) {
  if (!isBlank(text) && std::find(list.begin(), list.end(), text) == list.end()) list.push_back(std::move(text));
}

void fromJsonLd(const Page& page, PageFacts& facts) {
  static const auto kScripts = html::Selector::parse("script[type='application/ld+json']");
  const auto& tree = page.html();
  for (const Node* script : kScripts.select(std::as_const(*tree), tree->root(), 20)) {
    std::string text;
    html::appendAllText(*script, text);
    DataError ignored;
    const auto data = parseJson(trimmed(text), ignored);
    if (!data) continue;
    std::vector<const Data*> things;
    collectThings(*data, things, 0);
    for (const Data* thing : things) {
      if (!isBook(*thing)) continue;
      const auto first = [&](const char* key) {
        const auto names = namesIn(thing->find(key));
        return names.empty() ? std::string() : names.front();
      };
      if (facts.title.empty()) facts.title = first("name");
      if (facts.title.empty()) facts.title = first("headline");
      if (facts.cover_url.empty()) facts.cover_url = page.resolve(first("image"));
      if (facts.synopsis.empty() && !isBlank(first("description"))) facts.synopsis = asParagraph(first("description"));
      if (facts.language.empty()) facts.language = languageCode(first("inLanguage"));
      if (facts.authors.empty()) {
        for (std::string& name : namesIn(thing->find("author"))) addDistinct(facts.authors, std::move(name));
      }
      if (facts.tags.empty()) {
        for (std::string& name : namesIn(thing->find("genre"))) addDistinct(facts.tags, std::move(name));
      }
    }
  }
}

struct Measure {
  double links = 0, chapters = 0, link_text = 0, text = 0, words = 0;
};

struct Link {
  const Node* node;
  std::string url, title;
  bool chapter;
};

// Adds up below `node`; recursion is bounded by the depth of the tree.
Measure measure(const Node& node, bool in_link, const std::unordered_map<const Node*, const Link*>& links,
                std::unordered_map<const Node*, Measure>& out) {
  Measure sum;
  if (node.type == html::NodeType::Text) {
    const auto size = static_cast<double>(length(trimmed(collapsed(node.data))));
    sum.text = size;
    if (in_link) sum.link_text = size;
    return sum;
  }
  if (node.is("script") || node.is("style") || node.is("template") || node.is("noscript")) return sum;
  const auto link = links.find(&node);
  if (link != links.end()) {
    sum.links = 1;
    sum.chapters = link->second->chapter ? 1 : 0;
  }
  for (const Node* child = node.first; child != nullptr; child = child->next) {
    const Measure part = measure(*child, in_link || node.is("a"), links, out);
    sum.links += part.links;
    sum.chapters += part.chapters;
    sum.link_text += part.link_text;
    sum.text += part.text;
  }
  out[&node] = sum;
  return sum;
}

std::vector<Link> linksOf(const Page& page) {
  std::vector<Link> out;
  const auto& tree = page.html();
  const auto base = parseUrl(page.url());
  for (const Node* node = &tree->root(); node != nullptr; node = html::following(node, tree->root())) {
    if (!node->is("a") || node->attribute("href") == nullptr) continue;
    const std::string resolved = page.resolve(*node->attribute("href"));
    const auto url = parseUrl(resolved);
    if (!url || !base || sourceHost(resolved) != sourceHost(page.url()) || url->text() == base->text()) continue;
    std::string title = cleanTitle(html::textOf(*node));
    if (title.empty() && node->attribute("title") != nullptr) title = cleanTitle(*node->attribute("title"));
    if (title.empty()) continue;
    const bool chapter = patterns().chapter->matches(title) || patterns().chapter_path->matches(url->path);
    out.push_back({node, url->text(), std::move(title), chapter});
  }
  return out;
}

bool isWithin(const Node* node, const Node* container) {
  while (node != nullptr && node != container) node = node->parent;
  return node == container;
}

}  // namespace

PageFacts readFacts(const Page& page) {
  PageFacts out;
  out.title = meta(page, {"og:novel:book_name", "og:title"});
  out.cover_url = page.resolve(meta(page, {"og:image", "og:image:url"}));
  if (const std::string text = meta(page, {"og:description"}); !text.empty()) out.synopsis = asParagraph(text);
  for (const char* name : {"og:novel:author", "book:author", "article:author"}) {
    const std::string author = meta(page, {name});
    if (author.find("://") == std::string::npos) addDistinct(out.authors, author);
  }
  const auto& tree = page.html();
  for (const Node* node = &tree->root(); node != nullptr; node = html::following(node, tree->root())) {
    if (node->is("html") && node->attribute("lang") != nullptr) out.language = languageCode(*node->attribute("lang"));
  }
  if (out.language.empty()) out.language = languageCode(meta(page, {"og:locale"}));
  fromJsonLd(page, out);
  if (out.title.empty()) {
    static const auto kTitle = html::Selector::parse("title");
    if (const Node* title = kTitle.first(*tree, tree->root()); title != nullptr)
      out.title = cleanTitle(html::textOf(*title));
  }
  if (out.synopsis.empty()) {
    if (const std::string text = meta(page, {"description"}); !text.empty()) out.synopsis = asParagraph(text);
  }
  if (out.authors.empty()) addDistinct(out.authors, meta(page, {"author"}));
  return out;
}

std::vector<Chapter> guessChapters(const Page& page) {
  const std::vector<Link> links = linksOf(page);
  std::unordered_map<const Node*, const Link*> by_node;
  for (const Link& link : links) by_node[link.node] = &link;
  std::unordered_map<const Node*, Measure> measures;
  const Node& root = page.html()->root();
  measure(root, false, by_node, measures);
  const Node* best = nullptr;
  double best_score = 0;
  for (const Node* node = &root; node != nullptr; node = html::following(node, root)) {
    const auto found = measures.find(node);
    if (!node->isElement() || found == measures.end() || found->second.links < 2) continue;
    const Measure& m = found->second;
    const double density = m.text > 0 ? std::min(m.link_text / m.text, 1.0) : 0;
    double score = (m.chapters + (m.links - m.chapters) * 0.3) * density * density * nameFactor(*node);
    if (node->is("nav") || node->is("header") || node->is("footer") || node->is("aside")) score *= 0.5;
    // Of a box and what it holds the inner one, unless the outer has more.
    if (score >= best_score && score > 0) {
      best_score = score;
      best = node;
    }
  }
  std::vector<Chapter> out;
  if (best == nullptr) return out;
  // A bare list is taken whole, prefaces and appendices too; among other text only what looks like a chapter.
  const Measure& chosen = measures[best];
  const bool only_chapters = chosen.chapters * 2 > chosen.links && chosen.link_text < chosen.text * 0.8;
  std::set<std::string> seen;
  for (const Link& link : links) {
    if (!isWithin(link.node, best) || (only_chapters && !link.chapter) || !seen.insert(link.url).second) continue;
    Chapter chapter;
    chapter.title = link.title;
    chapter.url = link.url;
    out.push_back(std::move(chapter));
  }
  // Counting down in most places: newest first.
  int up = 0, down = 0;
  for (std::size_t i = 1; i < out.size(); ++i) {
    const auto a = firstNumber(out[i - 1].title), b = firstNumber(out[i].title);
    if (a && b) (*b > *a ? up : down) += *a == *b ? 0 : 1;
  }
  if (down > up * 3 && down >= 2) std::reverse(out.begin(), out.end());
  return out;
}

std::string guessBody(const Page& page) {
  const auto& tree = page.html();
  const Node& root = tree->root();
  std::unordered_map<const Node*, Measure> measures;
  measure(root, false, {}, measures);
  std::unordered_map<const Node*, double> scores;
  for (const Node* node = &root; node != nullptr; node = html::following(node, root)) {
    if (node->type != html::NodeType::Text || node->parent == nullptr || !measures.contains(node->parent)) continue;
    // Prose comes in long runs: a paragraph, or text between line breaks.
    const auto size = static_cast<double>(length(trimmed(node->data)));
    if (size < 20) continue;
    const double worth =
        std::min(size / 100, 10.0) + static_cast<double>(std::count(node->data.begin(), node->data.end(), ',')) * 0.2;
    // The nearest box holds it, and with less weight the boxes around it.
    double share = 1;
    for (const Node* box = node->parent; box != nullptr && share > 0.2; box = box->parent) {
      static const std::set<std::string, std::less<>> kInline{"p", "b", "i",  "em", "strong", "span", "font",
                                                              "u", "a", "li", "q",  "small",  "sub",  "sup"};
      if (!box->isElement() || kInline.contains(box->data)) continue;
      scores[box] += worth * share;
      share *= 0.5;
    }
  }
  const Node* best = nullptr;
  double best_score = 0;
  for (const Node* node = &root; node != nullptr; node = html::following(node, root)) {
    const auto found = scores.find(node);
    if (found == scores.end()) continue;
    const double score = found->second;
    const Measure& m = measures[node];
    const double prose = m.text > 0 ? 1 - m.link_text / m.text : 0;
    double value = score * prose * nameFactor(*node);
    if (node->is("nav") || node->is("header") || node->is("footer") || node->is("aside") || node->is("form"))
      value *= 0.2;
    if (node->is("article") || node->is("main")) value *= 1.3;
    if (value > best_score) {
      best_score = value;
      best = node;
    }
  }
  if (best == nullptr || best_score < 0.3) return {};
  return html::innerHtml(*best);
}

std::string guessNext(const Page& page) {
  const auto& tree = page.html();
  const Node& root = tree->root();
  std::string by_text;
  for (const Node* node = &root; node != nullptr; node = html::following(node, root)) {
    if (!(node->is("a") || node->is("link")) || node->attribute("href") == nullptr) continue;
    const std::string url = page.resolve(*node->attribute("href"));
    if (url.empty() || sourceHost(url) != sourceHost(page.url()) || url == page.url()) continue;
    const std::string* rel = node->attribute("rel");
    if (rel != nullptr && (" " + asciiLower(collapsed(*rel)) + " ").find(" next ") != std::string::npos) return url;
    if (by_text.empty() && node->is("a") && patterns().next->matches(cleanTitle(html::textOf(*node)))) by_text = url;
  }
  return by_text;
}

Novel guessNovel(const Page& page) {
  const PageFacts facts = readFacts(page);
  Novel out;
  out.url = page.url();
  out.title = facts.title;
  if (isBlank(out.title)) {
    static const auto kHeading = html::Selector::parse("h1");
    if (const Node* heading = kHeading.first(*page.html(), page.html()->root()); heading != nullptr)
      out.title = html::textOf(*heading);
  }
  if (isBlank(out.title))
    throw CrawlError(CrawlError::Kind::Missing,
                     "no source knows this site, and " + page.url() + " does not say its title");
  out.cover_url = facts.cover_url;
  out.authors = facts.authors;
  out.tags = facts.tags;
  out.synopsis = facts.synopsis;
  out.language = facts.language;
  out.chapters = guessChapters(page);
  if (out.chapters.empty()) {
    throw CrawlError(CrawlError::Kind::Missing,
                     "no source knows this site, and nothing on " + page.url() + " looks like a list of chapters");
  }
  normalise(out, 100);
  return out;
}

}  // namespace jobhost::novel
