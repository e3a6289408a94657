#include "support/tags/tags.hpp"

#include <gtest/gtest.h>

namespace jobhost::support {
namespace {

TEST(Tags, AreTidiedAndEmptyOnesLeftOut) {
  EXPECT_EQ(splitTags(" artist:x ,, language:\n english,\t,b  c"),
            (std::vector<std::string>{"artist:x", "language: english", "b c"}));
  EXPECT_TRUE(splitTags("").empty());
  EXPECT_EQ(joinTags({"a", "b:c"}), "a, b:c");
  EXPECT_EQ(joinTags({}), "");
}

TEST(Tags, HaveNoCommasInThem) {
  EXPECT_EQ(makeTag("author", "Austen, Jane"), "author:Austen Jane");
  EXPECT_EQ(makeTag("", " x "), "x");
  EXPECT_EQ(makeTag("series", " , "), "");
}

TEST(Tags, AreTheSameWhateverTheirCase) {
  TagList tags("Artist:X, artist:x");
  EXPECT_EQ(tags.text(), "Artist:X");
  EXPECT_FALSE(tags.add("ARTIST:x"));
  EXPECT_FALSE(tags.add(""));
  EXPECT_TRUE(tags.add("y"));
  EXPECT_TRUE(tags.contains("Y"));
}

TEST(Tags, NewOnesBeginWithABlank) {
  EXPECT_EQ(newTagsText("artist:x", {"Artist:X", "language:y", "z", "Z"}), " language:y, z");
  EXPECT_EQ(newTagsText("", {}), "");
  EXPECT_EQ(newTagsText("a", {"a"}), "");
}

TEST(LowerCase, KnowsLettersBeyondAscii) {
  EXPECT_EQ(lowerCase("ABC xyz ÄÖÜ ÉÑ ŁŽŒ ΑΩ ЖЁ 漫画 ×"), "abc xyz äöü éñ łžœ αω жё 漫画 ×");
  EXPECT_EQ(lowerCase("\xff\xc3"), "\xff\xc3") << "what is no UTF-8 stays";
}

TEST(AsUtf8, ReplacesWhatIsNone) {
  EXPECT_EQ(asUtf8("a\xff漫\xc3"), "a\xef\xbf\xbd漫\xef\xbf\xbd");
  EXPECT_EQ(asUtf8("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd") << "a surrogate";
}

}  // namespace
}  // namespace jobhost::support
