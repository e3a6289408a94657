// What a crawl reads: vars, novel, list of chapters, text, search.
#include "fetch-novel/crawl.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include "fetch-novel/charset.hpp"
#include "fetch-novel/crawl_stage.hpp"
#include "fetch-novel/generic.hpp"
#include "fetch-novel/url.hpp"
#include "fetch-novel/utf8.hpp"
#include "support/common/failure.hpp"

namespace jobhost::novel {
namespace {

constexpr std::size_t kWarnings = 200;
using Kind = CrawlError::Kind;

}  // namespace

Crawl::Crawl(std::shared_ptr<const Spec> spec, Fetcher& fetcher, CrawlLimits limits)
    : spec_(std::move(spec)), fetcher_(fetcher), limits_(limits) {
  if (!spec_->disabled.empty()) throw CrawlError(Kind::Unable, spec_->host + " is rejected: " + spec_->disabled);
  if (!spec_->refused.empty()) throw CrawlError(Kind::Unable, spec_->file + ": " + spec_->refused);
}

Crawl::~Crawl() = default;

void Crawl::warn(std::string text) {
  if (warnings_.size() < kWarnings) warnings_.push_back(std::move(text));
}

std::string Crawl::encodingOf(const Request* request) const {
  return request != nullptr && !request->encoding.empty() ? request->encoding : spec_->encoding;
}

std::string Crawl::filled(const Stage& stage, const Template& text, const Request* request) {
  const std::string encoding = encodingOf(request);
  return text.render(
      [&](const Template::Part& part) -> std::string {
        if (part.group == "origin") return spec_->origin;
        if (part.group == "vars") return varValue(part.name, stage);
        if (part.group == "query") return stage.query;
        if (part.group == "novel_url") return novel_url_;
        if (part.group == "request_url") return stage.request_url;
        if (part.group == "page") return std::to_string(stage.page);
        if (part.group == "chapter" && stage.chapter != nullptr) {
          if (part.name == "url") return stage.chapter->url;
          if (part.name == "title") return stage.chapter->title;
          if (part.name == "volume") return std::to_string(stage.chapter->volume);
          for (const auto& [name, value] : stage.chapter->extra) {
            if (name == part.name) return value;
          }
        }
        return {};
      },
      [&](std::string_view value) { return fromUtf8(value, encoding); });
}

// ---- vars

std::string Crawl::varValue(const std::string& name, const Stage& stage) {
  const Var& var = *spec_->var(name);
  auto& cache = var.on == Var::On::Own ? vars_session_ : var.on == Var::On::Chapter ? vars_chapter_ : vars_novel_;
  if (var.renew) vars_renewable_.push_back(name);
  if (const auto found = cache.find(name); found != cache.end()) return found->second;
  const auto fail = [&](const std::string& reason) {
    throw CrawlError(Kind::Missing, var.extractor.where.text() + ": " + reason);
  };
  if (std::find(vars_open_.begin(), vars_open_.end(), name) != vars_open_.end())
    fail("needs itself by way of the page it reads");
  vars_open_.push_back(name);
  const auto close = [this](const void*) { vars_open_.pop_back(); };
  const std::unique_ptr<const void, decltype(close)> closing(this, close);

  PagePtr page;
  switch (var.on) {
    case Var::On::Url:
      page = std::make_shared<Page>(
          HttpResponse{novel_url_, 200, {{"content-type", "text/plain; charset=utf-8"}}, novel_url_}, "UTF-8");
      break;
    case Var::On::Novel:
      if (stage.name == "search") fail("reads the novel's page, which a search has not");
      novelPage();
      page = named_.at("novel");
      break;
    case Var::On::Chapter: {
      const auto found = named_.find("chapter");
      if (found == named_.end()) fail("reads the chapter's page, which is not there yet");
      page = found->second;
      break;
    }
    case Var::On::Own:
      page = perform(Stage{.name = "vars." + name}, *var.request, "");
      break;
  }
  const Value value = extract(var.extractor, {page.get(), nullptr, nullptr, nullptr}, [&](const Template::Part& part) {
    return part.group == "vars" ? varValue(part.name, stage) : spec_->origin;
  });
  std::string text = value.asText();
  if (isBlank(text)) fail("found nothing on " + page->url());
  cache[name] = text;
  return text;
}

// ---- stages

void Crawl::beginNovel(std::string_view text) {
  const auto url = parseUrl(text);
  if (!url) throw CrawlError(Kind::Missing, "'" + std::string(text) + "' is no http or https address");
  if (url->text() == novel_url_) return;
  novel_url_ = url->text();
  named_.clear();
  vars_novel_.clear();
  vars_chapter_.clear();
}

const Page& Crawl::novelPage() {
  if (!named_.contains("novel")) {
    run(Stage{.name = "novel"}, spec_->novel.request ? &*spec_->novel.request : nullptr, novel_url_);
  }
  return *named_.at("novel");
}

namespace {

template <class T>
void addUnique(std::vector<T>& list, T item) {
  if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(std::move(item));
}

// A row holds on to the tree that it was read from, which is many times as large.
void keepFields(std::vector<Row>& from, std::vector<Row>& to) {
  for (Row& row : from) {
    row.node = nullptr;
    row.tree.reset();
    to.push_back(std::move(row));
  }
}

}  // namespace

Novel Crawl::readNovel(std::string_view url) {
  beginNovel(url);
  named_.erase("novel");
  const Stage stage{.name = "novel"};
  const Page& page = novelPage();
  const PageFacts facts = readFacts(page);
  const Template::Values values = [&](const Template::Part& part) {
    return part.group == "vars" ? varValue(part.name, stage) : part.group == "novel_url" ? novel_url_ : spec_->origin;
  };
  const auto read = [&](const std::optional<Extractor>& extractor) {
    return extractor ? extract(*extractor, {&page, nullptr, nullptr, nullptr}, values).asTexts()
                     : std::vector<std::string>{};
  };
  const auto one = [&](const std::optional<Extractor>& extractor, const std::string& fallback) {
    const auto texts = read(extractor);
    return texts.empty() ? fallback : texts.front();
  };
  Novel novel;
  novel.url = novel_url_;
  novel.manga = spec_->has_manga;
  novel.mtl = spec_->has_mtl;
  novel.title = one(spec_->novel.title, facts.title);
  if (isBlank(novel.title)) {
    const Where where = spec_->novel.title ? spec_->novel.title->where : Where{spec_->file, 0, "novel.title"};
    throw CrawlError(Kind::Missing, where.text() + ": found nothing on " + page.url() + ", and a novel needs a title");
  }
  novel.cover_url = one(spec_->novel.cover, facts.cover_url);
  novel.authors = read(spec_->novel.authors);
  if (novel.authors.empty()) novel.authors = facts.authors;
  novel.tags = read(spec_->novel.tags);
  if (novel.tags.empty()) novel.tags = facts.tags;
  for (const std::string& part : read(spec_->novel.synopsis)) novel.synopsis += part;
  if (isBlank(novel.synopsis)) novel.synopsis = facts.synopsis;
  novel.language = !facts.language.empty() ? facts.language : languageCode(one(spec_->novel.language, spec_->language));
  if (novel.cover_url.empty()) warn("novel.cover found nothing");
  if (novel.authors.empty()) warn("novel.authors found nothing");
  if (novel.tags.empty()) warn("novel.tags found nothing");
  if (novel.synopsis.empty()) warn("novel.synopsis found nothing");
  readToc(novel, stage);
  normalise(novel, spec_->chapters_per_volume);
  return novel;
}

void Crawl::readToc(Novel& novel, const Stage& novel_stage) {
  const ItemList& list = *spec_->toc.items;
  Stage stage = novel_stage;
  stage.name = "toc";
  const Template::Values values = [&](const Template::Part& part) {
    return part.group == "vars" ? varValue(part.name, stage) : part.group == "novel_url" ? novel_url_ : spec_->origin;
  };
  stage.has_items = [&](const Page& page) { return !readRows(list, page, {"url"}, values).rows.empty(); };
  const Request* request = spec_->toc.request ? &*spec_->toc.request : nullptr;
  cut_.clear();
  PagePtr first = run(stage, request, novel_url_);
  std::vector<Row> rows;
  std::size_t skipped = 0;
  int volumes = 0;
  bool implicit = false;
  const std::string first_url = first->url();
  eachPage(stage, request, std::move(first), [&](const Page& page) {
    Rows found = readRows(list, page, {"url"}, values);
    // What stands behind the end and never had an address is no row that was lost.
    if (!found.rows.empty() || rows.empty()) skipped += found.skipped;
    if (spec_->toc.volumes) {
      // Headings and chapters in the order of the document: a chapter belongs to the heading before it.
      const Rows headings = readRows(*spec_->toc.volumes, page, {"title"}, values);
      std::map<const support::html::Node*, const Row*> heading_at;
      std::map<const support::html::Node*, Row*> row_at;
      for (const Row& heading : headings.rows) heading_at[heading.node] = &heading;
      for (Row& row : found.rows) row_at[row.node] = &row;
      const auto& root = page.html()->root();
      for (const support::html::Node* node = &root; node != nullptr; node = support::html::following(node, root)) {
        if (const auto heading = heading_at.find(node); heading != heading_at.end()) {
          novel.volumes.push_back({++volumes, heading->second->get("title"), 0});
        }
        const auto row = row_at.find(node);
        if (row == row_at.end() || !row->second->get("volume").empty()) continue;
        if (volumes > 0) {
          row->second->set("volume", std::to_string(volumes));
        } else {
          implicit = true;
        }
      }
    }
    const bool any = !found.rows.empty();
    keepFields(found.rows, rows);
    if (rows.size() > limits_.chapters) {
      throw CrawlError(Kind::Limit,
                       list.where.text() + ": more than " + std::to_string(limits_.chapters) + " chapters");
    }
    return any;
  });
  novel.cut = cut_;
  // What comes before the first heading is a volume of its own; without any heading there are none.
  if (implicit && volumes > 0) {
    novel.volumes.insert(novel.volumes.begin(), {0, "", 0});
    for (Row& row : rows) {
      if (row.get("volume").empty()) row.set("volume", "0");
    }
  }
  if (rows.empty()) {
    throw CrawlError(Kind::Missing, list.where.text() + ": matched no chapters on " + first_url +
                                        (skipped > 0 ? " (" + std::to_string(skipped) + " rows had no url)" : ""));
  }
  if (skipped > 0) warn("toc.items: " + std::to_string(skipped) + " rows were skipped");
  sortRows(rows, list);
  std::set<std::string> seen;
  std::vector<int> numbered;
  for (Row& row : rows) {
    Chapter chapter;
    chapter.url = row.get("url");
    // "Start reading" and "latest chapters" repeat what the list has.
    if (!seen.insert(chapter.url).second) continue;
    chapter.title = row.get("title");
    if (const auto volume = firstNumber(row.get("volume")); volume && *volume >= 0 && *volume < 1e6) {
      chapter.volume = static_cast<int>(*volume);
      addUnique(numbered, chapter.volume);
    }
    for (auto& [name, value] : row.fields) {
      if (name != "url" && name != "title" && name != "volume") chapter.extra.emplace_back(name, std::move(value));
    }
    novel.chapters.push_back(std::move(chapter));
  }
  // A volume number of a row's own makes its volume, whether headings name it or not.
  for (const int number : numbered) {
    const bool known = std::any_of(novel.volumes.begin(), novel.volumes.end(),
                                   [number](const Volume& one) { return one.serial == number; });
    if (!known) novel.volumes.push_back({number, "", 0});
  }
}

std::string Crawl::readChapter(std::string_view novel_url, const Chapter& chapter) {
  beginNovel(novel_url);
  vars_chapter_.clear();
  named_.erase("chapter");
  Stage stage{.name = "chapter", .chapter = &chapter};
  const Template::Values values = [&](const Template::Part& part) {
    if (part.group == "vars") return varValue(part.name, stage);
    if (part.group == "novel_url") return novel_url_;
    if (part.group == "chapter") {
      if (part.name == "url") return chapter.url;
      if (part.name == "title") return chapter.title;
      for (const auto& [name, value] : chapter.extra) {
        if (name == part.name) return value;
      }
      return std::string();
    }
    return spec_->origin;
  };
  std::string url = chapter.url;
  if (spec_->chapter.url) url = withSingleSlashes(filled(stage, *spec_->chapter.url, nullptr));
  if (spec_->chapter.url_from)
    url = extract(*spec_->chapter.url_from, {&novelPage(), nullptr, nullptr, nullptr}, values).asText();
  const Request* request = spec_->chapter.request ? &*spec_->chapter.request : nullptr;
  const Extractor& body = *spec_->chapter.body;
  std::string out;
  eachPage(stage, request, run(stage, request, url), [&](const Page& page) {
    std::string part;
    for (const std::string& text : extract(body, {&page, nullptr, nullptr, nullptr}, values).asTexts()) part += text;
    if (isBlank(part)) return true;
    if (!out.empty()) out += spec_->chapter.join;
    out += part;
    return true;
  });
  if (isBlank(out)) throw CrawlError(Kind::Missing, body.where.text() + ": found nothing on " + url);
  return out;
}

std::vector<SearchResult> Crawl::search(std::string_view query) {
  if (!spec_->can_search) {
    throw CrawlError(
        Kind::Unable,
        spec_->file + ": " + (spec_->search_refused.empty() ? "this source cannot search" : spec_->search_refused));
  }
  const ItemList& list = *spec_->search;
  Stage stage{.name = "search", .query = std::string(query)};
  const Template::Values values = [&](const Template::Part& part) {
    return part.group == "vars" ? varValue(part.name, stage) : part.group == "query" ? stage.query : spec_->origin;
  };
  stage.has_items = [&](const Page& page) { return !readRows(list, page, {"url"}, values).rows.empty(); };
  const Request* request = &*list.request;
  std::vector<Row> rows;
  eachPage(stage, request, run(stage, request, ""), [&](const Page& page) {
    Rows found = readRows(list, page, {"url"}, values);
    const bool any = !found.rows.empty();
    keepFields(found.rows, rows);
    return any;
  });
  sortRows(rows, list);
  std::vector<SearchResult> out;
  for (const Row& row : rows) out.push_back({row.get("title"), row.get("url"), row.get("info")});
  return out;
}

}  // namespace jobhost::novel
