#include "fetch-novel/refresh.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

#include "site.hpp"

namespace jobhost::novel {
namespace {

StoredChapter known(const std::string& url, const std::string& title, bool untitled = false,
                    const std::string& volume = {}) {
  return {url, title, untitled, volume, {}};
}

TEST(MatchChaptersOf, AnInsertedChapterMovesNobodyElse) {
  std::vector<StoredChapter> stored;
  for (const auto& [url, title] : {std::pair{"u1", "One"}, {"u2", "Two"}, {"u3", "Three"}})
    stored.push_back(known(url, title));
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
  for (const Chapter& one : novel(GetParam().stored).chapters)
    stored.push_back(known(one.url, one.title, one.untitled));
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

std::string listOf(const Novel& novel) {
  std::string out;
  for (const Chapter& one : novel.chapters) {
    out += (out.empty() ? "" : " ") + std::to_string(one.volume) + "." + std::to_string(one.serial) + ":" + one.title +
           "@" + one.url.substr(one.url.rfind('/') + 1);
  }
  for (const Volume& one : novel.volumes) out += " | " + one.title + "(" + std::to_string(one.chapter_count) + ")";
  return out;
}

TEST(WhyKept, ACutListOrOneThatLacksMoreThanHalf) {
  Novel novel = novelOf(1);
  EXPECT_EQ(whyKept(novel, 10, 5), "");
  EXPECT_EQ(whyKept(novel, 10, 6), "the list of chapters lacks more than half of those that are stored");
  EXPECT_EQ(whyKept(novel, 1, 1), "the list of chapters lacks more than half of those that are stored");
  novel.cut = "stopped at 2 pages";
  EXPECT_EQ(whyKept(novel, 10, 1), "the list of chapters was cut: stopped at 2 pages");
  EXPECT_EQ(whyKept(novel, 10, 0), "");
}

TEST(KeepLacking, EachStaysBehindTheOneItWasBehind) {
  std::vector<StoredChapter> stored;
  for (int i = 1; i <= 6; ++i)
    stored.push_back(known("http://a.test/" + std::to_string(i), "c" + std::to_string(i), false, "Volume 1"));
  stored[4].untitled = true;  // was "Chapter 5", and will be called by its place again
  stored[4].extra = {{"id", "7"}};
  Novel novel = novelOf(8);  // 1 to 8
  const auto drop = [&](int n) { novel.chapters.erase(novel.chapters.begin() + n - 1); };
  drop(5);
  drop(3);
  drop(1);
  novel.chapters.insert(novel.chapters.begin() + 1, Chapter{.title = "new", .url = "/n", .extra = {}});
  normalise(novel, 4);
  std::vector<int> matched = matchChapters(stored, novel.chapters);
  keepLacking(novel, stored, matched);
  EXPECT_EQ(listOf(novel),
            "1.1:c1@1 1.2:c2@2 1.3:c3@3 1.4:new@n 2.5:c4@4 2.6:Chapter 6@5 2.7:c6@6 2.8:c7@7 3.9:c8@8"
            " | Volume 1(4) | Volume 2(4) | Volume 3(1)");
  EXPECT_EQ(matched, (std::vector<int>{0, 1, 2, -1, 3, 4, 5, -1, -1}));
  EXPECT_EQ(novel.chapters[5].extra, stored[4].extra);
}

TEST(KeepLacking, VolumesOfTheSitesComeBackWithTheirChapters) {
  std::vector<StoredChapter> stored;
  const char* const kVolumes[] = {"A", "A", "B", "C", "C"};
  for (int i = 1; i <= 5; ++i)
    stored.push_back(known("http://a.test/" + std::to_string(i), "c" + std::to_string(i), false, kVolumes[i - 1]));
  // The list was cut at both ends of volume B, and a volume came at the end.
  Novel novel = novelOf(0);
  novel.volumes = {{1, "A", 0}, {2, "C", 0}, {3, "D", 0}};
  for (const auto& [n, volume] : {std::pair{1, 1}, {5, 2}, {6, 3}}) {
    Chapter& chapter = novel.chapters.emplace_back();
    chapter.url = "http://a.test/" + std::to_string(n);
    chapter.title = "c" + std::to_string(n);
    chapter.volume = volume;
  }
  normalise(novel, 100);
  std::vector<int> matched = matchChapters(stored, novel.chapters);
  keepLacking(novel, stored, matched);
  EXPECT_EQ(listOf(novel), "1.1:c1@1 1.2:c2@2 2.3:c3@3 3.4:c4@4 3.5:c5@5 4.6:c6@6 | A(2) | B(1) | C(2) | D(1)");
}

}  // namespace
}  // namespace jobhost::novel
