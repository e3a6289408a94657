#include <algorithm>

#include "novel_fixture.hpp"

namespace jobhost::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using NovelSources = NovelPlugin;

bool said(const Attempt& attempt, const std::string& text) {
  return std::any_of(attempt.log.begin(), attempt.log.end(),
                     [&](const LogLine& line) { return line.text.find(text) != std::string::npos; });
}

TEST_F(NovelSources, TheSpecsThatComeWithItAreRight) {
  const Attempt done = host_.run("scan_sources");
  ASSERT_TRUE(done.succeeded()) << done.error_message;
  EXPECT_EQ(done.result["problems"].size(), 0U) << done.result.dump();
  const Json item = record("sources", "standardebooks.org");
  EXPECT_EQ(item["url"], Json("https://standardebooks.org/"));
  EXPECT_EQ(item["language"], Json("en"));
  EXPECT_EQ(item["is_disabled"], Json(false));
  EXPECT_TRUE(item["version"].isInt());
  EXPECT_TRUE(host_.records("sources").contains("gutenberg.org"));
  EXPECT_TRUE(host_.records("sources").contains("en.wikisource.org"));
  EXPECT_TRUE(host_.records("sources").contains("site.test"));
  expectClean(done);
}

TEST_F(NovelSources, AnOperatorsSpecGoesBeforeOneThatComesWithIt) {
  spec("gutenberg.org.yaml",
       "spec: 1\nbase_url: https://gutenberg.org/\nlanguage: de\n"
       "novel: {title: {css: h1}}\n"
       "toc: {request: {page: novel}, items: {css: a, fields: {url: {attr: href}}}}\nchapter: {body: {css: p}}\n");
  const Attempt done = host_.run("scan_sources");
  EXPECT_EQ(record("sources", "gutenberg.org")["language"], Json("de"));
  EXPECT_EQ(done.result["problems"].size(), 0U) << done.result.dump();
}

TEST_F(NovelSources, SaysWhatIsWrongWithFileLineAndField) {
  spec("broken.test.yaml",
       "spec: 1\nbase_url: https://broken.test/\nnovel:\n  title: { css: 'h1[' }\n"
       "toc: {request: {page: novel}, items: {css: a, fields: {url: {attr: href}}}}\nchapter: {body: {css: p}}\n");
  const Attempt done = host_.run("scan_sources");
  ASSERT_TRUE(done.succeeded());
  ASSERT_EQ(done.result["problems"].size(), 1U) << done.result.dump();
  const Json& problem = done.result["problems"].at(0);
  EXPECT_EQ(problem["file"], Json("broken.test.yaml"));
  EXPECT_EQ(problem["line"], Json(4));
  EXPECT_EQ(problem["field"], Json("novel.title.css"));
  EXPECT_TRUE(said(done, "broken.test.yaml:4: novel.title.css"));
  EXPECT_TRUE(host_.records("sources").contains("site.test")) << "a broken one costs only itself";
}

TEST_F(NovelSources, AChangedSpecIsUsedByTheNextJob) {
  serveBook({{"/c/1", "One"}});
  serve("/more", "<h2>Other</h2><ol class=toc><a href=/c/1>One</a></ol>");
  EXPECT_EQ(record("sources", "site.test"), Json());
  ASSERT_TRUE(fetchBook().succeeded());
  EXPECT_EQ(record("sources", "site.test")["domain"], Json("site.test")) << "no scan is needed";
  const auto version = record("sources", "site.test")["version"];
  std::string changed = samples::readAll(folder_.path() / "sources/site.test.yaml");
  changed.replace(changed.find("css: h1"), 7, "css: h2");
  spec("site.test.yaml", changed);
  const Attempt done = host_.run("novel", {{"url", "https://site.test/more"}});
  ASSERT_TRUE(done.succeeded()) << causeOf(done);
  EXPECT_EQ(done.result["title"], Json("Other"));
  EXPECT_NE(record("sources", "site.test")["version"], version);
  std::filesystem::remove(folder_.path() / "sources/site.test.yaml");
  ASSERT_TRUE(host_.run("scan_sources").succeeded());
  EXPECT_EQ(record("sources", "site.test"), Json());
}

TEST_F(NovelSources, TriesASpecAndStoresNothing) {
  serveBook({{"/c/1", "One"}, {"/c/2", "Two"}, {"/c/3", "Three"}, {"/c/4", "Four"}});
  answer("/c/4", FetchEnd::answered(404));
  host_.setConfig({{"lncrawl_sources", (folder_.path() / "sources").string()}, {"gap_ms", 0}});
  const Attempt done = host_.run("scan_sources", {{"url", "https://site.test/book"}});
  ASSERT_TRUE(done.succeeded()) << done.error_message << causeOf(done);
  const Json& trial = done.result["trial"];
  EXPECT_EQ(trial["spec"], Json("site.test.yaml"));
  EXPECT_EQ(trial["title"], Json("The Book"));
  EXPECT_EQ(trial["chapters"], Json(4));
  ASSERT_EQ(trial["samples"].size(), 3U);
  EXPECT_EQ(trial["samples"].at(0)["text"], Json("Text of One."));
  EXPECT_EQ(trial["samples"].at(1)["title"], Json("Two"));
  EXPECT_THAT(std::string(trial["samples"].at(2)["error"].stringOr("")), HasSubstr("404 Client Error"));
  EXPECT_TRUE(host_.records("novels").empty());
  EXPECT_TRUE(host_.records("sources").empty());
  EXPECT_THAT(done.complaints, IsEmpty());
}

TEST_F(NovelSources, SaysWhyATrialFailed) {
  serve("/book", "<h1>Book</h1>");
  const Attempt done = host_.run("scan_sources", {{"url", "https://site.test/book"}});
  EXPECT_EQ(done.error_message, "Failed to fetch novel");
  EXPECT_THAT(causeOf(done), HasSubstr("toc.items: matched no chapters"));
  EXPECT_TRUE(said(done, "toc.items: matched no chapters"));
}

TEST_F(NovelSources, SpecsAreCheckedWithoutAFolderForNovels) {
  host_.setConfig({{"lncrawl_sources", (folder_.path() / "sources").string()}});
  const Attempt done = host_.run("scan_sources");
  ASSERT_TRUE(done.succeeded()) << done.error_message;
  EXPECT_EQ(done.result["problems"].size(), 0U) << done.result.dump();
  EXPECT_GT(done.result["sources"].intOr(0), 1);
  EXPECT_THAT(done.complaints, IsEmpty());
}

TEST_F(NovelSources, NeedsAFolderForNovels) {
  host_.setConfig(Json::object());
  const Attempt done = fetchBook();
  EXPECT_EQ(done.error_code, "novel.no_dir");
  EXPECT_THAT(done.error_message, AllOf(HasSubstr("set lncrawl.dir"), HasSubstr("lncrawl_dir of --config")));
  host_.setConfig({{"lncrawl_dir", "relative"}});
  EXPECT_THAT(fetchBook().error_message, HasSubstr("lncrawl_dir: must be an absolute path"));
}

}  // namespace
}  // namespace jobhost::testing
