#include "cli/sse.hpp"

#include <gtest/gtest.h>

namespace jobhost::cli {
namespace {

std::vector<SseEvent> parsed(const std::string& text, std::size_t step) {
  SseParser parser;
  std::vector<SseEvent> all;
  for (std::size_t at = 0; at < text.size(); at += step) {
    for (auto& event : parser.feed(std::string_view(text).substr(at, step))) all.push_back(std::move(event));
  }
  return all;
}

class SseStream : public testing::TestWithParam<std::size_t> {};

TEST_P(SseStream, IsTheSameHoweverItIsCut) {
  const auto events = parsed(
      ": hello\n\nid: 7\nevent: progress\ndata: {\"a\":1}\n\nevent:started\r\ndata:x\r\ndata: y\r\n\r\nevent: none\n\n"
      "data\n\nid: 8\rdata: last\r\runfinished: 1\n",
      GetParam());
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].name, "progress");
  EXPECT_EQ(events[0].data, "{\"a\":1}");
  EXPECT_EQ(events[0].id, "7");
  EXPECT_EQ(events[1].name, "started");
  EXPECT_EQ(events[1].data, "x\ny");
  EXPECT_EQ(events[1].id, "7") << "an id holds until the next one";
  EXPECT_EQ(events[2].data, "");
  EXPECT_EQ(events[2].name, "message");
  EXPECT_EQ(events[3].data, "last");
  EXPECT_EQ(events[3].id, "8");
}
INSTANTIATE_TEST_SUITE_P(Pieces, SseStream, testing::Values(1, 2, 3, 7, 1000));

TEST(SseStream, DropsAnEventThatIsTooLargeAndGoesOn) {
  SseParser parser;
  const std::string line = "data: " + std::string(1 << 20, 'x') + "\n";
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(parser.feed(line).empty());
  EXPECT_TRUE(parser.feed("\n").empty());
  EXPECT_TRUE(parser.feed("data: " + std::string(5 << 20, 'x') + "\n\n").empty());
  const auto events = parser.feed("data: ok\n\n");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].data, "ok");
}

}  // namespace
}  // namespace jobhost::cli
