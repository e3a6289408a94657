#include "store/word_search.hpp"

#include <string>

#include <gtest/gtest.h>

namespace jobhost::store {

TEST(WordSearch, FindsAWordWhereverItStands) {
  EXPECT_TRUE(hasWord("The Silmarillion", "silma"));
  EXPECT_TRUE(hasWord("the end", "END"));
  EXPECT_TRUE(hasWord("x", "x"));
  EXPECT_TRUE(hasWord("anything", ""));
  EXPECT_TRUE(hasWord("ababac", "abac")) << "a part that matched is the start of the next match";
  EXPECT_TRUE(hasWord("aabaabaaab", "aabaaab"));
  EXPECT_FALSE(hasWord("aabaabaab", "aabaaab"));
  EXPECT_FALSE(hasWord("", "x"));
  EXPECT_FALSE(hasWord("short", "longer than that"));
  EXPECT_TRUE(hasWord(std::string_view("a\0b", 3), std::string_view("\0B", 2)));
}

TEST(WordSearch, FoldsAsciiLettersAlone) {
  EXPECT_TRUE(hasWord("\xc3\x89t\xc3\xa9", "T\xc3\xa9"));
  EXPECT_FALSE(hasWord("\xc3\x89t\xc3\xa9", "\xc3\xa9t"));
  EXPECT_FALSE(hasWord("[", "{")) << "as far apart as a letter's two cases";
  EXPECT_FALSE(hasWord("@", "`"));
}

// A search that tries the word at each place would compare some 10^13 bytes here.
TEST(WordSearch, TakesTheSumOfTheLengths) {
  const std::string text(8 << 20, 'a');
  EXPECT_FALSE(hasWord(text, std::string(4 << 20, 'a') + "b"));
  EXPECT_FALSE(hasWord(text, "b" + std::string(4 << 20, 'a')));
  EXPECT_TRUE(hasWord(text + "b", std::string(4 << 20, 'A') + "B"));
}

}  // namespace jobhost::store
