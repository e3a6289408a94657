#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

#include "fetch-novel/novel.hpp"

namespace jobhost::novel {
namespace {

Novel novelOf(int chapters) {
  Novel out;
  out.title = "t";
  for (int i = 1; i <= chapters; ++i) {
    Chapter chapter;
    chapter.title = "c" + std::to_string(i);
    chapter.url = "http://a.test/" + std::to_string(i);
    out.chapters.push_back(chapter);
  }
  return out;
}

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

TEST(MatchChaptersOf, AnInsertedChapterMovesNobodyElse) {
  const std::vector<StoredChapter> stored{{"u1", "One"}, {"u2", "Two"}, {"u3", "Three"}};
  Novel fresh = novelOf(0);
  const std::vector<std::pair<std::string, std::string>> listed{
      {"u0", "Prologue"}, {"u1", "One"}, {"u2", "Two, edited"}, {"v3", "Three"}};
  for (const auto& [url, title] : listed) {
    Chapter chapter;
    chapter.url = url;
    chapter.title = title;
    fresh.chapters.push_back(chapter);
  }
  EXPECT_EQ(matchChapters(stored, fresh.chapters), (std::vector<int>{-1, 0, 1, 2}));
}

struct MatchCase {
  const char* name;
  const char* stored;  ///< "address title, address title"; no title: it was made up
  const char* fresh;
  std::vector<int> expected;
};

std::vector<std::pair<std::string, std::string>> rowsOf(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> out;
  while (!text.empty()) {
    const std::string_view row = text.substr(0, text.find(", "));
    const std::size_t space = std::min(row.find(' '), row.size());
    out.emplace_back(row.substr(0, space), row.substr(std::min(space + 1, row.size())));
    text.remove_prefix(std::min(row.size() + 2, text.size()));
  }
  return out;
}

class MatchChapters : public testing::TestWithParam<MatchCase> {};

TEST_P(MatchChapters, PairsWhatIsTheSameOnly) {
  const auto novel = [](const char* text) {
    Novel out;
    out.title = "t";
    for (const auto& [url, title] : rowsOf(text)) {
      Chapter chapter;
      chapter.url = url;
      chapter.title = title;
      out.chapters.push_back(chapter);
    }
    normalise(out, 100);
    return out;
  };
  std::vector<StoredChapter> stored;
  for (const Chapter& one : novel(GetParam().stored).chapters) stored.push_back({one.url, one.title, one.untitled});
  EXPECT_EQ(matchChapters(stored, novel(GetParam().fresh).chapters), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    All, MatchChapters,
    testing::Values(
        MatchCase{"NothingChanged", "u1 One, u2 Two", "u1 One, u2 Two", {0, 1}},
        MatchCase{"InsertedInFront", "u1 One, u2 Two", "u0 Prologue, u1 One, u2 Two", {-1, 0, 1}},
        MatchCase{"InsertedInTheMiddle", "u1 One, u2 Two", "u1 One, u9 Interlude, u2 Two", {0, -1, 1}},
        MatchCase{"Renamed", "u1 One, u2 Two", "u1 First, u2 Second", {0, 1}},
        MatchCase{"TitlesSwappedTheAddressCounts", "u1 One, u2 Two", "u1 Two, u2 One", {0, 1}},
        MatchCase{"AllMoved", "u1 One, u2 Two, u3 Three", "v1 One, v2 Two, v3 Three", {0, 1, 2}},
        MatchCase{"MovedAndShifted", "u1 One, u2 Two", "v0 Prologue, v1 One, v2 Two", {-1, 0, 1}},
        MatchCase{"MovedAndRenamed", "u1 One", "v1 First", {-1}},
        MatchCase{"SpelledOtherwise", "u1 One  of many", "v1 One of  many", {0}},
        // The old interlude went, another one came: not its text.
        MatchCase{"RepeatedInTheOldList", "u1 Interlude, u2 Two, u3 Interlude", "u2 Two, v4 Interlude", {1, -1}},
        MatchCase{"RepeatedInTheNewList", "u1 Interlude, u2 Two", "v1 Interlude, u2 Two, v3 Interlude", {-1, 1, -1}},
        MatchCase{"OneOfTheRepeatedKnownByAddress",
                  "u1 Interlude, u2 Two, u3 Interlude",
                  "u1 Interlude, u2 Two, v9 Interlude",
                  {0, 1, -1}},
        MatchCase{"APrologueForEachPart",
                  "u1 Prologue, u2 One, u3 Prologue, u4 Two",
                  "v1 Prologue, v2 One, v3 Prologue, v4 Two",
                  {-1, 1, -1, 3}},
        // "Chapter 2" is what we called it; after an insertion another one is called so.
        MatchCase{"MadeUpTitlesSayNothing", "u1, u2, u3", "v0, v1, v2, v3", {-1, -1, -1, -1}},
        MatchCase{"MadeUpAgainstGiven", "u1, u2", "v1 Chapter 1, v2 Chapter 2", {-1, -1}},
        MatchCase{"GivenAgainstMadeUp", "u1 Chapter 1, u2 Chapter 2", "v0, v2", {-1, -1}},
        MatchCase{"GivenTitlesThatCount", "u1 Chapter 1, u2 Chapter 2", "v1 Chapter 1, v2 Chapter 2", {0, 1}},
        MatchCase{"MadeUpAddressesStillCount", "u1, u2", "u0, u1, u2", {-1, 0, 1}}),
    [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace jobhost::novel
