#pragma once

#include <jobhost/plugin.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "fetch-novel/files.hpp"
#include "fetch-novel/host_gate.hpp"
#include "fetch-novel/page.hpp"
#include "fetch-novel/robots.hpp"
#include "fetch-novel/settings.hpp"
#include "fetch-novel/source_list.hpp"

namespace jobhost::novel {

/// What Web throws when a page is as it was: 304 to the ETag of ifChanged(). Deliberately no CrawlError, so that no
/// stage takes it for a failure.
struct NotModified {};

/// The network as one attempt sees it: through the host's HTTP door, when robots.txt allows it and the host's turn has
/// come (as its spec's rate_limit and its Crawl-delay say, whatever is asked for), again after 429, 503 and what may
/// pass. One thread; borrows the job.
///
/// A job that would wait long hands itself back instead of keeping its runner (Job::runAgainIn): whenever it has
/// fetched nothing yet, and a few times where pages would be fetched again.
class Web : public Fetcher {
 public:
  /// `went_on`: another Web of this attempt has fetched pages already.
  Web(Job& job, const Settings& settings, bool went_on = false);

  /// GETs of this address are conditional from now on. An empty etag: not.
  void ifChanged(std::string url, std::string etag);

  /// A page. Throws CrawlError (Network, Limit; Unable where robots.txt says no), NotModified, Cancelled,
  /// Suspended.
  HttpResponse fetch(const HttpRequest& request) override;
  /// A picture: `use` gets the response, status 200. Throws as fetch(), and CrawlError Refused.
  void download(const std::string& url, const std::string& referer,
                const std::function<void(::jobhost::HttpResponse&)>& use);

  [[nodiscard]] int pages() const { return pages_; }
  /// The ETag to be kept for `url`: of the only page that came, if it was asked for by that address; else empty. What
  /// was read from several pages may change without the first.
  [[nodiscard]] std::string etagOf(std::string_view url) const;
  /// "HTTPError: 403 Client Error: Forbidden for url: https://…" of the last answer that said no; empty: none did.
  [[nodiscard]] const std::string& refusal() const { return refusal_; }

 private:
  using Use = std::function<void(::jobhost::HttpResponse&)>;
  /// Before anything is asked of a host: its manners are learned, and a CrawlError thrown where it does not want us.
  void obey(const Url& url);
  void learnGap(const Url& url);
  std::shared_ptr<const Robots> robotsOf(const Url& url);
  /// Asks and follows redirects, each hop in its own host's turn and only where that host's robots.txt allows it: what
  /// a site may ask of us is not given away by another that points at it. `use` gets what is no redirect.
  void ask(::jobhost::HttpRequest request, Url url, const Use& use);
  void send(const ::jobhost::HttpRequest& request, const Url& url, const Use& use);
  bool mayPass(int status, std::int64_t retry_after_ms) const;
  HostGate::Turn turnAt(const std::string& host, const std::string& url, int tries);
  [[noreturn]] void comeBackIn(std::chrono::milliseconds away, const std::string& host, const std::string& url,
                               int tries);
  void waitFor(int fd, std::chrono::milliseconds most);

  Job& job_;
  const Settings& settings_;
  HostGate gate_;
  std::shared_ptr<const SourceList> sources_;  ///< once a host was asked
  std::map<std::string, std::shared_ptr<const Robots>> robots_;
  std::map<std::string, std::string> silent_;  ///< origins whose robots.txt could not be had, and why
  std::string conditional_url_, conditional_etag_;
  std::int64_t bytes_ = 0;
  int pages_ = 0;
  bool went_on_;  ///< something would be asked for again
  std::string etag_, etag_url_;
  /// What a job that hands itself back has to know again.
  struct Past {
    std::int64_t late = 0;   ///< how often it did so with pages fetched already
    std::string url;         ///< what it was about to ask for
    std::int64_t tries = 0;  ///< … and how often it had been refused
  };
  Past past_;
  std::string refusal_;
};

/// As lncrawl's clients read it.
std::string httpErrorText(int status, std::string_view url);

}  // namespace jobhost::novel
