#include "artifact/stored_files.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "shelf.hpp"
#include "support/common/failure.hpp"

namespace jobhost::artifact {
namespace {

namespace fs = std::filesystem;
using testing::packed;
using testing::readFile;
using testing::writeFile;

class Folder {
 public:
  explicit Folder(const fs::path& where = fs::temp_directory_path()) {
    std::string pattern = (where / "jobhost-files-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no folder");
    path = pattern;
  }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  fs::path path;
};

TEST(StoredFiles, UnpackUpToTheLimit) {
  const Folder folder;
  const std::string large(1'000'000, 'x');
  writeFile(folder.path / "chapters/a.zst", packed(large));
  writeFile(folder.path / "chapters/two.zst", packed("one ") + packed("two"));
  writeFile(folder.path / "chapters/empty.zst", packed(""));
  const StoredFiles files(folder.path);
  EXPECT_EQ(files.body("a", 1'000'000), large);
  EXPECT_EQ(files.body("a", 1000)->size(), 1001u) << "says that there is more";
  EXPECT_EQ(files.body("two", 100), "one two") << "frames one after the other";
  EXPECT_EQ(files.body("empty", 100), "");
  EXPECT_EQ(files.body("absent", 100), std::nullopt);
  for (const char* id : {"", "..", "../a", "a/b", "a.zst", "/etc/passwd"}) {
    EXPECT_FALSE(files.body(id, 100)) << id;
    EXPECT_FALSE(files.image(id, 100)) << id;
  }
}

TEST(StoredFiles, SayWhatDoesNotUnpack) {
  const Folder folder;
  const std::string good = packed(std::string(1000, 'x') + "yz");
  writeFile(folder.path / "chapters/plain.zst", "<p>not packed</p>");
  writeFile(folder.path / "chapters/short.zst", std::string_view(good).substr(0, good.size() - 3));
  writeFile(folder.path / "chapters/none.zst", "");
  const StoredFiles files(folder.path);
  for (const char* id : {"plain", "short", "none"}) {
    try {
      (void)files.body(id, 10'000);
      FAIL() << id;
    } catch (const support::Failure& failure) {
      EXPECT_EQ(failure.code(), "artifact.chapter_damaged") << id;
    }
  }
}

TEST(StoredFiles, AreRegularFilesOfTheFolder) {
  const Folder folder;
  writeFile(folder.path / "out", "secret");
  writeFile(folder.path / "novel/images/in.jpg", "in");
  fs::create_symlink("../../out", folder.path / "novel/images/link.jpg");
  ::mkfifo((folder.path / "novel/images/pipe.jpg").c_str(), 0600);
  fs::create_directory(folder.path / "novel/cover.jpg");
  const StoredFiles files(folder.path / "novel");
  EXPECT_EQ(files.image("in", 10), "in");
  EXPECT_EQ(files.image("in", 1)->size(), 2u);
  EXPECT_FALSE(files.image("link", 10));
  EXPECT_FALSE(files.image("pipe", 10));
  EXPECT_FALSE(files.cover(10));
  EXPECT_FALSE(StoredFiles(folder.path / "absent").cover(10));
}

TEST(PlaceFile, ReplacesInOneStep) {
  const Folder folder;
  writeFile(folder.path / "made", "new");
  writeFile(folder.path / "a/b/book", "old");
  const fs::path old = folder.path / "still";
  fs::create_hard_link(folder.path / "a/b/book", old);
  placeFile(folder.path / "made", folder.path / "a/b/book", folder.path / "tmp");
  EXPECT_EQ(readFile(folder.path / "a/b/book"), "new");
  EXPECT_EQ(readFile(old), "old") << "a reader that has it open goes on reading it";
  EXPECT_FALSE(fs::exists(folder.path / "made"));
}

TEST(PlaceFile, CopiesFromAnotherFileSystem) {
  struct stat here {
  }, there{};
  const fs::path memory = "/dev/shm";
  if (::stat(fs::temp_directory_path().c_str(), &here) != 0 || ::stat(memory.c_str(), &there) != 0 ||
      here.st_dev == there.st_dev) {
    GTEST_SKIP() << "there is one file system only";
  }
  const Folder folder;
  const Folder other(memory);
  const std::string large(1'000'000, 'x');
  writeFile(other.path / "made", large);
  writeFile(folder.path / "tmp/made", "left by an attempt that was killed");
  placeFile(other.path / "made", folder.path / "book", folder.path / "tmp");
  EXPECT_EQ(readFile(folder.path / "book"), large);
  EXPECT_FALSE(fs::exists(folder.path / "tmp/made"));
}

TEST(PlaceFile, SaysThatItCannot) {
  const Folder folder;
  writeFile(folder.path / "made", "new");
  writeFile(folder.path / "file", "");
  EXPECT_THROW(placeFile(folder.path / "made", folder.path / "file/book", folder.path / "tmp"), support::Failure);
  EXPECT_THROW(placeFile(folder.path / "absent", folder.path / "book", folder.path / "tmp"), support::Failure);
  EXPECT_EQ(readFile(folder.path / "made"), "new");
}

}  // namespace
}  // namespace jobhost::artifact
