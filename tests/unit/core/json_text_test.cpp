#include "core/json_text.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace jobhost::core {
namespace {

const std::string kReplacement = "\xEF\xBF\xBD";

TEST(CleanText, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(cleanText("plain", 100), "plain");
  EXPECT_EQ(cleanText("gr\xC3\xBC\xC3\x9F", 100), "gr\xC3\xBC\xC3\x9F");
  EXPECT_EQ(cleanText("\xF0\x9F\x98\x80", 100), "\xF0\x9F\x98\x80");
  EXPECT_EQ(cleanText(std::string_view("a\0b", 3), 100), "a" + kReplacement + "b");
  for (const std::string bad : {"\xFF", "\x80", "\xC3", "\xC0\xAF", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\xE2\x82"}) {
    const auto clean = cleanText("<" + bad + ">", 100);
    EXPECT_EQ(clean.substr(0, 4), "<" + kReplacement);
    EXPECT_EQ(clean.back(), '>');
    EXPECT_EQ(cleanText(clean, 100), clean) << "what it answers is clean";
  }
}

TEST(CleanText, CutsAtACharacter) {
  EXPECT_EQ(cleanText("abcdef", 3), "abc");
  EXPECT_EQ(cleanText("ab\xC3\xBC", 3), "ab");
  EXPECT_EQ(cleanText("\xC3\xBC", 1), "");
  EXPECT_EQ(cleanText("abc", 0), "");
}

TEST(QuoteJson, AnswersAValidString) {
  EXPECT_EQ(quoteJson("a\"b\\c\n"), R"("a\"b\\c\n")");
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  const auto quoted = quoteJson(all);
  EXPECT_TRUE(isJson(quoted)) << quoted;
}

struct Text {
  const char* name;
  std::string json;
  bool valid;
};
void PrintTo(const Text& text, std::ostream* out) {
  *out << text.name;
}
class IsJson : public testing::TestWithParam<Text> {};

TEST_P(IsJson, SaysWhetherItIsOneValue) {
  EXPECT_EQ(isJson(GetParam().json), GetParam().valid) << GetParam().json;
}

INSTANTIATE_TEST_SUITE_P(
    , IsJson,
    testing::Values(Text{"Object", R"({"a":[1,-2.5e+10,true,false,null,"x\u00e9"]})", true}, Text{"Number", "0", true},
                    Text{"Blanks", " \t\r\n[ ] ", true}, Text{"Empty", "", false}, Text{"Nothing", "  ", false},
                    Text{"Two", "1 2", false}, Text{"TrailingComma", "[1,]", false},
                    Text{"TrailingCommaInObject", R"({"a":1,})", false}, Text{"NoColon", R"({"a" 1})", false},
                    Text{"NumberAsKey", "{1:2}", false}, Text{"LeadingZero", "01", false},
                    Text{"PlusSign", "+1", false}, Text{"PointWithoutDigits", "1.", false},
                    Text{"ExponentWithoutDigits", "1e", false}, Text{"Minus", "-", false}, Text{"Nan", "NaN", false},
                    Text{"Infinity", "Infinity", false}, Text{"HalfWord", "tru", false},
                    Text{"SingleQuotes", "'a'", false}, Text{"OpenString", "\"a", false},
                    Text{"RawNewline", "\"a\nb\"", false}, Text{"BadEscape", R"("\x41")", false},
                    Text{"ShortUnicodeEscape", R"("\u12")", false}, Text{"NotUtf8", "\"\xFF\"", false},
                    Text{"Comment", "/* */1", false}, Text{"Nul", std::string("1\0", 2), false},
                    Text{"ByteOrderMark", "\xEF\xBB\xBF{}", false}),
    [](const auto& one) { return one.param.name; });

TEST(IsJsonNested, AtMost64Deep) {
  EXPECT_TRUE(isJson(std::string(64, '[') + std::string(64, ']')));
  EXPECT_FALSE(isJson(std::string(65, '[') + std::string(65, ']')));
  EXPECT_FALSE(isJson(std::string(1'000'000, '[')));
}

TEST(JsonMembers, AreRawTextInOrder) {
  const auto members = jsonMembers(R"({"b": [1, {"x":"}"}], "\u0061": "q\"", "c":null})");
  ASSERT_TRUE(members);
  ASSERT_EQ(members->size(), 3u);
  EXPECT_EQ((*members)[0].key, "b");
  EXPECT_EQ((*members)[0].value, R"([1, {"x":"}"}])");
  EXPECT_EQ((*members)[1].key, "a");
  EXPECT_EQ((*members)[1].value, R"("q\"")");
  EXPECT_EQ((*members)[2].value, "null");
  EXPECT_FALSE(jsonMembers("[1]"));
  EXPECT_FALSE(jsonMembers(R"({"a":1,"a":2})")) << "a key twice could be read two ways";
  EXPECT_FALSE(jsonMembers(R"({"a":1,"\u0061":2})"));
  EXPECT_FALSE(jsonMembers(R"({"a":1} x)"));
}

TEST(JsonItems, AreRawText) {
  const auto items = jsonItems(R"([1, "a,b", [2,3], {}])");
  ASSERT_TRUE(items);
  ASSERT_EQ(items->size(), 4u);
  EXPECT_EQ((*items)[1], R"("a,b")");
  EXPECT_TRUE(jsonItems("[]")->empty());
  EXPECT_FALSE(jsonItems("{}"));
  EXPECT_FALSE(jsonItems("[1"));
}

TEST(JsonString, IsUnescaped) {
  EXPECT_EQ(jsonString(R"("a\n\"\u00fc\ud83d\ude00")"), "a\n\"\xC3\xBC\xF0\x9F\x98\x80");
  EXPECT_FALSE(jsonString("1"));
  EXPECT_FALSE(jsonString("\"a"));
}

TEST(JsonInteger, RefusesFractionsAndWhatDoesNotFit) {
  EXPECT_EQ(jsonInteger("-12"), -12);
  EXPECT_EQ(jsonInteger("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
  for (const char* bad : {"9223372036854775808", "1.5", "1e3", "\"1\"", "", "0x1", "01", "true"})
    EXPECT_FALSE(jsonInteger(bad)) << bad;
}

TEST(JsonFind, FindsAMemberWithoutLookingFurther) {
  EXPECT_EQ(jsonFind(R"({"a": 1, "b" : {"c":[1, 2]} })", "b"), R"({"c":[1, 2]})");
  EXPECT_EQ(jsonFind(R"({"a\u0062":true})", "ab"), "true");
  EXPECT_EQ(jsonFind(R"({"a":1,"a":2})", "a"), "1");
  EXPECT_EQ(jsonFind(R"({"a":1, broken)", "a"), "1");
  EXPECT_EQ(jsonFind(R"({"a":1, broken)", "b"), std::nullopt);
  for (const char* none : {"{}", "[]", "", "1", "{\"b\":1}"}) EXPECT_EQ(jsonFind(none, "a"), std::nullopt) << none;
}

TEST(JsonNumber, IsADoubleOrNothing) {
  EXPECT_EQ(jsonNumber("-1.5e2"), -150.0);
  EXPECT_EQ(jsonNumber("9007199254740993"), 9007199254740992.0);
  for (const char* none : {"\"1\"", "true", "", "01", "1e999", "nan", "[1]"})
    EXPECT_EQ(jsonNumber(none), std::nullopt) << none;
}

}  // namespace
}  // namespace jobhost::core
