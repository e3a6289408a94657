#include <gtest/gtest.h>

#include "fetch-novel/novel.hpp"
#include "site.hpp"

namespace jobhost::novel {
namespace {

std::string volumes(const Novel& novel) {
  std::string out;
  for (const Volume& one : novel.volumes)
    out += std::to_string(one.serial) + ":" + one.title + "(" + std::to_string(one.chapter_count) + ") ";
  return out;
}

TEST(Normalise, VolumesOfAHundredWhenTheSourceHasNone) {
  Novel novel = novelOf(250);
  normalise(novel, 100);
  EXPECT_EQ(volumes(novel), "1:Volume 1(100) 2:Volume 2(100) 3:Volume 3(50) ");
  EXPECT_EQ(novel.chapters[99].volume, 1);
  EXPECT_EQ(novel.chapters[100].volume, 2);
  EXPECT_EQ(novel.chapters[249].serial, 250);
}

TEST(Normalise, EmptyVolumesGoAndTheRestIsRenumbered) {
  Novel novel = novelOf(3);
  novel.volumes = {{7, "Seven", 0}, {3, "Three", 0}, {5, "Five", 0}};
  novel.chapters[0].volume = 3;
  novel.chapters[1].volume = 7;
  novel.chapters[2].volume = 7;
  normalise(novel, 100);
  EXPECT_EQ(volumes(novel), "1:Three(1) 2:Seven(2) ");
  EXPECT_EQ(novel.chapters[1].volume, 2);
}

TEST(Normalise, ChaptersWithoutAVolumeGoWhereTheirSerialFallsElseToOthers) {
  Novel novel = novelOf(120);
  novel.volumes = {{1, "One", 0}};
  for (int i = 0; i < 50; ++i) novel.chapters[static_cast<std::size_t>(i)].volume = 1;
  normalise(novel, 100);
  EXPECT_EQ(volumes(novel), "1:One(100) 2:Others(20) ");
}

TEST(Normalise, TitlesAndNamesAreCleaned) {
  Novel novel = novelOf(3);
  novel.title = " Tom &amp; Jerry\xE2\x80\x8B ";
  novel.chapters[0].title = "  Bob&#39;s\n ﬁrst ";
  novel.chapters[1].title = " ";
  novel.chapters[2].title = "a &lt;b&gt; <c>";
  novel.authors = {"A  B", "", "A B", "Ｃ"};
  novel.tags = {"Action", "action ", "Ｆantasy", "Straße"};
  novel.language = "ar-EG";
  normalise(novel, 100);
  EXPECT_EQ(novel.title, "Tom & Jerry");
  EXPECT_EQ(novel.chapters[0].title, "Bob's first");
  EXPECT_EQ(novel.chapters[1].title, "Chapter 2");
  EXPECT_EQ(novel.chapters[2].title, "a <b> <c>");
  EXPECT_EQ(novel.authors, (std::vector<std::string>{"A B", "C"}));
  EXPECT_EQ(novel.tags, (std::vector<std::string>{"action", "fantasy", "strasse"}));
  EXPECT_EQ(novel.language, "ar");
  EXPECT_TRUE(novel.rtl);
}

TEST(Normalise, LanguageCodes) {
  EXPECT_EQ(languageCode("pt_BR"), "pt");
  EXPECT_EQ(languageCode("zh-Hans-CN"), "zh");
  EXPECT_EQ(languageCode("und"), "");
  EXPECT_EQ(languageCode("english"), "");
  EXPECT_FALSE(isRightToLeft("en"));
  EXPECT_TRUE(isRightToLeft("he"));
}

}  // namespace
}  // namespace jobhost::novel
