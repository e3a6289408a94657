#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fetch-novel/data.hpp"
#include "fetch-novel/regex.hpp"
#include "fetch-novel/template.hpp"
#include "fetch-novel/utf8.hpp"
#include "support/html/selector.hpp"

namespace jobhost::novel {

// A source spec as it is run: typed, merged with its parents, checked. Format `spec: 1`; the guide is in README.md.

/// Where a part of a spec is written; goes into every error that a page causes.
struct Where {
  std::string file;  ///< "specs/example.org.yaml"
  int line = 0;
  std::string field;  ///< "toc.items.fields.url"

  [[nodiscard]] std::string text() const;  ///< "specs/example.org.yaml:12: toc.items.fields.url"
};

enum class StepOp : unsigned char {
  StripTags,
  StripCss,
  Unwrap,
  UnwrapAll,
  KeepAttrs,
  UnlazyImages,
  DropLeading,
  StripMatching,
  DropEmptyNodes,  // node → node
  Paragraphs,
  InnerHtml,  // node → html
  ParseHtml,  // text → node
  Text,       // node → text
  Trim,
  CollapseSpaces,
  Lower,
  TitleCase,
  NormalizeUnicode,
  StripPrefix,
  StripSuffix,
  Replace,
  RegexStep,
  Reject,
  Split,  // text → list
  DropEmpty,
  Unique,  // list → list
  Join,
  Max,
  Min,          // list → text
  LinesToHtml,  // list → html
};

struct Step {
  StepOp op = StepOp::Trim;
  std::vector<std::string> names;  ///< tags, attributes, prefixes, suffixes; Paragraphs: block tags
  std::vector<std::string> preserve;
  std::vector<support::html::Selector> selectors;
  std::shared_ptr<const Regex> pattern;
  std::string text;  ///< Replace: with; Split, Join: the separator; LinesToHtml: the tag
  std::string attr;
  int number = -1;  ///< RegexStep: the group; DropLeading: within
  NormalForm form = NormalForm::Nfkc;
};

using Pipe = std::vector<Step>;

/// Whether a step works on markup rather than text.
bool takesNode(StepOp op);
bool givesNode(StepOp op);
bool takesList(StepOp op);

/// Decides the default pipe and whether the value is an address of the page's document.
enum class FieldKind : unsigned char { Plain, Tags, Prose, Url };

struct Extractor {
  std::optional<support::html::Selector> css;
  std::optional<std::string> json;
  std::shared_ptr<const Regex> regex;
  std::string header;
  std::optional<Template> text;  ///< const
  std::vector<std::string> attr;
  bool attr_declared = false;
  bool all = false;
  Pipe pipe;  ///< the field's default when none is declared
  bool pipe_declared = false;
  std::vector<Extractor> fallback;
  std::vector<std::string> otherwise;  ///< default; several: a list
  bool has_default = false;
  FieldKind kind = FieldKind::Plain;
  Where where;
};

struct Request;

struct Var {
  enum class On : unsigned char { Url, Novel, Chapter, Own };
  Extractor extractor;
  On on = On::Novel;
  std::shared_ptr<const Request> request;  ///< Own
  bool renew = false;
};

struct Paginate {
  enum class Until : unsigned char { HasItems, Last, Next };
  Until until = Until::HasItems;
  std::optional<Extractor> last, next, first_from;
  int last_number = 0;  ///< without `last`
  int first = 1;
  int step = 1;
  std::optional<Template> url;
  Where where;
};

/// A payload as it is written, with its templates compiled.
struct Payload {
  struct Member;

  Data::Kind kind = Data::Kind::Null;
  std::string literal;           ///< Bool, Number
  std::optional<Template> text;  ///< String
  std::vector<Payload> items;
  std::vector<Member> members;
};

struct Payload::Member {
  std::string name;
  Payload value;
};

struct Request {
  enum class Method : unsigned char { Stage, Get, Post, Page, From };
  Method method = Method::Stage;  ///< Stage: a GET of the address that the stage has anyway
  std::string name;
  std::optional<Template> url;
  std::string page;
  std::vector<Request> from;
  Payload payload;  ///< a Map, or Null
  std::optional<support::html::Selector> form;
  std::vector<std::pair<std::string, Template>> headers;
  std::string encoding;  ///< a name of charsetName, or empty
  bool render = false;   ///< needs a browser: this request fails
  std::optional<Paginate> paginate;
  Where where;
};

struct Field {
  std::string name;
  std::optional<Extractor> extractor;
  std::optional<Template> text;  ///< instead
};

struct ItemList {
  std::optional<Request> request;
  std::optional<support::html::Selector> css, script;
  std::optional<std::string> json;
  std::vector<Field> fields;  ///< in order
  std::vector<std::string> require;
  std::string sort_by;
  bool reverse = false;
  Where where;
};

struct NovelStage {
  std::optional<Request> request;
  std::optional<Extractor> title, cover, authors, tags, synopsis, language;
};

struct TocStage {
  std::optional<Request> request;
  std::optional<ItemList> items, volumes;
};

struct ChapterStage {
  std::optional<Request> request;
  std::optional<Extractor> url_from;
  std::optional<Template> url;
  std::optional<Extractor> body;
  std::string join;
};

/// One source, ready to crawl. Immutable; any thread.
struct Spec {
  std::string file;
  std::string host;  ///< as of sourceHost(); empty: abstract
  std::string base_url;
  std::string origin;
  std::string version;  ///< digest of all the files it is made of
  std::string language;
  double rate_limit_s = 3;  ///< seconds between two requests
  int chapters_per_volume = 100;
  bool has_manga = false;
  bool has_mtl = false;
  bool can_search = false;
  std::string encoding;
  std::vector<std::pair<std::string, Template>> headers;
  std::string disabled;        ///< why, when it is
  std::string refused;         ///< why this host cannot run it: "needs a browser (…)", "needs a code hook (…)"
  std::string search_refused;  ///< the same when only searching is affected
  std::vector<std::pair<std::string, Var>> vars;
  std::optional<ItemList> search;
  NovelStage novel;
  TocStage toc;
  ChapterStage chapter;
  Data resolved;  ///< the merged document, for people to read

  [[nodiscard]] const Var* var(std::string_view name) const;
};

/// What is wrong with a spec.
struct SpecProblem {
  Where where;
  std::string reason;

  [[nodiscard]] std::string text() const { return where.text() + ": " + reason; }
};

/// Checks a merged document and compiles it. `files[data.file]` names the file of each value. Problems are added to
/// `problems`; nullopt when there was one.
std::optional<Spec> buildSpec(const Data& merged, const std::vector<std::string>& files,
                              std::vector<SpecProblem>& problems);

/// `child` over `parent`: maps merge, `fallback` lists are put in front, null deletes, anything else replaces.
Data mergeSpecs(const Data& parent, const Data& child);

}  // namespace jobhost::novel
