// How a crawl asks: what a spec says of requests, forms, alternatives and further pages.
#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "fetch-novel/charset.hpp"
#include "fetch-novel/crawl_stage.hpp"
#include "fetch-novel/url.hpp"
#include "fetch-novel/utf8.hpp"

namespace jobhost::novel {
namespace {

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
                     [](const auto& member) { return member.value.kind == Data::Kind::String; });
}

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

}  // namespace jobhost::novel
