#include "thumbnail_fixture.hpp"

namespace jobhost::testing {
namespace {

using ThumbnailTask = ThumbnailPlugin;

TEST_F(ThumbnailTask, WritesTheCoverAndAnswersItsPath) {
  const std::string id = addArchive("a/book.cbz", pages(3));
  for (const Json& zero : {Json(0), Json("0"), Json(nullptr)}) {
    const Attempt done = host_.run("thumbnail_task", {{"thumbdir", thumbs_.string()}, {"id", id}, {"page", zero}});
    ASSERT_EQ(done.code, JH_OK) << done.error_message;
    EXPECT_EQ(done.result.stringOr(""), cover(id).string());
    EXPECT_TRUE(done.notes.empty());
  }
  const auto picture = samples::decode(samples::readAll(cover(id)));
  EXPECT_EQ(picture.width, 500) << "small pages are enlarged to the box";
  EXPECT_EQ(picture.height, 667);
}

TEST_F(ThumbnailTask, WritesAPageAndOverwritesIt) {
  const std::string id = addArchive("book.zip", pages(3));
  folder_.write("thumb/" + id.substr(0, 2) + "/" + id + "/2.jpg", "old");
  const Attempt done = host_.run("thumbnail_task", {{"id", id}, {"page", 2}});
  EXPECT_EQ(done.result.stringOr(""), page(id, 2).string());
  EXPECT_EQ(samples::decode(samples::readAll(page(id, 2))).width, 500);
}

TEST_F(ThumbnailTask, UsesHighQualityForCoversAndForPagesWhenConfigured) {
  const std::string id =
      addArchive("book.zip", samples::archive("zip", {{"1.png", samples::picture(600, 800, ".png")}}));
  (void)host_.run("thumbnail_task", {{"id", id}, {"page", 0}});
  (void)host_.run("thumbnail_task", {{"id", id}, {"page", 1}});
  EXPECT_LT(std::filesystem::file_size(page(id, 1)), std::filesystem::file_size(cover(id)));
  configure({{"hq_page_thumbs", true}});
  (void)host_.run("thumbnail_task", {{"id", id}, {"page", 1}});
  EXPECT_EQ(std::filesystem::file_size(page(id, 1)), std::filesystem::file_size(cover(id)));
}

TEST_F(ThumbnailTask, FailsAsMinionClientsExpect) {
  const std::string id = addArchive("book.zip", pages(3));
  const auto errorOf = [&](const Json& params) {
    const Attempt failed = host_.run("thumbnail_task", params);
    EXPECT_EQ(failed.code, JH_E_FAILED);
    EXPECT_EQ(failed.error_details["errors"].size(), 1U);
    return std::string(failed.error_details["errors"].at(0).stringOr(""));
  };
  EXPECT_EQ(errorOf({{"id", std::string(40, 'a')}, {"page", 0}}),
            "Error building thumbnail: no archive in the content folder has the id " + std::string(40, 'a'));
  EXPECT_EQ(errorOf({{"id", id}, {"page", 4}}),
            "Error building thumbnail: Requested image not found: " + id + " page 4");
  for (const Json& page : {Json(-1), Json(1.5), Json("x"), Json("")}) {
    EXPECT_EQ(errorOf({{"id", id}, {"page", page}}),
              "Error building thumbnail: the page must be 0 for the cover or a page number");
  }
  EXPECT_EQ(errorOf({{"id", "../../../etc/passwd"}}).substr(0, 28), "Error building thumbnail: no");
  const std::string broken = addArchive("broken.zip", "PK\x03\x04 and then nothing of use");
  EXPECT_EQ(errorOf({{"id", broken}}).substr(0, 25), "Error building thumbnail:");
}

TEST_F(ThumbnailTask, WritesNowhereButInTheThumbnailFolder) {
  const std::string id = addArchive("book.zip", pages(1));
  for (const std::string& thumbdir : {folder_.path().string(), thumbs_.string() + "/../other", std::string("/etc")}) {
    const Attempt refused = host_.run("thumbnail_task", {{"thumbdir", thumbdir}, {"id", id}, {"page", 0}});
    EXPECT_EQ(refused.code, JH_E_FAILED) << thumbdir;
    EXPECT_EQ(refused.error_details["errors"].at(0).stringOr(""), "path not allowed");
  }
  EXPECT_EQ(host_.run("thumbnail_task", {{"thumbdir", thumbs_.string() + "/"}, {"id", id}, {"page", 0}}).code, JH_OK);
}

TEST_F(ThumbnailTask, FindsArchivesThatAreAddedMovedAndReplaced) {
  const std::string first = addArchive("a.zip", pages(1));
  ASSERT_EQ(host_.run("thumbnail_task", {{"id", first}}).code, JH_OK);
  const std::string second = addArchive("b.zip", pages(2));
  ASSERT_EQ(host_.run("thumbnail_task", {{"id", second}}).code, JH_OK);
  std::filesystem::create_directories(content_ / "sub");
  std::filesystem::rename(content_ / "a.zip", content_ / "sub/renamed.cbz");
  EXPECT_EQ(host_.run("thumbnail_task", {{"id", first}}).code, JH_OK);
  const std::string replaced = addArchive("b.zip", pages(3));
  EXPECT_EQ(host_.run("thumbnail_task", {{"id", second}}).code, JH_E_FAILED);
  EXPECT_EQ(host_.run("thumbnail_task", {{"id", replaced}}).code, JH_OK);
}

TEST_F(ThumbnailTask, AsksTheRecordsWhereAnArchiveLiesAndTheFolderOnlyWhereTheyAreWrong) {
  const std::string recorded = addArchive("deep/a.zip", pages(1));
  const std::string moved = addArchive("b.zip", pages(2));
  const std::string without = addArchive("c.zip", pages(3));
  host_.putRecord("org.jobhost.library/archives", recorded, {{"file", "deep/a.zip"}});
  host_.putRecord("org.jobhost.library/archives", moved, {{"file", "elsewhere/b.zip"}});
  const auto index = folder_.path() / "own/archive-index";
  ASSERT_EQ(host_.run("thumbnail_task", {{"id", recorded}}).code, JH_OK);
  ASSERT_EQ(host_.run("page_thumbnails", {{"id", recorded}}).code, JH_OK);
  EXPECT_FALSE(std::filesystem::exists(index)) << "the folder is not looked through for what the library knows";
  EXPECT_EQ(host_.run("thumbnail_task", {{"id", moved}}).code, JH_OK);
  EXPECT_EQ(host_.run("thumbnail_task", {{"id", without}}).code, JH_OK);
  host_.putRecord("org.jobhost.library/archives", moved, {{"file", "../" + content_.filename().string() + "/b.zip"}});
  EXPECT_EQ(host_.run("thumbnail_task", {{"id", moved}}).code, JH_OK) << "a record leads nowhere else";
}

TEST_F(ThumbnailTask, UnknownIdsCostTheSameHoweverLargeTheFolderIs) {
  constexpr std::size_t kFiles = 300;
  for (std::size_t i = 0; i < kFiles; ++i) folder_.write("content/" + std::to_string(i) + ".cbz", std::to_string(i));
  std::size_t checks = 0;
  constexpr int kAsked = 30;
  for (int i = 0; i < kAsked; ++i) {
    const std::string id = std::string(38, 'e') + std::to_string(10 + i);
    const Attempt failed = host_.run("thumbnail_task", {{"id", id}});
    EXPECT_EQ(failed.error_code, "archive.unknown");
    checks += failed.cancel_checks;
  }
  EXPECT_LT(checks, 10 * kFiles * 2) << "one for each file of each scan";
}

TEST_F(ThumbnailTask, TakesTheCoverOfABookAndOfADocument) {
  const std::string book = addArchive(
      "b.epub", samples::epub("<item id=\"c\" href=\"z.png\" properties=\"cover-image\" media-type=\"image/png\"/>", "",
                              {{"OEBPS/a.png", samples::plain(10, 10, {0, 255, 0}, ".png")},
                               {"OEBPS/z.png", samples::plain(10, 10, {0, 0, 255}, ".png")}}));
  ASSERT_EQ(host_.run("thumbnail_task", {{"id", book}, {"page", 0}}).code, JH_OK);
  EXPECT_GT(samples::decode(samples::readAll(cover(book))).at(0.5, 0.5).blue, 200);
  const std::string document = addArchive("d.pdf", samples::pdf({{300, 400}}));
  ASSERT_EQ(host_.run("thumbnail_task", {{"id", document}, {"page", 1}}).code, JH_OK);
  EXPECT_EQ(samples::decode(samples::readAll(page(document, 1))).width, 500);
}

}  // namespace
}  // namespace jobhost::testing
