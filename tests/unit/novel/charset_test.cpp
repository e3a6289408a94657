#include "fetch-novel/charset.hpp"

#include <gtest/gtest.h>

namespace jobhost::novel {
namespace {

const std::string kGbk = "\xC4\xE3\xBA\xC3\xCA\xC0\xBD\xE7";  // 你好世界

struct Case {
  const char* name;
  std::string body;
  const char* content_type;
  const char* override_name;
  const char* charset;
  const char* source;
};

class Charsets : public testing::TestWithParam<Case> {};

TEST_P(Charsets, AreFound) {
  const Charset found = detectCharset(GetParam().body, GetParam().content_type, GetParam().override_name);
  EXPECT_EQ(found.name, GetParam().charset);
  EXPECT_EQ(found.source, GetParam().source);
}

INSTANTIATE_TEST_SUITE_P(
    All, Charsets,
    testing::Values(
        Case{"Spec", "\xEF\xBB\xBFx", "text/html; charset=utf-8", "GBK", "GBK", "spec"},
        Case{"ByteOrderMark", "\xEF\xBB\xBFx", "text/html; charset=gbk", "", "UTF-8", "bom"},
        Case{"Utf16", std::string("\xFF\xFEx\0", 4), "", "", "UTF-16LE", "bom"},
        Case{"Header", kGbk, "text/html; charset=\"gb2312\"", "", "GBK", "header"},
        Case{"HeaderBeforeMeta", "<meta charset=euc-jp>\xE9", "text/html;charset=ISO-8859-1", "", "windows-1252",
             "header"},
        Case{"Meta", "<html><meta charset='gbk'>" + kGbk, "text/html", "", "GBK", "meta"},
        Case{"MetaHttpEquiv", "<META HTTP-EQUIV=content-type CONTENT=\"text/html; charset=windows-1251\">\xE9", "", "",
             "ibm-5347_P100-1998", "meta"},
        Case{"CommentedMeta", "<!-- <meta charset=gbk> --><meta charset=big5>\xA4\xA4", "", "", "Big5-HKSCS", "meta"},
        Case{"XmlDeclaration", "<?xml version='1.0' encoding='iso-8859-2'?>\xB1", "", "", "ibm-912_P100-1995", "meta"},
        Case{"HeaderThatLies", "<meta charset=gbk>" + kGbk, "text/html; charset=utf-8", "", "GBK", "meta"},
        Case{"UnknownLabel", "<meta charset=gbk>" + kGbk, "text/html; charset=nonsense", "", "GBK", "meta"},
        Case{"SilentUtf8", "\xC3\xA9", "text/html", "", "UTF-8", "guess"}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(Charset, GuessesWhatNobodySays) {
  // Some sentences of Russian in windows-1251, which is no UTF-8.
  const std::string text = fromUtf8(
      "Это довольно длинный русский текст, который никто не подписал. В нём есть слова и предложения.", "windows-1251");
  const Charset found = detectCharset(text, "text/html", "");
  EXPECT_EQ(toUtf8(text, found.name).substr(0, 6), "Это") << found.name;
  EXPECT_EQ(found.source, "guess");
}

TEST(Charset, DecodesAndEncodes) {
  EXPECT_EQ(toUtf8(kGbk, "GBK"), "你好世界");
  EXPECT_EQ(fromUtf8("你好世界", "GBK"), kGbk);
  EXPECT_EQ(toUtf8("a\x93q\x94", *charsetName("latin1")), "a“q”");
  EXPECT_EQ(toUtf8("\xEF\xBB\xBFx", "UTF-8"), "x");
  EXPECT_EQ(toUtf8("a\xFF"
                   "b",
                   "UTF-8"),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(fromUtf8("é漢", *charsetName("iso-8859-1")), "\xE9&#28450;");
  const std::string longer(100'000, 'x');
  EXPECT_EQ(toUtf8(longer, "GBK"), longer);
}

TEST(Charset, KnowsTheNamesOfTheWeb) {
  EXPECT_EQ(charsetName(" UTF8 "), "UTF-8");
  EXPECT_EQ(charsetName("gb2312"), "GBK");
  EXPECT_EQ(charsetName("Shift_JIS"), "windows-31j");
  EXPECT_EQ(charsetName("utf-7"), std::nullopt);
  EXPECT_EQ(charsetName("no-such"), std::nullopt);
  EXPECT_EQ(charsetName(""), std::nullopt);
}

}  // namespace
}  // namespace jobhost::novel
