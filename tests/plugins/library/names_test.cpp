#include "library/names.hpp"

#include <gtest/gtest.h>

namespace jobhost::library {
namespace {

struct Disposition {
  const char* title;
  const char* header;
  const char* name;  // null: none
};

class ContentDisposition : public testing::TestWithParam<Disposition> {};

TEST_P(ContentDisposition, NamesTheFile) {
  const auto name = dispositionFileName(GetParam().header);
  if (GetParam().name == nullptr) {
    EXPECT_FALSE(name) << *name;
  } else {
    EXPECT_EQ(name.value_or("none"), GetParam().name);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Headers, ContentDisposition,
    testing::Values(Disposition{"Quoted", R"(attachment; filename="a b.zip")", "a b.zip"},
                    Disposition{"Token", "attachment; filename=a.zip", "a.zip"},
                    Disposition{"TokenWithBlanks", "attachment; filename=a b.zip ; size=3", "a b.zip"},
                    Disposition{"Inline", R"(inline; filename="a.zip")", "a.zip"},
                    Disposition{"NoBlanks", R"(attachment;filename="a.zip";x=y)", "a.zip"},
                    Disposition{"NameInCapitals", R"(Attachment; FileName="a.zip")", "a.zip"},
                    Disposition{"BlanksAroundEquals", R"(attachment; filename = "a.zip")", "a.zip"},
                    Disposition{"EscapedQuote", R"(attachment; filename="a\"b.zip")", "a\"b.zip"},
                    Disposition{"SemicolonInQuotes", R"(attachment; filename="a;b.zip")", "a;b.zip"},
                    Disposition{"FilenameInAnotherValue", R"(attachment; x="filename=no.zip"; filename="a.zip")",
                                "a.zip"},
                    Disposition{"NoClosingQuote", R"(attachment; filename="a.zip)", "a.zip"},
                    Disposition{"SingleQuotesAreLetters", "attachment; filename='a.zip'", "'a.zip'"},
                    Disposition{"PercentStaysInPlain", R"(attachment; filename="a%20b.zip")", "a%20b.zip"},
                    Disposition{"Utf8", "attachment; filename=\"漫画.zip\"", "漫画.zip"},
                    Disposition{"Extended", "attachment; filename*=UTF-8''%e6%bc%ab%20x.zip", "漫 x.zip"},
                    Disposition{"ExtendedWithLanguage", "attachment; filename*=utf-8'en'%c3%a9.zip", "é.zip"},
                    Disposition{"ExtendedLatin1", "attachment; filename*=ISO-8859-1''%e9.zip", "é.zip"},
                    Disposition{"PlainGoesFirst", R"(attachment; filename*=UTF-8''e.zip; filename="p.zip")", "p.zip"},
                    Disposition{"EmptyPlainDoesNot", R"(attachment; filename=""; filename*=UTF-8''e.zip)", "e.zip"},
                    Disposition{"FirstOfTwo", R"(attachment; filename="a.zip"; filename="b.zip")", "a.zip"},
                    Disposition{"ExtendedBrokenEscape", "attachment; filename*=UTF-8''%zz.zip", nullptr},
                    Disposition{"ExtendedCutEscape", "attachment; filename*=UTF-8''a%4", nullptr},
                    Disposition{"ExtendedNoUtf8", "attachment; filename*=UTF-8''%ff.zip", nullptr},
                    Disposition{"ExtendedUnknownCharset", "attachment; filename*=koi8-r''a.zip", nullptr},
                    Disposition{"ExtendedWithoutQuotes", "attachment; filename*=a.zip", nullptr},
                    Disposition{"ExtendedEmpty", "attachment; filename*=UTF-8''", nullptr},
                    Disposition{"NoParameters", "attachment", nullptr}, Disposition{"Empty", "", nullptr},
                    Disposition{"NoType", "filename=a.zip", nullptr}, Disposition{"OnlySemicolons", ";;;=;=;", nullptr},
                    Disposition{"NameWithoutValue", "attachment; filename; filename=a.zip", "a.zip"}),
    [](const auto& one) { return std::string(one.param.title); });

TEST(FileName, IsMadeSafe) {
  EXPECT_EQ(fileNameOf("a\\b/c:d\"e*f?g<h>i|j.zip"), "abcdefghij.zip");
  EXPECT_EQ(fileNameOf("../../etc/x.cbz"), "etcx.cbz");
  EXPECT_EQ(fileNameOf(" .hidden.zip "), "hidden.zip");
  EXPECT_EQ(fileNameOf("a\n\t\x01.zip"), "a.zip");
  EXPECT_EQ(fileNameOf("..."), "");
  EXPECT_EQ(fileNameOf(""), "");
  EXPECT_EQ(fileNameOf("caf\xe9.zip"), "caf\xef\xbf\xbd.zip");
}

TEST(FileName, HasRoomForItsTemporaryEnding) {
  for (const std::string ending : {".zip", ".tar.gz"}) {
    for (const std::size_t length : {246U, 247U, 248U, 249U, 250U, 400U}) {
      const std::string name = fileNameOf(std::string(length, 'x') + ending);
      EXPECT_LE(name.size() + 7, kMaxNameBytes) << length;
      EXPECT_TRUE(name.ends_with("x" + ending)) << length;
    }
  }
  std::string letters;
  for (int i = 0; i < 200; ++i) letters += "漫";
  const std::string name = fileNameOf(letters + ".cbz");
  EXPECT_LE(name.size(), 248U);
  EXPECT_EQ((name.size() - 4) % 3, 0U) << "cut within a letter";
  EXPECT_LE(fileNameOf("x." + std::string(500, 'y')).size(), 248U);
}

TEST(FileName, EndsAsItsArchive) {
  EXPECT_EQ(stemOf("Book.TAR.GZ"), "Book");
  EXPECT_EQ(stemOf("Book.v1.cbz"), "Book.v1");
  EXPECT_EQ(stemOf("Book"), "Book");
  EXPECT_EQ(endingOf(".zip"), "");
  EXPECT_EQ(endingOf("tar.gz"), ".gz");
}

TEST(Url, IsNormalised) {
  EXPECT_EQ(normalUrl("https://www.example.com/a/b/?page=2#x"), "example.com/a/b");
  EXPECT_EQ(normalUrl("HTTP://WWW.Example.com/A"), "Example.com/A");
  EXPECT_EQ(normalUrl(" example.com/a// "), "example.com/a/") << "one slash";
  EXPECT_EQ(normalUrl("http://example.com?q=http://other/"), "example.com");
  EXPECT_EQ(normalUrl(""), "");
}

TEST(Url, KeysAreShortAndDiffer) {
  const std::string one = "example.com/" + std::string(600, 'a');
  EXPECT_EQ(urlKey("example.com/a"), "example.com/a");
  EXPECT_EQ(urlKey("example.com/a,b"), "example.com/a%2Cb") << "as the tag source:example.com/a%2Cb";
  EXPECT_LE(urlKey(one + "1").size(), 500U);
  EXPECT_NE(urlKey(one + "1"), urlKey(one + "2"));
}

TEST(Url, EndsWithAFileName) {
  EXPECT_EQ(urlFileName("http://h/a/b%20c.zip?x=/d.zip#y"), "b c.zip");
  EXPECT_EQ(urlFileName("http://h/a%2Fb.zip"), "a/b.zip") << "made safe later";
  EXPECT_EQ(urlFileName("http://h/a/"), "");
  EXPECT_EQ(urlFileName("http://host"), "");
  EXPECT_EQ(urlFileName("http://h/%zz%4.zip"), "%zz%4.zip");
}

}  // namespace
}  // namespace jobhost::library
