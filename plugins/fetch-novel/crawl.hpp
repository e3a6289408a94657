#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fetch-novel/extract.hpp"
#include "fetch-novel/novel.hpp"
#include "fetch-novel/page.hpp"
#include "fetch-novel/spec.hpp"

namespace jobhost::novel {

struct CrawlLimits {
  std::size_t pages = 10'000;  ///< of one stage
  std::size_t chapters = 100'000;
};

/// Runs one spec against its site for one novel. All times, retries and politeness are the Fetcher's. One thread.
///
/// Everything throws CrawlError naming the spec's file, line and field; what the Fetcher throws besides passes through.
class Crawl {
 public:
  /// Throws CrawlError Unable when the spec is disabled or refused. `fetcher` must outlive this.
  Crawl(std::shared_ptr<const Spec> spec, Fetcher& fetcher, CrawlLimits limits = {});
  ~Crawl();
  Crawl(const Crawl&) = delete;
  Crawl& operator=(const Crawl&) = delete;

  /// The novel at `url` with its chapters, normalised.
  Novel readNovel(std::string_view url);
  /// The body of a chapter, as the spec's extractor gives it; cleanBody() is the caller's. Works without readNovel, for
  /// a worker that fetches one chapter: then `novel_url` is read again if a var or the request needs it.
  std::string readChapter(std::string_view novel_url, const Chapter& chapter);
  /// Throws CrawlError Unable when the source cannot search.
  std::vector<SearchResult> search(std::string_view query);

  /// What was noticed and did not fail: missing covers, skipped rows, "toc.request.paginate: stopped at 10000 pages".
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  using PagePtr = std::shared_ptr<const Page>;
  struct Stage;

  void beginNovel(std::string_view url);
  PagePtr run(const Stage& stage, const Request* request, const std::string& default_url);
  PagePtr perform(const Stage& stage, const Request& request, const std::string& default_url);
  PagePtr firstOf(const Stage& stage, const Request& request, const std::string& default_url);
  PagePtr send(const Stage& stage, const Request* request, HttpRequest http);
  /// Reads one page; false: it has none of what the stage is about. The page is gone afterwards.
  using Visit = std::function<bool(const Page&)>;
  void eachPage(const Stage& stage, const Request* request, PagePtr first, const Visit& visit);
  HttpRequest httpRequest(const Stage& stage, const Request* request, const std::string& url);
  void addForm(const Stage& stage, const Request& request, HttpRequest& http);
  void addPayload(const Stage& stage, const Request& request,
                  std::vector<std::pair<std::string, std::string>> harvested, HttpRequest& http);
  std::string varValue(const std::string& name, const Stage& stage);
  std::string filled(const Stage& stage, const Template& text, const Request* request);
  [[nodiscard]] std::string encodingOf(const Request* request) const;
  const Page& novelPage();
  void readToc(Novel& novel, const Stage& stage);
  void warn(std::string text);

  std::shared_ptr<const Spec> spec_;
  Fetcher& fetcher_;
  CrawlLimits limits_;
  std::string novel_url_;
  std::map<std::string, PagePtr> named_;  // stages and named requests
  std::map<std::string, std::string> vars_novel_, vars_session_, vars_chapter_;
  const Request* winner_ = nullptr;          // the alternative of `from` that the last stage took
  std::vector<std::string> vars_open_;       // being evaluated
  std::vector<std::string> vars_renewable_;  // used by the request under way
  std::string cut_;                          // why the list under way may be no whole one
  std::vector<std::string> warnings_;
};

}  // namespace jobhost::novel
