#include "catalog/json_document.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace jobhost::catalog {
namespace {

struct BadText {
  const char* name;
  std::string text;
  const char* reason;
};
class JsonDocumentRefuses : public testing::TestWithParam<BadText> {};

TEST_P(JsonDocumentRefuses, TheTextAndSaysWhy) {
  const auto parsed = JsonDocument::parse(GetParam().text);
  ASSERT_FALSE(parsed.ok());
  EXPECT_THAT(parsed.error().message, testing::HasSubstr(GetParam().reason));
}

INSTANTIATE_TEST_SUITE_P(
    Cases, JsonDocumentRefuses,
    testing::Values(
        BadText{"Empty", "", "ends too early"}, BadText{"OnlySpace", "  \n", "ends too early"},
        BadText{"TwoValues", "{} {}", "more text"}, BadText{"TrailingComma", "[1,]", "unexpected character"},
        BadText{"SingleQuotes", "{'a':1}", "without a name"}, BadText{"LeadingZero", "[01]", "comma"},
        BadText{"Plus", "[+1]", "unexpected"}, BadText{"BareMinus", "-", "unexpected"},
        BadText{"NoFraction", "[1.]", "digits behind its point"}, BadText{"NaN", "[NaN]", "unexpected"},
        BadText{"NoExponent", "[1e]", "exponent"}, BadText{"Infinite", "[1e999]", "range of a double"},
        BadText{"InfiniteSpeltOut", "[" + std::string(400, '9') + "]", "range of a double"},
        BadText{"OpenString", "[\"abc", "inside a string"}, BadText{"BareTab", "[\"\t\"]", "control character"},
        BadText{"BadEscape", R"(["\x"])", "unknown escape"}, BadText{"ShortUnicode", R"(["\u12"])", "damaged"},
        BadText{"LoneHigh", R"(["\ud800"])", "surrogate"}, BadText{"LoneLow", R"(["\udc00"])", "surrogate"},
        BadText{"HighThenNormal", R"(["\ud800\u0041"])", "surrogate"},
        BadText{"OverlongUtf8", "[\"\xC0\xAF\"]", "UTF-8"}, BadText{"CutUtf8", "[\"\xE2\x82\"]", "UTF-8"},
        BadText{"Utf8Surrogate", "[\"\xED\xA0\x80\"]", "UTF-8"},
        BadText{"SameKeyTwice", R"({"a":1,"b":2,"a":3})", "twice"},
        BadText{"SameKeyOnceEscaped", R"({"a":1,"\u0061":3})", "twice"},
        BadText{"SameKeyAmongMany", R"({"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"a":0})", "twice"},
        BadText{"NulByte", std::string("[1\0]", 4), "comma"}, BadText{"Deep", std::string(70, '['), "too deep"}),
    [](const auto& param) { return param.param.name; });

TEST(JsonDocument, KeepsIntegersExactToSixtyFourBits) {
  const auto document = JsonDocument::parse("[9223372036854775807,-9223372036854775808,9007199254740993,1.0,1e3,0.5]");
  ASSERT_TRUE(document.ok());
  std::vector<JsonNumber> numbers;
  document->root().elements([&](JsonValue value) { numbers.push_back(value.number()); });
  EXPECT_EQ(numbers[0].integer, INT64_MAX);
  EXPECT_EQ(numbers[1].integer, INT64_MIN);
  EXPECT_EQ(numbers[2].integer, 9007199254740993);
  EXPECT_GT(compare(numbers[0], JsonNumber{true, INT64_MAX - 1, 9.3e18}), 0);
  EXPECT_TRUE(numbers[3].isIntegral());
  EXPECT_TRUE(numbers[4].isIntegral());
  EXPECT_FALSE(numbers[5].isIntegral());
}

TEST(JsonDocument, DecodesEscapesAndKeepsTheBytes) {
  const std::string text = R"({"a\nb" : "\ud83d\ude00\u00e9\\" })";
  const auto document = JsonDocument::parse(text);
  ASSERT_TRUE(document.ok());
  const auto value = document->root().find("a\nb");
  ASSERT_TRUE(value.has_value());
  EXPECT_EQ(value->string(), "\xF0\x9F\x98\x80\xC3\xA9\\");
  EXPECT_EQ(value->raw(), R"("\ud83d\ude00\u00e9\\")");
  EXPECT_EQ(countCodePoints(value->string()), 3u);
}

TEST(JsonDocument, SaysTheSameOfEqualValues) {
  const auto canonical = [](std::string_view text) { return JsonDocument::parse(text)->root().canonical(); };
  EXPECT_EQ(canonical(R"({"a":1.0,"b":["\u0041"]})"), canonical(R"( {"b":["A"],"a":1} )"));
  EXPECT_EQ(canonical("1e2"), canonical("100"));
  EXPECT_NE(canonical("9007199254740993"), canonical("9007199254740992"));
  EXPECT_NE(canonical("1"), canonical("\"1\""));
  EXPECT_NE(canonical("[[],1]"), canonical("[[1]]"));
}

}  // namespace
}  // namespace jobhost::catalog
