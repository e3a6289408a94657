#include "fetch-novel/crawl.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include "fetch-novel/charset.hpp"
#include "fetch-novel/generic.hpp"
#include "fetch-novel/url.hpp"
#include "fetch-novel/utf8.hpp"
#include "support/common/failure.hpp"

namespace jobhost::novel {
namespace {

constexpr std::size_t kWarnings = 200;
using Kind = CrawlError::Kind;

bool isRefusal(int status) {
  return status >= 400 || status == 0;
}

// That a page is not there is an answer; this is none.
bool isTrouble(const CrawlError& error) {
  return error.kind() == Kind::Network || error.kind() == Kind::Limit ||
         (error.kind() == Kind::Refused && error.status() != 404 && error.status() != 410);
}

// A payload in which anything but a text stands cannot be a form.
bool isForm(const Payload& payload) {
  return std::all_of(payload.members.begin(), payload.members.end(),
                     [](const auto& member) { return member.second.kind == Data::Kind::String; });
}

}  // namespace

// What a stage offers to its templates, and how to tell whether a page of it has items.
struct Crawl::Stage {
  std::string name;
  std::string query;
  const Chapter* chapter = nullptr;
  std::function<bool(const Page&)> has_items;
  std::string request_url;
  int page = 0;
};

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

// ---- requests

HttpRequest Crawl::httpRequest(const Stage& stage, const Request* request, const std::string& url) {
  HttpRequest out;
  const auto parsed = parseUrl(url);
  if (!parsed) {
    throw CrawlError(Kind::Missing, (request != nullptr ? request->where.text() : spec_->file + ": " + stage.name) +
                                        ": '" + url + "' is no address");
  }
  out.url = parsed->text();
  const auto add = [&](const std::vector<std::pair<std::string, Template>>& headers) {
    for (const auto& [name, value] : headers) {
      std::string text = filled(stage, value, request);
      std::erase_if(text, [](char c) { return static_cast<unsigned char>(c) < ' '; });
      std::erase_if(out.headers, [&name = name](const auto& header) { return header.first == name; });
      out.headers.emplace_back(name, std::move(text));
    }
  };
  add(spec_->headers);
  if (request != nullptr) add(request->headers);
  return out;
}

Crawl::PagePtr Crawl::send(const Stage& stage, const Request* request, HttpRequest http) {
  const std::string encoding = encodingOf(request);
  HttpResponse response = fetcher_.fetch(http);
  if (isRefusal(response.status)) {
    throw CrawlError(Kind::Refused,
                     (request != nullptr ? request->where.text() : spec_->file + ": " + stage.name) + ": " +
                         http.method + " " + http.url + " was answered with " + std::to_string(response.status),
                     response.status);
  }
  if (response.url.empty()) response.url = http.url;
  return std::make_shared<Page>(std::move(response), encoding);
}

namespace {

std::string jsonOf(const Payload& payload, const std::function<std::string(const Template&)>& fill) {
  std::string out;
  switch (payload.kind) {
    case Data::Kind::Null:
      return "null";
    case Data::Kind::Bool:
    case Data::Kind::Number:
      return payload.literal;
    case Data::Kind::String:
      appendJsonString(out, payload.text ? fill(*payload.text) : "");
      return out;
    case Data::Kind::List:
      out = "[";
      for (const Payload& item : payload.items) out += (out.size() > 1 ? "," : "") + jsonOf(item, fill);
      return out + "]";
    case Data::Kind::Map:
      out = "{";
      for (const auto& [name, value] : payload.members) {
        if (out.size() > 1) out += ',';
        appendJsonString(out, name);
        out += ":" + jsonOf(value, fill);
      }
      return out + "}";
  }
  return out;
}

}  // namespace

void Crawl::addPayload(const Stage& stage, const Request& request,
                       std::vector<std::pair<std::string, std::string>> harvested, HttpRequest& http) {
  const auto header = std::find_if(http.headers.begin(), http.headers.end(),
                                   [](const auto& one) { return one.first == "content-type"; });
  const bool declared = header != http.headers.end();
  const bool json = !request.form && (declared ? asciiLower(header->second).find("json") != std::string::npos
                                               : !isForm(request.payload));
  const auto fill = [&](const Template& text) { return filled(stage, text, &request); };
  if (json) {
    http.body = request.payload.kind == Data::Kind::Null ? "" : jsonOf(request.payload, fill);
    if (!declared) http.headers.emplace_back("content-type", "application/json");
    return;
  }
  for (const auto& [name, value] : request.payload.members) {
    std::string text = value.text ? fill(*value.text) : value.literal;
    const auto same =
        std::find_if(harvested.begin(), harvested.end(), [&name = name](const auto& one) { return one.first == name; });
    if (same != harvested.end()) {
      same->second = std::move(text);
    } else {
      harvested.emplace_back(name, std::move(text));
    }
  }
  const std::string encoding = encodingOf(&request);
  for (const auto& [name, value] : harvested) {
    if (!http.body.empty()) http.body += '&';
    http.body += percentEncoded(fromUtf8(name, encoding), true) + "=" + percentEncoded(fromUtf8(value, encoding), true);
  }
  if (!declared) http.headers.emplace_back("content-type", "application/x-www-form-urlencoded");
}

// Harvests a form's controls. With get the form is on the page that is fetched and says where to send it; with post it
// is on a page that is there already.
void Crawl::addForm(const Stage& stage, const Request& request, HttpRequest& http) {
  PagePtr holder;
  if (request.method == Request::Method::Get) {
    holder = send(stage, &request, http);
  } else {
    for (const char* name : {"novel", "search"}) {
      if (const auto found = named_.find(name); found != named_.end() && holder == nullptr) holder = found->second;
    }
    if (holder == nullptr && stage.name != "search") {
      novelPage();
      holder = named_.at("novel");
    }
    if (holder == nullptr)
      throw CrawlError(Kind::Missing, request.where.text() + ".form: there is no page yet that could hold it");
  }
  const auto& tree = holder->html();
  const support::html::Node* form = request.form->first(*tree, tree->root());
  if (form == nullptr)
    throw CrawlError(Kind::Missing, request.where.text() + ".form: no element of " + holder->url() + " matches");
  static const auto kControls =
      support::html::Selector::parse("input[name], select[name], textarea[name], button[name]");
  std::vector<std::pair<std::string, std::string>> values;
  for (const support::html::Node* control : kControls.select(std::as_const(*tree), *form)) {
    const std::string* type = control->attribute("type");
    const std::string kind = type == nullptr ? "" : asciiLower(*type);
    const bool box = control->is("input") && (kind == "checkbox" || kind == "radio");
    const bool pressed =
        control->is("button") || kind == "submit" || kind == "image" || kind == "reset" || kind == "file";
    if (control->attribute("disabled") != nullptr || pressed || (box && control->attribute("checked") == nullptr))
      continue;
    const std::string* value = control->attribute("value");
    std::string text = value != nullptr          ? *value
                       : box                     ? "on"
                       : control->is("textarea") ? support::html::textOf(*control)
                                                 : "";
    if (control->is("select")) {
      static const auto kChosen = support::html::Selector::parse("option[selected]");
      static const auto kOption = support::html::Selector::parse("option");
      const support::html::Node* option = kChosen.first(*tree, *control);
      if (option == nullptr) option = kOption.first(*tree, *control);
      if (option != nullptr)
        text = option->attribute("value") != nullptr ? *option->attribute("value") : support::html::textOf(*option);
    }
    values.emplace_back(*control->attribute("name"), std::move(text));
  }
  bool as_query = false;
  if (request.method == Request::Method::Get) {
    const std::string* action = form->attribute("action");
    const std::string target = action == nullptr || isBlank(*action) ? holder->url() : holder->resolve(*action);
    const auto url = parseUrl(target);
    if (!url)
      throw CrawlError(Kind::Missing, request.where.text() + ".form: its action '" + target + "' is no address");
    http.url = url->text();
    const std::string* method = form->attribute("method");
    as_query = method == nullptr || asciiLower(*method) != "post";
  }
  addPayload(stage, request, std::move(values), http);
  if (as_query && request.method == Request::Method::Get) {
    http.url = http.url.substr(0, http.url.find('?')) + "?" + http.body;
    http.body.clear();
    std::erase_if(http.headers, [](const auto& header) { return header.first == "content-type"; });
  } else {
    http.method = "POST";
  }
}

Crawl::PagePtr Crawl::firstOf(const Stage& stage, const Request& request, const std::string& default_url) {
  PagePtr last;
  std::string reasons;
  std::string failed;  // one that would have come first, and may have had more
  for (const Request& one : request.from) {
    try {
      PagePtr page = perform(stage, one, default_url);
      const Request* inner = one.method == Request::Method::From ? winner_ : &one;
      const bool yields = !stage.has_items || stage.has_items(*page);
      winner_ = inner;
      if (yields && stage.name == "toc" && !failed.empty()) cut_ = failed;
      if (yields) return page;
      last = page;
      reasons += "\n  " + one.where.text() + ": " + page->url() + " has no items";
    } catch (const CrawlError& error) {
      reasons += std::string("\n  ") + error.what();
      if (failed.empty() && isTrouble(error)) failed = error.what();
    }
  }
  if (last != nullptr) return last;  // came, but empty: the stage says what is missing
  throw CrawlError(Kind::Missing, request.where.text() + ".from: no alternative gave a page:" + reasons);
}

Crawl::PagePtr Crawl::perform(const Stage& stage, const Request& request, const std::string& default_url) {
  if (request.render) throw CrawlError(Kind::Unable, request.where.text() + ": needs a browser");
  PagePtr page;
  switch (request.method) {
    case Request::Method::Page: {
      if (request.page == "novel") novelPage();
      const auto found = named_.find(request.page);
      if (found == named_.end())
        throw CrawlError(Kind::Missing, request.where.text() + ".page: '" + request.page + "' was not fetched");
      return found->second;
    }
    case Request::Method::From:
      return firstOf(stage, request, default_url);
    case Request::Method::Stage:
    case Request::Method::Get:
    case Request::Method::Post: {
      // The request of a var that is needed on the way keeps its own account.
      const auto restore = [this, outer = std::exchange(vars_renewable_, {})](const void*) { vars_renewable_ = outer; };
      const std::unique_ptr<const void, decltype(restore)> restoring(this, restore);
      for (bool again = false;; again = true) {
        try {
          HttpRequest http = httpRequest(
              stage, &request, request.url ? withSingleSlashes(filled(stage, *request.url, &request)) : default_url);
          if (request.form) {
            addForm(stage, request, http);
          } else if (request.method == Request::Method::Post) {
            http.method = "POST";
            addPayload(stage, request, {}, http);
          }
          page = send(stage, &request, std::move(http));
          break;
        } catch (const CrawlError& error) {
          // A token that ran out: read it anew and try once more.
          if (again || error.kind() != Kind::Refused || vars_renewable_.empty()) throw;
          for (const std::string& name : std::exchange(vars_renewable_, {})) {
            for (auto* cache : {&vars_novel_, &vars_session_, &vars_chapter_}) cache->erase(name);
            if (const Var* var = spec_->var(name); var->on == Var::On::Novel) named_.erase("novel");
          }
        }
      }
    }
  }
  if (!request.name.empty()) named_[request.name] = page;
  return page;
}

Crawl::PagePtr Crawl::run(const Stage& stage, const Request* request, const std::string& default_url) {
  PagePtr page = request != nullptr ? perform(stage, *request, default_url)
                                    : send(stage, nullptr, httpRequest(stage, nullptr, default_url));
  if (request == nullptr || request->method != Request::Method::From) winner_ = request;
  named_[stage.name] = page;
  return page;
}

// All pages of a stage in order, one after the other: of a list of ten thousand none but the first stays in memory. The
// request's own method and headers serve the first, the others are GETs.
void Crawl::eachPage(const Stage& outer, const Request* request, PagePtr page, const Visit& visit) {
  // It may stand beside `from` or at the alternative that won.
  if (request != nullptr && !request->paginate) request = winner_;
  const bool has_items = visit(*page);
  if (request == nullptr || !request->paginate) return;
  const Paginate& how = *request->paginate;
  Stage stage = outer;
  stage.request_url = page->url();
  const auto read = [&](const Extractor& extractor) {
    return extract(extractor, {page.get(), nullptr, nullptr, nullptr}, [&](const Template::Part& part) {
      return part.group == "vars" ? varValue(part.name, stage) : part.group == "origin" ? spec_->origin : novel_url_;
    });
  };
  const auto largest = [](const Value& value) {
    double best = 0;
    for (const std::string& text : value.asTexts()) best = std::max(best, wholeNumber(text).value_or(0));
    return best;
  };
  std::size_t count = 1;
  const auto tooMany = [&] {
    if (count < limits_.pages) return false;
    cut_ = how.where.text() + ": stopped at " + std::to_string(limits_.pages) + " pages";
    warn(cut_);
    return true;
  };
  if (how.until == Paginate::Until::Next) {
    std::set<std::string> seen{page->url()};
    while (!tooMany()) {
      const auto url = parseUrl(read(*how.next).asText());
      if (!url || !seen.insert(url->text()).second) break;
      page = send(stage, request, httpRequest(stage, request, url->text()));
      ++count;
      seen.insert(page->url());
      visit(*page);
    }
    return;
  }
  const bool while_items = how.until == Paginate::Until::HasItems;
  if (while_items && !has_items) return;
  int first_number = how.first;
  if (how.first_from) first_number = static_cast<int>(std::min(largest(read(*how.first_from)), 1e6));
  double last = how.last_number;
  if (how.last) last = largest(read(*how.last));
  for (long long number = static_cast<long long>(first_number) + how.step;; number += how.step) {
    if (how.until == Paginate::Until::Last && static_cast<double>(number) > last) break;
    if (tooMany()) break;
    stage.page = static_cast<int>(number);
    const std::string url = withSingleSlashes(filled(stage, *how.url, request));
    PagePtr next;
    try {
      next = send(stage, request, httpRequest(stage, request, url));
    } catch (const CrawlError& error) {
      // Past the end many sites answer 404; with a known last page it is a failure.
      if (while_items && error.kind() == Kind::Refused && (error.status() == 404 || error.status() == 410)) {
        // Nor can it be told from a gap.
        cut_ = error.what();
        break;
      }
      throw;
    }
    // Others answer their last page again and again.
    if (while_items && next->text() == page->text()) break;
    page = std::move(next);
    ++count;
    if (!visit(*page) && while_items) break;
  }
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
