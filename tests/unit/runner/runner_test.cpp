// The real jobhost-runner with testkit, driven over a socketpair: what a host may expect of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "jobhost/json.hpp"
#include "runner_driver.hpp"

namespace jobhost::runner {
namespace {

using testing::HasSubstr;
using wire::DoneStatus;
using wire::FrameType;

std::string read(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Runner, RunsAJobAndAnswersItsResult) {
  RunnerDriver host;
  host.startTestkit();
  const auto done = host.runAndWait("echo", R"({"value":[1,"ä",null,9007199254740993]})");
  EXPECT_EQ(done.status, DoneStatus::Succeeded);
  EXPECT_EQ(done.result_json, R"({"value":[1,"ä",null,9007199254740993]})");
  EXPECT_GT(done.started_us, 0);
  EXPECT_GE(done.finished_us, done.started_us);
  EXPECT_GT(done.peak_rss_bytes, 0U);
}

TEST(Runner, RunsManyInFlightOneAfterAnotherInOrder) {
  RunnerDriver host;
  host.startTestkit();
  constexpr std::uint32_t kJobs = 5000;
  for (std::uint32_t i = 0; i < kJobs; ++i) host.run("noop");
  std::uint32_t expected = 1;
  while (expected <= kJobs) {
    const auto message = host.nextOf(FrameType::Done);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->job, expected++);
  }
}

TEST(Runner, GivesBackWhatHasNotStartedWhenRecalled) {
  RunnerDriver host;
  host.startTestkit();
  const auto running = host.run("sleep", R"({"ms":600000,"steps":1})");
  ASSERT_TRUE(host.nextOf(FrameType::Started));
  const auto second = host.run("noop");
  const auto third = host.run("noop");
  host.send(FrameType::Recall, 7, 0, wire::SlotList{});
  const auto recalled = host.nextOf(FrameType::Recalled);
  ASSERT_TRUE(recalled);
  EXPECT_EQ(recalled->id, 7U);
  wire::SlotList given;
  ASSERT_TRUE(decode(recalled->payload, given));
  EXPECT_EQ(given.slots, (std::vector<std::uint32_t>{second, third}));
  host.cancel(running);
  EXPECT_EQ(host.done(running).status, DoneStatus::Canceled);
}

TEST(Runner, StopsAJobThatIsCancelledAndSaysSo) {
  RunnerDriver host;
  host.startTestkit();
  const auto slot = host.run("sleep", R"({"ms":600000,"steps":2})");
  ASSERT_TRUE(host.nextOf(FrameType::Started));
  host.cancel(slot);
  EXPECT_EQ(host.done(slot).status, DoneStatus::Canceled);
  EXPECT_EQ(host.runAndWait("noop").status, DoneStatus::Succeeded);
}

TEST(Runner, SeesACancelOnTheStatusPageWithoutAFrame) {
  RunnerDriver host;
  host.startTestkit();
  const auto slot = host.run("hog", R"({"what":"cpu"})");
  ASSERT_TRUE(host.nextOf(FrameType::Started));
  host.page().cancel.store(std::uint64_t{slot} << 8 | 2);
  EXPECT_EQ(host.done(slot).status, DoneStatus::Canceled);
}

TEST(Runner, DropsAQueuedJobThatIsCancelledWithoutStartingIt) {
  RunnerDriver host;
  host.startTestkit();
  const auto running = host.run("sleep", R"({"ms":600000,"steps":1})");
  ASSERT_TRUE(host.nextOf(FrameType::Started));
  const auto queued = host.run("noop");
  host.cancel(queued);
  const auto done = host.done(queued);
  EXPECT_EQ(done.status, DoneStatus::Canceled);
  EXPECT_EQ(done.started_us, 0);
  host.cancel(running);
  host.done(running);
}

TEST(Runner, AnswersPingWhileAJobIsDeaf) {
  RunnerDriver host;
  host.startTestkit();
  host.run("hog", R"({"what":"cpu_deaf"})");
  ASSERT_TRUE(host.nextOf(FrameType::Started));
  host.send(FrameType::Ping, 42, 0, wire::Ping{});
  const auto pong = host.nextOf(FrameType::Pong);
  ASSERT_TRUE(pong);
  EXPECT_EQ(pong->id, 42U);
}

TEST(Runner, TellsTheLastProgressBeforeDone) {
  RunnerDriver host;
  host.startTestkit();
  host.runAndWait("sleep", R"({"ms":0,"steps":1000})");
  int told = 0;
  wire::Progress last;
  for (const auto& message : host.seen) {
    if (message.type != FrameType::Progress) continue;
    ++told;
    ASSERT_TRUE(decode(message.payload, last));
  }
  EXPECT_EQ(last.done, 1000);
  EXPECT_EQ(last.message, "done");
  EXPECT_LT(told, 1000);
}

TEST(Runner, KeepsOutputsInputsAndTempApart) {
  RunnerDriver host;
  host.startTestkit();
  std::filesystem::create_directories(host.workDir() + "/in/1");
  std::ofstream(host.workDir() + "/in/1/a.txt") << "input text";
  const auto slot =
      host.run("files", R"({"outputs":[{"name":"deep/er/b.txt","text":"bb"}]})", 1, 0, {{"a.txt", "text/plain", 10}});
  const auto done = host.done(slot);
  ASSERT_EQ(done.status, DoneStatus::Succeeded) << done.error_message;
  ASSERT_EQ(done.outputs.size(), 3U);
  EXPECT_EQ(done.outputs[0].name, "by-path.txt");
  EXPECT_EQ(done.outputs[1].name, "copy/a.txt");
  EXPECT_EQ(done.outputs[1].size_bytes, 10U);
  EXPECT_EQ(done.outputs[2].name, "deep/er/b.txt");
  EXPECT_NE(done.flags & wire::kDoneHasWorkFiles, 0U);
  EXPECT_EQ(read(host.workDir() + "/out/1/copy/a.txt"), "input text");
  EXPECT_EQ(read(host.workDir() + "/out/1/deep/er/b.txt"), "bb");
  EXPECT_FALSE(std::filesystem::exists(host.workDir() + "/tmp/1"));
}

TEST(Runner, RefusesOutputsOverTheQuota) {
  RunnerDriver host;
  host.welcome.max_output_bytes = 1 << 20;
  host.startTestkit();
  const auto done = host.runAndWait("hog", R"({"what":"output_bytes","amount":8388608})");
  EXPECT_EQ(done.status, DoneStatus::Failed);
  EXPECT_EQ(done.error_code, "limit");
  EXPECT_THAT(done.error_message, HasSubstr("limit of 1048576 bytes"));
  EXPECT_TRUE(done.outputs.empty());
}

TEST(Runner, CarriesALargeResultInPartsAndRefusesOneOverTheLimit) {
  RunnerDriver host;
  host.startTestkit();
  const auto large = host.runAndWait("hog", R"({"what":"result_bytes","amount":5000000})");
  EXPECT_EQ(large.status, DoneStatus::Succeeded);
  EXPECT_EQ(large.result_json.size(), 5'000'000U + 11);
  const auto over = host.runAndWait("hog", R"({"what":"result_bytes","amount":100000000})");
  EXPECT_EQ(over.status, DoneStatus::Failed);
  EXPECT_EQ(over.error_code, "limit");
  EXPECT_EQ(over.error_class, 4);
}

TEST(Runner, DropsLogLinesOverTheRateAndSaysHowMany) {
  RunnerDriver host;
  host.welcome.log_burst = 10;
  host.welcome.log_lines_per_s = 1;
  host.startTestkit();
  const auto done = host.runAndWait("hog", R"({"what":"log_lines","amount":100000})");
  EXPECT_EQ(done.status, DoneStatus::Succeeded);
  EXPECT_GT(done.dropped_log_lines, 99'000U);
  EXPECT_THAT(host.logLines().back(), HasSubstr("log lines dropped"));
}

TEST(Runner, BlocksAFloodUntilTheHostGivesCredit) {
  RunnerDriver host;
  host.welcome.credit_bytes = 1000;
  host.startTestkit();
  const auto slot = host.run("hog", R"({"what":"notes","amount":100})");
  int notes = 0;
  std::size_t bytes = 0;
  while (notes < 100) {
    const auto message = host.nextOf(FrameType::Note);
    ASSERT_TRUE(message);
    ++notes;
    bytes += wire::kHeaderBytes + message->payload.size();
    if (bytes < 1000) continue;
    host.send(FrameType::Credit, 0, 0, wire::Credit{bytes});
    bytes = 0;
  }
  EXPECT_EQ(host.done(slot).status, DoneStatus::Succeeded);
}

TEST(Runner, AsksTheHostForSettingsAndChildren) {
  RunnerDriver host;
  std::vector<std::string> asked;
  host.on_call = [&](wire::Method method, const std::string& body) -> wire::Return {
    asked.push_back(std::to_string(static_cast<int>(method)) + " " + body);
    if (method == wire::Method::ConfigGet) return {0, {}, R"({"a":1})"};
    if (method == wire::Method::SecretGet) return {0, {}, "hush"};
    if (method == wire::Method::ChildSubmit) return {0, {}, R"({"id":77})"};
    if (method == wire::Method::ChildResult) return {0, {}, R"({"id":77,"state":"succeeded"})"};
    return {0, {}, {}};
  };
  host.startTestkit();
  EXPECT_EQ(host.runAndWait("settings").result_json, R"({"config":{"a":1},"token":"hush"})");
  EXPECT_EQ(host.runAndWait("spawn", R"({"children":1,"how":"wait"})").result_json,
            R"({"children":1,"states":["succeeded"]})");
  EXPECT_THAT(asked, testing::Contains(R"(16 {"type":"noop","params":{},"options":{"dedupe_key":"child-0"}})"));
  EXPECT_THAT(asked, testing::Contains(R"(17 {"ids":[77],"mode":"all","timeout_ms":-1})"));
  const auto suspended = host.runAndWait("spawn", R"({"children":2})");
  EXPECT_EQ(suspended.status, DoneStatus::Suspended);
  EXPECT_EQ(suspended.retry_after_ms, -1);
}

TEST(Runner, TellsWhenAJobWantsToRunAgainAndWhy) {
  RunnerDriver host;
  host.on_call = [](wire::Method method, const std::string&) -> wire::Return {
    return {method == wire::Method::CheckpointLoad ? JH_E_NOT_FOUND : 0, {}, {}};
  };
  host.startTestkit();
  const auto done = host.runAndWait("checkpoint", R"({"later_ms":1500})");
  EXPECT_EQ(done.status, DoneStatus::Suspended);
  EXPECT_EQ(done.retry_after_ms, 1500);
  EXPECT_EQ(done.error_message, "busy, says run 1");
}

TEST(Runner, EndsAWaitForChildrenWhenTheJobIsCancelled) {
  RunnerDriver host;
  host.startTestkit();
  const auto slot = host.run("spawn", R"({"children":1,"how":"wait"})");
  const auto submit = host.nextOf(FrameType::Call);
  ASSERT_TRUE(submit);
  host.send(FrameType::Return, submit->id, submit->job, wire::Return{0, {}, R"({"id":5})"});
  ASSERT_TRUE(host.nextOf(FrameType::Call));  // the wait, never answered
  host.cancel(slot);
  EXPECT_EQ(host.done(slot).status, DoneStatus::Canceled);
}

TEST(Runner, KeepsACheckpointOfManyMegabytes) {
  RunnerDriver host;
  std::string kept;
  host.on_call = [&](wire::Method method, const std::string& body) -> wire::Return {
    if (method == wire::Method::CheckpointSave) kept = body;
    return {0, {}, method == wire::Method::CheckpointLoad ? std::string_view(kept) : std::string_view()};
  };
  host.startTestkit();
  const std::string params = R"({"until":2,"bytes":16777216})";
  EXPECT_EQ(host.done(host.run("checkpoint", params)).error_message, "run 1");
  EXPECT_EQ(kept.size(), 16'777'216U);
  EXPECT_EQ(host.done(host.run("checkpoint", params, 2, wire::kRunHasCheckpoint)).result_json,
            R"({"runs":2,"rescues":0})");
}

TEST(Runner, PassesOnTheErrorOfAPlugin) {
  RunnerDriver host;
  host.startTestkit();
  const auto done =
      host.runAndWait("fail", R"({"class":6,"code":"http.503","message":"try later","retry_after_ms":1500})");
  EXPECT_EQ(done.status, DoneStatus::Failed);
  EXPECT_EQ(done.error_class, 6);
  EXPECT_EQ(done.error_code, "http.503");
  EXPECT_EQ(done.error_message, "try later");
  EXPECT_EQ(done.retry_after_ms, 1500);
  EXPECT_EQ(host.runAndWait("fail", R"({"throw":true})").error_code, "exception");
  EXPECT_THAT(host.runAndWait("sleep", R"({"ms":"x"})").error_message, HasSubstr("/ms: must be an integer"));
}

TEST(Runner, DrainsWhatItHasAndSaysGoodbye) {
  RunnerDriver host;
  host.startTestkit();
  const auto first = host.run("noop");
  const auto second = host.run("noop");
  host.send(FrameType::Drain, 0, 0, wire::Ping{});
  EXPECT_EQ(host.done(first).status, DoneStatus::Succeeded);
  EXPECT_EQ(host.done(second).status, DoneStatus::Succeeded);
  ASSERT_TRUE(host.nextOf(FrameType::Bye));
  const int status = host.waitForExit();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(Runner, EndsWithItsGroupWhenTheHostGoes) {
  RunnerDriver host;
  host.startTestkit();
  host.run("hog", R"({"what":"cpu_deaf"})");
  ASSERT_TRUE(host.nextOf(FrameType::Started));
  const pid_t pid = host.pid();
  host.closeSocket();
  siginfo_t info{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(info.si_status, SIGKILL);
}

TEST(Runner, LeavesWhenTheHostSpeaksNonsense) {
  RunnerDriver host;
  host.startTestkit();
  host.sendBytes(std::string(64, '\xff'));
  host.waitForExit();
}

TEST(Runner, SaysWhyAPluginWasNotLoaded) {
  struct Case {
    std::string path;
    std::string manifest;
    std::string code;
  };
  const std::string text_file = std::string(JOBHOST_SOURCE_DIR) + "/CMakeLists.txt";
  const std::string testkit = std::string(JOBHOST_TEST_PLUGIN_DIR) + "/testkit.so";
  const Case cases[] = {{"/nowhere/at-all.so", "", "load_failed"},
                        {text_file, "", "not_a_library"},
                        {"/lib/x86_64-linux-gnu/libm.so.6", "", "no_entry"},
                        {testkit, R"({"id":"another"})", "manifest_differs"}};
  for (const auto& item : cases) {
    if (!std::filesystem::exists(item.path) && item.code == "no_entry") continue;
    RunnerDriver host;
    const auto answer = host.start(item.path, item.manifest);
    wire::LoadFailed failed;
    ASSERT_EQ(answer.type, FrameType::LoadFailed) << item.path;
    ASSERT_TRUE(decode(answer.payload, failed));
    EXPECT_EQ(failed.code, item.code) << failed.message;
    EXPECT_FALSE(failed.message.empty());
  }
}

}  // namespace
}  // namespace jobhost::runner
