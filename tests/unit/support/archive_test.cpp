#include "support/archive/archive.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "samples.hpp"
#include "support/files/unique_fd.hpp"

namespace jobhost::support {
namespace {

using samples::Files;

class ArchiveTest : public ::testing::Test {
 protected:
  Archive open(const std::string& bytes, ArchiveLimits limits = {}, StopCheck stop = {}) {
    fd_ = UniqueFd(::open(folder_.write("archive", bytes).c_str(), O_RDONLY | O_CLOEXEC));
    return {fd_.get(), limits, std::move(stop)};
  }

  template <class Action>
  static std::string codeOf(Action&& action) {
    try {
      action();
      return "no failure";
    } catch (const Failure& failure) {
      return failure.code();
    } catch (const Stopped&) {
      return "stopped";
    }
  }

  samples::TempFolder folder_;
  UniqueFd fd_;
};

struct FormatTest : ArchiveTest, ::testing::WithParamInterface<const char*> {};

TEST_P(FormatTest, ListsPagesInReadingOrderAndReadsThem) {
  const Files files{
      {"10.png", "ten"}, {"text.txt", "not a page"}, {"2.png", "two"}, {"cover.jpg", std::string(70000, 'c')}};
  Archive archive = open(samples::archive(GetParam(), files));
  std::vector<std::string> read;
  for (const std::size_t page : archive.pages()) read.push_back(archive.read(page));
  EXPECT_EQ(read, (std::vector<std::string>{std::string(70000, 'c'), "two", "ten"}));
  EXPECT_EQ(archive.read(*archive.find("text.txt")), "not a page");
  EXPECT_EQ(archive.find("absent"), std::nullopt);
}

TEST_P(FormatTest, DeliversManyEntriesInOnePass) {
  Files files;
  for (int i = 0; i < 50; ++i)
    files.emplace_back(std::to_string(i) + ".png", std::string(1000, static_cast<char>('a' + i % 26)));
  Archive archive = open(samples::archive(GetParam(), files));
  const auto pages = archive.pages();
  std::size_t seen = 0;
  archive.readMany({pages.begin() + 10, pages.end()}, [&](std::size_t position, Archive::Content content) {
    EXPECT_FALSE(content.failure) << content.failure->what();
    EXPECT_EQ(content.bytes, files[position].second);
    ++seen;
    return true;
  });
  EXPECT_EQ(seen, 40U);
}

TEST_P(FormatTest, FailsOnATruncatedFile) {
  std::string noise;
  for (unsigned i = 0, x = 1; i < 200'000; ++i) noise += static_cast<char>((x = x * 1103515245U + 12345U) >> 16);
  const std::string whole = samples::archive(GetParam(), {{"1.png", noise}, {"2.png", noise}});
  const std::string code = codeOf([&] {
    Archive archive = open(whole.substr(0, whole.size() / 2));
    const auto pages = archive.pages();
    for (const std::size_t page : pages) (void)archive.read(page);
    // Some formats have the table of contents in front of the cut: then an entry is missing.
    if (pages.size() < 2) throw Failure(FailureKind::Damaged, "archive.damaged", "an entry is missing");
  });
  EXPECT_TRUE(code == "archive.damaged" || code == "archive.unreadable" || code == "archive.entry_damaged") << code;
}

TEST_P(FormatTest, StopsWhenAsked) {
  const std::string bytes = samples::archive(GetParam(), {{"1.png", std::string(5'000'000, 'x')}});
  EXPECT_EQ(codeOf([&] { (void)open(bytes, {}, [] { return true; }).pages(); }), "stopped");
}

INSTANTIATE_TEST_SUITE_P(Formats, FormatTest,
                         ::testing::Values("zip", "7z", "tar", "tar.gz", "tar.xz", "tar.zst", "tar.bz2", "lzma", "rar4",
                                           "rar5"),
                         [](const auto& param) {
                           std::string name = param.param;
                           for (char& c : name) c = c == '.' ? '_' : c;
                           return name;
                         });

TEST_F(ArchiveTest, KeepsNamesBeyondAscii) {
  for (const char* format : {"zip", "7z", "tar", "rar5"}) {
    Archive archive = open(samples::archive(format, {{"ページ/表紙 1.png", "x"}}));
    ASSERT_EQ(archive.entries().size(), 1U) << format;
    EXPECT_EQ(archive.entries()[0].name, "ページ/表紙 1.png") << format;
  }
}

TEST_F(ArchiveTest, RefusesEncryptedArchives) {
  const Files files{{"1.png", "secret"}};
  EXPECT_EQ(codeOf([&] { (void)open(samples::encryptedZip(files)).entries(); }), "archive.encrypted");
  EXPECT_EQ(codeOf([&] { (void)open(samples::rar4(files, true)).entries(); }), "archive.encrypted");
}

TEST_F(ArchiveTest, RefusesWhatIsNoArchive) {
  EXPECT_EQ(codeOf([&] { (void)open("just some text, long enough to look at").entries(); }), "archive.unreadable");
  EXPECT_EQ(codeOf([&] { (void)open(""); }), "archive.empty");
  // A format that can name files of this machine is not enabled.
  EXPECT_EQ(codeOf([&] { (void)open("#mtree\n./1.png type=file contents=/etc/passwd\n").entries(); }),
            "archive.unreadable");
}

TEST_F(ArchiveTest, RefusesAHundredThousandEntries) {
  const std::string bytes = samples::zipWithManyEntries(100'000);
  EXPECT_EQ(codeOf([&] { (void)open(bytes).entries(); }), "archive.entries");
}

TEST_F(ArchiveTest, RefusesAZipBombByItsRatio) {
  const std::string bytes = samples::zipOfZeros(100ULL << 20);
  ASSERT_LT(bytes.size(), 200'000U);
  Archive archive = open(bytes);
  EXPECT_EQ(codeOf([&] { (void)archive.read(0); }), "archive.ratio");
}

TEST_F(ArchiveTest, RefusesATarBombWhileListing) {
  const std::string bytes = samples::archive("tar.gz", {{"skip.bin", std::string(100ULL << 20, '\0')}, {"1.png", "x"}});
  EXPECT_EQ(codeOf([&] { (void)open(bytes).entries(); }), "archive.ratio");
}

TEST_F(ArchiveTest, RefusesAnEntryOverItsLimitAndATotalOverIts) {
  const std::string bytes = samples::archive("zip", {{"1.png", std::string(5000, 'x')}, {"2.png", "small"}});
  ArchiveLimits limits;
  limits.max_entry_bytes = 4096;
  Archive archive = open(bytes, limits);
  EXPECT_EQ(codeOf([&] { (void)archive.read(0); }), "archive.entry_too_large");
  EXPECT_EQ(archive.read(1), "small");
  limits.max_total_bytes = 4096;
  EXPECT_EQ(codeOf([&] { (void)open(bytes, limits).entries(); }), "archive.too_large");
}

TEST_F(ArchiveTest, RefusesLayersOfCompressionAndLeavesNestedArchivesClosed) {
  const std::string inner = samples::archive("tar.gz", {{"1.png", "x"}});
  const std::string nested = samples::archive("zip", {{"inner.zip", samples::archive("zip", {{"1.png", "x"}})}});
  EXPECT_TRUE(open(nested).pages().empty());
  // gzip in xz: libarchive would peel both.
  const samples::TempFolder folder;
  const auto path = folder.write("inner.tar.gz", inner);
  ASSERT_EQ(std::system(("xz -k " + path.string()).c_str()), 0);
  const std::string layered = samples::readAll(path.string() + ".xz");
  EXPECT_EQ(codeOf([&] { (void)open(layered).entries(); }), "archive.nested");
}

TEST_F(ArchiveTest, RefusesVeryLongNames) {
  ArchiveLimits limits;
  limits.max_name_bytes = 100;
  const std::string bytes = samples::archive("tar", {{std::string(200, 'n') + ".png", "x"}});
  EXPECT_EQ(codeOf([&] { (void)open(bytes, limits).entries(); }), "archive.name");
}

TEST_F(ArchiveTest, GoesOnAfterADamagedEntry) {
  std::string bytes =
      samples::archive("zip-stored", {{"1.png", "first page"}, {"2.png", "second page"}, {"3.png", "third page"}});
  bytes[bytes.find("second")] = 'X';
  Archive archive = open(bytes);
  std::vector<std::string> got;
  archive.readMany({0, 1, 2}, [&](std::size_t, Archive::Content content) {
    got.push_back(content.failure ? content.failure->code() : content.bytes);
    return true;
  });
  EXPECT_EQ(got, (std::vector<std::string>{"first page", "archive.entry_damaged", "third page"}));
}

TEST_F(ArchiveTest, ReadsOneFileFromSeveralArchivesAtOnce) {
  const std::string bytes =
      samples::archive("zip", {{"1.png", std::string(100'000, 'a')}, {"2.png", std::string(100'000, 'b')}});
  Archive first = open(bytes);
  Archive second(fd_.get(), {});
  EXPECT_EQ(first.read(0)[0], 'a');
  EXPECT_EQ(second.read(1)[0], 'b');
  EXPECT_EQ(first.read(1)[0], 'b');
}

}  // namespace
}  // namespace jobhost::support
