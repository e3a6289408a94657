// What is decided without a host: what a scan changes, and the tables of build_stat_hashes.
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

#include "library/scan.hpp"
#include "library/stat_tables.hpp"

namespace jobhost::library {
namespace {

ArchiveEntry known(const std::string& id, const std::string& file, std::int64_t size = 1) {
  ArchiveEntry entry;
  entry.id = id;
  entry.file = file;
  entry.size = size;
  entry.mtime_ms = 5;
  return entry;
}

FoundFile found(const std::string& id, const std::string& path, std::int64_t size = 1) {
  return {path, size, 5, id};
}

TEST(ScanPlan, ChangesNothingWhereAllIsKnown) {
  const auto plan = planScan({known("a", "1.zip"), known("gone", "")}, {found("a", "1.zip")});
  EXPECT_TRUE(plan.place.empty());
  EXPECT_TRUE(plan.drop.empty());
}

TEST(ScanPlan, FollowsWhatWasMovedAndDropsWhatIsGone) {
  const auto plan = planScan({known("a", "1.zip"), known("b", "2.zip"), known("c", "3.zip"), known("d", "")},
                             {found("a", "x/1.zip"), found("c", "2.zip"), found("d", "4.zip"), found("", "bad.zip")});
  ASSERT_EQ(plan.place.size(), 3U);
  EXPECT_EQ(plan.place.at("a").path, "x/1.zip");
  EXPECT_EQ(plan.place.at("c").path, "2.zip") << "another archive took b's name";
  EXPECT_EQ(plan.place.at("d").path, "4.zip") << "it came back";
  EXPECT_EQ(plan.drop, std::vector<std::string>{"b"});
}

TEST(ScanPlan, OfCopiesKeepsTheOneItHas) {
  const auto copies = {found("a", "1.zip"), found("a", "2.zip")};
  EXPECT_TRUE(planScan({known("a", "2.zip")}, copies).place.empty());
  EXPECT_EQ(planScan({}, copies).place.at("a").path, "1.zip");
  EXPECT_EQ(planScan({known("a", "2.zip", 7)}, copies).place.at("a").path, "2.zip") << "its size is noted anew";
}

ArchiveEntry tagged(const std::string& id, const std::string& title, const std::string& tags, bool isnew = false) {
  ArchiveEntry entry = known(id, id + ".zip");
  entry.title = title;
  entry.tags = tags;
  entry.isnew = isnew;
  return entry;
}

TEST(StatTables, AreWhatSearchesNeed) {
  const std::vector<ArchiveEntry> archives{
      tagged("a", "Zebra", "Artist:X, full  colour,\n artist:x, source:https://www.Example.com/G/1/?p=2"),
      tagged("b", "apple", "artist:x, date_added:5, language:en", true), tagged("c", "Apple", ""),
      tagged("d", "Ärger", "parody:y, female:z")};
  const auto all = StatTables::make(archives, {{"TANK_1", {"b", "unknown"}}}, [] {});
  EXPECT_EQ(all.tags.at("artist:x"), (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(all.tags.at("full colour"), std::vector<std::size_t>{0});
  EXPECT_EQ(all.tags.count("source:example.com/g/1"), 1U);
  EXPECT_EQ(all.cloud.front(), (std::pair<std::string, std::size_t>("artist:x", 2)));
  EXPECT_EQ(all.untagged, (std::vector<std::size_t>{1, 2})) << "artist, date and language say nothing of it";
  EXPECT_EQ(all.fresh, std::vector<std::size_t>{1});
  const std::vector<std::pair<std::string, std::size_t>> titles{{"apple", 1}, {"apple", 2}, {"zebra", 0}, {"ärger", 3}};
  EXPECT_EQ(all.titles, titles);
  EXPECT_EQ(all.urls, (std::map<std::string, std::size_t>{{"Example.com/G/1", 0}}));
  EXPECT_EQ(all.visible, (std::vector<std::string>{"TANK_1", "a", "c", "d"}));
}

TEST(ChunkWriter, CutsTablesIntoRecordsOfABoundedSize) {
  std::map<std::string, Json> kept;
  ChunkWriter writer("g1", [&](const std::string& key, const Json& value) { kept[key] = value; });
  writer.begin("t");
  for (int i = 0; i < 3000; ++i) writer.row("n" + std::to_string(i), std::string(1000, 'x'), 1002);
  const Json chunks = writer.end();
  ASSERT_EQ(chunks.size(), kept.size());
  ASSERT_GT(chunks.size(), 5U);
  std::size_t rows = 0;
  for (const Json& chunk : chunks.items()) {
    const Json& value = kept.at(std::string(chunk["key"].stringOr("")));
    EXPECT_EQ(chunk["first"].stringOr(""), "n" + std::to_string(rows));
    EXPECT_LT(value.dump().size(), 500'000U);
    rows += value["rows"].size();
  }
  EXPECT_EQ(rows, 3000U);
  writer.begin("none");
  EXPECT_EQ(writer.end().size(), 0U);
  writer.begin("long");
  std::string letters;
  for (int i = 0; i < 100; ++i) letters += "漫";
  writer.row(letters, 1, 400);
  EXPECT_EQ(writer.end().at(0)["first"].stringOr(""), letters.substr(0, 198)) << "not within a letter";
}

TEST(InParallel, DoesAllAndThrowsTheFirstFailure) {
  std::atomic<int> sum{0};
  std::size_t told = 0;
  inParallel(
      100, 4, [&](std::size_t i) { sum += static_cast<int>(i); }, [&](std::size_t n) { told = n; });
  EXPECT_EQ(sum, 4950);
  EXPECT_EQ(told, 100U);
  EXPECT_THROW(inParallel(
                   100, 4,
                   [&](std::size_t i) {
                     if (i == 7) throw std::runtime_error("seven");
                   },
                   [](std::size_t) {}),
               std::runtime_error);
  EXPECT_THROW(inParallel(
                   100, 4, [](std::size_t) {}, [](std::size_t) { throw Cancelled{}; }),
               Cancelled);
  inParallel(
      0, 4, [](std::size_t) { FAIL(); }, [](std::size_t) {});
}

}  // namespace
}  // namespace jobhost::library
