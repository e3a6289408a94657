#include <gmock/gmock.h>

#include "cli/job_commands.hpp"
#include "cli/json.hpp"

namespace jobhost::cli {
namespace {

using testing::HasSubstr;

TEST(SubmitBody, PassesParamsOnAsTheyWereGiven) {
  SubmitArgs args;
  args.type = "echo";
  const auto body = submitBody(args, R"({ "n": 1.0, "big": 12345678901234567890 })", "");
  ASSERT_TRUE(body.ok());
  EXPECT_EQ(*body, R"({"type":"echo","params":{ "n": 1.0, "big": 12345678901234567890 }})");
}

TEST(SubmitBody, AddsEachParamAsJsonWhereItIsJsonElseAsText) {
  SubmitArgs args;
  args.type = "echo";
  args.param = {"width=256", "name=a \"b\"", "on=true", "list=[1,2]", "odd=1,2", "text=\"7\"", "empty="};
  const auto body = submitBody(args, "{}", "");
  ASSERT_TRUE(body.ok());
  EXPECT_EQ(
      *body,
      R"({"type":"echo","params":{"width":256,"name":"a \"b\"","on":true,"list":[1,2],"odd":"1,2","text":"7","empty":""}})");
}

TEST(SubmitBody, AddsParamsBehindThoseOfTheDocument) {
  SubmitArgs args;
  args.type = "echo";
  args.param = {"b=2"};
  EXPECT_EQ(*submitBody(args, R"({"a":{"x":1}})", ""), R"({"type":"echo","params":{"a":{"x":1},"b":2}})");
}

TEST(SubmitBody, CarriesEachOption) {
  SubmitArgs args;
  args.type = "echo";
  args.priority = -3;
  args.delay_s = 1.5;
  args.max_attempts = 4;
  args.timeout_s = 60;
  args.tags = {"a", "b"};
  args.queue_key = "q";
  args.unique_key = "u";
  args.batch = "x";
  const auto body = parseObject(*submitBody(args, "{}", "in_1"));
  ASSERT_TRUE(body);
  EXPECT_EQ(textAt(body, "priority"), "-3");
  EXPECT_EQ(textAt(body, "delay_ms"), "1500");
  EXPECT_EQ(textAt(body, "max_attempts"), "4");
  EXPECT_EQ(textAt(body, "timeout_ms"), "60000");
  EXPECT_EQ(textsAt(body, "tags"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(textAt(body, "queue_key"), "q");
  EXPECT_EQ(textAt(body, "unique_key"), "u");
  EXPECT_EQ(textAt(body, "batch"), "x");
  EXPECT_EQ(textAt(body, "input_id"), "in_1");
}

TEST(SubmitBody, RefusesParamsThatAreNoObject) {
  SubmitArgs args;
  for (const char* text : {"", "[]", "{", "7", "null"}) {
    const auto body = submitBody(args, text, "");
    ASSERT_FALSE(body.ok()) << text;
    EXPECT_THAT(body.error().message, HasSubstr("--params: must be a JSON object"));
  }
}

TEST(SubmitBody, RefusesAParamWithoutAName) {
  SubmitArgs args;
  args.param = {"=1"};
  EXPECT_FALSE(submitBody(args, "{}", "").ok());
  args.param = {"name"};
  EXPECT_FALSE(submitBody(args, "{}", "").ok());
}

}  // namespace
}  // namespace jobhost::cli
