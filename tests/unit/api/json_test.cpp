#include <gtest/gtest.h>

#include "api/json_reader.hpp"
#include "api/json_writer.hpp"

namespace jobhost::api {
namespace {

struct BadCase {
  const char* name;
  std::string text;
};

class BadJson : public testing::TestWithParam<BadCase> {};

TEST_P(BadJson, IsRefused) {
  EXPECT_FALSE(parseJson(GetParam().text));
}

INSTANTIATE_TEST_SUITE_P(
    Cases, BadJson,
    testing::Values(
        BadCase{"Empty", ""}, BadCase{"Blank", "  "}, BadCase{"Garbage", "{} x"}, BadCase{"TwoValues", "1 2"},
        BadCase{"TrailingComma", "[1,]"}, BadCase{"LeadingComma", "[,1]"}, BadCase{"NaN", "NaN"},
        BadCase{"Infinity", "-Infinity"}, BadCase{"Hex", "0x10"}, BadCase{"LeadingZero", "01"}, BadCase{"Plus", "+1"},
        BadCase{"Dot", "1."}, BadCase{"Exponent", "1e"}, BadCase{"SingleQuotes", "'a'"}, BadCase{"BareName", "{a:1}"},
        BadCase{"Twins", R"({"a":1,"a":2})"}, BadCase{"HiddenTwins", R"({"a":1,"\u0061":2})"},
        BadCase{"NestedTwins", R"([{"b":{"a":1,"a":2}}])"},
        BadCase{"ManyTwins", R"({"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"a":2})"},
        BadCase{"Control", "\"a\nb\""}, BadCase{"Escape", R"("\x")"}, BadCase{"ShortUnicode", R"("\u12")"},
        BadCase{"LoneHigh", R"("\ud800")"}, BadCase{"LoneLow", R"("\udc00")"}, BadCase{"BadPair", R"("\ud800\u0041")"},
        BadCase{"Utf8", "\"\xC3\x28\""}, BadCase{"Overlong", "\"\xC0\xAF\""}, BadCase{"Surrogate", "\"\xED\xA0\x80\""},
        BadCase{"Open", "[1"}, BadCase{"OpenString", "\"a"}, BadCase{"Backslash", "\"a\\"},
        BadCase{"Comment", "/* */ 1"}, BadCase{"Bom", "\xEF\xBB\xBF{}"}, BadCase{"Nul", std::string("{}\0", 3)},
        BadCase{"Deep", std::string(33, '[') + std::string(33, ']')}),
    [](const auto& one) { return std::string(one.param.name); });

TEST(JsonReader, TakesWhatIsAllowed) {
  EXPECT_TRUE(parseJson(std::string(32, '[') + std::string(32, ']')));
  EXPECT_TRUE(parseJson(" {\"a\" : [ 1 , -0.5e+10 , true , null , \"\\ud83d\\ude00\" ] } \n"));
  EXPECT_EQ(unescape(R"("\ud83d\ude00\n\/\u0041")"), "\xF0\x9F\x98\x80\n/A");
}

TEST(JsonReader, KeepsTheBytesOfAMember) {
  const auto document = parseJson(R"({"type":"x","params":{"b": 1.50,"a":[ ]}})");
  ASSERT_TRUE(document);
  std::vector<core::FieldError> errors;
  JsonObject object(*document, "", errors);
  EXPECT_EQ(object.raw("params", JsonKind::Object), R"({"b": 1.50,"a":[ ]})");
}

TEST(JsonReader, AsksForTheTypeAndNamesTheField) {
  const auto document =
      parseJson(R"({"s":7,"i":1.9,"big":99999999999999999999,"b":"true","n":null,"x/y":1,"t":"now"})");
  ASSERT_TRUE(document);
  std::vector<core::FieldError> errors;
  JsonObject object(*document, "/3", errors);
  EXPECT_FALSE(object.string("s"));
  EXPECT_FALSE(object.integer("i", 0, 10));
  EXPECT_FALSE(object.integer("big", 0, 10));
  EXPECT_FALSE(object.boolean("b"));
  EXPECT_FALSE(object.string("n"));
  EXPECT_FALSE(object.time("t"));
  object.require("n");
  object.refuseUnknown();
  ASSERT_EQ(errors.size(), 7U);
  EXPECT_EQ(errors[0], (core::FieldError{"/3/s", "must be a string, is a number"}));
  EXPECT_EQ(errors[1].pointer, "/3/i");
  EXPECT_EQ(errors[5], (core::FieldError{"/3/n", "is required"}));
  EXPECT_EQ(errors[6], (core::FieldError{"/3/x~1y", "is not known here"}));
}

TEST(JsonReader, SurvivesAWideObject) {
  std::string text = "{";
  for (int i = 0; i < 100'000; ++i) text += (i != 0 ? ",\"k" : "\"k") + std::to_string(i) + "\":0";
  EXPECT_TRUE(parseJson(text + "}"));
  EXPECT_FALSE(parseJson(text + ",\"k5\":0}"));
}

TEST(JsonWriter, WritesWhatItReads) {
  JsonWriter json;
  json.beginObject().key("a\"/\n").string("\x01/é").key("n").number(-1.5).key("l").beginArray().null().endArray();
  json.key("nan").number(0.0 / 0.0).endObject();
  EXPECT_EQ(json.take(), "{\"a\\\"/\\n\":\"\\u0001/é\",\"n\":-1.5,\"l\":[null],\"nan\":null}");
}

TEST(JsonWriter, RepairsWhatIsNotUtf8) {
  JsonWriter json;
  json.string("a\xFFz\xC3\xA9");
  EXPECT_EQ(json.take(), "\"a\xEF\xBF\xBDz\xC3\xA9\"");
}

TEST(JsonWriter, SortsKeysAndEscapesSlashesForMinion) {
  JsonWriter json(true);
  json.canonical(R"({ "b" : {"z":1,"y":[ "a\/b" , 1.50 ]}, "a":null})");
  EXPECT_EQ(json.take(), R"({"a":null,"b":{"y":["a\/b",1.50],"z":1}})");
}

}  // namespace
}  // namespace jobhost::api
