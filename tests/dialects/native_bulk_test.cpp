// Batches, commands over filters, searches and what is counted.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "core/job_paths.hpp"
#include "dialects/api_host.hpp"
#include "telemetry/metrics.hpp"

namespace jobhost::test {
namespace {

using store::OutcomeKind;
using namespace std::chrono_literals;

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// How many jobs a list has.
int rows(const std::string& body) {
  int count = 0;
  for (std::size_t at = 0; (at = body.find("{\"id\":", at)) != std::string::npos; ++at) ++count;
  return count;
}

TEST(NativeBatches, TellHowTheirJobsStand) {
  ApiHost host;
  const auto made = host.call(
      "POST", "/api/v1/batches",
      R"({"name":"night run","jobs":[{"type":"echo"},{"type":"echo"},{"type":"resize","params":{"width":5}}]})");
  ASSERT_EQ(made.status, 201) << made.body;
  const auto id = memberOf(made.body, "id");
  const auto path = "/api/v1/batches/" + id;
  EXPECT_EQ(made.headers.at("location"), path);
  const auto shown = [&] { return host.call("GET", path).body; };
  EXPECT_TRUE(has(shown(), R"("state":"queued")")) << shown();
  const auto running = host.start(1);
  EXPECT_TRUE(has(shown(), R"("state":"running","counts":{"queued":2,"running":1,)")) << shown();
  host.settle(running, OutcomeKind::Succeeded, "{}");
  EXPECT_TRUE(has(shown(), R"("progress":{"fraction":0.333)")) << shown();
  EXPECT_TRUE(has(shown(), R"("done":1,"total":3}})")) << shown();
  EXPECT_EQ(rows(host.call("GET", "/api/v1/jobs?batch=" + id).body), 3);
  EXPECT_EQ(host.call("DELETE", path).status, 409) << "jobs of it have not ended";
  const auto canceled = host.call("POST", path + "/cancel", R"({"reason":"enough"})");
  EXPECT_EQ(canceled.status, 200);
  EXPECT_TRUE(has(canceled.body, R"("state":"canceled")")) << canceled.body;
  EXPECT_TRUE(has(host.call("GET", "/api/v1/jobs/2").body, "enough"));
  EXPECT_TRUE(has(host.call("POST", path + "/retry").body, R"("state":"running","counts":{"queued":2,)"));
  EXPECT_EQ(host.call("POST", path + "/cancel").status, 200);
  EXPECT_EQ(host.call("DELETE", path).status, 204);
  EXPECT_EQ(host.call("GET", path).status, 404);
  EXPECT_EQ(host.call("GET", "/api/v1/jobs/1").status, 404);
}

TEST(NativeBatches, AreMadeWholeOrNotAtAll) {
  ApiHost host;
  const auto wrong =
      host.call("POST", "/api/v1/batches",
                R"({"name":"n","jobs":[{"type":"echo"},{"type":"resize","params":{"width":0}},{"type":"nonesuch"}]})");
  EXPECT_EQ(wrong.status, 422);
  EXPECT_TRUE(has(wrong.body, R"("pointer":"/jobs/1/params/width")")) << wrong.body;
  EXPECT_TRUE(has(wrong.body, R"("pointer":"/jobs/2/type")")) << wrong.body;
  const auto parent = host.call("POST", "/api/v1/batches", R"({"name":"n","jobs":[{"type":"echo","parent":99}]})");
  EXPECT_TRUE(has(parent.body, R"("pointer":"/jobs/0/parent")")) << parent.body;
  const auto label = host.call("POST", "/api/v1/batches", R"({"name":"n","jobs":[{"type":"echo","batch":"b"}]})");
  EXPECT_TRUE(has(label.body, R"("pointer":"/jobs/0/batch")")) << label.body;
  const auto nameless = host.call("POST", "/api/v1/batches", R"({"name":"","jobs":[{"type":"echo"}]})");
  EXPECT_TRUE(has(nameless.body, R"("pointer":"/name")")) << nameless.body;
  EXPECT_EQ(host.call("POST", "/api/v1/batches", R"({"name":"n","jobs":[]})").status, 422);
  EXPECT_EQ(host.call("GET", "/api/v1/batches").body, R"({"batches":[],"next_cursor":null})");
  EXPECT_EQ(host.call("GET", "/api/v1/jobs").body, R"({"jobs":[],"next_cursor":null})");
}

TEST(NativeBatches, AreMadeOnceByAnIdempotencyKey) {
  ApiHost host;
  const std::string body = R"({"name":"n","jobs":[{"type":"echo"}]})", key = "Idempotency-Key: k\r\n";
  const auto first = host.call("POST", "/api/v1/batches", body, key);
  const auto again = host.call("POST", "/api/v1/batches", body, key);
  EXPECT_EQ(first.status, 201);
  EXPECT_EQ(again.status, 200) << again.body;
  EXPECT_EQ(memberOf(first.body, "id"), memberOf(again.body, "id"));
  EXPECT_EQ(host.call("POST", "/api/v1/batches", R"({"name":"m","jobs":[{"type":"echo"}]})", key).status, 409);
}

TEST(NativeBatches, AreNewThoughTheirJobsWereThere) {
  ApiHost host;
  const std::string body = R"({"name":"n","jobs":[{"type":"echo","unique_key":"u"}]})";
  const auto first = host.call("POST", "/api/v1/batches", body);
  const auto second = host.call("POST", "/api/v1/batches", body, "Idempotency-Key: k\r\n");
  EXPECT_EQ(second.status, 201) << "another batch, without jobs: the job stays with the first";
  EXPECT_NE(memberOf(first.body, "id"), memberOf(second.body, "id"));
  const auto replay = host.call("POST", "/api/v1/batches", body, "Idempotency-Key: k\r\n");
  EXPECT_EQ(replay.status, 200);
  EXPECT_EQ(memberOf(replay.body, "id"), memberOf(second.body, "id"));
  EXPECT_EQ(replay.headers.at("location"), second.headers.at("location"));
}

TEST(NativeBatches, AreListedNewestFirstByPages) {
  ApiHost host;
  for (const char* name : {"one", "two", "three"}) {
    host.call("POST", "/api/v1/batches", R"({"name":")" + std::string(name) + R"(","jobs":[{"type":"echo"}]})");
  }
  const auto first = host.call("GET", "/api/v1/batches?limit=2").body;
  EXPECT_LT(first.find("three"), first.find("two"));
  EXPECT_FALSE(has(first, "\"one\""));
  const auto at = first.find("\"next_cursor\":") + 14;
  const auto second =
      host.call("GET", "/api/v1/batches?limit=2&cursor=" + first.substr(at, first.size() - at - 1)).body;
  EXPECT_TRUE(has(second, "\"one\"")) << second;
  EXPECT_TRUE(has(second, "\"next_cursor\":null")) << second;
  EXPECT_EQ(host.call("GET", "/api/v1/batches?limit=201").status, 400);
}

TEST(NativeBatches, AreNotDeletedInPart) {
  ApiHost host;
  const auto made = host.call("POST", "/api/v1/batches", R"({"name":"n","jobs":[{"type":"echo"},{"type":"echo"}]})");
  const auto path = "/api/v1/batches/" + memberOf(made.body, "id");
  const auto parent = host.start(1);
  ASSERT_EQ(host.call("POST", "/api/v1/jobs", R"({"type":"echo","parent":1})").status, 201);
  ASSERT_EQ(host.call("POST", "/api/v1/jobs/2/cancel").status, 200);
  const auto below = host.start(3);
  host.settle(parent, OutcomeKind::Failed, {}, core::JobError{core::ErrorClass::Permanent, "boom", "it broke", {}});
  ASSERT_EQ(memberOf(host.call("GET", path).body, "state"), "failed");
  const auto refused = host.call("DELETE", path);
  EXPECT_EQ(refused.status, 409);
  EXPECT_TRUE(has(refused.body, "below job 1 of the batch")) << refused.body;
  EXPECT_EQ(host.call("GET", "/api/v1/jobs/2").status, 200) << "all is looked at before anything goes";
  host.settle(below, OutcomeKind::Canceled);
  EXPECT_EQ(host.call("DELETE", path).status, 204);
  EXPECT_EQ(host.call("GET", "/api/v1/jobs/3").status, 404);
}

TEST(NativeBatches, SayWhatWentWhenTheyStay) {
  ApiHost host;
  const auto made = host.call("POST", "/api/v1/batches", R"({"name":"n","jobs":[{"type":"echo"},{"type":"echo"}]})");
  const auto path = "/api/v1/batches/" + memberOf(made.body, "id");
  ASSERT_EQ(host.call("POST", path + "/cancel").status, 200);
  const auto part = host.call("DELETE", path + "?cursor=2");
  EXPECT_EQ(part.status, 409) << "beyond the cursor there is but one of its jobs";
  EXPECT_TRUE(has(part.body, "1 jobs were deleted")) << part.body;
  EXPECT_EQ(host.call("GET", "/api/v1/jobs/1").status, 404);
  EXPECT_EQ(host.call("GET", "/api/v1/jobs/2").status, 200);
  EXPECT_EQ(host.call("DELETE", path).status, 204);
}

TEST(NativeBatches, AreDeletedAThousandJobsAtATime) {
  ApiHost host;
  std::string jobs;
  for (int i = 0; i < 1001; ++i) jobs += std::string(i == 0 ? "" : ",") + R"({"type":"echo"})";
  const auto made = host.call("POST", "/api/v1/batches", R"({"name":"n","jobs":[)" + jobs + "]}");
  const auto path = "/api/v1/batches/" + memberOf(made.body, "id");
  EXPECT_TRUE(has(host.call("POST", path + "/cancel").body,
                  R"("total":1001},"matched":1001,"changed":1001,"next_cursor":null})"));
  const auto part = host.call("DELETE", path);
  EXPECT_EQ(part.status, 200);
  EXPECT_EQ(part.body, R"({"matched":1000,"changed":1000,"next_cursor":2})");
  EXPECT_EQ(host.call("GET", path).status, 200);
  EXPECT_EQ(host.call("DELETE", path + "?cursor=0").status, 400);
  EXPECT_EQ(host.call("DELETE", path + "?cursor=2").status, 204);
  EXPECT_EQ(host.call("GET", path).status, 404);
}

TEST(NativeBatches, CommandsGoOnFromACursor) {
  ApiHost host;
  const auto made = host.call("POST", "/api/v1/batches", R"({"name":"n","jobs":[{"type":"echo"},{"type":"echo"}]})");
  const auto path = "/api/v1/batches/" + memberOf(made.body, "id");
  EXPECT_TRUE(has(host.call("POST", path + "/cancel", R"({"cursor":1})").body, R"("matched":1,"changed":1,)"));
  EXPECT_EQ(memberOf(host.call("GET", "/api/v1/jobs/1").body, "state"), "queued") << "the cursor lay beyond it";
  EXPECT_EQ(host.call("POST", path + "/cancel", R"({"cursor":0})").status, 422);
  EXPECT_EQ(host.call("POST", "/api/v1/jobs/1/cancel", R"({"cursor":1})").status, 422) << "one job has none";
}

TEST(NativeBatches, OfOthersLeaveALineInTheAuditLog) {
  ApiHost host;
  const auto theirs = "/api/v1/batches/" + host.addBatchAs("user_1");
  const auto made = host.call("POST", "/api/v1/batches", R"({"name":"n","jobs":[{"type":"echo"}]})");
  const auto mine = "/api/v1/batches/" + memberOf(made.body, "id");
  for (const auto& path : {theirs, mine}) {
    EXPECT_EQ(host.call("POST", path + "/cancel").status, 200);
    EXPECT_EQ(host.call("POST", path + "/retry").status, 200);
    EXPECT_EQ(host.call("DELETE", path).status, 409);
    EXPECT_EQ(host.call("POST", path + "/cancel").status, 200);
    EXPECT_EQ(host.call("DELETE", path).status, 204);
  }
  const auto audit = [&](const std::string& action) {
    return host.call("GET", "/api/v1/audit?action=batches." + action).body;
  };
  const auto id = theirs.substr(theirs.rfind('/') + 1);
  for (const char* action : {"cancel", "retry", "delete"}) {
    EXPECT_TRUE(has(audit(action), R"("target":")" + id + "\"")) << audit(action);
    EXPECT_TRUE(has(audit(action), R"("owner":"user_1","matched":1,"changed":1,"next_cursor":null})")) << audit(action);
    EXPECT_FALSE(has(audit(action), mine.substr(mine.rfind('/') + 1))) << "one's own are nobody's business";
  }
  EXPECT_TRUE(has(audit("delete"), R"("error":"conflict")")) << audit("delete");
}

TEST(NativeBulk, CommandsRefuseAnIdempotencyKey) {
  ApiHost host;
  host.submit();
  const auto made = host.call("POST", "/api/v1/batches", R"({"name":"n","jobs":[{"type":"echo"}]})");
  const auto path = "/api/v1/batches/" + memberOf(made.body, "id");
  const std::string key = "Idempotency-Key: k\r\n", filter = R"({"filter":{"type":["echo"]}})";
  for (const auto& answer :
       {host.call("POST", "/api/v1/jobs/bulk/cancel", filter, key), host.call("POST", path + "/cancel", "", key),
        host.call("POST", path + "/retry", "", key), host.call("DELETE", path, "", key)}) {
    EXPECT_EQ(answer.status, 400);
    EXPECT_TRUE(has(answer.body, R"("pointer":"Idempotency-Key")")) << answer.body;
  }
  EXPECT_EQ(memberOf(host.call("GET", "/api/v1/jobs/1").body, "state"), "queued");
}

TEST(NativeBulk, RetriesAsManyAsTheQueueTakes) {
  jobs::SubmitLimits limits;
  limits.queued_per_type = 2;
  ApiHost host({}, limits);
  for (int i = 1; i <= 4; ++i) {
    host.submit();
    ASSERT_EQ(host.call("POST", "/api/v1/jobs/" + std::to_string(i) + "/cancel").status, 200);
  }
  const auto retry = [&](const std::string& more) {
    return host.call("POST", "/api/v1/jobs/bulk/retry", R"({"filter":{"type":["echo"]})" + more + "}");
  };
  EXPECT_EQ(retry("").body, R"({"matched":2,"changed":2,"next_cursor":3})") << "as far as it came";
  EXPECT_EQ(retry(R"(,"cursor":3)").status, 429);
  ASSERT_EQ(host.call("POST", "/api/v1/jobs/4/cancel").status, 200);
  EXPECT_EQ(retry(R"(,"cursor":3)").body, R"({"matched":1,"changed":1,"next_cursor":2})");
}

TEST(NativeBulk, FilesOfWhatIsBelowADeletedJobGoToo) {
  ApiHost host;
  for (const bool bulk : {false, true}) {
    const auto parent = host.submit();
    const auto running = host.start(parent);
    const auto id = std::to_string(parent);
    ASSERT_EQ(host.call("POST", "/api/v1/jobs", R"({"type":"resize","params":{"width":1},"parent":)" + id + "}").status,
              201);
    const auto log = core::jobPaths(host.data(), {parent + 1}).log;
    std::filesystem::create_directories(log.parent_path());
    std::ofstream(log) << "line";
    ASSERT_EQ(host.call("POST", "/api/v1/jobs/" + std::to_string(parent + 1) + "/cancel").status, 200);
    host.settle(running, OutcomeKind::Succeeded, "{}");
    const auto deleted = bulk ? host.call("POST", "/api/v1/jobs/bulk/delete", R"({"filter":{"type":["echo"]}})")
                              : host.call("DELETE", "/api/v1/jobs/" + id);
    EXPECT_EQ(deleted.status, bulk ? 200 : 204) << deleted.body;
    EXPECT_FALSE(std::filesystem::exists(log));
  }
}

TEST(NativeBulk, CommandsReachWhatTheFilterFindsAndNoMore) {
  ApiHost host;
  for (int i = 0; i < 5; ++i) host.submit("echo");
  host.submit("resize", R"({"width":1})");
  const auto bulk = [&](const std::string& command, const std::string& body) {
    return host.call("POST", "/api/v1/jobs/bulk/" + command, body);
  };
  EXPECT_EQ(bulk("cancel", R"({"filter":{"type":["echo"]},"limit":2,"reason":"why"})").body,
            R"({"matched":2,"changed":2,"next_cursor":2})");
  EXPECT_EQ(bulk("cancel", R"({"filter":{"type":["echo"]},"cursor":2})").body,
            R"({"matched":3,"changed":3,"next_cursor":null})");
  EXPECT_TRUE(has(host.call("GET", "/api/v1/jobs/1").body, "\"why\""));
  EXPECT_EQ(memberOf(host.call("GET", "/api/v1/jobs/6").body, "state"), "queued");
  EXPECT_EQ(bulk("cancel", R"({"filter":{"type":["echo"],"state":["canceled"]}})").body,
            R"({"matched":5,"changed":0,"next_cursor":null})")
      << "states that are named are those asked for, and found to have ended";
  EXPECT_EQ(bulk("retry", R"({"filter":{"type":["echo"]},"limit":3})").body,
            R"({"matched":3,"changed":3,"next_cursor":3})");
  EXPECT_EQ(bulk("retry", R"({"filter":{"type":["resize"]}})").body, R"({"matched":0,"changed":0,"next_cursor":null})");
  const auto log = core::jobPaths(host.data(), {2}).log;
  std::filesystem::create_directories(log.parent_path());
  std::ofstream(log) << "line";
  EXPECT_EQ(bulk("delete", R"({"filter":{"type":["echo"]}})").body, R"({"matched":2,"changed":2,"next_cursor":null})");
  EXPECT_EQ(host.call("GET", "/api/v1/jobs/2").status, 404);
  EXPECT_FALSE(std::filesystem::exists(log)) << "files go with the job";
  const auto audit = host.call("GET", "/api/v1/audit?action=jobs.bulk_delete").body;
  EXPECT_TRUE(has(audit, R"(","filter":{"type":["echo"]},"matched":2,"changed":2,"next_cursor":null})")) << audit;
}

TEST(NativeBulk, CancelsAWaitingParentBeforeItsChildrenLetItGoOn) {
  ApiHost host;
  const auto parent = host.submit();
  const auto running = host.start(parent);
  std::string children = "[";
  for (int i = 0; i < 250; ++i) {  // more than fit one transaction
    children += std::string(i == 0 ? "" : ",") + R"({"type":"echo","parent":)" + std::to_string(parent) + "}";
  }
  ASSERT_EQ(host.call("POST", "/api/v1/jobs/bulk", children + "]").status, 201);
  host.settle(running, OutcomeKind::Succeeded, "{}");
  const auto path = "/api/v1/jobs/" + std::to_string(parent);
  ASSERT_EQ(memberOf(host.call("GET", path).body, "state"), "waiting");
  EXPECT_EQ(host.call("POST", "/api/v1/jobs/bulk/cancel", R"({"filter":{"type":["echo"]}})").status, 200);
  EXPECT_EQ(memberOf(host.call("GET", path).body, "state"), "canceled");
}

TEST(NativeBulk, CommandsAskForAFilterThatSaysSomething) {
  ApiHost host;
  const auto refused = [&](const std::string& body) { return host.call("POST", "/api/v1/jobs/bulk/cancel", body); };
  EXPECT_TRUE(has(refused("{}").body, R"("pointer":"/filter")"));
  EXPECT_TRUE(has(refused(R"({"filter":{}})").body, "must name at least one condition"));
  EXPECT_TRUE(has(refused(R"({"filter":{"state":["gone"]}})").body, R"("pointer":"/filter/state")"));
  EXPECT_TRUE(has(refused(R"({"filter":{"colour":"red"}})").body, R"("pointer":"/filter/colour")"));
  EXPECT_TRUE(has(refused(R"({"filter":{"q":" "}})").body, R"("pointer":"/filter/q")"));
  // What a script's empty variable leaves must not widen the command to all that the other conditions find.
  for (const char* nothing : {R"("batch":"")", R"("tag":null)", R"("type":[])"}) {
    const auto answer = refused(std::string(R"({"filter":{"state":["queued"],)") + nothing + "}}");
    EXPECT_EQ(answer.status, 422) << nothing;
    EXPECT_TRUE(has(answer.body, "must say something, or be left out")) << answer.body;
  }
  EXPECT_TRUE(has(refused(R"({"filter":{"tag":"x"},"limit":10001})").body, R"("pointer":"/limit")"));
  EXPECT_EQ(refused(R"({"filter":{"tag":"x"},"limit":0})").status, 422);
  EXPECT_EQ(host.call("POST", "/api/v1/jobs/bulk/retry", R"({"filter":{"tag":"x"},"reason":"r"})").status, 422);
  EXPECT_EQ(refused("[").status, 400);
}

TEST(NativeSearch, LooksIntoTypesTagsParamsAndNotes) {
  ApiHost host;
  host.submit("echo", R"({"title":"The Silmarillion","n":100})");
  host.submit("echo", R"({"title":")" + std::string(3000, 'x') + R"( Unfinished Tales"})");
  host.call("POST", "/api/v1/jobs",
            R"({"type":"resize","params":{"width":1},"tags":["50%_done"],"notes":{"from":"Rivendell"}})");
  const auto found = [&](const std::string& q) { return rows(host.call("GET", "/api/v1/jobs?q=" + q).body); };
  EXPECT_EQ(found("silmarillion"), 1);
  EXPECT_EQ(found("unfinished"), 1) << "params that are too large for the row";
  EXPECT_EQ(found("title"), 2);
  EXPECT_EQ(found("title%20tales"), 1) << "each word must occur";
  EXPECT_EQ(found("resiz"), 1);
  EXPECT_EQ(found("rivendell"), 1);
  EXPECT_EQ(found("50%25_done"), 1);
  EXPECT_EQ(found("1%250"), 0) << "signs mean themselves";
  EXPECT_EQ(found("5__d"), 0);
  EXPECT_EQ(rows(host.call("GET", "/api/v1/jobs?q=title&type=resize").body), 0);
  EXPECT_EQ(host.call("GET", "/api/v1/jobs?q=").status, 400);
  EXPECT_EQ(host.call("GET", "/api/v1/jobs?q=" + std::string(201, 'a')).status, 400);
  EXPECT_EQ(host.call("GET", "/api/v1/jobs?q=a+b+c+d+e+f+g+h+i").status, 400);
}

TEST(NativeSearch, FindsJobsByTheirEnd) {
  ApiHost host;
  const auto early = host.submit();
  host.settle(host.start(early), OutcomeKind::Succeeded, "{}");
  host.clock().advance(1h);
  const auto late = host.submit();
  host.settle(host.start(late), OutcomeKind::Succeeded, "{}");
  host.submit();
  const auto finished = memberOf(host.call("GET", "/api/v1/jobs/" + std::to_string(late)).body, "finished_at");
  const auto after = host.call("GET", "/api/v1/jobs?finished_after=" + finished).body;
  EXPECT_EQ(rows(after), 1);
  EXPECT_TRUE(has(after, "\"id\":" + std::to_string(late) + ","));
  const auto before = host.call("GET", "/api/v1/jobs?finished_before=" + finished).body;
  EXPECT_EQ(rows(before), 1);
  EXPECT_TRUE(has(before, "\"id\":" + std::to_string(early) + ","));
}

TEST(NativeMetrics, TellQueuesAndDurationsByType) {
  ApiHost host;
  host.submit("echo");
  host.submit("resize", R"({"width":1})");
  telemetry::metrics().observeAttempt("echo", 0.5);
  const auto answer = host.call("GET", "/api/v1/metrics");
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(
      has(answer.body, R"("queues":{"echo":{"queued":1,"running":0,"waiting":0,"suspended":0},"resize":{"queued":1,)"))
      << answer.body;
  EXPECT_TRUE(has(answer.body, R"("job_types":{"echo":{"count":)")) << answer.body;
  EXPECT_TRUE(has(answer.body, R"("jobhost_http_requests_total":)"));
  EXPECT_TRUE(has(host.call("GET", "/metrics").body, R"(jobhost_job_attempt_seconds_count{type="echo"} )"));
  const auto open = host.bare("GET", "/metrics").body;
  EXPECT_TRUE(has(open, "jobhost_jobs_submitted_total "));
  EXPECT_FALSE(has(open, "echo")) << "what kinds of jobs there are is not for everybody";
  const auto own = host.addKey(R"({"name":"own","privileges":["read_jobs"]})");
  EXPECT_EQ(has(host.bare("GET", "/metrics", "", "X-API-Key: " + own + "\r\n").body, "echo"),
            host.bare("GET", "/api/v1/metrics", "", "X-API-Key: " + own + "\r\n").status == 200)
      << "both tell types to whom they tell of everybody's jobs";
}

TEST(NativeMetrics, ATypeCalledOtherIsNotTheRestOfThem) {
  telemetry::Metrics metrics;
  metrics.observeAttempt("other", 1);
  for (std::size_t i = 0; i < telemetry::Metrics::kTypes + 50; ++i) metrics.observeAttempt(std::to_string(i), 1);
  const auto all = metrics.snapshot();
  EXPECT_EQ(all.job_types.size(), telemetry::Metrics::kTypes);
  EXPECT_EQ(all.other_job_types.count, 51);
  for (const auto& [type, summary] : all.job_types) EXPECT_EQ(summary.count, 1) << type;
  EXPECT_TRUE(has(metrics.expose(), "jobhost_job_attempt_seconds_count{type=\"other\"} 1\n"));
  EXPECT_TRUE(has(metrics.expose(), "jobhost_job_attempt_seconds_count{type=\"\"} 51\n"));
  EXPECT_FALSE(has(metrics.expose(false), "type="));
}

TEST(NativeMetrics, QuantilesLieInTheirBuckets) {
  telemetry::Metrics metrics;
  for (int i = 0; i < 98; ++i) metrics.observeAttempt("t", 0.010);
  metrics.observeAttempt("t", 3.0);
  metrics.observeAttempt("t", 100'000.0);
  const auto all = metrics.snapshot();
  ASSERT_EQ(all.job_types.size(), 1U);
  const auto& summary = all.job_types[0].second;
  EXPECT_EQ(summary.count, 100);
  EXPECT_NEAR(summary.sum, 100'003.98, 0.01);
  EXPECT_GT(summary.p50, 0.008);
  EXPECT_LE(summary.p50, 0.016);
  EXPECT_GT(summary.p99, 2.0);
  EXPECT_LE(summary.p99, 4.1);
  for (std::size_t i = 0; i < telemetry::Metrics::kTypes + 50; ++i) metrics.observeAttempt(std::to_string(i), 1);
  EXPECT_LE(metrics.snapshot().job_types.size(), telemetry::Metrics::kTypes + 1) << "types come from plugins";
  EXPECT_EQ(telemetry::Metrics().snapshot().timers[0].second.p99, 0);
}

}  // namespace
}  // namespace jobhost::test
