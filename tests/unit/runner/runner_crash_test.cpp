// Plugins that break the rules: what the host gets to see.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>

#include "jobhost/json.hpp"
#include "runner_driver.hpp"

namespace jobhost::runner {
namespace {

using testing::HasSubstr;
using wire::DoneStatus;
using wire::FrameType;

struct Crash {
  const char* how;
  int signal;
};

class RunnerCrash : public testing::TestWithParam<Crash> {};

TEST_P(RunnerCrash, EndsBySignalWithAReportOnTheStatusPage) {
  RunnerDriver host;
  host.startTestkit();
  host.run("crash", std::string(R"({"how":")") + GetParam().how + "\"}");
  const int status = host.waitForExit();
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_EQ(WTERMSIG(status), GetParam().signal);
  const auto& page = host.page();
  ASSERT_EQ(page.crash_state.load(), 2U);
  EXPECT_EQ(page.crash_signal.load(), GetParam().signal);
  EXPECT_EQ(page.job_id.load(), 1001U);
  const std::string frames(page.crash_text, page.crash_text_bytes.load());
  EXPECT_THAT(frames, HasSubstr("#0 "));
  if (GetParam().signal != SIGABRT) {
    EXPECT_THAT(frames, HasSubstr("testkit.so+0x"));
  }
  const auto last = page.crumbs[(page.crumb_count.load() - 1) % wire::StatusPage::kCrumbs].call.load() & 0xffff;
  EXPECT_NE(last, 0U);
}

INSTANTIATE_TEST_SUITE_P(Ways, RunnerCrash,
                         testing::Values(Crash{"segv", SIGSEGV}, Crash{"bus", SIGBUS}, Crash{"abort", SIGABRT},
                                         Crash{"fpe", SIGFPE}, Crash{"ill", SIGILL}, Crash{"exception", SIGABRT},
                                         Crash{"stack_overflow", SIGSEGV}, Crash{"thread_segv", SIGSEGV}),
                         [](const auto& test) { return std::string(test.param.how); });

TEST(RunnerExit, IsSeenAsTheEndOfTheStreamWithoutADone) {
  for (const auto& [how, code] : {std::pair("exit0", 0), std::pair("_exit", 3)}) {
    RunnerDriver host;
    host.startTestkit();
    host.run("crash", std::string(R"({"how":")") + how + "\"}");
    const int status = host.waitForExit();
    ASSERT_TRUE(WIFEXITED(status)) << how;
    EXPECT_EQ(WEXITSTATUS(status), code);
    for (const auto& message : host.seen) EXPECT_NE(message.type, FrameType::Done);
  }
}

TEST(RunnerExit, FollowsWhenThePluginEndsTheJobThread) {
  for (const char* how : {"pthread_exit", "pthread_exit_without_tables"}) {
    RunnerDriver host;
    host.startTestkit();
    const auto done = host.runAndWait("misbehave", std::string(R"({"how":")") + how + "\"}");
    EXPECT_EQ(done.status, DoneStatus::Failed) << how;
    EXPECT_EQ(done.error_code, "thread_ended") << how;
    EXPECT_THAT(std::string(done.error_message), HasSubstr("pthread_exit"));
    const int status = host.waitForExit();
    EXPECT_TRUE((WIFEXITED(status) && WEXITSTATUS(status) == 72) || WIFSIGNALED(status)) << how << " " << status;
  }
}

TEST(RunnerExit, FollowsWhenThePluginClosesItsDescriptors) {
  RunnerDriver host;
  host.startTestkit();
  host.run("crash", R"({"how":"close_fds"})");
  host.waitForExit();
}

TEST(RunnerRules, CleansProgressThatIsNoNumber) {
  RunnerDriver host;
  host.startTestkit();
  EXPECT_EQ(host.runAndWait("misbehave", R"({"how":"nan_progress"})").status, DoneStatus::Succeeded);
  for (const auto& message : host.seen) {
    wire::Progress progress;
    if (message.type == FrameType::Progress) {
      EXPECT_TRUE(decode(message.payload, progress));
    }
  }
}

TEST(RunnerRules, RefusesBadOutputNames) {
  RunnerDriver host;
  host.startTestkit();
  const auto done = host.runAndWait("misbehave", R"({"how":"bad_names"})");
  EXPECT_EQ(done.result_json, R"({"codes":[-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-3,-10,-10]})");
  EXPECT_TRUE(done.outputs.empty());
}

TEST(RunnerRules, RefusesLinksOutOfTheOutputFolder) {
  RunnerDriver host;
  host.startTestkit();
  const auto done = host.runAndWait("misbehave", R"({"how":"symlink_output"})");
  EXPECT_EQ(done.result_json, R"({"publish":-3,"commit":-7})");
  EXPECT_TRUE(done.outputs.empty());
}

TEST(RunnerRules, AnswersMisuseToJobsThatEndedOrNeverWere) {
  RunnerDriver host;
  host.startTestkit();
  host.runAndWait("misbehave", R"({"how":"stale_job"})");
  EXPECT_EQ(host.runAndWait("misbehave", R"({"how":"stale_job"})").result_json,
            R"({"progress":-10,"note":-10,"set_result":-10,"cancelled":3,"params":""})");
  EXPECT_EQ(host.runAndWait("misbehave", R"({"how":"garbage_job"})").result_json, R"({"codes":[-10,-10,-10,-3]})");
}

TEST(RunnerRules, RefusesResultsAndNotesThatAreNotJson) {
  RunnerDriver host;
  host.startTestkit();
  EXPECT_EQ(host.runAndWait("misbehave", R"({"how":"bad_json"})").result_json,
            R"({"codes":[-3,-3,-3,-3,-3,-3,-3,-3]})");
  EXPECT_EQ(host.runAndWait("misbehave", R"({"how":"huge_note"})").result_json, R"({"code":-6})");
}

TEST(RunnerRules, TurnsOddReturnValuesIntoErrors) {
  RunnerDriver host;
  host.startTestkit();
  EXPECT_EQ(host.runAndWait("misbehave", R"({"how":"bad_return"})").error_code, "bad_return");
  EXPECT_EQ(host.runAndWait("misbehave", R"({"how":"cancelled_unasked"})").error_code, "cancelled_unasked");
  EXPECT_EQ(host.runAndWait("misbehave", R"({"how":"no_error"})").error_message, "the plugin gave no reason");
  EXPECT_EQ(host.runAndWait("misbehave", R"({"how":"no_result"})").status, DoneStatus::Succeeded);
}

TEST(RunnerRules, IgnoresAThreadThatGoesOnAfterItsJob) {
  RunnerDriver host;
  host.startTestkit();
  const auto done = host.runAndWait("misbehave", R"({"how":"late_thread"})");
  EXPECT_EQ(done.result_json, "\"on time\"");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(host.runAndWait("echo", "{}").result_json, "{}");
}

TEST(RunnerRules, TellsOfThreadsLeftBehind) {
  RunnerDriver host;
  host.startTestkit();
  EXPECT_EQ(host.runAndWait("noop").flags & wire::kDoneLeftThreads, 0U);
  EXPECT_NE(host.runAndWait("hog", R"({"what":"threads"})").flags & wire::kDoneLeftThreads, 0U);
}

TEST(RunnerRules, TakesNoThreadThatWasJoinedForOneLeftBehind) {
  RunnerDriver host;
  host.startTestkit();
  int told = 0;
  for (int i = 0; i < 500; ++i) {
    const auto done = host.runAndWait("hog", R"({"what":"joined_threads","amount":16})");
    told += (done.flags & wire::kDoneLeftThreads) != 0 ? 1 : 0;
  }
  EXPECT_EQ(told, 0);
}

}  // namespace
}  // namespace jobhost::runner
