#include "fetch-novel/web.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <optional>
#include <utility>

#include "fetch-novel/url.hpp"

namespace jobhost::novel {
namespace {

using std::chrono::milliseconds;
using Kind = CrawlError::Kind;

constexpr std::string_view kProduct = "jobhost";
constexpr int kMostHops = 10;
constexpr std::size_t kRobotsBytes = 512 << 10;
constexpr std::int64_t kMostRobotsBytes = 4 << 20;
constexpr std::int64_t kRobotsStay = 24 * 3600 * 1000;
constexpr std::int64_t kSilenceStays = 30 * 1000;  // what forbids all because the site is down
constexpr milliseconds kSign{30'000};              // a job that waits says so
constexpr std::int64_t kMostLate = 3;              // times a job may have its pages fetched again

std::string_view reasonOf(int status) {
  static constexpr std::array<std::pair<int, std::string_view>, 17> kReasons{{{400, "Bad Request"},
                                                                              {401, "Unauthorized"},
                                                                              {402, "Payment Required"},
                                                                              {403, "Forbidden"},
                                                                              {404, "Not Found"},
                                                                              {405, "Method Not Allowed"},
                                                                              {406, "Not Acceptable"},
                                                                              {408, "Request Timeout"},
                                                                              {410, "Gone"},
                                                                              {418, "I'm a teapot"},
                                                                              {429, "Too Many Requests"},
                                                                              {451, "Unavailable For Legal Reasons"},
                                                                              {500, "Internal Server Error"},
                                                                              {501, "Not Implemented"},
                                                                              {502, "Bad Gateway"},
                                                                              {503, "Service Unavailable"},
                                                                              {504, "Gateway Timeout"}}};
  for (const auto& [code, reason] : kReasons) {
    if (code == status) return reason;
  }
  return "Error";
}

std::string retryAfterOf(const ::jobhost::HttpResponse& response) {
  const std::int64_t ms = response.info()["retry_after_ms"].intOr(-1);
  if (ms >= 0) return std::to_string((ms + 999) / 1000);
  return response.header("retry-after").value_or("");
}

// Broken connections and the like: of the network's, not of the request's.
bool mayPassLater(const Error& error) {
  return error.errorClass() == JH_CLASS_UPSTREAM || error.errorClass() == JH_CLASS_TRANSIENT;
}

std::string timeText(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts)};
}

/// Whether a robots.txt with this answer (0: none) could not be had.
bool silent(int status) {
  return status == 0 || status >= 500;
}

bool isRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/// What of a request goes along to where it is redirected, as browsers do: 303 and, for POST, 301 and 302 become GET,
/// without the body. A spec's headers may hold a key, which is no other site's business.
void redirect(::jobhost::HttpRequest& request, int status, bool same_origin) {
  static constexpr std::array<std::string_view, 5> kHarmless{"accept", "accept-language", "content-type",
                                                             "if-none-match", "user-agent"};
  const bool gets = (status == 303 && request.method != "HEAD") || (status < 303 && request.method == "POST");
  if (gets) {
    request.method = "GET";
    request.body.clear();
  }
  std::erase_if(request.headers, [&](const auto& header) {
    if (gets && header.first.starts_with("content-")) return true;
    return !same_origin && std::find(kHarmless.begin(), kHarmless.end(), header.first) == kHarmless.end();
  });
}

std::vector<std::pair<std::string, std::string>> headersOf(const ::jobhost::HttpResponse& response) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const Json& one : response.info()["headers"].items())
    out.emplace_back(one.at(0).stringOr(""), one.at(1).stringOr(""));
  return out;
}

}  // namespace

std::string httpErrorText(int status, std::string_view url) {
  return "HTTPError: " + std::to_string(status) + (status < 500 ? " Client Error: " : " Server Error: ") +
         std::string(reasonOf(status)) + " for url: " + std::string(url);
}

Web::Web(Job& job, const Settings& settings, bool went_on)
    : job_(job),
      settings_(settings),
      gate_(Files(settings.dir).gate(), settings.politeness, [this](int fd, milliseconds most) { waitFor(fd, most); }),
      went_on_(went_on) {
  const auto kept = job.resumed() ? job.loadCheckpoint() : std::nullopt;
  if (!kept) return;
  const Json past = Json::parse(*kept);
  past_ = {past["late"].intOr(0), std::string(past["url"].stringOr("")), past["tries"].intOr(0)};
}

void Web::ifChanged(std::string url, std::string etag) {
  conditional_url_ = std::move(url);
  conditional_etag_ = std::move(etag);
}

std::string Web::etagOf(std::string_view url) const {
  constexpr std::size_t kLongest = 1000;
  return pages_ == 1 && etag_url_ == url && etag_.size() <= kLongest ? etag_ : std::string();
}

void Web::waitFor(int fd, milliseconds most) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + most;
  const int cancel = static_cast<int>(job_.cancelHandle());
  for (;;) {
    job_.progress(pages_, 0, "waiting for its turn");
    const auto left = std::chrono::ceil<milliseconds>(end - Clock::now());
    if (left.count() <= 0) return;
    std::array<pollfd, 2> fds{{{cancel, POLLIN, 0}, {fd, POLLIN, 0}}};
    ::poll(fds.data(), fds.size(), static_cast<int>(std::min(left, kSign).count()));
    job_.check();
    if ((fds[1].revents & POLLIN) != 0) return;
  }
}

bool Web::mayPass(int status, std::int64_t retry_after_ms) const {
  // A site that wants to be left alone for longer than we would wait is left alone.
  if (retry_after_ms > settings_.politeness.max_wait.count()) return false;
  return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

HostGate::Turn Web::turnAt(const std::string& host, const std::string& url, int tries) {
  const bool fresh = pages_ == 0 && !went_on_;
  const bool may_come_back = fresh || past_.late < kMostLate;
  HostGate::Entry entry = gate_.enter(host, fresh           ? HostGate::Patience::Little
                                            : may_come_back ? HostGate::Patience::Some
                                                            : HostGate::Patience::Endless);
  if (entry.turn) return *std::move(entry.turn);
  if (entry.refused) {
    const auto until = std::chrono::system_clock::now() + entry.away;
    throw CrawlError(Kind::Network, host + " wants to be left alone until " + timeText(until));
  }
  if (!fresh) ++past_.late;
  comeBackIn(entry.away, host, url, tries);
}

void Web::comeBackIn(milliseconds away, const std::string& host, const std::string& url, int tries) {
  if (past_.late > 0 || tries > 0)
    job_.saveCheckpoint(Json{{"late", past_.late}, {"url", url}, {"tries", tries}}.dump());
  job_.runAgainIn(away, "waiting for its turn at " + host);
}

void Web::send(const ::jobhost::HttpRequest& request, const Url& url, const Use& use) {
  const bool repeatable = request.method == "GET" || request.method == "HEAD";
  // A job that came back goes on where it was: a site that always refuses must not make it ask for ever.
  int tries =
      past_.url == request.url ? static_cast<int>(std::clamp<std::int64_t>(past_.tries, 0, settings_.retries)) : 0;
  for (;; ++tries) {
    const bool last = tries >= settings_.retries || !repeatable;
    HostGate::Turn turn = turnAt(url.authority(), request.url, tries);
    std::optional<::jobhost::HttpResponse> response;
    try {
      response.emplace(job_.fetch(request));
    } catch (const Error& error) {
      if (error.code() == "http.body_too_large") throw CrawlError(Kind::Limit, error.message());
      if (!error.code().starts_with("http.")) throw;
      // A redirect that is refused here, say, is no sign that the site wants to be left alone.
      const bool down = mayPassLater(error);
      turn.finish(down ? 0 : 200, "");
      if (last || !down) throw CrawlError(Kind::Network, error.message());
      job_.debug("trying again: " + error.message());
      continue;
    }
    const int status = response->status();
    const std::string retry_after = retryAfterOf(*response);
    turn.finish(status, retry_after);
    const auto asked = parseRetryAfter(retry_after, std::chrono::system_clock::now());
    if (!last && mayPass(status, asked ? asked->count() : 0)) {
      job_.debug("trying again: " + httpErrorText(status, url.text()));
      continue;
    }
    use(*response);
    return;
  }
}

std::shared_ptr<const Robots> Web::robotsOf(const Url& url) {
  const std::string origin = url.origin();
  if (const auto found = robots_.find(origin); found != robots_.end()) return found->second;
  const Keys kv = job_.kv();
  const std::string key = "robots:" + origin;
  std::shared_ptr<const Robots> out;
  // Kept as it came: the status, a line end, the text; of what could not be had, why.
  if (const auto kept = kv.get(key)) {
    int status = 0;
    const std::string_view text = kept->bytes;
    std::from_chars(text.data(), text.data() + text.size(), status);
    const std::size_t line = text.find('\n');
    const std::string_view body = line == std::string_view::npos ? std::string_view() : text.substr(line + 1);
    out = std::make_shared<Robots>(Robots::forStatus(status, body, kProduct));
    if (silent(status)) silent_[origin] = body;
  } else {
    int status = 0;
    std::string body;
    ::jobhost::HttpRequest request(origin + "/robots.txt");
    request.timeout(settings_.timeout_ms).limit(kMostRobotsBytes);
    try {
      send(request, url, [&](::jobhost::HttpResponse& response) {
        status = response.status();
        if (response.ok()) body = response.text(static_cast<std::size_t>(kMostRobotsBytes)).substr(0, kRobotsBytes);
      });
      if (status >= 500) body = httpErrorText(status, origin + "/robots.txt");
    } catch (const CrawlError& error) {
      body = error.what();
    }
    kv.put(key, std::to_string(status) + "\n" + body,
           {.ttl_ms = silent(status) ? kSilenceStays : kRobotsStay, .expected = {}, .now = true});
    out = std::make_shared<Robots>(Robots::forStatus(status, body, kProduct));
    if (silent(status)) silent_[origin] = body;
  }
  if (const auto delay = out->crawlDelay()) gate_.setGap(url.authority(), *delay);
  robots_[origin] = out;
  return out;
}

void Web::learnGap(const Url& url) {
  if (sources_ == nullptr) sources_ = loadSources(settings_);
  const auto spec = sources_->set.find(url.origin());
  if (spec == nullptr) return;
  gate_.setGap(url.authority(), milliseconds(static_cast<std::int64_t>(spec->rate_limit_s * 1000)));
}

void Web::obey(const Url& url) {
  learnGap(url);
  if (!settings_.robots) return;
  if (robotsOf(url)->allows(url.path + url.query)) return;
  if (const auto why = silent_.find(url.origin()); why != silent_.end()) {
    throw CrawlError(Kind::Network, "what " + url.host + " allows cannot be asked for: " + why->second);
  }
  throw CrawlError(Kind::Unable, "robots.txt of " + url.host + " does not allow " + url.text());
}

void Web::ask(::jobhost::HttpRequest request, Url url, const Use& use) {
  request.max_redirects = 0;
  for (int hops = 0;; ++hops) {
    obey(url);
    std::optional<std::string> location;
    int status = 0;
    send(request, url, [&](::jobhost::HttpResponse& response) {
      status = response.status();
      location = isRedirect(status) ? response.header("location") : std::nullopt;
      if (!location) use(response);
    });
    if (!location) return;
    if (hops == kMostHops)
      throw CrawlError(Kind::Network, request.url + ": more than " + std::to_string(kMostHops) + " redirects");
    auto next = resolveUrl(url, *location);
    if (!next)
      throw CrawlError(Kind::Network, request.url + " leads to '" + *location + "', which is no http(s) address");
    redirect(request, status, next->origin() == url.origin());
    request.url = next->text();
    url = *std::move(next);
    went_on_ = true;
  }
}

HttpResponse Web::fetch(const HttpRequest& asked) {
  const auto url = parseUrl(asked.url);
  if (!url) throw CrawlError(Kind::Missing, "'" + asked.url + "' is no http or https address");
  job_.progress(pages_, 0, asked.url);
  ::jobhost::HttpRequest request(asked.method, asked.url);
  request.headers = asked.headers;
  request.body = asked.body;
  request.timeout(settings_.timeout_ms).limit(settings_.max_page_bytes);
  const bool conditional = asked.method == "GET" && !conditional_etag_.empty() && asked.url == conditional_url_;
  if (conditional) request.header("if-none-match", conditional_etag_);
  HttpResponse out;
  ask(std::move(request), *url, [&](::jobhost::HttpResponse& response) {
    out.status = response.status();
    if (out.status == 304 && conditional) throw NotModified{};
    out.url = response.url();
    out.headers = headersOf(response);
    out.body = response.text(static_cast<std::size_t>(settings_.max_page_bytes));
    etag_ = response.header("etag").value_or("");
    etag_url_ = asked.method == "GET" ? asked.url : std::string();
  });
  ++pages_;
  if (out.status >= 400) refusal_ = httpErrorText(out.status, out.url.empty() ? asked.url : out.url);
  bytes_ += static_cast<std::int64_t>(out.body.size());
  if (bytes_ > settings_.max_job_bytes) {
    throw CrawlError(Kind::Limit, "the pages of this job have more than " +
                                      std::to_string(settings_.max_job_bytes >> 20) + " MiB (max_job_mb)");
  }
  return out;
}

void Web::download(const std::string& address, const std::string& referer, const Use& use) {
  const auto url = parseUrl(address);
  if (!url) throw CrawlError(Kind::Missing, "'" + address + "' is no http or https address");
  job_.progress(pages_, 0, address);
  ::jobhost::HttpRequest request(url->text());
  if (!referer.empty()) request.header("referer", referer);
  request.header("accept", "image/*,*/*;q=0.8");
  request.timeout(settings_.image_timeout_ms).limit(settings_.max_image_bytes);
  const bool conditional = !conditional_etag_.empty() && url->text() == conditional_url_;
  if (conditional) request.header("if-none-match", conditional_etag_);
  ask(std::move(request), *url, [&](::jobhost::HttpResponse& response) {
    if (response.status() == 304 && conditional) throw NotModified{};
    if (!response.ok()) {
      refusal_ = httpErrorText(response.status(), url->text());
      throw CrawlError(Kind::Refused, url->text() + " answered " + std::to_string(response.status()),
                       response.status());
    }
    etag_ = response.header("etag").value_or("");
    etag_url_ = address;
    use(response);
    ++pages_;
  });
}

}  // namespace jobhost::novel
