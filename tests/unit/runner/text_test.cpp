#include "runner/text.hpp"

#include <gtest/gtest.h>

namespace jobhost::runner {
namespace {

TEST(CleanText, CutsAtACharacterAndReplacesWhatIsNotText) {
  EXPECT_EQ(cleanText("abc", 2), "ab");
  EXPECT_EQ(cleanText("a\xc3\xa4", 2), "a");
  EXPECT_EQ(cleanText("a\xff\x01z\n", 100), "a\xef\xbf\xbd z\n");
  EXPECT_EQ(cleanText("\xc2\x9b"
                      "31m\xc2\xa0",
                      100),
            " 31m\xc2\xa0");  // CSI of one character
  EXPECT_EQ(cleanText("\xed\xa0\x80", 100), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(OutputName, TakesRelativePathsOfPlainParts) {
  for (const char* name : {"a", "a.txt", "a/b/c", "..a", "a..", "ünï/cödé", " "})
    EXPECT_EQ(outputNameProblem(name), "") << name;
  for (const char* name : {"", "/", "/a", "a/", "a//b", "..", "../a", "a/..", "./a", "a\\b", "a\tb",
                           "\xc2\x9b"
                           "31m",
                           ".jh-x", "a/.jh-"}) {
    EXPECT_NE(outputNameProblem(name), "") << name;
  }
}

}  // namespace
}  // namespace jobhost::runner
