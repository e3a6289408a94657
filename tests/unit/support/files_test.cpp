#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <thread>

#include "samples.hpp"
#include "support/files/archive_id.hpp"
#include "support/files/atomic_file.hpp"
#include "support/files/confined.hpp"

namespace jobhost::support {
namespace {

namespace fs = std::filesystem;

class ConfinedRootsTest : public ::testing::Test {
 protected:
  ConfinedRootsTest() {
    folder_.write("root/in/photo.jpg", "inside");
    folder_.write("outside.jpg", "outside");
    fs::create_symlink("../outside.jpg", root_ / "leads_out.jpg");
    fs::create_symlink(folder_.path() / "outside.jpg", root_ / "absolute.jpg");
    fs::create_symlink("in/photo.jpg", root_ / "stays.jpg");
    fs::create_directory_symlink(folder_.path(), root_ / "up");
  }

  std::string opened(const std::string& path) {
    try {
      const UniqueFd fd = ConfinedRoots({root_, folder_.path() / "absent"}).openFile(path);
      std::array<char, 16> text{};
      const auto got = ::read(fd.get(), text.data(), text.size());
      return {text.data(), static_cast<std::size_t>(got)};
    } catch (const Failure& failure) {
      return failure.code();
    }
  }

  samples::TempFolder folder_;
  fs::path root_ = folder_.path() / "root";
};

TEST_F(ConfinedRootsTest, OpensFilesBelowARoot) {
  EXPECT_EQ(opened("in/photo.jpg"), "inside");
  EXPECT_EQ(opened((root_ / "in/photo.jpg").string()), "inside");
  EXPECT_EQ(opened("in/../in/photo.jpg"), "inside");
  EXPECT_EQ(opened("stays.jpg"), "inside");
}

TEST_F(ConfinedRootsTest, RefusesEveryWayOut) {
  for (const std::string& path :
       {std::string("../outside.jpg"), std::string("in/../../outside.jpg"), std::string("leads_out.jpg"),
        std::string("absolute.jpg"), std::string("up/outside.jpg"), (folder_.path() / "outside.jpg").string(),
        (root_ / "../outside.jpg").string(), root_.string() + "-sibling/x", std::string("/etc/passwd"),
        std::string("/proc/self/environ")}) {
    EXPECT_EQ(opened(path), "path.denied") << path;
  }
}

TEST_F(ConfinedRootsTest, TellsWhatIsNoFile) {
  EXPECT_EQ(opened("in/absent.jpg"), "path.not_found");
  EXPECT_EQ(opened("in"), "path.not_a_file");
  EXPECT_EQ(opened(""), "path.invalid");
  EXPECT_EQ(opened(std::string("in/photo.jpg\0.png", 17)), "path.invalid");
  EXPECT_EQ(opened(std::string(5000, 'a')), "path.invalid");
  ASSERT_EQ(mkfifo((root_ / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(opened("fifo"), "path.not_a_file");
}

TEST_F(ConfinedRootsTest, RefusesEverythingWithoutRoots) {
  EXPECT_THROW((void)ConfinedRoots({}).openFile("in/photo.jpg"), Failure);
  EXPECT_THROW(ConfinedRoots({"relative"}), Failure);
}

TEST(AtomicFile, ReplacesAsAWhole) {
  const samples::TempFolder folder;
  const fs::path path = folder.path() / "a/b/c.jpg";
  writeFileAtomically(path, "old");
  writeFileAtomically(path, std::string(100'000, 'n'));
  EXPECT_EQ(samples::readAll(path), std::string(100'000, 'n'));
  EXPECT_EQ(std::distance(fs::directory_iterator(path.parent_path()), fs::directory_iterator()), 1);
}

TEST(AtomicFile, LeavesNothingBehindWhenItCannot) {
  const samples::TempFolder folder;
  fs::create_directories(folder.path() / "taken.jpg/full");
  EXPECT_THROW(writeFileAtomically(folder.path() / "taken.jpg", "x"), Failure);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()), 1);
}

TEST(AtomicFile, LetsManyThreadsWriteTheSameFile) {
  const samples::TempFolder folder;
  const fs::path path = folder.path() / "same.jpg";
  {
    std::vector<std::jthread> writers;
    for (char c = 'a'; c < 'e'; ++c) {
      writers.emplace_back([&, c] {
        for (int i = 0; i < 50; ++i) writeFileAtomically(path, std::string(20'000, c));
      });
    }
  }
  const std::string text = samples::readAll(path);
  EXPECT_EQ(text, std::string(20'000, text[0]));
}

TEST(ArchiveId, CoversTheFirst512000Bytes) {
  const samples::TempFolder folder;
  const auto idOf = [&](const std::string& bytes) {
    const UniqueFd fd(::open(folder.write("f", bytes).c_str(), O_RDONLY | O_CLOEXEC));
    return archiveIdOf(fd.get());
  };
  EXPECT_EQ(idOf("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  const std::string head(512'000, 'x');
  EXPECT_EQ(idOf(head), idOf(head + "whatever follows"));
  EXPECT_NE(idOf(head), idOf(head.substr(1)));
  EXPECT_THROW((void)idOf(""), Failure);
}

TEST(ArchiveId, IsFortyLowerCaseHexDigits) {
  EXPECT_TRUE(isArchiveId("a9993e364706816aba3e25717850c26c9cd0d89d"));
  EXPECT_FALSE(isArchiveId("A9993e364706816aba3e25717850c26c9cd0d89d"));
  EXPECT_FALSE(isArchiveId("../993e364706816aba3e25717850c26c9cd0d89d"));
  EXPECT_FALSE(isArchiveId(""));
}

}  // namespace
}  // namespace jobhost::support
