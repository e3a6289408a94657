#include <gtest/gtest.h>

#include <set>

#include "artifact/formats.hpp"
#include "artifact/text.hpp"

namespace jobhost::artifact {
namespace {

struct Case {
  std::string name, title, file;
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.title;
}

class FileName : public ::testing::TestWithParam<Case> {};

TEST_P(FileName, IsSafeEverywhere) {
  EXPECT_EQ(artifactFileName(GetParam().title, Format::Epub), GetParam().file);
}

INSTANTIATE_TEST_SUITE_P(
    Titles, FileName,
    ::testing::Values(Case{"Plain", "the lost tower", "The Lost Tower.epub"},
                      Case{"Capitals", "THE LOST tOWER", "The Lost Tower.epub"},
                      Case{"Forbidden", "a#b<c>d:e\"f/g\\h|i?j*k", "A B C D E F G H I J K.epub"},
                      Case{"QuotesAndHyphens", "Bob's \"well-known\" ‘x’ – y", "Bob S Well Known X Y.epub"},
                      Case{"Controls", "a\x01\n\tb", "A B.epub"},
                      Case{"Accents", "Ærø Čeština Łódź ß", "Aero Cestina Lodz Ss.epub"},
                      Case{"Cyrillic", "Война и мир", "Vojna I Mir.epub"},
                      Case{"Chinese", "小说 网", "Xiao Shuo Wang.epub"}, Case{"OnlyEmoji", "😀", "untitled.epub"},
                      Case{"Empty", "", "untitled.epub"}, Case{"OnlyForbidden", "???", "untitled.epub"},
                      Case{"Parent", "../../etc/passwd", "Etc Passwd.epub"}, Case{"Hidden", ".hack", "Hack.epub"},
                      Case{"TrailingDots", "end. . .", "End.epub"}, Case{"Device", "nul", "_Nul.epub"},
                      Case{"DeviceWithEnding", "com1.x", "_Com1.X.epub"}, Case{"NoDevice", "com10", "Com10.epub"},
                      Case{"PercentStays", "100%2F", "100%2F.epub"}, Case{"NotUtf8", "a\xFF", "A.epub"}),
    [](const auto& tested) { return tested.param.name; });

TEST(FileNames, AreShort) {
  EXPECT_EQ(artifactFileName(std::string(5000, 'x'), Format::Json).size(), 100 + std::string(".json.zip").size());
  std::string chinese;
  for (int i = 0; i < 300; ++i) chinese += "字";
  EXPECT_LE(artifactFileName(chinese, Format::Pdf).size(), 104u);
}

TEST(FileNames, DifferByFormatAndComeAgain) {
  std::set<std::string> names;
  for (const Format format : kFormats) {
    names.insert(artifactFileName("A.json", format));
    EXPECT_EQ(artifactFileName("小说", format), artifactFileName("小说", format));
  }
  EXPECT_EQ(names.size(), 14u);
}

TEST(Formats, HaveNamesBothWays) {
  std::set<std::string> converted;
  for (const Format format : kFormats) {
    EXPECT_EQ(formatOf(nameOf(format)), format);
    if (needsConverter(format)) converted.emplace(nameOf(format));
  }
  EXPECT_EQ(converted,
            (std::set<std::string>{"azw3", "docx", "fb2", "lit", "lrf", "mobi", "pdb", "pdf", "rb", "rtf", "tcr"}));
  EXPECT_FALSE(formatOf("EPUB"));
  EXPECT_FALSE(formatOf("web"));
  EXPECT_EQ(suffixOf(Format::Txt), ".txt.zip");
  EXPECT_EQ(mediaTypeOf(Format::Epub), "application/epub+zip");
}

TEST(Text, IsOneCleanLine) {
  EXPECT_EQ(oneLine(" a\t\n b\u3000c \x02 "), "a b c");
  EXPECT_EQ(oneLine("äöü", 5), "äö");
  EXPECT_EQ(oneLine("ab cd", 3), "ab");
  EXPECT_EQ(lineOr(" \n", "x"), "x");
}

TEST(Text, KnowsLanguageTags) {
  for (const char* tag : {"en", "zh-Hant-TW", "pt-BR", "fil"}) EXPECT_EQ(languageTag(tag), tag);
  for (const char* tag : {"", "e", "english", "en_US", "en-", "-en", "1n", "en-waytoolongsubtag", "en us"}) {
    EXPECT_EQ(languageTag(tag), "") << tag;
  }
}

TEST(Text, KnowsWebUrls) {
  for (const char* url : {"https://x.test", "http://x.test:80/a?b=c&d=%20#e"}) EXPECT_TRUE(isWebUrl(url)) << url;
  for (const char* url :
       {"", "http://", "http:///a", "ftp://x", "javascript:x", "https://x.test/ü", "https://x.test/a b",
        "https://x.test/%2", "https://x.test/%zz", "https://x.test/#a#b", "https://x.test/\""}) {
    EXPECT_FALSE(isWebUrl(url)) << url;
  }
}

}  // namespace
}  // namespace jobhost::artifact
