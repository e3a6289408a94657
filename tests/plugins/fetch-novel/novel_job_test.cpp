#include <algorithm>

#include "novel_fixture.hpp"

namespace jobhost::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace fs = std::filesystem;

using NovelJob = NovelPlugin;

TEST_F(NovelJob, StoresTheNovelItsVolumesAndItsChapters) {
  serveBook({{"/c/1", "One"}, {"/c/2", "Two"}});
  const Attempt done = fetchBook();
  ASSERT_TRUE(done.succeeded()) << done.error_message << " " << causeOf(done);
  const std::string id = novel();
  EXPECT_EQ(done.notesObject()["novel_id"], Json(id));
  EXPECT_EQ(id.size(), 36U);
  EXPECT_EQ(id[14], '4');
  const Json book = record("novels", id);
  EXPECT_EQ(book["url"], Json("https://site.test/book"));
  EXPECT_EQ(book["domain"], Json("site.test"));
  EXPECT_EQ(book["title"], Json("The Book"));
  EXPECT_EQ(book["authors"], Json("Ann Author"));
  EXPECT_EQ(book["tags"], Json::array({"sea"}));
  EXPECT_EQ(book["synopsis"], Json("<p>A story.</p>")) << "a picture there would need a row of its own";
  EXPECT_EQ(book["language"], Json("en"));
  EXPECT_EQ(book["volume_count"], Json(1));
  EXPECT_EQ(book["chapter_count"], Json(2));
  EXPECT_TRUE(book["cover_url"].isNull());
  ASSERT_EQ(host_.records("volumes").size(), 1U);
  const auto [volume, volume_row] = *host_.records("volumes").begin();
  EXPECT_EQ(volume_row["title"], Json("Volume 1"));
  EXPECT_EQ(volume_row["chapter_count"], Json(2));
  const auto ids = chapters();
  ASSERT_EQ(ids.size(), 2U);
  const Json second = record("chapters", ids[1]);
  EXPECT_EQ(second["volume_id"], Json(volume));
  EXPECT_EQ(second["url"], Json("https://site.test/c/2"));
  EXPECT_EQ(second["title"], Json("Two"));
  EXPECT_EQ(second["is_done"], Json(false));
  EXPECT_EQ(samples::readAll(file("novels/" + id + "/cover.jpg")).substr(0, 2), "\xFF\xD8") << "one is drawn";
  EXPECT_EQ(done.result["cover"], Json("drawn"));
  expectClean(done);
}

TEST_F(NovelJob, SpellsAnAddressAsItIsStored) {
  serveBook({{"/c/1", "One"}});
  const Attempt done = host_.run("novel", {{"url", "HTTPS://Site.Test:443/a/../book#top"}});
  ASSERT_TRUE(done.succeeded()) << causeOf(done);
  ASSERT_TRUE(fetchBook().succeeded());
  EXPECT_EQ(host_.records("novels").size(), 1U);
}

TEST_F(NovelJob, KeepsIdTextAndTitleTogetherWhenAChapterIsInsertedInFront) {
  serveBook({{"/c/1", "One"}, {"/c/2", "Two"}});
  ASSERT_TRUE(fetchBook().succeeded());
  const auto before = chapters();
  for (const auto& id : before) ASSERT_TRUE(fetchChapter(id).succeeded());
  serveBook({{"/c/0", "Prologue"}, {"/c/1", "One"}, {"/c/2", "Two, revised"}});
  const Attempt again = fetchBook();
  ASSERT_TRUE(again.succeeded()) << causeOf(again);
  EXPECT_EQ(again.result["added"], Json(1));
  const auto after = chapters();
  ASSERT_EQ(after.size(), 3U);
  EXPECT_EQ(after[1], before[0]);
  EXPECT_EQ(after[2], before[1]);
  EXPECT_EQ(text(after[1]), "<p>Text of One.</p>");
  EXPECT_EQ(record("chapters", after[1])["title"], Json("One"));
  EXPECT_EQ(record("chapters", after[1])["is_done"], Json(true)) << "a refresh forgets nothing";
  EXPECT_EQ(record("chapters", after[2])["title"], Json("Two, revised"));
  EXPECT_FALSE(hasText(after[0]));
}

TEST_F(NovelJob, KeepsAChapterWhoseAddressChanged) {
  serveBook({{"/c/1", "One"}, {"/c/2", "Two"}});
  ASSERT_TRUE(fetchBook().succeeded());
  const auto before = chapters();
  serveBook({{"/new/1", "One"}, {"/new/2", "Two"}});
  ASSERT_TRUE(fetchBook().succeeded());
  EXPECT_EQ(chapters(), before);
  EXPECT_EQ(record("chapters", before[0])["url"], Json("https://site.test/new/1"));
}

TEST_F(NovelJob, AChapterWithARepeatedOrMadeUpTitleIsNotTakenForAnother) {
  serveBook({{"/c/1", "One"}, {"/c/2", "Interlude"}, {"/c/3", ""}, {"/c/4", "Two"}, {"/c/5", "Three"}});
  ASSERT_TRUE(fetchBook().succeeded());
  const auto before = chapters();
  for (const auto& id : before) ASSERT_TRUE(fetchChapter(id).succeeded());
  // The site numbers its pages anew: only what tells itself apart is known again.
  serveBook({{"/n/1", "One"},
             {"/n/2", "Interlude"},
             {"/n/3", ""},
             {"/n/4", "Interlude"},
             {"/n/5", "Two"},
             {"/c/5", "Three"}});
  ASSERT_TRUE(fetchBook().succeeded());
  const auto after = chapters();
  ASSERT_EQ(after.size(), 6U);
  EXPECT_EQ(after[0], before[0]);
  EXPECT_EQ(after[4], before[3]);
  EXPECT_EQ(after[5], before[4]);
  for (const std::size_t fresh : {1U, 2U, 3U}) {
    EXPECT_EQ(record("chapters", after[fresh])["is_done"], Json(false)) << fresh;
    EXPECT_FALSE(hasText(after[fresh])) << fresh;
  }
}

TEST_F(NovelJob, RemovesWhatIsNoLongerListedWithItsFiles) {
  serve("/pic.png", samples::plain(4, 4, {255, 0, 0}, ".png"), "image/png");
  serveBook({{"/c/1", "One"}, {"/c/2", "Two"}});
  serve("/c/2", "<div id=text><p>Look:</p><img src=/pic.png></div>");
  ASSERT_TRUE(fetchBook().succeeded());
  const auto before = chapters();
  for (const auto& id : before) ASSERT_TRUE(fetchChapter(id).succeeded());
  const std::string image = host_.records("images").begin()->first;
  ASSERT_TRUE(fetchImage(image).succeeded());
  const fs::path picture = file("novels/" + novel() + "/images/" + image + ".jpg");
  ASSERT_TRUE(fs::exists(picture));
  serveBook({{"/c/1", "One"}});
  const Attempt again = fetchBook();
  EXPECT_EQ(again.result["removed"], Json(1));
  EXPECT_EQ(chapters(), std::vector<std::string>{before[0]});
  EXPECT_FALSE(hasText(before[1]));
  EXPECT_TRUE(hasText(before[0]));
  EXPECT_TRUE(host_.records("images").empty());
  EXPECT_FALSE(fs::exists(picture));
  EXPECT_EQ(record("novels", novel())["chapter_count"], Json(1));
}

const char* const kPaged = R"(spec: 1
base_url: https://site.test/
rate_limit: 0
novel: { title: { css: h1 } }
toc:
  request: { page: novel, paginate: { PAGINATE } }
  items: { css: "ol.toc a", fields: { title: {}, url: { attr: href } } }
chapter: { body: { css: "#text" } }
)";

/// A list on three pages of two chapters each, all fetched and with texts.
class NovelList : public NovelPlugin {
 protected:
  NovelList() {
    page("/book", {1, 2});
    page("/book?p=2", {3, 4});
    page("/book?p=3", {5, 6});
    page("/book?p=4", {});
    use("last: 3, url: '{novel_url}?p={page}'");
    EXPECT_TRUE(fetchBook().succeeded());
    before_ = chapters();
    EXPECT_EQ(before_.size(), 6U);
    for (const auto& id : before_) EXPECT_TRUE(fetchChapter(id).succeeded());
  }
  void use(const std::string& paginate) const {
    std::string text = kPaged;
    text.replace(text.find("PAGINATE"), 8, paginate);
    spec("site.test.yaml", text);
  }
  void page(const std::string& path, const std::vector<int>& chapters) {
    std::string html = "<h1>The Book</h1><ol class=toc>";
    for (const int n : chapters) {
      const std::string number = std::to_string(n);
      html += "<li><a href='/c/" + number + "'>Part " + number + "</a>";
      serve("/c/" + number, "<div id=text><p>Text " + number + "</p></div>");
    }
    serve(path, html + "</ol>");
  }
  void expectAllThere() {
    EXPECT_EQ(chapters(), before_);
    for (std::size_t i = 0; i < before_.size(); ++i) {
      EXPECT_TRUE(hasText(before_[i])) << i;
      EXPECT_EQ(record("chapters", before_[i])["is_done"], Json(true)) << i;
      EXPECT_EQ(record("chapters", before_[i])["serial"], Json(i + 1)) << i;
    }
    EXPECT_EQ(record("novels", novel())["chapter_count"], Json(6));
  }
  static std::string warnings(const Attempt& attempt) {
    std::string out;
    for (const LogLine& line : attempt.log) out += line.text + "\n";
    return out;
  }
  std::vector<std::string> before_;
};

TEST_F(NovelList, APageThatIsNotThereMayBeAGap) {
  use("while: has_items, url: '{novel_url}?p={page}'");
  answer("/book?p=3", FetchEnd::answered(404));
  const Attempt done = fetchBook();
  ASSERT_TRUE(done.succeeded()) << causeOf(done);
  EXPECT_EQ(done.result["removed"], Json(0));
  EXPECT_EQ(done.result["kept"], Json(2));
  EXPECT_EQ(done.result["chapters"], Json(6));
  EXPECT_THAT(warnings(done), HasSubstr("https://site.test/book?p=3 was answered with 404; 2 stored chapters that it "
                                        "has not are kept"));
  expectAllThere();
}

TEST_F(NovelList, APageThatFailsChangesNothing) {
  for (const char* const paginate :
       {"while: has_items, url: '{novel_url}?p={page}'", "last: 3, url: '{novel_url}?p={page}'"}) {
    use(paginate);
    answer("/book?p=3", FetchEnd::answered(500));
    EXPECT_THAT(causeOf(fetchBook()), HasSubstr("500 Server Error"));
    expectAllThere();
  }
  answer("/book?p=3", FetchEnd::answered(404));
  EXPECT_THAT(causeOf(fetchBook()), HasSubstr("404 Client Error")) << "the last page's number was known";
  expectAllThere();
}

TEST_F(NovelList, PagesThatAreTooMuchTogetherChangeNothing) {
  configure({{"max_job_mb", 1}});
  serve("/book?p=2", "<p>" + std::string(1 << 20, 'x') + "</p>");
  EXPECT_THAT(causeOf(fetchBook()), HasSubstr("more than 1 MiB (max_job_mb)"));
  expectAllThere();
}

TEST_F(NovelList, WhatAnEndedListLacksGoes) {
  use("while: has_items, url: '{novel_url}?p={page}'");
  page("/book?p=3", {});
  const Attempt done = fetchBook();
  EXPECT_EQ(done.result["removed"], Json(2));
  EXPECT_EQ(done.result["kept"], Json(0));
  EXPECT_EQ(chapters().size(), 4U);
  EXPECT_FALSE(hasText(before_[5]));
}

TEST_F(NovelList, AListThatLacksMoreThanHalfIsNotBelieved) {
  use("last: 1, url: '{novel_url}?p={page}'");
  const Attempt done = fetchBook();
  ASSERT_TRUE(done.succeeded()) << causeOf(done);
  EXPECT_EQ(done.result["kept"], Json(4));
  EXPECT_THAT(warnings(done), HasSubstr("the list of chapters lacks more than half of those that are stored; 4 stored "
                                        "chapters that it has not are kept"));
  expectAllThere();
  page("/book", {1, 2, 3});  // half of them: that is an answer
  EXPECT_EQ(fetchBook().result["removed"], Json(3));
  EXPECT_EQ(chapters().size(), 3U);
}

TEST_F(NovelList, ACutListIsReadAgainThoughItsPageIsTheSame) {
  spec("site.test.yaml", R"(spec: 1
base_url: https://site.test/
rate_limit: 0
novel: { title: { css: h1 } }
toc:
  request: { from: [ { get: "{origin}/all" }, { page: novel } ] }
  items: { css: "ol.toc a", fields: { title: {}, url: { attr: href } } }
chapter: { body: { css: "#text" } }
)");
  configure({{"retries", 0}});
  page("/book", {1, 2, 3, 4});
  site_[absolute("/book")].headers.emplace_back("etag", "\"v1\"");
  answer("/all", FetchEnd::failed(JH_E_TIMEOUT, "http.timeout", "took too long", JH_CLASS_TRANSIENT));
  ASSERT_EQ(fetchBook().result["kept"], Json(2));
  expectAllThere();
  page("/all", {1, 2, 3, 4, 5, 6, 7});
  const Attempt again = fetchBook();
  for (const Fetch& one : again.fetches) EXPECT_EQ(one.header("if-none-match"), "") << one.url;
  EXPECT_EQ(chapters().size(), 7U);
}

TEST_F(NovelJob, AsksForWhatChangedOnly) {
  serveBook({{"/c/1", "One"}});
  site_[absolute("/book")].headers.emplace_back("etag", "\"v1\"");
  ASSERT_TRUE(fetchBook().succeeded());
  answer("/book", FetchEnd::answered(304));
  const Attempt again = fetchBook();
  ASSERT_TRUE(again.succeeded()) << causeOf(again);
  EXPECT_EQ(again.fetches.back().header("if-none-match"), "\"v1\"");
  EXPECT_EQ(again.result["unchanged"], Json(true));
  EXPECT_EQ(again.notesObject()["novel_id"], Json(novel()));
  const Attempt full = fetchBook("full_novel");
  ASSERT_TRUE(full.succeeded());
  EXPECT_EQ(full.children.size(), 2U) << "the volumes are known";
}

TEST_F(NovelJob, MakesTheVolumesThenTheBook) {
  serveBook({{"/c/1", "One"}, {"/c/2", "Two"}});
  const Attempt done = fetchBook("full_novel");
  ASSERT_TRUE(done.succeeded()) << causeOf(done);
  ASSERT_EQ(done.children.size(), 2U);
  EXPECT_EQ(done.children[0].type, "volume_batch");
  EXPECT_EQ(done.children[0].params["volume_ids"], Json::array({host_.records("volumes").begin()->first}));
  EXPECT_EQ(done.children[0].params["novel_id"], Json(novel()));
  EXPECT_EQ(done.children[1].type, "artifact");
  EXPECT_EQ(done.children[1].params, (Json{{"novel_id", novel()}, {"format", "epub"}, {"novel_title", "The Book"}}));
  EXPECT_EQ(done.children[1].options["after"], Json::array({done.children[0].id}));
  EXPECT_EQ(host_.runAgain().children.size(), 2U) << "a second try makes none twice";
  expectClean(done);
}

TEST_F(NovelJob, CutsATitleThatIsNoneForTheJobsBelowToo) {
  serve("/c/1", "<div id=text><p>x</p></div>");
  serve("/book", "<h1>" + std::string(2500, 'n') + "</h1><ol class=toc><li><a href='/c/1'>One</a></ol>");
  const Attempt done = fetchBook("full_novel");
  ASSERT_TRUE(done.succeeded()) << causeOf(done);
  ASSERT_EQ(done.children.size(), 2U);
  for (const auto& child : done.children) {
    EXPECT_EQ(child.params["novel_title"], record("novels", novel())["title"]);
    EXPECT_LE(child.params["novel_title"].stringOr("").size(), 2000U) << "the schema's limit";
  }
}

TEST_F(NovelJob, LeavesWhatItMadeToTheHostWhenItCannotMakeTheRest) {
  serveBook({{"/c/1", "One"}});
  host_.failCall("children.submit", 2, JH_E_LIMIT, "too many jobs wait");
  const Attempt done = fetchBook("full_novel");
  EXPECT_EQ(done.error_message, "Failed to fetch novel");
  EXPECT_THAT(causeOf(done), HasSubstr("too many jobs wait"));
  ASSERT_EQ(done.children.size(), 1U);
  EXPECT_FALSE(done.children[0].canceled) << "a retry of this job would find it so";
}

TEST_F(NovelJob, SaysWhatTheSiteAnswered) {
  answer("/book", FetchEnd::answered(403));
  const Attempt done = fetchBook();
  EXPECT_EQ(done.error_message, "Failed to fetch novel");
  EXPECT_EQ(done.error_code, "novel.fetch_failed");
  EXPECT_THAT(causeOf(done),
              AllOf(HasSubstr("site.test.yaml"),
                    HasSubstr("\nHTTPError: 403 Client Error: Forbidden for url: https://site.test/book")));
  EXPECT_TRUE(host_.records("novels").empty());
}

TEST_F(NovelJob, SaysWhatIsMissingOnThePage) {
  serve("/book", "<h1>Book</h1><p>No list.</p>");
  const Attempt done = fetchBook();
  EXPECT_EQ(done.error_message, "Failed to fetch novel");
  EXPECT_THAT(causeOf(done), HasSubstr("toc.items: matched no chapters on https://site.test/book"));
}

TEST_F(NovelJob, RefusesAddressesItCannotRead) {
  EXPECT_EQ(host_.run("novel", {{"url", " "}}).error_message, "No novel url");
  EXPECT_THAT(causeOf(host_.run("novel", {{"url", "ftp://a.test/"}})), HasSubstr("'ftp://a.test/' is no http"));
  spec("closed.test.yaml",
       "spec: 1\nbase_url: https://closed.test/\ndisabled: the site closed\n"
       "novel: {title: {css: h1}}\ntoc: {request: {page: novel}, items: {css: a, fields: {url: {attr: href}}}}\n"
       "chapter: {body: {css: p}}\n");
  EXPECT_EQ(causeOf(host_.run("novel", {{"url", "https://www.closed.test/1"}})),
            "The requested domain is rejected: the site closed");
  configure({{"generic", false}});
  EXPECT_EQ(causeOf(host_.run("novel", {{"url", "https://unknown.test/1"}})),
            "No crawler found for the domain: unknown.test");
  EXPECT_TRUE(asked_.empty());
}

TEST_F(NovelJob, NeverFailsForACover) {
  serveBook({{"/c/1", "One"}}, "<img class=cover src=/cover.png>");
  serve("/cover.png", samples::plain(30, 40, {0, 0, 255}, ".png"), "image/png");
  const Attempt done = fetchBook();
  ASSERT_TRUE(done.succeeded()) << causeOf(done);
  EXPECT_EQ(done.result["cover"], Json("fetched"));
  const fs::path cover = file("novels/" + novel() + "/cover.jpg");
  const std::string bytes = samples::readAll(cover);
  EXPECT_EQ(bytes.substr(0, 2), "\xFF\xD8");
  serve("/cover.png", "no picture at all", "image/png");
  EXPECT_EQ(fetchBook().result["cover"], Json("kept"));
  EXPECT_EQ(samples::readAll(cover), bytes);
  fs::remove(cover);
  EXPECT_EQ(fetchBook().result["cover"], Json("drawn"));
  EXPECT_TRUE(fs::exists(cover));
}

TEST_F(NovelJob, DrawsACoverForAnyTitle) {
  serve("/book",
        "<h1>&lt;Tom &amp; Jerry&gt; 魔法使いの夜と長い長い題名がまだまだ続くとても長い物語の第一巻から第百巻まで</h1>"
        "<ol class=toc><a href=/c/1>One</a></ol>");
  const Attempt done = fetchBook();
  ASSERT_TRUE(done.succeeded()) << causeOf(done);
  EXPECT_EQ(done.result["cover"], Json("drawn"));
}

TEST_F(NovelJob, MakesAJobForEachDistinctAddressOfABatch) {
  const Attempt done =
      host_.run("full_novel_batch",
                {{"urls", Json::array({"https://site.test/b", "https://site.test/a", "HTTPS://SITE.test/b#x"})}});
  ASSERT_TRUE(done.succeeded()) << causeOf(done);
  ASSERT_EQ(done.children.size(), 2U);
  EXPECT_EQ(done.children[0].type, "full_novel");
  EXPECT_EQ(done.children[0].params, (Json{{"url", "https://site.test/a"}}));
  EXPECT_EQ(done.children[0].options["dedupe_key"], Json("https://site.test/a"));
  EXPECT_EQ(done.children[0].options["max_attempts"], Json(1));
  EXPECT_EQ(host_.runAgain().children.size(), 2U);
  EXPECT_EQ(host_.run("novel_batch", {{"urls", Json::array({})}}).result["jobs"], Json(0));
}

TEST_F(NovelJob, ABatchTellsItsJobsWhichNovelsAreKnown) {
  serveBook({{"/c/1", "One"}});
  ASSERT_TRUE(fetchBook().succeeded());
  const Attempt done =
      host_.run("novel_batch", {{"urls", Json::array({"https://site.test/a", "https://site.test/book"})}});
  ASSERT_EQ(done.children.size(), 2U) << causeOf(done);
  EXPECT_EQ(done.children[0].params, (Json{{"url", "https://site.test/a"}}));
  EXPECT_EQ(done.children[1].params, (Json{{"url", "https://site.test/book"}, {"novel_id", novel()}}));
}

TEST_F(NovelJob, MakesNoJobOfABatchWithAnAddressThatNobodyReads) {
  configure({{"generic", false}});
  const Attempt done =
      host_.run("novel_batch", {{"urls", Json::array({"https://site.test/b", "https://unknown.test/"})}});
  EXPECT_EQ(done.error_message, "Failed to create requests");
  EXPECT_EQ(causeOf(done), "No crawler found for the domain: unknown.test");
  EXPECT_TRUE(done.children.empty());
}

TEST_F(NovelJob, ReadsASiteWithoutASpecByGuessing) {
  std::string page = "<html><head><meta property='og:title' content='Wild Book'></head><body><ul class=chapters>";
  for (int i = 1; i <= 6; ++i)
    page += "<li><a href='/w/" + std::to_string(i) + "'>Chapter " + std::to_string(i) + "</a></li>";
  serve("https://wild.test/", page + "</ul></body></html>");
  serve("https://wild.test/w/1",
        "<body><div class=menu><a href=/>Home</a></div><article><p>It was a long, long way to the sea, and nobody had "
        "told them.</p><p>They went all the same, with what they had, and did not look back.</p></article></body>");
  const Attempt done = host_.run("novel", {{"url", "https://wild.test/"}});
  ASSERT_TRUE(done.succeeded()) << causeOf(done);
  EXPECT_EQ(record("novels", novel())["title"], Json("Wild Book"));
  EXPECT_EQ(record("novels", novel())["crawler_version"], Json(1));
  ASSERT_EQ(chapters().size(), 6U);
  const Attempt chapter = fetchChapter(chapters()[0]);
  ASSERT_TRUE(chapter.succeeded()) << causeOf(chapter);
  EXPECT_THAT(text(chapters()[0]), AllOf(HasSubstr("<p>It was a long"), ::testing::Not(HasSubstr("Home"))));
}

TEST_F(NovelJob, FollowsPagesThatOnlyKnowTheNextOne) {
  const auto page = [](const std::string& title, const std::string& next) {
    return "<html><head><title>" + title +
           "</title></head><body><article><p>A page of prose that is long enough to be "
           "taken for one, with commas, and a second half.</p></article>" +
           (next.empty() ? "" : "<a rel=next href='" + next + "'>Next</a>") + "</body></html>";
  };
  serve("https://chain.test/1", page("First", "/2"));
  serve("https://chain.test/2", page("Second", "/3"));
  serve("https://chain.test/3", page("Third", "/1"));
  const Attempt done = host_.run("novel", {{"url", "https://chain.test/1"}});
  ASSERT_TRUE(done.succeeded()) << causeOf(done);
  EXPECT_EQ(chapters().size(), 3U);
}

TEST_F(NovelJob, GoesOnFromWhereverItWasStopped) {
  const auto serveAs = [&](int n, std::size_t count) {
    std::string page = "<h1>Book</h1><ol class=toc>";
    for (std::size_t i = 1; i <= count; ++i)
      page += "<a href='/" + std::to_string(n) + "/" + std::to_string(i) + "'>C " + std::to_string(i) + "</a>";
    const std::string path = "/book" + std::to_string(n);
    serve(path, page + "</ol>");
    return absolute(path);
  };
  const std::size_t calls = host_.run("novel", {{"url", serveAs(0, 4)}}).calls.size();
  ASSERT_GT(calls, 10U);
  const auto whole = [&](const std::string& url) {
    std::size_t novels = 0, rows = 0;
    for (const auto& [id, value] : host_.records("novels")) {
      if (value["url"] != Json(url)) continue;
      ++novels;
      for (const auto& [chapter, row] : host_.records("chapters")) rows += row["novel_id"] == Json(id) ? 1 : 0;
      EXPECT_EQ(value["chapter_count"], Json(rows)) << "counted what is not there";
    }
    return std::pair{novels, rows};
  };
  for (std::size_t n = 1; n <= calls; ++n) {
    const std::string url = serveAs(static_cast<int>(n), 4);
    host_.cancelAtCall(n, JH_CANCEL_SHUTDOWN);  // from here on nothing the job asks for is done any more
    const Attempt stopped = host_.run("novel", {{"url", url}});
    static_cast<void>(whole(url));
    if (!stopped.succeeded()) {
      const Attempt again = host_.runAgain();
      EXPECT_TRUE(again.succeeded()) << n << ": " << causeOf(again);
    }
    EXPECT_EQ(whole(url), (std::pair<std::size_t, std::size_t>{1, 4})) << "stopped at call " << n;
  }
  expectNoLeftovers();
}

TEST_F(NovelJob, WritesAgainWhatAnotherJobChangedMeanwhile) {
  serveBook({{"/c/1", "One"}});
  ASSERT_TRUE(fetchBook().succeeded());
  const std::string id = chapters()[0];
  serveBook({{"/c/0", "Zero"}, {"/c/1", "One"}});
  int times = 0;
  host_.onCall([&](const Call& call) {
    // A chapter's job finishes between this one's reading and writing.
    if (call.name != "records.put" || ++times != 1) return;
    Json row = record("chapters", id);
    row.set("is_done", true);
    const std::string parent(row["novel_id"].stringOr(""));
    const Json serial = row["serial"];
    host_.putRecord("chapters", id, row, parent, serial);
  });
  const Attempt done = fetchBook();
  ASSERT_TRUE(done.succeeded()) << causeOf(done);
  ASSERT_GE(times, 1);
  EXPECT_EQ(record("chapters", id)["serial"], Json(2));
  EXPECT_EQ(record("chapters", id)["is_done"], Json(true));
}

}  // namespace
}  // namespace jobhost::testing
