#include "cli/progress_bar.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <sstream>

namespace jobhost::cli {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

TEST(ProgressBarLine, ShowsStateShareTimeAndMessage) {
  EXPECT_EQ(barLine({"running", 0.5, "page 5 of 10", ""}, milliseconds(72'000), 80),
            "running   [#############.............]  50 %  1:12  page 5 of 10");
}

TEST(ProgressBarLine, MovesABlockWhenTheShareIsNotKnown) {
  const JobView view{"running", -1, "", ""};
  EXPECT_EQ(barLine(view, milliseconds(0), 30), "running   [###.......]   - %  ");
  EXPECT_EQ(barLine(view, milliseconds(400), 30), "running   [..###.....]   - %  ");
  EXPECT_EQ(barLine({"running", std::nan(""), "", ""}, milliseconds(0), 30), barLine(view, milliseconds(0), 30));
}

TEST(ProgressBarLine, FitsTheTerminalAndCutsBetweenCharacters) {
  const auto line = barLine({"running", 0.25, "äöüäöüäöüäöüäöü", ""}, milliseconds(0), 40);
  std::size_t characters = 0;
  for (const char c : line) characters += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  EXPECT_LE(characters, 40u);
  EXPECT_NE(static_cast<unsigned char>(line.back()), 0xc3) << "half of a character";
}

TEST(ProgressBarLine, DoesNotLetAPluginSteerTheTerminal) {
  EXPECT_THAT(barLine({"running", 0, "a\033[2Jb\nc", ""}, milliseconds(0), 80), Not(HasSubstr("\033")));
}

TEST(ProgressBarLine, NeverLeavesItsRange) {
  EXPECT_THAT(barLine({"running", 7.0, "", ""}, milliseconds(3'700'000), 80), HasSubstr("100 %  1:01:40"));
}

TEST(ProgressBar, WritesALineForEachChangeWhenItIsNoTerminal) {
  std::ostringstream out;
  ProgressBar bar(out, 0);
  bar.show({"queued", -1, "", ""});
  bar.show({"running", 0.50, "half", ""});
  bar.show({"running", 0.51, "half", ""});
  bar.show({"succeeded", 1, "", ""});
  bar.end();
  EXPECT_EQ(out.str(), "queued\nrunning  50 % half\nsucceeded 100 %\n");
}

TEST(ProgressBar, DrawsOverOneLineOnATerminal) {
  std::ostringstream out;
  ProgressBar bar(out, 60);
  bar.show({"running", 0.5, "", ""});
  bar.end();
  EXPECT_THAT(out.str(), testing::StartsWith("\rrunning"));
  EXPECT_THAT(out.str(), testing::EndsWith("\033[K\n"));
}

}  // namespace
}  // namespace jobhost::cli
