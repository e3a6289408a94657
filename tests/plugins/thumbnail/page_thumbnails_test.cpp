#include <atomic>

#include "thumbnail_fixture.hpp"

namespace jobhost::testing {
namespace {

using PageThumbnails = ThumbnailPlugin;

TEST_F(PageThumbnails, MakesEveryPageAndNotesItAsStrings) {
  const std::string id = addArchive("book.cbz", pages(3));
  const Attempt done = host_.run("page_thumbnails", {{"id", id}, {"force", 0}});
  ASSERT_EQ(done.code, JH_OK) << done.error_message;
  EXPECT_EQ(done.result, (Json{{"errors", Json::array()}}));
  EXPECT_EQ(done.notesObject(),
            (Json{{"1", "processed"}, {"2", "processed"}, {"3", "processed"}, {"total_pages", "3"}, {"id", id}}));
  for (int number = 1; number <= 3; ++number) {
    EXPECT_EQ(samples::decode(samples::readAll(page(id, number))).width, 500) << number;
  }
  EXPECT_FALSE(std::filesystem::exists(cover(id))) << "covers are another task's work";
  EXPECT_EQ(done.progress.back().done, 3);
}

TEST_F(PageThumbnails, LeavesWhatExistsUnlessForced) {
  const std::string id = addArchive("book.cbz", pages(3));
  ASSERT_EQ(host_.run("page_thumbnails", {{"id", id}}).code, JH_OK);
  const auto old = std::filesystem::file_time_type::clock::now() - std::chrono::hours(5);
  for (int number = 1; number <= 3; ++number) std::filesystem::last_write_time(page(id, number), old);
  const Attempt again = host_.run("page_thumbnails", {{"id", id}, {"force", 0}});
  EXPECT_EQ(again.notesObject().size(), 5U) << "skipped pages are told as well";
  for (int number = 1; number <= 3; ++number) EXPECT_EQ(std::filesystem::last_write_time(page(id, number)), old);
  ASSERT_EQ(host_.run("page_thumbnails", {{"id", id}, {"force", 1}}).code, JH_OK);
  for (int number = 1; number <= 3; ++number) EXPECT_GT(std::filesystem::last_write_time(page(id, number)), old);
}

TEST_F(PageThumbnails, ListsFailedPagesAndFinishes) {
  const std::string id =
      addArchive("book.cbz", samples::archive("7z", {{"1.png", samples::quadrants(50, 50, ".png")},
                                                     {"2.png", "broken"},
                                                     {"3.png", samples::quadrants(50, 50, ".png")}}));
  const Attempt done = host_.run("page_thumbnails", {{"id", id}, {"force", 0}});
  ASSERT_EQ(done.code, JH_OK);
  ASSERT_EQ(done.result["errors"].size(), 1U);
  EXPECT_EQ(std::string(done.result["errors"].at(0).stringOr("")).substr(0, 7), "page 2:");
  EXPECT_EQ(done.notesObject()["2"].stringOr(""), "processed");
  EXPECT_TRUE(std::filesystem::exists(page(id, 3)));
  EXPECT_FALSE(std::filesystem::exists(page(id, 2)));
}

TEST_F(PageThumbnails, TellsTheFirstOfManyFailedPagesAndHowManyMore) {
  constexpr int kPages = 2300;
  constexpr std::size_t kTold = 2000;
  samples::Files files;
  for (int i = 1; i <= kPages; ++i) files.emplace_back(std::to_string(i) + ".png", "broken");
  const std::string id = addArchive("book.cbz", samples::archive("zip", files));
  const Attempt done = host_.run("page_thumbnails", {{"id", id}});
  ASSERT_EQ(done.code, JH_OK) << done.error_message;
  ASSERT_EQ(done.result["errors"].size(), kTold + 1);
  EXPECT_EQ(done.result["errors"].at(kTold).stringOr(""), "and 300 more");
  EXPECT_EQ(done.notesObject().size(), std::size_t{kPages} + 2) << "each is told as processed all the same";
  EXPECT_LE(done.result.dump().size(), std::size_t{1} << 20);
}

TEST_F(PageThumbnails, FinishesEmptyForAnUnknownArchive) {
  const Attempt done = host_.run("page_thumbnails", {{"id", std::string(40, 'b')}, {"force", 0}});
  EXPECT_EQ(done.code, JH_OK);
  EXPECT_EQ(done.result, (Json{{"errors", Json::array()}}));
  EXPECT_TRUE(done.notes.empty());
}

TEST_F(PageThumbnails, FinishesWithTheReasonForAnUnreadableArchive) {
  const std::string id = addArchive("book.zip", samples::encryptedZip({{"1.png", "x"}}));
  const Attempt done = host_.run("page_thumbnails", {{"id", id}});
  EXPECT_EQ(done.code, JH_OK);
  EXPECT_EQ(done.result["errors"].size(), 1U);
}

TEST_F(PageThumbnails, WorksThroughSolidArchivesAndDocuments) {
  samples::Files files;
  for (int i = 1; i <= 40; ++i) files.emplace_back(std::to_string(i) + ".png", samples::quadrants(60, 80, ".png"));
  for (const char* format : {"7z", "tar.zst", "rar5"}) {
    const std::string id = addArchive(std::string("book.") + format, samples::archive(format, files));
    if (std::string(format) == "rar5") std::filesystem::rename(content_ / "book.rar5", content_ / "book.cbr");
    const Attempt done = host_.run("page_thumbnails", {{"id", id}});
    EXPECT_EQ(done.result["errors"].size(), 0U) << format;
    EXPECT_EQ(done.notesObject().size(), 42U) << format;
  }
  const std::string pdf = addArchive("doc.pdf", samples::readAll(samples::realPdf(folder_)));
  const Attempt done = host_.run("page_thumbnails", {{"id", pdf}});
  ASSERT_EQ(done.code, JH_OK) << done.error_message;
  EXPECT_EQ(done.result["errors"].size(), 0U);
  const int total = std::stoi(std::string(done.notesObject()["total_pages"].stringOr("0")));
  EXPECT_GT(total, 10);
  for (int number = 1; number <= total; ++number) EXPECT_TRUE(std::filesystem::exists(page(pdf, number))) << number;
}

TEST_F(PageThumbnails, StopsWithinAPageOfBeingCancelled) {
  const std::string id = addArchive("book.cbz", pages(200));
  std::atomic<int> noted{0};
  host_.onNote([&](const std::string&) {
    if (++noted == 5) host_.cancel();
  });
  const Attempt stopped = host_.run("page_thumbnails", {{"id", id}});
  EXPECT_EQ(stopped.code, JH_E_CANCELLED);
  EXPECT_LT(stopped.notes.size(), 20U);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(thumbs_)) {
    EXPECT_NE(entry.path().extension(), ".tmp") << entry.path();
  }
}

TEST_F(PageThumbnails, StopsAtTheNextFileWhileItLooksForTheArchive) {
  constexpr std::size_t kFiles = 2000;
  for (std::size_t i = 0; i < kFiles; ++i) folder_.write("content/" + std::to_string(i) + ".cbz", std::to_string(i));
  constexpr std::size_t kAsked = kFiles + kFiles / 10;  // once for each name, then once for each file that is read
  host_.cancelAtCheck(kAsked);
  const Attempt stopped = host_.run("page_thumbnails", {{"id", std::string(40, 'b')}});
  EXPECT_EQ(stopped.code, JH_E_CANCELLED);
  EXPECT_LT(stopped.cancel_checks, kAsked + 10);
  EXPECT_TRUE(stopped.notes.empty());
}

TEST_F(PageThumbnails, GoesOnWhereACancelledAttemptEnded) {
  const std::string id = addArchive("book.cbz", pages(30));
  host_.onNote([&](const std::string& key) {
    if (key == "id") host_.cancel();
  });
  ASSERT_EQ(host_.run("page_thumbnails", {{"id", id}}).code, JH_E_CANCELLED);
  host_.onNote({});
  const Attempt done = host_.run("page_thumbnails", {{"id", id}});
  EXPECT_EQ(done.code, JH_OK);
  EXPECT_EQ(done.notesObject().size(), 32U);
}

TEST_F(PageThumbnails, CleansUpWhatAKilledAttemptLeft) {
  const std::string id = addArchive("book.cbz", pages(1));
  const auto stale = folder_.write("thumb/" + id.substr(0, 2) + "/" + id + "/.1.jpg.99.1.tmp", "half");
  const auto fresh = folder_.write("thumb/" + id.substr(0, 2) + "/" + id + "/.1.jpg.98.1.tmp", "half");
  std::filesystem::last_write_time(stale, std::filesystem::file_time_type::clock::now() - std::chrono::hours(2));
  ASSERT_EQ(host_.run("page_thumbnails", {{"id", id}}).code, JH_OK);
  EXPECT_FALSE(std::filesystem::exists(stale));
  EXPECT_TRUE(std::filesystem::exists(fresh)) << "it may be another attempt's";
}

}  // namespace
}  // namespace jobhost::testing
