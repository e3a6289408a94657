// FakeHost keeps records and keys by a host's rules: recordkit answers on it as it does on a real one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <jobhost/plugin.hpp>
#include <jobhost/testing.hpp>

namespace jobhost::testing {
namespace {

using ::testing::HasSubstr;

class FakeRecordsTest : public ::testing::Test {
 protected:
  Attempt run(const std::string& steps) {
    auto done = host.run("records", {{"steps", Json::parse("[" + steps + "]")}});
    EXPECT_TRUE(done.complaints.empty()) << done.complaints.front();
    return done;
  }
  std::string answers(const std::string& steps) {
    const auto done = run(steps);
    EXPECT_TRUE(done.succeeded()) << done.error_message;
    return done.result["answers"].dump();
  }
  FakeHost host{std::string(RECORDKIT)};
};

TEST_F(FakeRecordsTest, ShowsWhatAnotherStoresMeanwhile) {
  host.putRecord("books", "theirs", {{"n", 1}});
  host.putRecord("books", "ours", {{"n", 1}});
  int calls = 0;
  host.onCall([&](const Call& call) {
    if (call.name != "records.get" || ++calls != 1) return;
    host.putRecord("books", "theirs", {{"n", 2}});
    host.putRecord("books", "ours", {{"n", 2}});
  });
  EXPECT_THAT(
      answers(R"({"do":"put","key":"ours","value":{"n":3}},{"do":"get","key":"none"},{"do":"get","key":"theirs"})"),
      HasSubstr("\"n\":2"));
  EXPECT_EQ(host.records("books").at("theirs")["n"], Json(2)) << "the attempt's end does not take it back";
  EXPECT_EQ(host.records("books").at("ours")["n"], Json(3));
}

TEST_F(FakeRecordsTest, StoresWithASuccessWhatAnAttemptWrote) {
  host.putRecord("books", "old", {{"tags", "x"}}, "shelf", 3);
  const auto seen =
      answers(R"({"do":"put","key":"new","value":{"tags":["x","y"]},"options":{"parent":"shelf","sort":1}},)"
              R"({"do":"list","options":{"parent":"shelf","values":false,"limit":1}},)"
              R"({"do":"count","options":{"index":"tags","value":"x"}},{"do":"del","key":"old"},{"do":"count"})");
  EXPECT_THAT(seen, HasSubstr(R"([{"version":-2},{"items":[{"key":"new")"));
  EXPECT_THAT(seen, HasSubstr(R"({"n":2},"ok",{"n":1}])"));
  EXPECT_EQ(host.records("books").count("old"), 0U);
  EXPECT_EQ(host.records("books").at("new")["tags"].size(), 2U);
  EXPECT_THAT(answers(R"({"do":"get","key":"new"})"), HasSubstr("\"version\":2"));
}

TEST_F(FakeRecordsTest, ForgetsWhatAnAttemptThatFailedWroteButNotWhatItWroteAtOnce) {
  const auto done =
      run(R"({"do":"put","key":"lost","value":1},{"do":"put","key":"kept","value":2,"options":{"now":true}},)"
          R"({"do":"kput","key":"lost","value":"1"},{"do":"fail"})");
  EXPECT_EQ(done.code, JH_E_FAILED);
  EXPECT_EQ(host.records("books").size(), 1U);
  EXPECT_EQ(host.records("books").at("kept").intOr(0), 2);
  EXPECT_TRUE(host.keys().empty());
}

TEST_F(FakeRecordsTest, ChecksVersionsPermissionsNamesAndLimits) {
  host.putRecord("books", "a", 1);
  host.setRecordLimit(2);
  const auto refused = answers(
      R"({"do":"put","key":"a","value":2,"options":{"expected":0}},{"do":"put","key":"a","value":2,"options":{"expected":1}},)"
      R"({"do":"put","key":"a","value":3,"options":{"expected":-2}},{"do":"put","key":"a","value":4,"options":{"now":true}},)"
      R"({"do":"put","in":"films","key":"a","value":1},{"do":"get","in":"com.example.x/books","key":"a"},)"
      R"({"do":"put","key":"a","raw":"{"},{"do":"put","key":"a","value":1,"options":{"nwo":true}},)"
      R"({"do":"put","key":"","value":1},{"do":"put","key":"b","value":1},{"do":"put","key":"c","value":1},)"
      R"({"do":"list","options":{"index":"title","value":1}})");
  EXPECT_THAT(refused, HasSubstr(R"([{"code":-13)"));
  EXPECT_THAT(refused, HasSubstr(R"({"version":-2},{"version":-2},{"code":-13)"));
  EXPECT_THAT(refused, HasSubstr("declares no collection"));
  EXPECT_THAT(refused, HasSubstr(R"("code":-4)"));
  EXPECT_THAT(refused, HasSubstr("/nwo: unknown"));
  EXPECT_THAT(refused, HasSubstr(R"("code":-6)"));
  EXPECT_THAT(refused, HasSubstr("no index"));
}

TEST_F(FakeRecordsTest, KeepsKeysAndLetsCallsFail) {
  host.putKey("etag", std::string("a\0b", 3));
  EXPECT_THAT(answers(R"({"do":"kget","key":"etag"},{"do":"kput","key":"cursor","value":"7"},)"
                      R"({"do":"kget","space":2,"key":"etag"},{"do":"klist"})"),
              HasSubstr(R"({"version":-2},{"code":-5)"));
  EXPECT_EQ(host.keys().at("cursor"), "7");
  host.failCall("records.put", 1, JH_E_AGAIN, "not now");
  EXPECT_THAT(answers(R"({"do":"put","key":"a","value":1})"), HasSubstr(R"({"code":-11,"text":"not now"})"));
  host.withhold(JH_EXT_RECORDS);
  EXPECT_EQ(run(R"({"do":"count"})").error_code, "extension_missing");
}

}  // namespace
}  // namespace jobhost::testing
