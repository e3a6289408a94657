#include "support/archive/archive_names.hpp"
#include "support/archive/page_order.hpp"

#include <gtest/gtest.h>

namespace jobhost::support {
namespace {

std::vector<std::string> ordered(const std::vector<std::string>& names) {
  std::vector<std::string> out;
  for (const std::size_t at : orderPages(names)) out.push_back(names[at]);
  return out;
}

using Names = std::vector<std::string>;

TEST(PageOrder, CountsInsteadOfSpelling) {
  EXPECT_EQ(ordered({"10.jpg", "9.jpg", "1.jpg", "2.jpg"}), (Names{"1.jpg", "2.jpg", "9.jpg", "10.jpg"}));
  EXPECT_EQ(ordered({"v2/p1.png", "v10/p1.png", "v1/p12.png", "v1/p2.png"}),
            (Names{"v1/p2.png", "v1/p12.png", "v2/p1.png", "v10/p1.png"}));
}

TEST(PageOrder, PadsDigitRunsToFourAndLowersCase) {
  EXPECT_EQ(pageSortKey("Page7_2.JPG"), "page0007_0002.jpg");
  EXPECT_EQ(pageSortKey("00012"), "0012");
  EXPECT_EQ(pageSortKey("12345"), "12345");
  EXPECT_EQ(pageSortKey("000"), "0000");
  EXPECT_EQ(ordered({"b.png", "A.png"}), (Names{"A.png", "b.png"}));
}

TEST(PageOrder, PutsCoversFirstAndCreditsLast) {
  EXPECT_EQ(ordered({"01.jpg", "credits.jpg", "Cover.jpg", "02.jpg", "notes.png", "999_end.jpg"}),
            (Names{"Cover.jpg", "01.jpg", "02.jpg", "999_end.jpg", "credits.jpg", "notes.png"}));
}

TEST(PageOrder, DoesNotTakeABackCoverForTheFront) {
  for (const char* name : {"back_cover.jpg", "cover_end.jpg", "rear-cover.png", "recovered.png", "discovery.png"}) {
    EXPECT_FALSE(isCoverName(name)) << name;
  }
  EXPECT_TRUE(isCoverName("scans/COVER01.png"));
}

TEST(PageOrder, DropsWhatIsNoPage) {
  EXPECT_EQ(ordered({"__MACOSX/01.jpg", "a/__MACOSX/02.jpg", "x/._03.jpg", "readme.txt", "inner.zip", "png", ".png",
                     "4.jxl"}),
            (Names{"4.jxl"}));
}

TEST(PageOrder, KeepsTheirOrderWhereKeysAreEqual) {
  EXPECT_EQ(orderPages({"1.png", "01.png", "001.png"}), (std::vector<std::size_t>{0, 1, 2}));
}

TEST(PageOrder, KnowsArchiveNamesInAnyCase) {
  for (const char* name : {"a.zip", "a.CBZ", "b/c.Rar", "x.tar.gz", "x.tar.zst", "x.epub", "y.PDF", "q.cb7", "q.cbt"}) {
    EXPECT_TRUE(isArchiveName(name)) << name;
  }
  for (const char* name : {"a.gz", "zip", ".zip", "a.zip.part", "a.jpg", "a.cbw", ""}) {
    EXPECT_FALSE(isArchiveName(name)) << name;
  }
}

}  // namespace
}  // namespace jobhost::support
