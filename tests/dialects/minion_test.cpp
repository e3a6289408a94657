#include <gtest/gtest.h>

#include "api/encoding.hpp"
#include "dialects/api_host.hpp"

namespace jobhost::test {
namespace {

using store::OutcomeKind;

class Minion : public testing::Test {
 protected:
  std::int64_t queue(const std::string& task, const std::string& args) {
    const auto answer = host_.call("POST", "/api/minion/" + task + "/queue?args=" + args + "&key=" + host_.adminKey());
    EXPECT_EQ(answer.status, 200) << answer.body;
    return std::atoll(answer.body.c_str() + answer.body.find(':') + 1);
  }
  std::string status(std::int64_t id) { return host_.call("GET", "/api/minion/" + std::to_string(id)).body; }
  std::string detail(std::int64_t id) {
    return host_.call("GET", "/api/minion/" + std::to_string(id) + "/detail?key=" + host_.adminKey()).body;
  }
  ApiHost host_;
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(Minion, ShowsNotesWhileActiveAndTheResultWhenFinished) {
  const auto id = queue("page_thumbnails", "[%22abc%22,0]");
  const auto job = host_.start(id);
  EXPECT_EQ(status(id), R"({"error":null,"notes":{},"state":"active","task":"page_thumbnails"})");
  host_.note(job, "total_pages", R"("3")");
  host_.note(job, "1", R"("processed")");
  EXPECT_EQ(status(id),
            R"({"error":null,"notes":{"1":"processed","total_pages":"3"},"state":"active","task":"page_thumbnails"})");
  host_.settle(job, OutcomeKind::Succeeded, R"({"errors":["a/b"]})");
  const auto shown = detail(id);
  EXPECT_TRUE(has(shown, R"("result":{"errors":["a\/b"]})")) << shown;
  EXPECT_TRUE(has(shown, R"("state":"finished")")) << shown;
  EXPECT_TRUE(has(shown, R"("args":["abc",0])")) << shown;
  EXPECT_TRUE(has(shown, R"("worker":"1")")) << shown;
}

TEST_F(Minion, TellsAUsersJobToWhoReachesItAlone) {
  const auto ada = host_.addUser("ada");
  const auto bob = host_.addUser("bob");
  const auto key = [&](const std::string& user) {
    return host_.addKey(R"({"name":"k","privileges":["read_jobs"],"user_id":")" + user + R"("})");
  };
  const auto path = "/api/minion/" + std::to_string(host_.submitAs(ada));
  const auto unknown = host_.bare("GET", "/api/minion/999999");
  EXPECT_EQ(host_.bare("GET", path).body, unknown.body) << "anybody";
  EXPECT_EQ(host_.bare("GET", path + "?key=" + key(bob)).body, unknown.body) << "another user";
  EXPECT_EQ(host_.bare("GET", path + "?key=" + key(ada)).status, 200);
  EXPECT_EQ(host_.bare("GET", path + "?key=" + host_.adminKey()).status, 200);
  const auto of_a_key = "/api/minion/" + std::to_string(queue("find_duplicates", "[5]"));
  EXPECT_EQ(host_.bare("GET", of_a_key).status, 200) << "what belongs to no user, as upstream";
  EXPECT_EQ(host_.bare("GET", of_a_key + "?key=" + key(bob)).status, 200);
}

TEST_F(Minion, ShowsAFailuresTextAsErrorAndResult) {
  const auto id = queue("find_duplicates", "[5]");
  host_.settle(host_.start(id), OutcomeKind::Failed, "",
               core::JobError{core::ErrorClass::Internal, "plugin_crashed", "boom 5", ""});
  EXPECT_EQ(status(id), R"({"error":"boom 5","notes":{},"state":"failed","task":"find_duplicates"})");
  EXPECT_TRUE(has(detail(id), R"("result":"boom 5")")) << detail(id);
}

TEST_F(Minion, ShowsAFailuresErrorListAsAnObject) {
  const auto id = queue("find_duplicates", "[5]");
  host_.settle(
      host_.start(id), OutcomeKind::Failed, "",
      core::JobError{core::ErrorClass::BadInput, "bad", "no", R"({"errors":["Error building thumbnail: x"]})"});
  EXPECT_TRUE(has(detail(id), R"("result":{"errors":["Error building thumbnail: x"]})")) << detail(id);
}

TEST_F(Minion, ShowsACanceledJobAsFailed) {
  const auto id = queue("find_duplicates", "[5]");
  EXPECT_EQ(host_.call("POST", "/api/v1/jobs/" + std::to_string(id) + "/cancel").status, 200);
  EXPECT_TRUE(has(status(id), R"("state":"failed")")) << status(id);
  EXPECT_FALSE(has(status(id), R"("error":null)")) << status(id);
}

TEST_F(Minion, KeepsTheFailedAttemptsValuesWhileARetryWaits) {
  const auto made =
      host_.call("POST", "/api/v1/jobs", R"({"type":"find_duplicates","params":{"threshold":5},"max_attempts":3})");
  ASSERT_EQ(made.status, 201) << made.body;
  host_.settle(host_.start(1), OutcomeKind::Retry, "",
               core::JobError{core::ErrorClass::Transient, "busy", "try again", ""});
  const auto shown = detail(1);
  for (const char* part : {R"("state":"inactive")", R"("retries":"1")", R"("retried":"1800000000")",
                           R"("delayed":"1800000015")", R"("result":"try again")", R"("attempts":"3")"}) {
    EXPECT_TRUE(has(shown, part)) << part << " in " << shown;
  }
}

TEST_F(Minion, ShowsAJobMadeInAnotherDialect) {
  const auto id = host_.submit("resize", R"({"width":7})");
  EXPECT_TRUE(has(detail(id), R"("args":[7])")) << detail(id);
}

}  // namespace
}  // namespace jobhost::test
