#include "fetch-novel/reader.hpp"

#include <set>

#include "fetch-novel/generic.hpp"
#include "fetch-novel/source_list.hpp"
#include "fetch-novel/url.hpp"
#include "fetch-novel/utf8.hpp"

namespace jobhost::novel {
namespace {

using Kind = CrawlError::Kind;

constexpr std::size_t kMostLinked = 1000;  // pages of a book that has no list of them

}  // namespace

Reader::Reader(const Settings& settings, Web& web, std::shared_ptr<const Spec> spec, std::string_view url)
    : settings_(settings), web_(web), spec_(std::move(spec)), version_(crawlerVersion(spec_.get())) {
  const auto address = parseUrl(url);
  if (!address) throw CrawlError(Kind::Missing, "'" + std::string(url) + "' is no http or https address");
  site_ = (spec_ != nullptr ? spec_->origin : address->origin()) + "/";
  if (spec_ == nullptr) return;
  crawl_ = std::make_unique<Crawl>(spec_, web_, CrawlLimits{.pages = 10'000, .chapters = settings.max_chapters});
}

const std::vector<std::string>& Reader::warnings() const {
  return crawl_ != nullptr ? crawl_->warnings() : warnings_;
}

Page Reader::page(const std::string& url) {
  HttpResponse response = web_.fetch({.method = "GET", .url = url, .headers = {}, .body = {}});
  if (response.status >= 400) {
    throw CrawlError(Kind::Refused, "GET " + url + " was answered with " + std::to_string(response.status),
                     response.status);
  }
  if (response.url.empty()) response.url = url;
  return Page(std::move(response), "");
}

Novel Reader::novel(const std::string& url) {
  if (crawl_ != nullptr) return crawl_->readNovel(url);
  Novel out = guessed(url);
  if (out.chapters.size() > settings_.max_chapters) {
    throw CrawlError(Kind::Limit, url + " has more than " + std::to_string(settings_.max_chapters) + " chapters");
  }
  out.url = url;
  return out;
}

// A page with a list of chapters; or the first page of a book, whose others follow from link to link.
Novel Reader::guessed(const std::string& url) {
  Page first = page(url);
  try {
    return guessNovel(first);
  } catch (const CrawlError& error) {
    if (error.kind() != Kind::Missing || isBlank(guessBody(first)) || isBlank(guessNext(first))) throw;
  }
  const PageFacts facts = readFacts(first);
  Novel out;
  out.title = facts.title;
  out.cover_url = facts.cover_url;
  out.authors = facts.authors;
  out.tags = facts.tags;
  out.synopsis = facts.synopsis;
  out.language = facts.language;
  if (isBlank(out.title)) out.title = url;
  std::set<std::string> seen;
  Page at = std::move(first);
  for (;;) {
    if (!seen.insert(at.url()).second) break;
    Chapter chapter;
    chapter.url = at.url();
    chapter.title = readFacts(at).title;
    out.chapters.push_back(std::move(chapter));
    const std::string next = guessNext(at);
    if (next.empty() || seen.contains(next)) break;
    if (out.chapters.size() == kMostLinked) {
      out.cut = "stopped at " + std::to_string(kMostLinked) + " pages that follow each other";
      warnings_.push_back(out.cut);
      break;
    }
    at = page(next);
  }
  normalise(out, 100);
  return out;
}

std::string Reader::chapter(const std::string& novel_url, const Chapter& chapter) {
  if (crawl_ != nullptr) return crawl_->readChapter(novel_url, chapter);
  std::string text = guessBody(page(chapter.url));
  if (isBlank(text)) throw CrawlError(Kind::Missing, "nothing on " + chapter.url + " looks like the text of a chapter");
  return text;
}

}  // namespace jobhost::novel
