#include "thumbnail/archive_index.hpp"

#include <gtest/gtest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <thread>

#include "samples.hpp"
#include "support/files/archive_id.hpp"

namespace jobhost::thumbnail {
namespace {

class ArchiveIndexTest : public ::testing::Test {
 protected:
  ArchiveIndexTest() { std::filesystem::create_directories(content_); }

  std::string add(const std::string& name, const std::string& bytes) {
    const support::UniqueFd fd(::open(folder_.write("content/" + name, bytes).c_str(), O_RDONLY | O_CLOEXEC));
    return support::archiveIdOf(fd.get());
  }

  samples::TempFolder folder_;
  std::filesystem::path content_ = folder_.path() / "content";
  std::filesystem::path cache_ = folder_.path() / "own/index";
  ArchiveIndex index_{content_, cache_};
};

TEST_F(ArchiveIndexTest, ReadsEachFileOnce) {
  const std::string a = add("a.zip", "first");
  const std::string b = add("sub/b.CBZ", "second");
  add("notes.txt", "no archive");
  EXPECT_TRUE(index_.open(a, {}));
  EXPECT_TRUE(index_.open(b, {}));
  EXPECT_FALSE(index_.open(std::string(40, '0'), {}));
  EXPECT_EQ(index_.hashedForTest(), 2U);
}

TEST_F(ArchiveIndexTest, RemembersAcrossProcesses) {
  const std::string a = add("a.zip", "first");
  ASSERT_TRUE(index_.open(a, {}));
  ArchiveIndex next(content_, cache_);
  EXPECT_TRUE(next.open(a, {}));
  EXPECT_EQ(next.hashedForTest(), 0U);
  const std::string b = add("b.zip", "second");
  EXPECT_TRUE(next.open(b, {}));
  EXPECT_EQ(next.hashedForTest(), 1U);
}

TEST_F(ArchiveIndexTest, NeverHandsOutAFileThatChanged) {
  const std::string a = add("a.zip", "first");
  ASSERT_TRUE(index_.open(a, {}));
  const std::string b = add("a.zip", "other");
  EXPECT_FALSE(index_.open(a, {}));
  EXPECT_TRUE(index_.open(b, {}));
}

TEST_F(ArchiveIndexTest, SurvivesADamagedCache) {
  const std::string a = add("a.zip", "first");
  folder_.write("own/index", "jobhost-archive-index 1 " + content_.string() + "\nrubbish\n" + a + " 5 x /etc/passwd\n" +
                                 a + " 5 1 ../../etc/passwd\n\xff\xfe\n");
  ArchiveIndex index(content_, cache_);
  EXPECT_TRUE(index.open(a, {}));
  EXPECT_FALSE(index.open(std::string(40, '1'), {}));
}

TEST_F(ArchiveIndexTest, LeavesOutLinksThatLeadOutAndWhatCannotBeRead) {
  const auto outside = folder_.write("outside.zip", "outside");
  std::filesystem::create_symlink(outside, content_ / "link.zip");
  std::filesystem::create_directory_symlink("/", content_ / "root");
  ASSERT_EQ(mkfifo((content_ / "fifo.zip").c_str(), 0600), 0);
  folder_.write("content/empty.zip", "");
  const support::UniqueFd fd(::open(outside.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(index_.open(support::archiveIdOf(fd.get()), {}));
}

TEST_F(ArchiveIndexTest, KeepsWhatItReadWhenStopped) {
  const std::string a = add("a.zip", "first");
  for (int i = 0; i < 20; ++i) add("b" + std::to_string(i) + ".zip", std::to_string(i));
  EXPECT_THROW((void)index_.open(a, [&] { return index_.hashedForTest() >= 10; }), support::Stopped);
  EXPECT_TRUE(index_.open(a, {}));
  EXPECT_EQ(index_.hashedForTest(), 21U);
}

TEST_F(ArchiveIndexTest, StopsWhileItReadsALongCache) {
  const std::string a = add("a.zip", "first");
  ASSERT_TRUE(index_.open(a, {}));
  std::string text = samples::readAll(cache_);
  for (int i = 0; i < 1000; ++i) text += a + " 5 1 gone/" + std::to_string(i) + ".zip\n";
  folder_.write("own/index", text);
  ArchiveIndex next(content_, cache_);
  int checks = 0;
  EXPECT_THROW((void)next.open(a, [&] { return ++checks == 100; }), support::Stopped);
  EXPECT_EQ(checks, 100);
  EXPECT_TRUE(next.open(a, {})) << "the next attempt reads the rest";
  EXPECT_EQ(next.hashedForTest(), 0U);
}

TEST_F(ArchiveIndexTest, LooksForUnknownIdsAFewTimesAtOnceThenOnceInAWhile) {
  std::int64_t now_ms = 1'000'000'000;
  ArchiveIndex index(content_, folder_.path() / "own/bounded", [&] { return now_ms; });
  const std::string a = add("a.zip", "first");
  ASSERT_TRUE(index.open(a, {}));
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(index.open(std::string(40, '0'), {}));
  EXPECT_EQ(index.scansForTest(), std::size_t{ScanBudget::kAtOnce});
  const std::string b = add("b.zip", "second");
  EXPECT_FALSE(index.open(b, {})) << "nobody has looked since";
  EXPECT_TRUE(index.open(a, {})) << "what is known is there all the same";
  now_ms += ScanBudget::kRefillMs - 1;
  EXPECT_FALSE(index.open(b, {}));
  now_ms += 2;
  EXPECT_TRUE(index.open(b, {}));
  EXPECT_FALSE(index.open(std::string(40, '0'), {}));
  EXPECT_EQ(index.scansForTest(), std::size_t{ScanBudget::kAtOnce} + 1);
}

TEST_F(ArchiveIndexTest, SharesWhatItMayAndWhatItFoundWithOtherProcesses) {
  ArchiveIndex other(content_, cache_);
  const std::string a = add("a.zip", "first");
  ASSERT_TRUE(index_.open(a, {}));
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(index_.open(std::string(40, '0'), {}));
  EXPECT_TRUE(other.open(a, {})) << "read from the cache, not looked for";
  EXPECT_FALSE(other.open(std::string(40, '0'), {}));
  EXPECT_EQ(other.scansForTest(), 0U);
  EXPECT_EQ(other.hashedForTest(), 0U);
}

TEST(ScanBudgetTest, GivesALongScanALongRest) {
  samples::TempFolder folder;
  std::int64_t now_ms = 1'000'000'000;
  ScanBudget budget(folder.path() / "scans", [&] { return now_ms; });
  for (int i = 0; i < ScanBudget::kAtOnce; ++i) EXPECT_TRUE(budget.take());
  EXPECT_FALSE(budget.take());
  budget.spent(10'000);
  now_ms += 199'000;
  EXPECT_FALSE(budget.take());
  now_ms += 2'000;
  EXPECT_TRUE(budget.take());
  now_ms -= 500'000;  // a clock that was set back
  EXPECT_FALSE(budget.take());
  now_ms += 201'000;
  EXPECT_TRUE(budget.take());
}

TEST(ScanBudgetTest, HoldsWithoutAFileAndWithADamagedOne) {
  samples::TempFolder folder;
  folder.write("file", "not a folder");
  folder.write("scans", std::string(24, '\xff'));
  for (const char* name : {"file/scans", "scans"}) {
    ScanBudget budget(folder.path() / name, [] { return std::int64_t{1'000'000'000}; });
    for (int i = 0; i < ScanBudget::kAtOnce; ++i) EXPECT_TRUE(budget.take()) << name;
    EXPECT_FALSE(budget.take()) << name;
  }
}

TEST_F(ArchiveIndexTest, ServesManyThreads) {
  const std::string a = add("a.zip", "first");
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { EXPECT_TRUE(index_.open(a, {})); });
  threads.clear();
  EXPECT_EQ(index_.hashedForTest(), 1U);
}

}  // namespace
}  // namespace jobhost::thumbnail
