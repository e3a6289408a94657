// tank_thumbnail_task, regen_all_thumbnails, and what a cover leaves in the library's records.
#include <gmock/gmock.h>

#include "thumbnail_fixture.hpp"

namespace jobhost::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr const char* kArchives = "org.jobhost.library/archives";
constexpr const char* kTanks = "org.jobhost.library/tankoubons";
constexpr const char* kTank = "TANK_1700000000";

class CoverJobs : public ThumbnailPlugin {
 protected:
  void putTank(const std::string& tank, const std::vector<std::string>& ids) {
    Json archives = Json::array();
    for (const auto& id : ids) archives.push(id);
    Json value{{"name", "A tank"}};
    value.set("archives", std::move(archives));
    host_.putRecord(kTanks, tank, value);
  }
  [[nodiscard]] fs::path tankCover(const std::string& tank) const { return thumbs_ / "TA" / (tank + ".jpg"); }
  static std::string one(const std::string& page) { return samples::archive("zip", {{"1.png", page}}); }
  std::string thumbhashOf(const std::string& id) const {
    const auto all = host_.records(kArchives);
    const auto found = all.find(id);
    return found == all.end() ? "(no record)" : std::string(found->second["thumbhash"].stringOr("(none)"));
  }
};

TEST_F(CoverJobs, ATanksCoverIsThatOfItsFirstArchive) {
  const std::string first = addArchive("b.zip", one(samples::plain(60, 90, {255, 0, 0}, ".png")));
  const std::string second = addArchive("a.zip", one(samples::plain(60, 90, {0, 0, 255}, ".png")));
  putTank(kTank, {first, second});
  host_.putRecord(kArchives, first, {{"title", "B"}});
  const Attempt done = host_.run("tank_thumbnail_task", {{"thumbdir", thumbs_.string()}, {"id", kTank}});
  ASSERT_EQ(done.code, JH_OK) << done.error_message;
  EXPECT_EQ(done.result.stringOr(""), tankCover(kTank).string());
  EXPECT_TRUE(done.notes.empty());
  const auto picture = samples::decode(samples::readAll(tankCover(kTank)));
  EXPECT_EQ(picture.width, 500);
  EXPECT_GT(picture.at(0.5, 0.5).red, 200);
  EXPECT_EQ(samples::readAll(page(first, 0)), samples::readAll(tankCover(kTank)));
  EXPECT_FALSE(fs::exists(cover(first))) << "the archive's own cover stays as it was";
  EXPECT_EQ(thumbhashOf(first), "(none)");
}

TEST_F(CoverJobs, ATankThatIsNotThereOrEmptyHasNoArchives) {
  putTank(kTank, {});
  for (const char* tank : {kTank, "TANK_1700000001", "nonsense", "TANK_../../etc/"}) {
    const Attempt done = host_.run("tank_thumbnail_task", {{"thumbdir", ""}, {"id", tank}});
    ASSERT_EQ(done.code, JH_OK) << done.error_message;
    EXPECT_EQ(done.result.stringOr(""), "No archives in tank.");
  }
  host_.withhold(JH_EXT_RECORDS);
  const Attempt without = host_.run("tank_thumbnail_task", {{"id", kTank}});
  EXPECT_EQ(without.result.stringOr(""), "No archives in tank.") << "no library on this host";
}

TEST_F(CoverJobs, ATankWhoseArchiveIsGoneFailsAsMinionClientsExpect) {
  const std::string id(40, 'a');
  putTank(kTank, {id});
  const Attempt failed = host_.run("tank_thumbnail_task", {{"id", kTank}});
  EXPECT_EQ(failed.code, JH_E_FAILED);
  EXPECT_EQ(failed.error_details["errors"].at(0).stringOr(""),
            std::string("Error building tank thumbnail for ") + kTank +
                ": no archive in the content folder has the id " + id);
  const Attempt denied = host_.run("tank_thumbnail_task", {{"thumbdir", "/etc"}, {"id", kTank}});
  EXPECT_EQ(denied.error_details["errors"].at(0).stringOr(""), "path not allowed");
}

TEST_F(CoverJobs, ACoverPutsTheThumbhashOfItsPageIntoTheArchivesRecord) {
  const std::string page_bytes = samples::picture(600, 800, ".png");
  const std::string known = addArchive("known.zip", one(page_bytes));
  const std::string unknown = addArchive("unknown.zip", one(samples::plain(60, 90, {0, 0, 255}, ".png")));
  host_.putRecord(kArchives, known, {{"title", "Known"}, {"pages", 1}}, "parent", "sorted");
  for (const auto& id : {known, unknown}) {
    const Attempt done = host_.run("thumbnail_task", {{"id", id}, {"page", 0}});
    ASSERT_EQ(done.code, JH_OK) << done.error_message;
  }
  EXPECT_EQ(thumbhashOf(known), support::sha1Of(page_bytes));
  EXPECT_EQ(host_.records(kArchives).at(known)["title"].stringOr(""), "Known");
  EXPECT_EQ(thumbhashOf(unknown), "(no record)") << "no records of archives the library does not know";
  // Pages leave it alone, and so does a page that is a cover's.
  (void)host_.run("thumbnail_task", {{"id", known}, {"page", 1}});
  EXPECT_EQ(thumbhashOf(known), support::sha1Of(page_bytes));
}

TEST_F(CoverJobs, AllMissingCoversAreMadeAndWithForceAll) {
  std::vector<std::string> ids;
  for (int i = 0; i < 12; ++i) {
    ids.push_back(
        addArchive("f/" + std::to_string(i) + ".zip", one(samples::plain(40, 50 + i, {10.0 * i, 0, 0}, ".png"))));
    host_.putRecord(kArchives, ids.back(), {{"n", i}, {"file", "f/" + std::to_string(i) + ".zip"}});
  }
  putTank(kTank, {ids[3]});
  folder_.write("thumb/" + ids[0].substr(0, 2) + "/" + ids[0] + ".jpg", "there already");
  const Attempt done = host_.run("regen_all_thumbnails", {{"thumbdir", thumbs_.string()}, {"force", 0}});
  ASSERT_EQ(done.code, JH_OK) << done.error_message;
  EXPECT_EQ(done.result["errors"].size(), 0U);
  EXPECT_TRUE(done.notes.empty());
  EXPECT_EQ(samples::readAll(cover(ids[0])), "there already");
  EXPECT_EQ(thumbhashOf(ids[0]), support::sha1Of(samples::plain(40, 50, {0, 0, 0}, ".png")))
      << "the record is younger than the cover, which stays";
  for (std::size_t i = 1; i < ids.size(); ++i) {
    EXPECT_EQ(samples::decode(samples::readAll(cover(ids[i]))).width, 500) << i;
    EXPECT_EQ(thumbhashOf(ids[i]).size(), 40U);
  }
  EXPECT_TRUE(fs::exists(tankCover(kTank)));
  EXPECT_FALSE(fs::exists(page(ids[1], 1))) << "pages are not touched";

  ASSERT_EQ(host_.run("regen_all_thumbnails", {{"force", 1}}).code, JH_OK);
  EXPECT_EQ(samples::decode(samples::readAll(cover(ids[0]))).width, 500);
  EXPECT_EQ(thumbhashOf(ids[0]).size(), 40U);
}

TEST_F(CoverJobs, ACoverThatIsOlderThanTheRecordGetsItsThumbhash) {
  const std::string page_bytes = samples::plain(30, 40, {1, 2, 3}, ".png");
  const std::string book = addArchive("book.zip", one(page_bytes));
  const std::string document = addArchive("d.pdf", samples::pdf({{300, 400}}));
  for (const auto& id : {book, document}) ASSERT_EQ(host_.run("thumbnail_task", {{"id", id}, {"page", 0}}).code, JH_OK);
  host_.putRecord(kArchives, book, {{"file", "book.zip"}, {"title", "Book"}});
  host_.putRecord(kArchives, document, {{"file", "d.pdf"}});
  const auto old = fs::file_time_type::clock::now() - std::chrono::hours(5);
  for (const auto& id : {book, document}) fs::last_write_time(cover(id), old);
  const Attempt done = host_.run("regen_all_thumbnails", {{"force", 0}});
  ASSERT_EQ(done.code, JH_OK) << done.error_message;
  EXPECT_EQ(done.result["errors"].size(), 0U) << done.result.dump();
  EXPECT_EQ(thumbhashOf(book), support::sha1Of(page_bytes));
  EXPECT_EQ(host_.records(kArchives).at(book)["title"].stringOr(""), "Book");
  const std::string rendered = thumbhashOf(document);
  EXPECT_EQ(rendered.size(), 40U);
  for (const auto& id : {book, document}) EXPECT_EQ(fs::last_write_time(cover(id)), old) << "covers are left alone";
  ASSERT_EQ(host_.run("regen_all_thumbnails", {{"force", 1}}).code, JH_OK);
  EXPECT_EQ(thumbhashOf(document), rendered) << "the same as with the cover";
}

TEST_F(CoverJobs, WhatTheLibraryKnowsIsWhatIsThere) {
  const std::string known = addArchive("known.zip", pages(1));
  const std::string stray = addArchive("stray.zip", pages(2));
  host_.putRecord(kArchives, known, {{"file", "known.zip"}});
  host_.putRecord(kArchives, std::string(40, 'c'), {{"file", ""}});
  const Attempt done = host_.run("regen_all_thumbnails", {{"force", 1}});
  ASSERT_EQ(done.code, JH_OK) << done.error_message;
  EXPECT_EQ(done.result["errors"].size(), 0U) << done.result.dump();
  EXPECT_TRUE(fs::exists(cover(known)));
  EXPECT_FALSE(fs::exists(cover(stray))) << "scan_library has to register it first";
  host_.withhold(JH_EXT_RECORDS);
  ASSERT_EQ(host_.run("regen_all_thumbnails", {{"force", 0}}).code, JH_OK);
  EXPECT_TRUE(fs::exists(cover(stray))) << "without a library the folder says what there is";
}

TEST_F(CoverJobs, ErrorsAreCollectedAndNeverFatal) {
  const std::string good = addArchive("good.zip", pages(1));
  const std::string broken = addArchive("broken.zip", "PK\x03\x04 and then nothing of use");
  putTank(kTank, {std::string(40, 'b')});
  putTank("TANK_1700000002", {good});
  const Attempt done = host_.run("regen_all_thumbnails", {{"thumbdir", nullptr}, {"force", "1"}});
  ASSERT_EQ(done.code, JH_OK) << done.error_message;
  ASSERT_EQ(done.result["errors"].size(), 2U) << done.result.dump();
  EXPECT_THAT(std::string(done.result["errors"].at(0).stringOr("")), HasSubstr(broken));
  EXPECT_THAT(std::string(done.result["errors"].at(1).stringOr("")), HasSubstr(kTank));
  EXPECT_TRUE(fs::exists(cover(good)));
  EXPECT_TRUE(fs::exists(tankCover("TANK_1700000002")));
}

TEST_F(CoverJobs, ACancelEndsThemAll) {
  for (int i = 0; i < 12; ++i) {
    (void)addArchive(std::to_string(i) + ".zip", one(samples::plain(40, 50 + i, {0, 10.0 * i, 0}, ".png")));
  }
  host_.cancelAtCall(6);
  const Attempt done = host_.run("regen_all_thumbnails", {{"force", 1}});
  EXPECT_EQ(done.code, JH_E_CANCELLED);
  EXPECT_TRUE(done.complaints.empty());
}

}  // namespace
}  // namespace jobhost::testing
