#include "pool/work_dir.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace jobhost::pool {
namespace {

namespace fs = std::filesystem;

TEST(IsOutputName, TakesOrdinaryPaths) {
  for (const std::string& good :
       {std::string("a"), std::string("thumbnail.jpg"), std::string("pages/0001.png"), std::string("1/2/3/4/5/6/7/8"),
        std::string("..."), std::string("a..b"), std::string(".hidden"), std::string("with blank"),
        std::string("gr\xC3\xBC\xC3\x9F"), std::string(255, 'x')})
    EXPECT_TRUE(isOutputName(good)) << good;
}

TEST(IsOutputName, RefusesWhatCouldLeaveTheFolderOrConfuseAReader) {
  for (const std::string& bad : {std::string(),
                                 std::string("/etc/passwd"),
                                 std::string("../up"),
                                 std::string("a/../b"),
                                 std::string("a//b"),
                                 std::string("."),
                                 std::string(".."),
                                 std::string("a/."),
                                 std::string("a/"),
                                 std::string("nul\0byte", 8),
                                 std::string("line\nbreak"),
                                 std::string("\x7F"),
                                 std::string("\xC2\x9B"
                                             "31m"),
                                 std::string("\xFF\xFE"),
                                 std::string("back\\slash"),
                                 std::string(".jh-1.part"),
                                 std::string("a/.jh-x"),
                                 std::string(256, 'x'),
                                 std::string(2000, 'y'),
                                 std::string("1/2/3/4/5/6/7/8/9")})
    EXPECT_FALSE(isOutputName(bad)) << bad;
}

class WorkDir : public testing::Test {
 protected:
  WorkDir() {
    std::string pattern = (fs::temp_directory_path() / "jobhost-workdir-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    fs::create_directories(from());
    fs::create_directories(to().parent_path());
  }
  ~WorkDir() override { fs::remove_all(root_); }
  [[nodiscard]] fs::path from() const { return root_ / "work"; }
  [[nodiscard]] fs::path to() const { return root_ / "job" / "output"; }
  void write(const std::string& name, const std::string& text = "made") const {
    fs::create_directories((from() / name).parent_path());
    std::ofstream(from() / name) << text;
  }
  [[nodiscard]] core::Result<std::vector<core::Output>> collect(const std::vector<std::string>& names,
                                                                OutputLimits limits = {100, 1 << 20, false}) const {
    std::vector<wire::OutputFile> files;
    for (const auto& name : names) files.push_back({name, "text/plain", 0});
    return collectOutputs(from(), to(), files, limits);
  }

  fs::path root_;
};

TEST_F(WorkDir, MovesOutputsToTheJob) {
  write("a.txt");
  write("sub/b.txt", "longer");
  const auto kept = collect({"a.txt", "sub/b.txt"});
  ASSERT_TRUE(kept) << kept.error().message;
  ASSERT_EQ(kept->size(), 2u);
  EXPECT_EQ((*kept)[1].name, "sub/b.txt");
  EXPECT_EQ((*kept)[1].size_bytes, 6);
  EXPECT_EQ((*kept)[1].sha256, "73834addcec75fafd7d73717ca1614a1324652ffa70b4b6c44fa359ae5a69dab");
  EXPECT_TRUE(fs::exists(to() / "sub/b.txt"));
  EXPECT_FALSE(fs::exists(from() / "a.txt"));
}

TEST_F(WorkDir, ReplacesTheOutputsOfAnEarlierAttemptAsAWhole) {
  write("old.txt");
  ASSERT_TRUE(collect({"old.txt"}));
  write("new.txt");
  ASSERT_TRUE(collect({"new.txt"}));
  EXPECT_FALSE(fs::exists(to() / "old.txt"));
  EXPECT_TRUE(fs::exists(to() / "new.txt"));
}

TEST_F(WorkDir, KeepsNothingWhenOneOutputIsBad) {
  write("good.txt");
  const auto refused = [&](const std::string& name) {
    write("good.txt");
    const auto kept = collect({"good.txt", name});
    EXPECT_FALSE(kept) << name;
    EXPECT_FALSE(fs::exists(to())) << name;
    return kept ? core::ErrorCode::Internal : kept.error().code;
  };
  EXPECT_EQ(refused("not-there.txt"), core::ErrorCode::InvalidArgument);
  EXPECT_EQ(refused("../outside.txt"), core::ErrorCode::InvalidArgument);
  fs::create_symlink("/etc/passwd", from() / "link.txt");
  EXPECT_EQ(refused("link.txt"), core::ErrorCode::InvalidArgument);
  fs::create_directory_symlink("/etc", from() / "etc");
  EXPECT_EQ(refused("etc/passwd"), core::ErrorCode::InvalidArgument);
  EXPECT_TRUE(fs::exists("/etc/passwd"));
  ASSERT_EQ(::mkfifo((from() / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(refused("pipe"), core::ErrorCode::InvalidArgument);
  fs::create_directories(from() / "folder");
  EXPECT_EQ(refused("folder"), core::ErrorCode::InvalidArgument);
  std::ofstream(root_ / "elsewhere") << "not the job's";
  fs::create_hard_link(root_ / "elsewhere", from() / "hard.txt");
  EXPECT_EQ(refused("hard.txt"), core::ErrorCode::InvalidArgument);
}

TEST_F(WorkDir, CountsFilesAndBytes) {
  write("a.txt", std::string(600, 'a'));
  write("b.txt", std::string(600, 'b'));
  EXPECT_EQ(collect({"a.txt", "b.txt"}, {100, 1000, false}).error().code, core::ErrorCode::TooLarge);
  write("a.txt");
  write("b.txt");
  EXPECT_EQ(collect({"a.txt", "b.txt"}, {1, 1 << 20, false}).error().code, core::ErrorCode::TooLarge);
  EXPECT_FALSE(fs::exists(to()));
}

TEST_F(WorkDir, StagesInputsAsCopiesNobodyCanWrite) {
  write("photo.jpg", "given");
  const auto staged = stageInputs(from(), root_ / "in", 1 << 20);
  ASSERT_TRUE(staged) << staged.error().message;
  ASSERT_EQ(staged->size(), 1u);
  struct stat copy {};
  struct stat original {};
  ASSERT_EQ(::stat((root_ / "in/photo.jpg").c_str(), &copy), 0);
  ASSERT_EQ(::stat((from() / "photo.jpg").c_str(), &original), 0);
  EXPECT_EQ(copy.st_mode & 0777, 0444u);
  EXPECT_NE(copy.st_ino, original.st_ino) << "a hard link would let the plugin change the upload";
}

TEST_F(WorkDir, RefusesInputsOverTheLimitAndSkipsLinks) {
  write("big.bin", std::string(2000, 'x'));
  EXPECT_EQ(stageInputs(from(), root_ / "in1", 1000).error().code, core::ErrorCode::TooLarge);
  fs::create_symlink("/etc/passwd", from() / "link");
  const auto staged = stageInputs(from(), root_ / "in2", 1 << 20);
  ASSERT_TRUE(staged);
  EXPECT_EQ(staged->size(), 1u);
  EXPECT_EQ(stageInputs(root_ / "nowhere", root_ / "in3", 1000).error().code, core::ErrorCode::NotFound);
}

}  // namespace
}  // namespace jobhost::pool
