#include "cli/log_lines.hpp"

#include <gtest/gtest.h>

namespace jobhost::cli {
namespace {

TEST(LogLines, AreTimeLevelAndTextHoweverTheyAreCut) {
  const std::string log =
      "{\"at\":\"2026-11-22T23:36:43.436Z\",\"level\":\"info\",\"text\":\"say "
      "\\\"hi\\\"\"}\nplain\n{\"text\":\"a\\u001b[2Jb\"}\n";
  const std::string expected = "23:36:43.436 info   say \"hi\"\nplain\n        a [2Jb\n";
  for (std::size_t step : {1u, 7u, 1000u}) {
    LogLines lines;
    std::string out;
    for (std::size_t at = 0; at < log.size(); at += step) out += lines.feed(std::string_view(log).substr(at, step));
    EXPECT_EQ(out + lines.rest(), expected) << "in pieces of " << step;
  }
}

TEST(LogLines, KeepALineWithoutAnEndForLast) {
  LogLines lines;
  EXPECT_EQ(lines.feed("half"), "");
  EXPECT_EQ(lines.rest(), "half\n");
  EXPECT_EQ(lines.rest(), "");
}

}  // namespace
}  // namespace jobhost::cli
