#include "novel_fixture.hpp"

namespace jobhost::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace fs = std::filesystem;

class ChapterJob : public NovelPlugin {
 protected:
  ChapterJob() {
    serve("/a.png", samples::plain(8, 6, {255, 0, 0}, ".png"), "image/png");
    serve("/b.gif", samples::animatedGif(5, 5), "image/gif");
    serveBook({{"/c/1", "One"}, {"/c/2", "Two"}, {"/c/3", "Three"}});
    EXPECT_TRUE(fetchBook().succeeded());
    ids_ = chapters();
  }
  [[nodiscard]] fs::path imageFile(const std::string& id) const {
    return file("novels/" + novel() + "/images/" + id + ".jpg");
  }
  std::vector<std::string> ids_;
};

TEST_F(ChapterJob, StoresTheTextBeforeItSaysSo) {
  host_.onCall([&](const Call& call) { EXPECT_TRUE(call.name != "records.put" || hasText(ids_[0])); });
  const Attempt done = fetchChapter(ids_[0]);
  ASSERT_TRUE(done.succeeded()) << causeOf(done);
  EXPECT_EQ(text(ids_[0]), "<p>Text of One.</p>");
  const Json row = record("chapters", ids_[0]);
  EXPECT_EQ(row["is_done"], Json(true));
  EXPECT_EQ(row["crawler_version"], record("novels", novel())["crawler_version"]);
  EXPECT_EQ(row["title"], Json("One"));
  EXPECT_TRUE(done.children.empty());
  expectClean(done);
}

TEST_F(ChapterJob, SkipsWhatIsThereUnlessItIsAskedForAlone) {
  ASSERT_TRUE(fetchChapter(ids_[0]).succeeded());
  serve("/c/1", "<div id=text><p>Newer.</p></div>");
  const Attempt child = fetchChapter(ids_[0]);
  EXPECT_EQ(child.result["skipped"], Json(true));
  EXPECT_THAT(child.fetches, IsEmpty());
  const Attempt root = fetchChapter(ids_[0], true);
  ASSERT_TRUE(root.succeeded());
  EXPECT_EQ(text(ids_[0]), "<p>Newer.</p>");
  const Attempt again = host_.runAgain();
  EXPECT_THAT(pagesOf(again), IsEmpty()) << "the same job, run again after its host died, had stored it";
  fs::remove(file("novels/" + novel() + "/chapters/" + ids_[0] + ".zst"));
  EXPECT_EQ(pagesOf(fetchChapter(ids_[0])).size(), 1U) << "a file that went away is fetched again";
}

TEST_F(ChapterJob, FetchesAgainWhatAnotherSpecRead) {
  ASSERT_TRUE(fetchChapter(ids_[0]).succeeded());
  spec("site.test.yaml", samples::readAll(folder_.path() / "sources/site.test.yaml") + "  join: \"\\n\"\n");
  const Attempt done = fetchChapter(ids_[0]);
  EXPECT_EQ(pagesOf(done).size(), 1U);
}

TEST_F(ChapterJob, KeepsATextThatTheSiteSaysIsUnchanged) {
  site_[absolute("/c/1")].headers.emplace_back("etag", "\"e\"");
  ASSERT_TRUE(fetchChapter(ids_[0]).succeeded());
  answer("/c/1", FetchEnd::answered(304));
  const Attempt root = fetchChapter(ids_[0], true);
  ASSERT_TRUE(root.succeeded()) << causeOf(root);
  EXPECT_EQ(root.result["unchanged"], Json(true));
  EXPECT_EQ(root.fetches.back().header("if-none-match"), "\"e\"");
  EXPECT_EQ(text(ids_[0]), "<p>Text of One.</p>");
}

TEST_F(ChapterJob, OneBrokenPageCostsThatChapterOnly) {
  answer("/c/2", FetchEnd::answered(404));
  const Attempt broken = fetchChapter(ids_[1]);
  EXPECT_EQ(broken.error_message, "Failed to fetch contents");
  EXPECT_EQ(broken.error_code, "novel.contents_failed");
  EXPECT_THAT(causeOf(broken), HasSubstr("HTTPError: 404 Client Error: Not Found for url: https://site.test/c/2"));
  EXPECT_FALSE(hasText(ids_[1]));
  EXPECT_EQ(record("chapters", ids_[1])["is_done"], Json(false));
  EXPECT_TRUE(fetchChapter(ids_[2]).succeeded());
  serve("/c/2", "<div id=other></div>");
  EXPECT_THAT(causeOf(fetchChapter(ids_[1])), HasSubstr("chapter.body"));
  serve("/c/2", "<div id=text><button>x</button></div>");
  EXPECT_THAT(causeOf(fetchChapter(ids_[1])), HasSubstr("no text and no pictures"));
  EXPECT_EQ(fetchChapter("nobody").error_message, "Failed to fetch chapter");
}

TEST_F(ChapterJob, MakesRowsAndJobsOfPictures) {
  serve("/c/1", "<div id=text><p>A</p><img src=/a.png><p>B</p><img data-src='/b.gif'><img src='/a.png'></div>");
  const Attempt done = fetchChapter(ids_[0]);
  ASSERT_TRUE(done.succeeded()) << causeOf(done);
  const auto rows = host_.records("images");
  ASSERT_EQ(rows.size(), 2U) << "the same picture twice is one";
  for (const auto& [id, row] : rows) {
    EXPECT_EQ(id.size(), 32U);
    EXPECT_EQ(row["novel_id"], Json(novel()));
    EXPECT_EQ(row["chapter_id"], Json(ids_[0]));
    EXPECT_EQ(row["is_done"], Json(false));
    EXPECT_THAT(text(ids_[0]), HasSubstr("<img src=\"images/" + id + ".jpg\" alt=\"" + id + "\">"));
  }
  ASSERT_EQ(done.children.size(), 1U);
  EXPECT_EQ(done.children[0].type, "image_batch");
  const Json& params = done.children[0].params;
  EXPECT_EQ(params["image_ids"].size(), 2U);
  EXPECT_EQ(params["chapter_title"], Json("One"));
  EXPECT_EQ(params["novel_title"], Json("The Book"));
  const Attempt batch = host_.run("image_batch", params);
  ASSERT_EQ(batch.children.size(), 2U);
  EXPECT_EQ(batch.children[0].type, "image");
  EXPECT_EQ(batch.children[0].params["url"], Json("https://site.test/a.png"));
  for (const Child& child : batch.children) {
    const std::string id(child.params["image_id"].stringOr(""));
    const Attempt image = host_.run("image", child.params);
    ASSERT_TRUE(image.succeeded()) << causeOf(image);
    EXPECT_EQ(samples::readAll(imageFile(id)).substr(0, 2), "\xFF\xD8");
    EXPECT_EQ(record("images", id)["is_done"], Json(true));
    EXPECT_EQ(image.fetches.back().header("referer"), "https://site.test/c/1");
    EXPECT_THAT(fetchImage(id).fetches, IsEmpty()) << "what is there is not downloaded again";
    expectClean(image);
  }
}

TEST_F(ChapterJob, DropsPicturesThatAreGoneAndKeepsTheIdsOfOthers) {
  serve("/c/1", "<div id=text><p>A</p><img src=/a.png><img src=/b.gif></div>");
  ASSERT_TRUE(fetchChapter(ids_[0]).succeeded());
  std::string kept, gone;
  for (const auto& [id, row] : host_.records("images")) {
    (row["url"].stringOr("").find("a.png") != std::string::npos ? kept : gone) = id;
    ASSERT_TRUE(fetchImage(id).succeeded());
  }
  serve("/c/1", "<div id=text><p>New</p><img src=/a.png></div>");
  const Attempt again = fetchChapter(ids_[0], true);
  ASSERT_TRUE(again.succeeded());
  EXPECT_EQ(host_.records("images").size(), 1U);
  EXPECT_EQ(record("images", kept)["is_done"], Json(true));
  EXPECT_TRUE(fs::exists(imageFile(kept)));
  EXPECT_FALSE(fs::exists(imageFile(gone)));
  EXPECT_EQ(again.children.size(), 1U) << "also for a picture that is there already";
}

TEST_F(ChapterJob, AsksAgainForPicturesOfASkippedChapter) {
  serve("/c/1", "<div id=text><p>A</p><img src=/a.png></div>");
  ASSERT_TRUE(fetchChapter(ids_[0]).succeeded());
  const Attempt skipped = fetchChapter(ids_[0]);
  EXPECT_EQ(skipped.children.size(), 1U);
  ASSERT_TRUE(fetchImage(host_.records("images").begin()->first).succeeded());
  EXPECT_THAT(fetchChapter(ids_[0]).children, IsEmpty());
}

TEST_F(ChapterJob, SaysWhyAPictureCannotBeHad) {
  serve("/c/1", "<div id=text><p>A</p><img src=/broken.png><img src=/none.png></div>");
  serve("/broken.png", "\x89PNG\r\n\x1a\nbut no more", "image/png");
  ASSERT_TRUE(fetchChapter(ids_[0]).succeeded());
  for (const auto& [id, row] : host_.records("images")) {
    const Attempt done = fetchImage(id);
    EXPECT_EQ(done.error_message, "Failed to download image");
    const bool none = row["url"].stringOr("").find("none") != std::string::npos;
    EXPECT_THAT(causeOf(done), HasSubstr(none ? "HTTPError: 404" : "image.")) << causeOf(done);
    EXPECT_EQ(record("images", id)["is_done"], Json(false));
    expectNoLeftovers();
  }
  EXPECT_EQ(fetchImage("nobody").error_message, "Failed to fetch image");
}

TEST_F(ChapterJob, VolumesAndBatchesMakeAJobForEach) {
  const std::string volume = host_.records("volumes").begin()->first;
  const Attempt all = host_.run("volume_batch", {{"volume_ids", Json::array({volume, volume})}});
  ASSERT_EQ(all.children.size(), 1U);
  EXPECT_EQ(all.children[0].params,
            (Json{{"volume_id", volume}, {"volume_serial", 1}, {"novel_id", novel()}, {"novel_title", "The Book"}}));
  const Attempt one = host_.run("volume", all.children[0].params);
  ASSERT_EQ(one.children.size(), 3U);
  EXPECT_EQ(one.children[2].type, "chapter");
  EXPECT_EQ(one.children[2].params,
            (Json{{"chapter_id", ids_[2]}, {"chapter_serial", 3}, {"novel_id", novel()}, {"novel_title", "The Book"}}));
  EXPECT_EQ(host_.runAgain().children.size(), 3U);
  EXPECT_EQ(host_.run("chapter_batch", {{"chapter_ids", Json::array({ids_[1]})}}).children.size(), 1U);
  EXPECT_EQ(host_.run("chapter_batch", {{"chapter_ids", Json::array({})}}).result["jobs"], Json(0));
}

TEST_F(ChapterJob, ABatchWithAnUnknownIdMakesNothing) {
  for (const auto& [type, list] : {std::pair{"volume_batch", "volume_ids"}, std::pair{"chapter_batch", "chapter_ids"},
                                   std::pair{"image_batch", "image_ids"}}) {
    const Attempt done = host_.run(type, Json::object().set(list, Json::array({"nobody"})));
    EXPECT_EQ(done.error_message, "Failed to create requests") << type;
    EXPECT_THAT(causeOf(done), HasSubstr("No such")) << type;
  }
  const Attempt mixed = host_.run("chapter_batch", {{"chapter_ids", Json::array({ids_[0], "nobody"})}});
  EXPECT_THAT(mixed.children, IsEmpty());
  EXPECT_EQ(host_.run("volume", {{"volume_id", "nobody"}}).error_message, "Failed to create requests");
}

TEST_F(ChapterJob, LeavesTheJobsItMadeToTheHostWhenOneCannotBeMade) {
  host_.failCall("children.submit", 3, JH_E_LIMIT, "enough");
  const Attempt done = host_.run("volume", {{"volume_id", host_.records("volumes").begin()->first}});
  EXPECT_EQ(done.error_message, "Failed to create requests");
  ASSERT_EQ(done.children.size(), 2U);
  EXPECT_FALSE(done.children[0].canceled || done.children[1].canceled);
}

TEST_F(ChapterJob, AStoredChapterIsNeverFetchedTwiceWhereverTheJobWasStopped) {
  const std::string page = "<div id=text><p>A</p><img src=/a.png></div>";
  serve("/c/1", page);
  const std::size_t calls = fetchChapter(ids_[0], true).calls.size();
  ASSERT_GT(calls, 8U);
  const std::string file_name = "novels/" + novel() + "/chapters/" + ids_[0] + ".zst";
  for (std::size_t n = 1; n <= calls; ++n) {
    fs::remove(file(file_name));
    Json row = record("chapters", ids_[0]);
    row.set("is_done", false);
    host_.putRecord("chapters", ids_[0], row, novel(), 1);
    host_.cancelAtCall(n, JH_CANCEL_SHUTDOWN);
    const Attempt stopped = fetchChapter(ids_[0], true);
    const bool stored = record("chapters", ids_[0])["is_done"].boolOr(false);
    EXPECT_TRUE(!stored || hasText(ids_[0])) << n;
    if (stopped.succeeded()) continue;
    const Attempt again = host_.runAgain();
    ASSERT_TRUE(again.succeeded()) << n << ": " << causeOf(again);
    EXPECT_EQ(pagesOf(again).size(), stored ? 0U : 1U) << n;
    EXPECT_EQ(again.children.size(), 1U) << n;
    EXPECT_TRUE(hasText(ids_[0]));
  }
  expectNoLeftovers();
}

TEST_F(ChapterJob, AChapterThatARefreshRemovedMeanwhileLeavesNothing) {
  bool met = false;
  for (std::size_t n = 3; n <= 6 && !met; ++n) {  // the one before its row is written
    host_.failCall("records.get", n, JH_E_NOT_FOUND);
    const Attempt done = fetchChapter(ids_[2], true);
    met = causeOf(done) == "the chapter is no longer in the novel's list";
    if (!met) continue;
    EXPECT_EQ(done.error_message, "Failed to fetch chapter");
    EXPECT_FALSE(hasText(ids_[2]));
  }
  EXPECT_TRUE(met);
}

}  // namespace
}  // namespace jobhost::testing
