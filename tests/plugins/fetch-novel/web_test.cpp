#include <chrono>
#include <fstream>

#include "novel_fixture.hpp"

namespace jobhost::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Clock = std::chrono::steady_clock;

/// The time by the clock that the plugin's processes share, which is the wall's.
std::int64_t wallMs() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

class NovelWeb : public NovelPlugin {
 protected:
  NovelWeb() { serveBook({{"/c/1", "One"}}); }
  void robots(const std::string& text) { serve("/robots.txt", text, "text/plain"); }
  /// Answers `first` once, then the book. When it was asked for is kept.
  void firstAnswers(const FetchEnd& first) {
    first_done_ = false;
    seen_ms_.clear();
    host_.onFetch([this, first](const Fetch& asked) {
      if (asked.url == absolute("/book")) seen_ms_.push_back(wallMs());
      if (asked.url == absolute("/book") && !std::exchange(first_done_, true)) return first;
      const auto found = site_.find(asked.url);
      return found != site_.end() ? found->second : FetchEnd::answered(404);
    });
  }
  /// As if the time a site asked for had gone by.
  void pauseIsOver() const { folder_.write("novels-root/tmp/hosts/h-site.test.state", "0 1 0 0\n"); }
  bool first_done_ = false;
  std::vector<std::int64_t> seen_ms_;
};

/// A site whose chapters have pages.
constexpr char kPagedChapters[] = R"(spec: 1
base_url: https://site.test/
rate_limit: 0
novel: { title: { css: h1 } }
toc: { request: { page: novel }, items: { css: "ol.toc a", fields: { title: {}, url: { attr: href } } } }
chapter:
  request: { paginate: { next: { css: "a.next", attr: href } } }
  body: { css: "#text" }
)";

TEST_F(NovelWeb, AsksNothingThatRobotsTxtForbids) {
  robots("User-agent: *\nDisallow: /book\n");
  const Attempt done = fetchBook();
  EXPECT_EQ(done.error_message, "Failed to fetch novel");
  EXPECT_EQ(causeOf(done), "robots.txt of site.test does not allow https://site.test/book");
  EXPECT_TRUE(pagesOf(done).empty());
  configure({{"robots", false}});
  const Attempt anyway = fetchBook();
  EXPECT_TRUE(anyway.succeeded());
  EXPECT_EQ(anyway.fetches.size(), pagesOf(anyway).size());
}

TEST_F(NovelWeb, AsksForRobotsTxtOnceForAllJobs) {
  robots("User-agent: *\nDisallow: /private\n");
  EXPECT_EQ(fetchBook().fetches.front().url, "https://site.test/robots.txt");
  const Attempt chapter = fetchChapter(chapters()[0]);
  ASSERT_TRUE(chapter.succeeded());
  EXPECT_EQ(chapter.fetches.size(), 1U);
}

TEST_F(NovelWeb, AsksNothingOfASiteThatCannotSayWhatItAllows) {
  answer("/robots.txt", FetchEnd::answered(500));
  EXPECT_THAT(causeOf(fetchBook()), HasSubstr("what site.test allows cannot be asked for: HTTPError: 500"));
}

TEST_F(NovelWeb, RobotsTxtHoldsForPicturesOfOtherHostsToo) {
  serve("https://cdn.test/robots.txt", "User-agent: jobhost\nDisallow: /\n");
  serveBook({{"/c/1", "One"}}, "<img class=cover src=https://cdn.test/c.png>");
  const Attempt done = fetchBook();
  ASSERT_TRUE(done.succeeded());
  EXPECT_EQ(done.result["cover"], Json("drawn"));
  for (const std::string& url : pagesOf(done)) EXPECT_THAT(url, ::testing::Not(HasSubstr("cdn.test")));
}

TEST_F(NovelWeb, ComesBackWhenTheSiteSays) {
  FetchEnd busy = FetchEnd::answered(429);
  busy.headers = {{"retry-after", "1"}};
  firstAnswers(busy);
  const Attempt done = fetchBook();
  ASSERT_TRUE(done.succeeded()) << causeOf(done);
  EXPECT_EQ(pagesOf(done).size(), 2U);
  ASSERT_EQ(seen_ms_.size(), 2U);
  EXPECT_GE(seen_ms_[1] - seen_ms_[0], 1000) << "by what the site saw";
}

TEST_F(NovelWeb, TheNextJobWaitsAsLongAsTheSiteSaid) {
  FetchEnd busy = FetchEnd::answered(503);
  busy.headers = {{"retry-after", "1"}};
  configure({{"retries", 0}});
  firstAnswers(busy);
  EXPECT_THAT(causeOf(fetchBook()), HasSubstr("503 Server Error: Service Unavailable"));
  EXPECT_TRUE(fetchBook().succeeded());
  ASSERT_EQ(seen_ms_.size(), 2U);
  EXPECT_GE(seen_ms_[1] - seen_ms_[0], 1000) << "by what the site saw";
}

TEST_F(NovelWeb, LeavesASiteAloneThatAsksForLonger) {
  FetchEnd busy = FetchEnd::answered(429);
  busy.headers = {{"retry-after", "7200"}};
  firstAnswers(busy);
  configure({{"max_wait_s", 1}});
  const Attempt done = fetchBook();
  EXPECT_THAT(causeOf(done), HasSubstr("429 Client Error: Too Many Requests"));
  EXPECT_EQ(pagesOf(done).size(), 1U);
}

TEST_F(NovelWeb, HandsItselfBackForAPauseThatTakesLonger) {
  FetchEnd busy = FetchEnd::answered(429);
  busy.headers = {{"retry-after", "60"}};
  answer("/book", busy);
  const auto begin = wallMs();
  const Attempt first = fetchBook();
  const auto took = wallMs() - begin;
  ASSERT_TRUE(first.handedBack()) << causeOf(first);
  EXPECT_EQ(first.error_message, "waiting for its turn at site.test");
  EXPECT_GE(first.retry_after_ms + took, 60'000);
  // The pause, and a step behind it: what the last request took, of which no more than five seconds count.
  EXPECT_LE(first.retry_after_ms, 65'001);
  EXPECT_EQ(pagesOf(first).size(), 1U);
  const Attempt early = host_.runAgain();
  ASSERT_TRUE(early.handedBack()) << "the pause is not over";
  EXPECT_TRUE(early.fetches.empty());
  const Attempt other = fetchBook();
  EXPECT_TRUE(other.handedBack()) << "nobody asks the site meanwhile";
  EXPECT_TRUE(other.fetches.empty());
}

TEST_F(NovelWeb, AJobThatComesBackGivesUpAfterAsManyTriesAsOneThatWaits) {
  FetchEnd busy = FetchEnd::answered(429);
  busy.headers = {{"retry-after", "60"}};
  answer("/book", busy);
  Attempt last = fetchBook();
  std::size_t asked = pagesOf(last).size();
  int runs = 1;
  for (; last.handedBack() && runs < 20; ++runs) {
    pauseIsOver();
    last = host_.runAgain();
    asked += pagesOf(last).size();
  }
  EXPECT_THAT(causeOf(last), HasSubstr("429 Client Error: Too Many Requests"));
  EXPECT_EQ(asked, 3U) << "retries is 2";
  EXPECT_EQ(runs, 3);
}

TEST_F(NovelWeb, AJobWithPagesComesBackAFewTimesAndThenWaits) {
  spec("site.test.yaml", kPagedChapters);
  ASSERT_TRUE(fetchBook().succeeded());
  const std::string chapter = chapters()[0];
  serve("/c/1", "<div id=text><p>One</p></div><a class=next href=/c/2>Next</a>");
  FetchEnd busy = FetchEnd::answered(429);
  busy.headers = {{"retry-after", "60"}};
  answer("/c/2", busy);
  configure({{"retries", 10}});
  Attempt run = fetchChapter(chapter);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(run.handedBack()) << i << causeOf(run);
    pauseIsOver();
    asked_.clear();
    if (i == 2) {
      host_.onCall([&](const Call& call) {
        const bool refused = !asked_.empty() && asked_.back().url == absolute("/c/2");
        if (call.name == "progress" && refused) host_.cancel();
      });
    }
    run = host_.runAgain();
    ASSERT_FALSE(pagesOf(run).empty()) << i;
    EXPECT_EQ(pagesOf(run).front(), "https://site.test/c/1") << "its pages come again";
  }
  EXPECT_EQ(run.code, JH_E_CANCELLED) << "it waited";
}

TEST_F(NovelWeb, DoesNotAskASiteThatWantsToBeLeftAloneForLong) {
  FetchEnd busy = FetchEnd::answered(429);
  busy.headers = {{"retry-after", "7200"}};
  firstAnswers(busy);
  EXPECT_THAT(causeOf(fetchBook()), HasSubstr("429 Client Error: Too Many Requests"));
  const Attempt refused = fetchBook();
  EXPECT_THAT(causeOf(refused), ::testing::MatchesRegex(
                                    "site.test wants to be left alone until [0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8} UTC"));
  EXPECT_TRUE(refused.fetches.empty());
}

TEST_F(NovelWeb, TriesABrokenConnectionAgain) {
  firstAnswers(FetchEnd::truncated());
  EXPECT_TRUE(fetchBook().succeeded());
  firstAnswers(FetchEnd::failed(JH_E_DENIED, "http.address_denied", "a loopback address", JH_CLASS_DENIED));
  const Attempt denied = fetchBook();
  EXPECT_THAT(causeOf(denied), HasSubstr("a loopback address"));
  EXPECT_EQ(pagesOf(denied).size(), 1U) << "what will not change is not tried again";
}

TEST_F(NovelWeb, WhatIsRefusedHereIsNoReasonToLeaveTheSiteAlone) {
  configure({{"back_off_ms", 600'000}, {"max_wait_s", 60}});
  const auto begin = Clock::now();
  for (int i = 0; i < 3; ++i) {
    firstAnswers(FetchEnd::failed(JH_E_DENIED, "http.scheme_denied", "scheme file is no http", JH_CLASS_DENIED));
    EXPECT_THAT(causeOf(fetchBook()), HasSubstr("scheme file is no http"));
  }
  EXPECT_TRUE(fetchBook().succeeded());
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(50)) << "it waits a minute after a refusal of the site's own";
}

TEST_F(NovelWeb, RefusesPagesThatAreTooLarge) {
  configure({{"max_page_mb", 1}});
  serve("/c/1", "<div id=text>" + std::string(2 << 20, 'x') + "</div>");
  ASSERT_TRUE(fetchBook().succeeded());
  const Attempt done = fetchChapter(chapters()[0]);
  EXPECT_EQ(done.error_message, "Failed to fetch contents");
  EXPECT_THAT(causeOf(done), HasSubstr("longer than the limit of 1048576 bytes"));
  EXPECT_FALSE(hasText(chapters()[0]));
}

TEST_F(NovelWeb, RefusesAJobWhosePagesAreTooLargeTogether) {
  spec("site.test.yaml", kPagedChapters);
  configure({{"max_job_mb", 1}});
  ASSERT_TRUE(fetchBook().succeeded());
  const std::string part = std::string(300'000, 'x');
  for (int i = 1; i <= 6; ++i) {
    serve("/c/" + std::to_string(i),
          "<div id=text>" + part + "</div><a class=next href=/c/" + std::to_string(i + 1) + ">Next</a>");
  }
  const Attempt done = fetchChapter(chapters()[0]);
  EXPECT_THAT(causeOf(done), HasSubstr("more than 1 MiB (max_job_mb)"));
  EXPECT_LE(pagesOf(done).size(), 4U);
}

TEST_F(NovelWeb, KeepsRequestsApart) {
  configure({{"gap_ms", 150}});
  ASSERT_TRUE(fetchBook().succeeded());  // robots.txt and the page
  const auto begin = wallMs();
  ASSERT_TRUE(fetchChapter(chapters()[0]).succeeded());
  ASSERT_TRUE(fetchChapter(chapters()[0], true).succeeded());
  EXPECT_GE(wallMs() - begin, 150);
}

FetchEnd redirectTo(const std::string& location, int status = 302) {
  FetchEnd out = FetchEnd::answered(status);
  out.headers = {{"location", location}};
  return out;
}

TEST_F(NovelWeb, FollowsRedirects) {
  answer("/book", redirectTo("/moved/", 301));
  answer("/moved/", redirectTo("../here?x=1#top", 307));
  serve("/here?x=1", "<h1>Moved</h1><ol class=toc><a href=c/1>One</a></ol>");
  const Attempt done = fetchBook();
  ASSERT_TRUE(done.succeeded()) << causeOf(done);
  EXPECT_THAT(pagesOf(done),
              ElementsAre("https://site.test/book", "https://site.test/moved/", "https://site.test/here?x=1"));
  EXPECT_EQ(record("chapters", chapters()[0])["url"], Json("https://site.test/c/1")) << "from where the page came";
  for (const Fetch& one : done.fetches) {
    if (!one.url.ends_with("/robots.txt")) {
      EXPECT_EQ(one.request["max_redirects"], Json(0));
    }
  }
}

TEST_F(NovelWeb, AHostThatARedirectLeadsToHasItsOwnRules) {
  answer("/book", redirectTo("https://other.test/book"));
  serve("https://other.test/robots.txt", "User-agent: *\nDisallow: /book\n", "text/plain");
  serve("https://other.test/book", "<h1>Other</h1><ol class=toc><a href=/c/1>One</a></ol>");
  const Attempt done = fetchBook();
  EXPECT_EQ(causeOf(done), "robots.txt of other.test does not allow https://other.test/book");
  EXPECT_THAT(pagesOf(done), ElementsAre("https://site.test/book"));
}

TEST_F(NovelWeb, APathThatARedirectLeadsToMayBeForbidden) {
  robots("User-agent: *\nDisallow: /private\n");
  answer("/book", redirectTo("/private/book"));
  serve("/private/book", "<h1>Other</h1><ol class=toc><a href=/c/1>One</a></ol>");
  const Attempt done = fetchBook();
  EXPECT_EQ(causeOf(done), "robots.txt of site.test does not allow https://site.test/private/book");
  EXPECT_THAT(pagesOf(done), ElementsAre("https://site.test/book"));
}

TEST_F(NovelWeb, APictureThatMovedIsUnderTheRulesOfWhereItIs) {
  serveBook({{"/c/1", "One"}}, "<img class=cover src=/cover.png>");
  answer("/cover.png", redirectTo("https://cdn.test/cover.png"));
  serve("https://cdn.test/cover.png", samples::plain(4, 4, {255, 0, 0}, ".png"), "image/png");
  EXPECT_EQ(fetchBook().result["cover"], Json("fetched"));
  host_.putKey("robots:https://cdn.test", "200\nUser-agent: *\nDisallow: /\n");
  const Attempt again = fetchBook();
  EXPECT_EQ(again.result["cover"], Json("kept"));
  for (const std::string& url : pagesOf(again)) EXPECT_THAT(url, ::testing::Not(HasSubstr("cdn.test")));
}

TEST_F(NovelWeb, RedirectsThatLeadNowhereAreSaid) {
  answer("/book", redirectTo("/book"));
  const Attempt circle = fetchBook();
  EXPECT_THAT(causeOf(circle), HasSubstr("https://site.test/book: more than 10 redirects"));
  EXPECT_EQ(pagesOf(circle).size(), 11U);
  answer("/book", redirectTo("ftp://site.test/book"));
  EXPECT_THAT(causeOf(fetchBook()),
              HasSubstr("https://site.test/book leads to 'ftp://site.test/book', which is no http(s) address"));
}

TEST_F(NovelWeb, AKeyOfTheSpecsGoesToNoOtherSite) {
  spec("site.test.yaml", R"(spec: 1
base_url: https://site.test/
rate_limit: 0
headers: { x-key: secret, accept-language: en }
novel: { title: { css: h1 } }
toc:
  request: { post: "{origin}/list", payload: { id: "7" } }
  items: { css: "ol.toc a", fields: { title: {}, url: { attr: href } } }
chapter: { body: { css: "#text" } }
)");
  answer("/book", redirectTo("https://other.test/book"));
  serve("https://other.test/book", "<h1>Other</h1>");
  answer("/list", redirectTo("/list2", 307));
  answer("/list2", redirectTo("/list3", 302));
  serve("/list3", "<ol class=toc><a href=/c/1>One</a></ol>");
  const Attempt done = fetchBook();
  ASSERT_TRUE(done.succeeded()) << causeOf(done);
  std::map<std::string, const Fetch*> by_url;
  for (const Fetch& one : done.fetches) by_url[one.url] = &one;
  EXPECT_EQ(by_url.at("https://site.test/book")->header("x-key"), "secret");
  EXPECT_EQ(by_url.at("https://other.test/book")->header("x-key"), "");
  EXPECT_EQ(by_url.at("https://other.test/book")->header("accept-language"), "en");
  EXPECT_EQ(by_url.at("https://site.test/list2")->method, "POST");
  EXPECT_EQ(by_url.at("https://site.test/list2")->body, "id=7");
  EXPECT_EQ(by_url.at("https://site.test/list3")->method, "GET");
  EXPECT_EQ(by_url.at("https://site.test/list3")->body, "");
  EXPECT_EQ(by_url.at("https://site.test/list3")->header("x-key"), "secret");
  EXPECT_EQ(by_url.at("https://site.test/list3")->header("content-type"), "");
}

// When each host was asked for something else than robots.txt, and from when on it might be asked again: what the
// plugin noted for the request that is under way. Between the note and the request its process may stand still for as
// long as it likes, so that two requests may come closer together than the gap.
class NovelGaps : public NovelPlugin {
 protected:
  NovelGaps() {
    host_.onFetch([this](const Fetch& asked) {
      const std::string host = asked.url.substr(8, asked.url.find('/', 8) - 8);
      std::int64_t next = 0;
      std::ifstream(file("tmp/hosts/h-" + host + ".state")) >> next;
      if (!asked.url.ends_with("/robots.txt")) times_[host].push_back({wallMs(), next});
      const auto found = site_.find(asked.url);
      return found != site_.end() ? found->second : FetchEnd::answered(404);
    });
  }
  void serveSlowSpec(const std::string& host) const {
    spec(host + ".yaml", "spec: 1\nbase_url: https://" + host +
                             "/\nrate_limit: 0.3\nnovel: {title: {css: h1}, cover: {css: img.cover, attr: src}}\n"
                             "toc: {request: {page: novel}, items: {css: 'ol.toc a', fields: {title: {}, url: {attr: "
                             "href}}}}\nchapter: {body: {css: '#text'}}\n");
  }
  void expectApart(const std::string& host, std::size_t requests) {
    const auto& times = times_[host];
    ASSERT_EQ(times.size(), requests) << host;
    for (std::size_t i = 1; i < times.size(); ++i) {
      EXPECT_GE(times[i].ms, times[i - 1].next_ms) << host << ", request " << i << " came too soon";
      EXPECT_GE(times[i].next_ms - times[i - 1].next_ms, 300) << host << ", request " << i;
    }
  }
  struct Time {
    std::int64_t ms, next_ms;
  };
  std::map<std::string, std::vector<Time>> times_;
};

TEST_F(NovelGaps, PicturesKeepTheGapOfTheirHostsSpec) {
  const FetchEnd picture = FetchEnd::ok(samples::plain(4, 4, {255, 0, 0}, ".png"), "image/png");
  for (const char* const path :
       {"/1.png", "/2.png", "https://cdn.test/3.png", "https://cdn.test/4.png", "https://cdn.test/cover.png"})
    answer(path, picture);
  serveBook({{"/c/1", "One"}}, "<img class=cover src=https://cdn.test/cover.png>");
  serve("/c/1",
        "<div id=text>a<img src=/1.png><img src=/2.png><img src=https://cdn.test/3.png>"
        "<img src=https://cdn.test/4.png></div>");
  serveSlowSpec("site.test");
  serveSlowSpec("cdn.test");
  ASSERT_TRUE(fetchBook().succeeded());
  ASSERT_TRUE(fetchChapter(chapters()[0]).succeeded());
  const auto images = host_.records("images");
  ASSERT_EQ(images.size(), 4U);
  for (const auto& [id, row] : images) ASSERT_TRUE(fetchImage(id).succeeded());
  expectApart("site.test", 4);
  expectApart("cdn.test", 3);
}

TEST_F(NovelGaps, PicturesKeepTheirHostsCrawlDelay) {
  serve("/robots.txt", "User-agent: *\nCrawl-delay: 0.3\n", "text/plain");
  const FetchEnd picture = FetchEnd::ok(samples::plain(4, 4, {255, 0, 0}, ".png"), "image/png");
  answer("/1.png", picture);
  answer("/2.png", picture);
  serveBook({{"/c/1", "One"}});
  serve("/c/1", "<div id=text>a<img src=/1.png><img src=/2.png></div>");
  ASSERT_TRUE(fetchBook().succeeded());
  ASSERT_TRUE(fetchChapter(chapters()[0]).succeeded());
  for (const auto& [id, row] : host_.records("images")) ASSERT_TRUE(fetchImage(id).succeeded());
  expectApart("site.test", 4);
}

TEST_F(NovelWeb, ACancelEndsAWaitForTheSite) {
  configure({{"gap_ms", 600'000}, {"robots", false}});
  ASSERT_TRUE(fetchBook().succeeded());
  // The next one waits ten minutes, and says so.
  std::size_t waits = 0;
  host_.onCall([&](const Call& call) {
    if (call.name == "progress" && ++waits == 2) host_.cancel();
  });
  const auto begin = Clock::now();
  const Attempt done = fetchBook();
  EXPECT_EQ(done.code, JH_E_CANCELLED) << causeOf(done);
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(60)) << "of ten minutes";
  EXPECT_TRUE(pagesOf(done).empty());
  expectClean(done);
}

TEST_F(NovelWeb, SaysThatSpecsCannotLogIn) {
  configure({{"credentials", Json{{"site.test", Json{{"user", "u"}}}}}});
  const Attempt done = fetchBook();
  ASSERT_TRUE(done.succeeded());
  bool said = false;
  for (const LogLine& line : done.log) said = said || line.text.find("cannot log in") != std::string::npos;
  EXPECT_TRUE(said);
}

}  // namespace
}  // namespace jobhost::testing
