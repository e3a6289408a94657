// What a job of the native API says of itself on its way.
#include <gtest/gtest.h>

#include <future>

#include "api/json_writer.hpp"
#include "api/native/render.hpp"
#include "dialects/api_host.hpp"

namespace jobhost::test {
namespace {

using store::OutcomeKind;

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string pathOf(std::int64_t id) {
  return "/api/v1/jobs/" + std::to_string(id);
}

TEST(NativeJobs, SayThatTheyWaitForAPlugin) {
  ApiHost host;
  host.setAvailable("resize", false);
  const std::string job = R"({"type":"resize","params":{"width":5}})";
  const auto made = host.call("POST", "/api/v1/jobs", job);
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(made.body, R"({"id":1,"state":"queued","existing":false,"waiting_for":"plugin"})");
  const auto many = host.call("POST", "/api/v1/jobs/bulk", R"([{"type":"echo"},)" + job + "]");
  EXPECT_TRUE(has(many.body, R"({"id":2,"state":"queued","existing":false,"waiting_for":null})")) << many.body;
  EXPECT_TRUE(has(many.body, R"({"id":3,"state":"queued","existing":false,"waiting_for":"plugin"})")) << many.body;
  const auto batch = host.call("POST", "/api/v1/batches", R"({"name":"n","jobs":[)" + job + R"(,{"type":"echo"}]})");
  EXPECT_TRUE(has(batch.body, R"({"id":4,"state":"queued","existing":false,"waiting_for":"plugin"})")) << batch.body;
  EXPECT_TRUE(has(batch.body, R"({"id":5,"state":"queued","existing":false,"waiting_for":null})")) << batch.body;

  EXPECT_TRUE(has(host.call("GET", pathOf(1)).body, R"("hold":"none","waiting_for":"plugin")"));
  EXPECT_TRUE(has(host.call("GET", pathOf(2)).body, R"("hold":"none","waiting_for":null)"));
  const auto listed = host.call("GET", "/api/v1/jobs?type=resize&documents=false").body;
  EXPECT_TRUE(has(listed, R"("waiting_for":"plugin")")) << listed;
  EXPECT_FALSE(has(listed, R"("waiting_for":null)")) << listed;

  host.setAvailable("resize", true);
  EXPECT_TRUE(has(host.call("GET", pathOf(1)).body, R"("waiting_for":null)"));
}

TEST(NativeJobs, ShowThatTheyWereAskedToSuspend) {
  ApiHost host;
  const auto id = host.submit();
  const auto running = host.start(id);
  EXPECT_TRUE(has(host.call("GET", pathOf(id)).body, R"("suspend_requested":false)"));
  for (int i = 0; i < 2; ++i) {
    const auto asked = host.call("POST", pathOf(id) + "/suspend");
    EXPECT_EQ(asked.status, 202);
    EXPECT_TRUE(has(asked.body, R"("state":"running")")) << asked.body;
    EXPECT_TRUE(has(asked.body, R"("suspend_requested":true)")) << asked.body;
  }
  host.settle(running, OutcomeKind::Canceled);
  const auto again = host.call("POST", pathOf(id) + "/suspend");
  EXPECT_EQ(again.status, 200);
  EXPECT_TRUE(has(again.body, R"("state":"suspended")")) << again.body;
  EXPECT_TRUE(has(again.body, R"("suspend_requested":false)")) << again.body;
}

TEST(NativeJobs, TellHowOftenTheirHostDied) {
  ApiHost host;
  const auto id = host.submit();
  host.start(id);
  EXPECT_TRUE(has(host.call("GET", pathOf(id)).body, R"("rescues":0)"));
  ASSERT_TRUE(host.store().rescueAll().ok());
  EXPECT_TRUE(has(host.call("GET", pathOf(id)).body, R"("rescues":1)"));
}

TEST(NativeJobs, OfATypeThatIsGoneWaitForAPluginUntilTheyAreCanceled) {
  ApiHost host;
  core::JobDraft draft;
  draft.type = "from-before-a-restart";
  ASSERT_TRUE(host.store().submit({draft}, {}).ok());
  EXPECT_TRUE(has(host.call("GET", pathOf(1)).body, R"("hold":"none","waiting_for":"plugin")"));
  EXPECT_TRUE(has(host.call("GET", "/api/v1/jobs?documents=false").body, R"("waiting_for":"plugin")"));
  EXPECT_TRUE(has(host.call("GET", pathOf(host.submit())).body, R"("hold":"none","waiting_for":null)"));
  const auto canceled = host.call("POST", pathOf(1) + "/cancel");
  EXPECT_TRUE(has(canceled.body, R"("waiting_for":null)")) << canceled.body;
}

void report(ApiHost& host, const store::ClaimedJob& job, const core::Progress& progress) {
  store::AttemptUpdate update;
  update.id = job.id;
  update.lease = job.lease;
  update.progress = progress;
  std::promise<void> done;
  host.store().update({update}, [&](const core::Result<void>& stored) {
    EXPECT_TRUE(stored);
    done.set_value();
  });
  done.get_future().get();
}

TEST(NativeJobs, ThatHaveSucceededAreDoneWhateverTheyReportedLast) {
  ApiHost host;
  const auto half = host.submit();
  auto running = host.start(half);
  report(host, running, {0.5, 2, 4, "two of four"});
  EXPECT_TRUE(has(host.call("GET", pathOf(half)).body, R"("progress":{"fraction":0.5,"done":2,"total":4,)"));
  host.settle(running, OutcomeKind::Succeeded, "{}");
  const auto silent = host.submit();
  running = host.start(silent);
  report(host, running, {-1, 0, 0, "somewhere"});
  EXPECT_TRUE(has(host.call("GET", pathOf(silent)).body, R"("progress":{"fraction":null,)"));
  host.settle(running, OutcomeKind::Succeeded, "{}");
  for (const auto id : {half, silent}) {
    const auto shown = host.call("GET", pathOf(id)).body;
    EXPECT_TRUE(has(shown, R"("progress":{"fraction":1,)")) << shown;
  }
  const auto failed = host.submit();
  running = host.start(failed);
  report(host, running, {0.5, 2, 4, ""});
  host.settle(running, OutcomeKind::Failed, "", core::JobError{core::ErrorClass::Permanent, "boom", "boom", {}});
  EXPECT_TRUE(has(host.call("GET", pathOf(failed)).body, R"("progress":{"fraction":0.5,)"));
}

}  // namespace
}  // namespace jobhost::test
