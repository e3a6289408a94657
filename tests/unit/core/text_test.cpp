#include "core/text.hpp"

#include <gtest/gtest.h>

namespace jobhost::core {
namespace {

TEST(Printable, LeavesTextAloneAndReplacesWhatSteersATerminal) {
  EXPECT_EQ(printable("caf\u00e9 \u65e5\u672c"), "caf\u00e9 \u65e5\u672c");
  EXPECT_EQ(printable("a\n\x1b[31mb\x7f"), "a??[31mb?");
  EXPECT_EQ(printable("a\u009b31mb"), "a?31mb");  // C1: ESC '[' in one character
  EXPECT_EQ(printable("a\xff\xc3.b"), "a??.b");
}

TEST(Printable, CutsBetweenCharacters) {
  EXPECT_EQ(printable("abc", 3), "abc");
  EXPECT_EQ(printable("abcd", 3), "abc…");
  EXPECT_EQ(printable("ab\u00e9\u00e9", 3), "ab…");
}

}  // namespace
}  // namespace jobhost::core
