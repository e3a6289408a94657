#include "catalog/params_schema.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace jobhost::catalog {
namespace {

std::shared_ptr<const ParamsSchema> compiled(std::string_view schema) {
  auto result = ParamsSchema::compile(schema);
  EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message);
  return result.ok() ? *result : nullptr;
}

/// "pointer: message" of each fault, or "ok: <text>".
std::vector<std::string> answers(std::string_view schema, std::string_view params) {
  const auto result = compiled(schema)->check(params);
  if (result) return {"ok: " + *result};
  std::vector<std::string> all;
  for (const auto& field : result.error().fields) all.push_back(field.pointer + ": " + field.message);
  return all;
}

constexpr const char* kThumbnail = R"({
  "type": "object", "required": ["source", "width"], "additionalProperties": false,
  "properties": {
    "source": {"type": "string", "minLength": 1},
    "width": {"type": "integer", "minimum": 1, "maximum": 16384},
    "fit": {"enum": ["inside", "cover"], "default": "inside"},
    "quality": {"type": "integer", "minimum": 1, "maximum": 100, "default": 80}}})";

TEST(ParamsSchema, NamesEveryWrongFieldByItsPointer) {
  EXPECT_THAT(answers(kThumbnail, R"({"width":0,"fit":"stretch","quality":"high","colour":1})"),
              testing::ElementsAre("/width: must be at least 1", R"(/fit: must be one of "inside", "cover")",
                                   "/quality: must be a whole number, not a string",
                                   "/colour: is not a known parameter", "/source: is required"));
}

TEST(ParamsSchema, InsertsDefaultsAndLeavesAllOtherBytesAlone) {
  EXPECT_THAT(
      answers(kThumbnail, "{ \"width\" : 1.6e1 ,\n\"source\":\"\\u0061\" }"),
      testing::ElementsAre("ok: { \"width\" : 1.6e1 ,\n\"source\":\"\\u0061\" ,\"fit\":\"inside\",\"quality\":80}"));
  const std::string complete = R"({"source":"a","width":5,"fit":"cover","quality":99})";
  EXPECT_THAT(answers(kThumbnail, complete), testing::ElementsAre("ok: " + complete));
}

TEST(ParamsSchema, FillsDefaultsInsideNestedObjectsAndArrays) {
  EXPECT_THAT(
      answers(R"({"properties":{"list":{"items":{"properties":{"n":{"default":7}}}},"o":{"default":{"a":[1]}}}})",
              R"({"list":[{},{"n":1},{"x":2}]})"),
      testing::ElementsAre(R"(ok: {"list":[{"n":7},{"n":1},{"x":2,"n":7}],"o":{"a":[1]}})"));
}

TEST(ParamsSchema, TakesARequiredMemberWithADefaultAsGiven) {
  EXPECT_THAT(answers(R"({"required":["a"],"properties":{"a":{"default":null}}})", "{}"),
              testing::ElementsAre(R"(ok: {"a":null})"));
}

TEST(ParamsSchema, FollowsReferencesAlsoForDefaultsAndInCycles) {
  constexpr const char* kTree = R"({"$ref":"#/$defs/node","$defs":{
    "node":{"type":"object","properties":{"size":{"$ref":"#/$defs/size"},"next":{"$ref":"#/$defs/node"}}},
    "size":{"type":"integer","default":1}}})";
  EXPECT_THAT(answers(kTree, R"({"next":{"next":{"size":5}}})"),
              testing::ElementsAre(R"(ok: {"next":{"next":{"size":5},"size":1},"size":1})"));
  EXPECT_THAT(answers(kTree, R"({"next":{"next":{"size":"x"}}})"),
              testing::ElementsAre("/next/next/size: must be a whole number, not a string"));
}

TEST(ParamsSchema, GivesOneDefaultWhereTwoSchemasHaveIt) {
  EXPECT_THAT(
      answers(R"({"properties":{"a":{"default":1}},"allOf":[{"properties":{"a":{"default":2},"b":{"default":3}}}]})",
              "{}"),
      testing::ElementsAre(R"(ok: {"a":1,"b":3})"));
}

TEST(ParamsSchema, EscapesNamesInPointers) {
  EXPECT_THAT(answers(R"({"properties":{"a/b~c":{"type":"null"}}})", R"({"a/b~c":1})"),
              testing::ElementsAre("/a~1b~0c: must be null, not a number"));
}

struct Check {
  const char* name;
  const char* schema;  ///< of the member "v"
  const char* value;
  const char* fault;  ///< nullptr: right
};
class ParamsSchemaChecks : public testing::TestWithParam<Check> {};

TEST_P(ParamsSchemaChecks, TheValue) {
  const std::string schema = std::string(R"({"properties":{"v":)") + GetParam().schema + "}}";
  const auto result = compiled(schema)->check(std::string(R"({"v":)") + GetParam().value + "}");
  if (GetParam().fault == nullptr) {
    EXPECT_TRUE(result.ok()) << result.error().message;
  } else {
    ASSERT_FALSE(result.ok());
    EXPECT_THAT(result.error().message, testing::HasSubstr(GetParam().fault));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Keywords, ParamsSchemaChecks,
    testing::Values(Check{"WholeFloatIsInteger", R"({"type":"integer"})", "3.0", nullptr},
                    Check{"FractionIsNot", R"({"type":"integer"})", "3.5", "with a fraction"},
                    Check{"HugeIsInteger", R"({"type":"integer"})", "123456789012345678901234567890", nullptr},
                    Check{"ExactMaximum", R"({"maximum":9007199254740992})", "9007199254740993",
                          "at most 9007199254740992"},
                    Check{"TypeList", R"({"type":["string","null"]})", "1", "null or a string"},
                    Check{"ExclusiveMinimum", R"({"exclusiveMinimum":0})", "0", "greater than 0"},
                    Check{"ExclusiveMaximum", R"({"exclusiveMaximum":1})", "0.999", nullptr},
                    Check{"MultipleOfDecimal", R"({"multipleOf":0.01})", "19.99", nullptr},
                    Check{"NotMultiple", R"({"multipleOf":4})", "6", "multiple of 4"},
                    Check{"LengthInCodePoints", R"({"maxLength":2})", R"("é😀")", nullptr},
                    Check{"TooShort", R"({"minLength":3})", R"("é😀")", "at least 3 characters"},
                    Check{"Pattern", R"({"pattern":"^[a-z]+$"})", R"("abc1")", "must match the pattern"},
                    Check{"EvilPatternIsLinear", R"({"pattern":"^(a+)+$"})",
                          R"("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!")", "pattern"},
                    Check{"ConstObjectInAnyOrder", R"({"const":{"a":1,"b":[2]}})", R"({"b":[2.0],"a":1})", nullptr},
                    Check{"ConstDiffers", R"({"const":5})", "6", "must be 5"},
                    Check{"EnumAndConst", R"({"enum":[1,2],"const":2})", "1", "must be 2"},
                    Check{"Unique", R"({"uniqueItems":true})", "[1,2,1.0]", "same element twice"},
                    Check{"PrefixThenItems", R"({"prefixItems":[{"type":"string"}],"items":{"type":"integer"}})",
                          R"(["a",1,"b"])", "/v/2: must be a whole number"},
                    Check{"NoMoreItems", R"({"prefixItems":[{}],"items":false})", "[1,2]", "/v/1: is not allowed"},
                    Check{"MinItems", R"({"minItems":2})", "[1]", "at least 2 elements"},
                    Check{"MaxProperties", R"({"maxProperties":1})", R"({"a":1,"b":2})", "at most 1 members"},
                    Check{"AdditionalSchema", R"({"additionalProperties":{"type":"string"}})", R"({"a":1})",
                          "/v/a: must be a string"},
                    Check{"AnyOf", R"({"anyOf":[{"type":"string"},{"type":"integer","minimum":5}]})", "6", nullptr},
                    Check{"AnyOfNone", R"({"anyOf":[{"type":"string"},{"type":"integer","minimum":5}]})", "1",
                          "none of the 2 forms"},
                    Check{"OneOfTwo", R"({"oneOf":[{"minimum":1},{"minimum":2}]})", "3", "more than one"},
                    Check{"AllOf", R"({"allOf":[{"minimum":1},{"maximum":2}]})", "3", "at most 2"},
                    Check{"Not", R"({"not":{"type":"null"}})", "null", "form that is not allowed"},
                    Check{"Uuid", R"({"format":"uuid"})", R"("123e4567-e89b-12d3-a456-426614174000")", nullptr},
                    Check{"BadUuid", R"({"format":"uuid"})", R"("123e4567")", "a UUID"},
                    Check{"DateTime", R"({"format":"date-time"})", R"("2024-02-29T23:59:60.5+01:00")", nullptr},
                    Check{"NoSuchDay", R"({"format":"date-time"})", R"("2023-02-29T00:00:00Z")", "date and time"},
                    Check{"NoZone", R"({"format":"date-time"})", R"("2023-02-28T00:00:00")", "date and time"},
                    Check{"Uri", R"({"format":"uri"})", R"("https://example.com/a?b#c")", nullptr},
                    Check{"RelativeUri", R"({"format":"uri"})", R"("/a/b")", "absolute URI"},
                    Check{"UriWithSpace", R"({"format":"uri"})", R"("http://a b")", "absolute URI"},
                    Check{"Email", R"({"format":"email"})", R"("a.b@example.org")", nullptr},
                    Check{"BadEmail", R"({"format":"email"})", R"("a@@b..c")", "e-mail"}),
    [](const auto& param) { return param.param.name; });

TEST(ParamsSchema, ShowsTheFaultsOfTheOnlyFormMeant) {
  EXPECT_THAT(answers(R"({"properties":{"v":{"anyOf":[{"type":"string"},{"type":"object","required":["x"]}]}}})",
                      R"({"v":{}})"),
              testing::ElementsAre("/v: matches none of the 2 forms allowed", "/v/x: is required"));
}

struct BadSchema {
  const char* name;
  const char* schema;
  const char* pointer;
  const char* reason;
};
class ParamsSchemaRefuses : public testing::TestWithParam<BadSchema> {};

TEST_P(ParamsSchemaRefuses, TheSchema) {
  const auto result = ParamsSchema::compile(GetParam().schema);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().fields.at(0).pointer, GetParam().pointer);
  EXPECT_THAT(result.error().fields.at(0).message, testing::HasSubstr(GetParam().reason));
}

INSTANTIATE_TEST_SUITE_P(
    Faults, ParamsSchemaRefuses,
    testing::Values(BadSchema{"NotASchema", "[]", "", "must be a schema"},
                    BadSchema{"UnknownType", R"({"type":"int"})", "/type", "must name types"},
                    BadSchema{"UnsupportedKeyword", R"({"if":{}})", "/if", "not supported"},
                    BadSchema{"Lookahead", R"j({"pattern":"(?=a)"})j", "/pattern", "RE2"},
                    BadSchema{"UnknownFormat", R"({"format":"ipv9"})", "/format", "must be one of"},
                    BadSchema{"RemoteRef", R"({"$ref":"http://x/y"})", "/$ref", "into this schema"},
                    BadSchema{"DanglingRef", R"({"$ref":"#/$defs/x"})", "/$ref", "points to nothing"},
                    BadSchema{"EndlessRef", R"({"properties":{"a":{"$ref":"#/properties/a"}}})", "/properties/a",
                              "without end"},
                    BadSchema{"EndlessAllOf", R"({"allOf":[{"$ref":"#"}]})", "", "without end"},
                    BadSchema{"WrongDefault", R"({"properties":{"a":{"type":"string","default":1}}})",
                              "/properties/a/default", "breaks its own schema"},
                    BadSchema{"NegativeCount", R"({"minItems":-1})", "/minItems", "whole number"},
                    BadSchema{"ZeroMultiple", R"({"multipleOf":0})", "/multipleOf", "greater than 0"},
                    BadSchema{"EmptyEnum", R"({"enum":[]})", "/enum", "at least one"}),
    [](const auto& param) { return param.param.name; });

TEST(ParamsSchema, ReportsAllFaultsOfASchemaAtOnce) {
  const auto result = ParamsSchema::compile(R"({"type":"x","minLength":"y","properties":{"a":{"enum":3}}})");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().fields.size(), 3u);
}

TEST(ParamsSchema, WarnsOfWordsItDoesNotKnow) {
  const auto schema = compiled(R"({"colour":1,"x-jobhost":{"widget":"slider"},"title":"t"})");
  EXPECT_THAT(schema->warnings(), testing::ElementsAre("/colour: unknown keyword, ignored"));
}

TEST(ParamsSchema, RefusesParamsThatAreNoObject) {
  for (const char* params : {"[]", "1", "null", "\"x\""}) {
    EXPECT_THAT(compiled("{}")->check(params).error().message, testing::HasSubstr("must be an object"));
  }
}

TEST(ParamsSchema, GivesUpOnASchemaThatWouldCostMinutes) {
  // Each level asks the next one twice: 2^40 checks without a limit.
  std::string schema = R"({"$ref":"#/$defs/d0","$defs":{)";
  for (int i = 0; i < 40; ++i) {
    const std::string next = R"({"$ref":"#/$defs/d)" + std::to_string(i + 1) + "\"}";
    schema += "\"d" + std::to_string(i) + R"(":{"allOf":[)" + next + "," + next + "]},";
  }
  schema += R"("d40":{}}})";
  const auto result = compiled(schema)->check(R"({"a":1})");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, core::ErrorCode::TooLarge);
}

TEST(ParamsSchema, StopsListingFaultsAtAHundred) {
  std::string params = R"({"v":[)";
  for (int i = 0; i < 5000; ++i) params += "1,";
  params += "1]}";
  EXPECT_EQ(answers(R"({"properties":{"v":{"items":{"type":"string"}}}})", params).size(), ParamsSchema::kMaxErrors);
}

TEST(ParamsSchema, FillsAHundredThousandObjectsInOneGo) {
  std::string params = R"({"v":[)";
  for (int i = 0; i < 100'000; ++i) params += "{},";
  params += "{}]}";
  const auto result = compiled(R"({"properties":{"v":{"items":{"properties":{"n":{"default":1}}}}}})")->check(params);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->size(), params.size() + 100'001 * 5);
}

}  // namespace
}  // namespace jobhost::catalog
