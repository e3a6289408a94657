#include "runner/process_request.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace jobhost::runner {
namespace {

using testing::HasSubstr;
using Stream = ProcessRequest::Stream;

ProcessRequest parse(const std::string& argv, const std::string& options = "{}") {
  return parseProcessRequest(Json::parse(argv), Json::parse(options));
}

TEST(ProcessRequest, HasDefaults) {
  const auto read = parse(R"(["ffmpeg","-i","a b"])");
  EXPECT_EQ(read.argv, (std::vector<std::string>{"ffmpeg", "-i", "a b"}));
  EXPECT_EQ(read.in.kind, Stream::None);
  EXPECT_EQ(read.out.kind, Stream::Pipe);
  EXPECT_EQ(read.err.kind, Stream::Pipe);
  EXPECT_EQ(read.timeout_ms, 0);
  EXPECT_EQ(read.grace_ms, 1000);
}

TEST(ProcessRequest, ReadsEveryOption) {
  const auto read =
      parse(R"(["x"])", R"({"stdin":"pipe","stdout":{"file":"out.bin"},"stderr":"stdout","env":{"TZ":"UTC"},
    "timeout_ms":5,"grace_ms":6,"memory_bytes":7,"cpu_s":8,"max_output_bytes":9})");
  EXPECT_EQ(read.in.kind, Stream::Pipe);
  EXPECT_EQ(read.out.kind, Stream::File);
  EXPECT_EQ(read.out.file, "out.bin");
  EXPECT_EQ(read.err.kind, Stream::ToOutput);
  ASSERT_EQ(read.environment.size(), 1U);
  EXPECT_EQ(read.environment[0].first, "TZ");
  EXPECT_EQ(read.timeout_ms, 5);
  EXPECT_EQ(read.grace_ms, 6);
  EXPECT_EQ(read.memory_bytes, 7);
  EXPECT_EQ(read.cpu_s, 8);
  EXPECT_EQ(read.max_output_bytes, 9);
}

TEST(ProcessRequest, TakesWhatBrowsersInsideProgramsNeed) {
  const auto read = parse(R"(["x"])", R"({"env":{"QT_QPA_PLATFORM":"offscreen","QTWEBENGINE_DISABLE_SANDBOX":"1"}})");
  EXPECT_EQ(read.environment.size(), 2U);
}

struct Bad {
  const char* name;
  std::string argv, options;
  const char* code;
  const char* says;
};

class BadProcessRequest : public testing::TestWithParam<Bad> {};

TEST_P(BadProcessRequest, IsRefusedWithItsReason) {
  try {
    parse(GetParam().argv, GetParam().options);
    FAIL() << "it was taken";
  } catch (const ProcessFailure& failure) {
    EXPECT_EQ(failure.code, GetParam().code);
    EXPECT_THAT(failure.message, HasSubstr(GetParam().says));
    EXPECT_LT(failure.result, 0);
  }
}

std::string many(std::size_t n) {
  std::string all = "[\"x\"";
  for (std::size_t i = 0; i < n; ++i) all += ",\"y\"";
  return all + "]";
}

constexpr const char* kInvalid = "process.invalid_request";
constexpr const char* kTooLarge = "process.too_large";

INSTANTIATE_TEST_SUITE_P(
    All, BadProcessRequest,
    testing::Values(
        Bad{"NoArray", "\"ls\"", "{}", kInvalid, "argv"}, Bad{"Empty", "[]", "{}", kInvalid, "argv"},
        Bad{"APath", R"(["/bin/ls"])", "{}", kInvalid, "argv/0"}, Bad{"Dots", R"([".."])", "{}", kInvalid, "argv/0"},
        Bad{"NoName", R"([""])", "{}", kInvalid, "argv/0"}, Bad{"ANumber", R"(["x",1])", "{}", kInvalid, "argv/1"},
        Bad{"AZeroByte", R"(["x","a\u0000b"])", "{}", kInvalid, "argv/1"},
        Bad{"TooMany", many(kMostArguments), "{}", kTooLarge, "4096"},
        Bad{"TooLong", "[\"x\",\"" + std::string(kLongestArgument + 1, 'y') + "\"]", "{}", kTooLarge, "argv/1"},
        Bad{"NoOptions", R"(["x"])", "[]", kInvalid, "options"},
        Bad{"Unknown", R"(["x"])", R"({"shell":true})", kInvalid, "shell"},
        Bad{"OddStream", R"(["x"])", R"({"stdin":"inherit"})", kInvalid, "stdin"},
        Bad{"InToOut", R"(["x"])", R"({"stdin":"stdout"})", kInvalid, "stdin"},
        Bad{"FileUp", R"(["x"])", R"({"stdout":{"file":"../x"}})", kInvalid, "stdout/file"},
        Bad{"FileAbsolute", R"(["x"])", R"({"stdin":{"file":"/etc/passwd"}})", kInvalid, "stdin/file"},
        Bad{"EnvLoads", R"(["x"])", R"({"env":{"LD_PRELOAD":"x"}})", kInvalid, "env/LD_PRELOAD"},
        Bad{"EnvPath", R"(["x"])", R"({"env":{"PATH":"x"}})", kInvalid, "env/PATH"},
        Bad{"EnvNumber", R"(["x"])", R"({"env":{"TZ":1}})", kInvalid, "env/TZ"},
        Bad{"Grace", R"(["x"])", R"({"grace_ms":60001})", kInvalid, "grace_ms"},
        Bad{"Negative", R"(["x"])", R"({"timeout_ms":-1})", kInvalid, "timeout_ms"},
        Bad{"NoOutput", R"(["x"])", R"({"max_output_bytes":0})", kInvalid, "max_output_bytes"},
        Bad{"AText", R"(["x"])", R"({"cpu_s":"1"})", kInvalid, "cpu_s"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(ProcessFailure, SurvivesItsJson) {
  const ProcessFailure failure{JH_E_DENIED, "process.not_permitted", "no \"x\"", JH_CLASS_DENIED};
  const auto read = ProcessFailure::parse(failure.json(), JH_E_DENIED);
  EXPECT_EQ(read.code, failure.code);
  EXPECT_EQ(read.message, failure.message);
  EXPECT_EQ(read.error_class, failure.error_class);
  EXPECT_EQ(ProcessFailure::parse("nonsense", JH_E_IO).code, "process.internal");
}

}  // namespace
}  // namespace jobhost::runner
