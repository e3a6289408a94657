// The record call that docs/protocol.md shows in bytes is what this code writes and reads, and what is cut off is refused.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "wire/codec.hpp"
#include "wire/frame.hpp"
#include "wire/messages.hpp"

namespace jobhost::wire {
namespace {

/// The bytes of the frames in the page's block, in order.
std::string documented() {
  std::ifstream in(std::string(JOBHOST_SOURCE_DIR) + "/docs/protocol.md", std::ios::binary);
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  const std::string begin = "```hex records\n";
  const auto at = page.find(begin);
  if (at == std::string::npos) return {};
  std::string bytes;
  std::size_t line = at + begin.size();
  for (const auto end = page.find("```", line); line < end; line = page.find('\n', line) + 1) {
    if (page[line] != ' ') continue;
    for (std::size_t column = line + 8; page[column] != ' ' || page[column + 1] != ' '; column += 1) {
      if (page[column] == ' ') continue;
      bytes.push_back(static_cast<char>(std::stoi(page.substr(column, 2), nullptr, 16)));
      column += 1;
    }
  }
  return bytes;
}

std::string body() {
  std::string text;
  encode(text, RecordCall{"books", "b1", R"({"sort":1})", R"({"t":"x"})"});
  return text;
}

TEST(RecordCall, IsWhatThePageShows) {
  std::string expected;
  const std::string asked = body();
  FrameWriter call(expected, FrameType::Call, 9, 1);
  encode(call.payload(), Call{Method::RecordPut, asked});
  call.finish();
  std::string version;
  Encoder(version).i64(-2);
  FrameWriter answer(expected, FrameType::Return, 9, 1);
  encode(answer.payload(), Return{0, {}, version});
  answer.finish();
  EXPECT_EQ(documented(), expected);
}

TEST(RecordCall, IsReadAsItWasWritten) {
  RecordCall call;
  const std::string text = body() + "more of a later version";
  ASSERT_TRUE(decode(text, call));
  EXPECT_EQ(call.collection, "books");
  EXPECT_EQ(call.key, "b1");
  EXPECT_EQ(call.options_json, R"({"sort":1})");
  EXPECT_EQ(call.value, R"({"t":"x"})");
}

TEST(RecordCall, CutOffAnywhereIsRefused) {
  const std::string whole = body();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    RecordCall call;
    EXPECT_FALSE(decode(std::string_view(whole).substr(0, size), call)) << size;
  }
  std::string long_options;
  const std::string spaces(kMaxRecordOptions + 1, ' ');
  encode(long_options, RecordCall{"books", "b", spaces, {}});
  RecordCall call;
  EXPECT_FALSE(decode(long_options, call));
}

}  // namespace
}  // namespace jobhost::wire
