#include "fetch-novel/data.hpp"

#include <gtest/gtest.h>

namespace jobhost::novel {
namespace {

std::string json(const char* text, bool unique = false) {
  DataError error;
  const auto data = parseJson(text, error, unique);
  return data ? toJson(*data) : std::to_string(error.line) + ": " + error.reason;
}

std::string yaml(const std::string& text, const DataLimits& limits = {}) {
  DataError error;
  const auto data = parseYaml(text, error, limits);
  return data ? toJson(*data) : std::to_string(error.line) + ": " + error.reason;
}

TEST(Json, KeepsOrderAndSpelling) {
  EXPECT_EQ(json(R"( {"b":[1,-0.5e3,12345678901234567890],"a":{"c":null,"d":true}} )"),
            R"({"b":[1,-0.5e3,12345678901234567890],"a":{"c":null,"d":true}})");
  EXPECT_EQ(json(R"("\u00e9\ud83d\ude00\n\/")"), "\"é😀\\n/\"");
  EXPECT_EQ(json(R"({"a":1,"a":2})"), R"({"a":2})");
}

TEST(Json, SaysInWhichLineItGoesWrong) {
  EXPECT_EQ(json("{\"a\":1,\n\"a\":2}", true), "2: 'a' is there twice");
  EXPECT_EQ(json("[1,\n2"), "2: expected ',' or ']'");
  EXPECT_EQ(json("[1] x"), "1: something follows the value");
  EXPECT_EQ(json("{a:1}"), "1: expected a name in quotes");
  EXPECT_EQ(json("\"a"), "1: a string is not closed");
  EXPECT_EQ(json("01"), "1: something follows the value");
  EXPECT_EQ(json(""), "1: the text ends too early");
  EXPECT_EQ(json(std::string(100, '[').c_str()), "1: nested deeper than 64");
}

TEST(Json, PathsLeadIn) {
  DataError error;
  const auto data = parseJson(R"({"a":{"b":[{"c":"x"},7]},"$d":1})", error);
  ASSERT_TRUE(data);
  EXPECT_EQ(toJson(*atPath(*data, "a.b.0.c")), "\"x\"");
  EXPECT_EQ(toJson(*atPath(*data, "a.b.1")), "7");
  EXPECT_EQ(atPath(*data, "$"), &*data);
  EXPECT_EQ(toJson(*atPath(*data, "$.a.b.1")), "7");
  for (const char* path : {"a.x", "a.b.2", "a.b.x", "a.b.0.c.d", "a.b.-1"})
    EXPECT_EQ(atPath(*data, path), nullptr) << path;
}

TEST(Yaml, ReadsTheCoreSchema) {
  EXPECT_EQ(yaml("a: 1\nb: [x, 'y', 2.5, true, null, ~]\non: yes\nc:\n  - d: \"0x1\"\n"),
            R"({"a":1,"b":["x","y",2.5,true,null,null],"on":"yes","c":[{"d":"0x1"}]})");
  EXPECT_EQ(yaml("{\"a\":1,\t\"b\":\"\\/\"}"), R"({"a":1,"b":"/"})");
  EXPECT_EQ(yaml("a: &x {b: 1}\nc: *x"), R"({"a":{"b":1},"c":{"b":1}})");
}

TEST(Yaml, SaysInWhichLineItGoesWrong) {
  EXPECT_EQ(yaml("a: 1\na: 2"), "2: 'a' is there twice");
  EXPECT_EQ(yaml("a: 1\nb: !!python/object x"), "2: tags are not supported");
  EXPECT_EQ(yaml("a: *no"), "1: there is no anchor 'no'");
  EXPECT_EQ(yaml(""), "1: the file is empty");
  EXPECT_EQ(yaml("a: 1\n---\nb: 1"), "2: more than one document");
  EXPECT_EQ(yaml("x: {<<: {a: 1}}"), "1: merge keys are not supported");
  EXPECT_EQ(yaml("a: 1\n b: 2").substr(0, 2), "2:");
}

TEST(Yaml, AliasesDoNotMultiplyWithoutEnd) {
  std::string text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last;
    for (int n = 0; n < 9; ++n) text += "," + last;
    text += "]\n";
  }
  EXPECT_NE(yaml(text, {.nodes = 10'000}).find("more than 10000 values"), std::string::npos);
}

}  // namespace
}  // namespace jobhost::novel
