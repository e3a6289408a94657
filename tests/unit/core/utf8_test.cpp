#include "core/utf8.hpp"

#include <gtest/gtest.h>

namespace jobhost::core {
namespace {

TEST(Utf8, WritesEveryCodePointSoThatItIsReadAsOneCharacter) {
  for (std::uint32_t code = 0; code <= 0x10FFFF; ++code) {
    if (code >= 0xD800 && code < 0xE000) continue;
    std::string text;
    appendUtf8(text, code);
    ASSERT_EQ(utf8Length(text, 0), text.size()) << std::hex << code;
    const std::string_view cut = std::string_view(text).substr(0, text.size() - 1);
    ASSERT_EQ(utf8Length(cut, 0), 0U) << std::hex << code << " cut off";
  }
}

TEST(Utf8, RefusesWhatIsNotWellFormed) {
  for (const std::string_view bad : {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC3", "\xC3(", "\xE0\x9F\xBF",
                                     "\xED\xA0\x80", "\xED\xBF\xBF", "\xE2\x82", "\xE2\x82(", "\xF0\x8F\xBF\xBF",
                                     "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xF0\x9F\x98", "\xFE", "\xFF"}) {
    EXPECT_FALSE(isUtf8(bad));
    EXPECT_FALSE(isUtf8("good" + std::string(bad)));
    EXPECT_EQ(utf8Length(bad, 0), 0U);
  }
}

TEST(Utf8, TakesEmptyTextsAndNul) {
  EXPECT_TRUE(isUtf8(""));
  EXPECT_TRUE(isUtf8(std::string_view("a\0b", 3)));
  EXPECT_EQ(utf8Length("", 0), 0U);
}

}  // namespace
}  // namespace jobhost::core
