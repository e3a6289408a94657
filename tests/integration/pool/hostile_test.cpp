// No plugin can hurt the host: each case ends its own job with a precise error and the next job runs.
#include <algorithm>
#include <csignal>

#include "core/sanitized.hpp"
#include "pool_fixture.hpp"

namespace jobhost::pool {
namespace {

using Kind = dispatch::AttemptEnd::Kind;

struct Crash {
  const char* name;
  const char* how;
  const char* code;
  const char* message;  ///< a part of it
  int signal;           ///< 0: none expected
};

void PrintTo(const Crash& crash, std::ostream* out) {
  *out << crash.name;
}

class Hostile : public PoolTest, public testing::WithParamInterface<Crash> {};

TEST_P(Hostile, EndsItsOwnJobWithAPreciseErrorAndTheNextJobRuns) {
  const auto& crash = GetParam();
  if (crash.how == std::string("half_frame")) {
    auto options = defaultOptions(data_);
    options.stall_timeout = core::Millis(300);
    restart(options);
  }
  const auto end = run("crash", std::string(R"({"how":")") + crash.how + "\"}");
  EXPECT_EQ(end.kind, Kind::Failed);
  ASSERT_TRUE(end.error);
  EXPECT_EQ(end.error->code, crash.code) << end.error->message;
  EXPECT_NE(end.error->message.find(crash.message), std::string::npos) << end.error->message;
  EXPECT_EQ(end.error->error_class, core::ErrorClass::Internal);
  EXPECT_NE(logOf(end.id).find(crash.code == std::string("plugin_crashed") ? "signal" : "plugin"), std::string::npos);
  if (crash.signal != 0) {
    ASSERT_TRUE(end.exit);
    EXPECT_EQ(end.exit->signal, crash.signal);
    EXPECT_NE(end.error->details_json.find("\"last_calls\":[{"), std::string::npos) << end.error->details_json;
    EXPECT_GT(end.usage.peak_rss_bytes, 0);
  }
  expectStillWorks();
  expectNothingLeft();
}

INSTANTIATE_TEST_SUITE_P(
    , Hostile,
    testing::Values(Crash{"Segv", "segv", "plugin_crashed", "signal 11 (SIGSEGV)", SIGSEGV},
                    Crash{"Bus", "bus", "plugin_crashed", "signal 7 (SIGBUS)", SIGBUS},
                    Crash{"Abort", "abort", "plugin_crashed", "signal 6 (SIGABRT)", SIGABRT},
                    Crash{"Fpe", "fpe", "plugin_crashed", "signal 8 (SIGFPE)", SIGFPE},
                    Crash{"Ill", "ill", "plugin_crashed", "signal 4 (SIGILL)", SIGILL},
                    Crash{"ExitZero", "exit0", "plugin_exited", "exit code 0", 0},
                    Crash{"UnderscoreExit", "_exit", "plugin_exited", "exit code 3", 0},
                    Crash{"Exception", "exception", "plugin_crashed", "signal 6 (SIGABRT)", SIGABRT},
                    Crash{"StackOverflow", "stack_overflow", "plugin_crashed", "signal 11 (SIGSEGV)", SIGSEGV},
                    Crash{"ThreadSegv", "thread_segv", "plugin_crashed", "signal 11 (SIGSEGV)", SIGSEGV},
                    Crash{"KillsItself", "kill_self", "plugin_crashed", "signal 9 (SIGKILL)", SIGKILL},
                    Crash{"GarbageFrames", "garbage_frames", "plugin_protocol_error", "frame", 0},
                    Crash{"HalfFrame", "half_frame", "plugin_protocol_error", "in the middle of a frame", 0},
                    Crash{"HugeFrame", "huge_frame", "plugin_protocol_error", "2147483647", 0},
                    Crash{"ForgedDone", "forged_done", "plugin_protocol_error", "DONE", 0},
                    Crash{"ClosesItsSocket", "close_socket", "plugin_closed_connection", "closed the connection", 0},
                    Crash{"ClosesAllFds", "close_fds", "plugin_closed_connection", "closed the connection", 0}),
    [](const auto& one) { return one.param.name; });

class Hog : public PoolTest {};

TEST_F(Hog, ThatLoopsWithoutHeedingCancelIsKilledAfterItsGrace) {
  publish([](catalog::JobTypeInfo& type) { type.cancel_grace = core::Millis(200); });
  const auto id = start("hog", R"({"what":"cpu_deaf"})");
  ASSERT_TRUE(recorder_.waitForStart(id));
  pool_->stop(id, dispatch::StopReason::TimedOut);
  const auto end = recorder_.waitForEnd(id);
  EXPECT_EQ(end.kind, Kind::Stopped);
  EXPECT_TRUE(end.forced);
  ASSERT_TRUE(end.exit);
  EXPECT_TRUE(end.exit->signal == SIGTERM || end.exit->signal == SIGKILL);
  expectStillWorks();
  expectNothingLeft();
}

TEST_F(Hog, ThatHeedsCancelStopsByItself) {
  const auto id = start("hog", R"({"what":"cpu"})");
  ASSERT_TRUE(recorder_.waitForStart(id));
  pool_->stop(id, dispatch::StopReason::Canceled);
  const auto end = recorder_.waitForEnd(id);
  EXPECT_EQ(end.kind, Kind::Stopped);
  EXPECT_FALSE(end.forced);
  expectStillWorks();
}

TEST_F(Hog, ThatEatsTenGigabytesMeetsTheAddressSpaceLimit) {
  if (core::kSanitized) GTEST_SKIP() << "sanitizers need the address space";
  auto options = defaultOptions(data_);
  options.memory_bytes = 1LL << 30;
  restart(options);
  const auto end = run("hog", R"({"what":"memory"})");
  EXPECT_EQ(end.kind, Kind::Failed);
  ASSERT_TRUE(end.error);
  EXPECT_EQ(end.error->code, "out_of_memory") << end.error->message;
  EXPECT_EQ(end.error->error_class, core::ErrorClass::Resource);
  EXPECT_LT(end.usage.peak_rss_bytes, 1LL << 30);
  expectStillWorks();
  expectNothingLeft();
}

TEST_F(Hog, ThatUsesMoreMemoryThanAllowedIsEnded) {
  if (core::kSanitized) GTEST_SKIP() << "sanitizers need the memory";
  publish([](catalog::JobTypeInfo& type) { type.limits.memory_bytes = 64 << 20; });
  auto options = defaultOptions(data_);
  options.memory_bytes = 64 << 20;
  restart(options);
  const auto end = run("hog", R"({"what":"touched_memory","hold_ms":60000})");
  EXPECT_EQ(end.kind, Kind::Failed);
  ASSERT_TRUE(end.error);
  EXPECT_EQ(end.error->code, "memory_limit") << end.error->message;
  EXPECT_NE(end.error->message.find("at most 64 MiB"), std::string::npos) << end.error->message;
  EXPECT_EQ(end.error->error_class, core::ErrorClass::Resource);
  EXPECT_NE(logOf(end.id).find("at most 64 MiB"), std::string::npos) << logOf(end.id);
  expectStillWorks();
  expectNothingLeft();
}

TEST_F(Hog, ThatStartsTooManyProcessesIsEndedWithAllOfThem) {
  publish([](catalog::JobTypeInfo& type) { type.limits.processes = 8; });
  auto options = defaultOptions(data_);
  options.processes = 8;
  restart(options);
  const auto end = run("hog", R"({"what":"forks","amount":64,"hold_ms":60000})");
  EXPECT_EQ(end.kind, Kind::Failed);
  ASSERT_TRUE(end.error);
  EXPECT_EQ(end.error->code, "process_limit");
  EXPECT_NE(end.error->message.find("more than the 8 processes"), std::string::npos) << end.error->message;
  EXPECT_EQ(strangers(), 0) << "what it started is gone before its end is told";
  expectStillWorks();
  expectNothingLeft();
}

TEST_F(Hog, ThatStartsProcessesAndReturnsLosesThem) {
  const auto end = run("hog", R"({"what":"forks","amount":64})");
  EXPECT_EQ(end.kind, Kind::Succeeded);
  EXPECT_NE(logOf(end.id).find("64 processes it left behind were ended"), std::string::npos) << logOf(end.id);
  EXPECT_EQ(strangers(), 0);
  expectStillWorks();
  expectNothingLeft();
}

TEST_F(Hog, ThatLeavesProcessesBehindLosesThem) {
  const auto end = run("hog", R"({"what":"orphans","amount":3})");
  EXPECT_EQ(end.kind, Kind::Succeeded);
  EXPECT_NE(logOf(end.id).find("3 processes it left behind were ended"), std::string::npos) << logOf(end.id);
  expectStillWorks();
  expectNothingLeft();
}

TEST_F(Hog, ThatLeavesThreadsBehindGetsAFreshRunnerForTheNextJob) {
  const auto end = run("hog", R"({"what":"threads"})");
  EXPECT_EQ(end.kind, Kind::Succeeded);
  expectStillWorks();
  expectNothingLeft();
}

TEST_F(Hog, ThatLogsAMillionLinesIsCutShort) {
  auto options = defaultOptions(data_);
  options.max_log_bytes = 1 << 20;
  restart(options);
  const auto end = run("hog", R"({"what":"log_lines"})");
  EXPECT_EQ(end.kind, Kind::Succeeded);
  const auto log = logOf(end.id);
  EXPECT_LT(log.size(), std::size_t{2} << 20);
  EXPECT_NE(log.find("lines dropped"), std::string::npos);
  expectStillWorks();
}

TEST_F(Hog, ThatPrintsAMillionLinesIsCutShort) {
  auto options = defaultOptions(data_);
  options.max_log_bytes = 1 << 20;
  restart(options);
  const auto end = run("hog", R"({"what":"stdout_lines"})");
  EXPECT_EQ(end.kind, Kind::Succeeded);
  const auto log = logOf(end.id);
  EXPECT_LT(log.size(), std::size_t{2} << 20);
  EXPECT_NE(log.find("\"level\":\"stdout\""), std::string::npos);
  EXPECT_NE(log.find("lines dropped"), std::string::npos);
  expectStillWorks();
}

TEST_F(Hog, ThatMakesAHundredMegabyteResultFails) {
  const auto end = run("hog", R"({"what":"result_bytes"})");
  EXPECT_EQ(end.kind, Kind::Failed);
  ASSERT_TRUE(end.error);
  EXPECT_EQ(end.error->code, "limit");
  EXPECT_EQ(end.error->error_class, core::ErrorClass::Resource);
  EXPECT_NE(end.error->message.find("over the limit of 1048576"), std::string::npos) << end.error->message;
  EXPECT_TRUE(end.result_json.empty());
  expectStillWorks();
}

TEST_F(Hog, ThatWritesMoreOutputThanItMayFails) {
  auto options = defaultOptions(data_);
  options.max_output_bytes = 1 << 20;
  restart(options);
  const auto end = run("hog", R"({"what":"output_bytes","amount":8388608})");
  EXPECT_EQ(end.kind, Kind::Failed);
  ASSERT_TRUE(end.error);
  EXPECT_EQ(end.error->code, "limit");
  EXPECT_FALSE(std::filesystem::exists(core::jobPaths(data_, end.id).output));
  expectStillWorks();
}

class Misbehaving : public PoolTest {};

TEST_F(Misbehaving, ProgressThatIsNotANumberCountsAsNone) {
  const auto end = run("misbehave", R"({"how":"nan_progress"})");
  EXPECT_EQ(end.kind, Kind::Succeeded) << (end.error ? end.error->message : "");
  for (const auto& progress : recorder_.progress(end.id)) {
    EXPECT_TRUE(progress.fraction == -1.0 || (progress.fraction >= 0.0 && progress.fraction <= 1.0));
  }
  expectStillWorks();
}

TEST_F(Misbehaving, OutputNamesThatLeaveTheFolderAreRefused) {
  const auto end = run("misbehave", R"({"how":"bad_names"})");
  EXPECT_EQ(end.kind, Kind::Succeeded);
  EXPECT_TRUE(end.outputs.empty());
  expectStillWorks();
}

TEST_F(Misbehaving, LinksInTheOutputFolderAreNotFollowed) {
  const auto end = run("misbehave", R"({"how":"symlink_output"})");
  EXPECT_FALSE(std::filesystem::exists("/tmp/escaped.txt"));
  const auto folder = core::jobPaths(data_, end.id).output;
  if (std::filesystem::exists(folder)) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) EXPECT_FALSE(entry.is_symlink());
  }
  expectStillWorks();
}

TEST_F(Misbehaving, CallsAfterTheEndOfTheJobChangeNothing) {
  const auto end = run("misbehave", R"({"how":"late_thread"})");
  EXPECT_EQ(end.kind, Kind::Succeeded);
  EXPECT_EQ(end.result_json, "\"on time\"");
  expectStillWorks();
  expectNothingLeft();
}

TEST_F(Misbehaving, EndingTheThreadItRunsOnIsAFailureAndCostsItsProcess) {
  for (const char* how : {"pthread_exit", "pthread_exit_without_tables"}) {
    const auto end = run("misbehave", std::string(R"({"how":")") + how + "\"}");
    EXPECT_EQ(end.kind, Kind::Failed);
    ASSERT_TRUE(end.error);
    EXPECT_EQ(end.error->code, "thread_ended") << how;
    EXPECT_EQ(end.error->error_class, core::ErrorClass::Internal);
  }
  expectStillWorks();
  expectNothingLeft();
}

TEST_F(Misbehaving, EndingAsCanceledWithoutBeingAskedIsAFailure) {
  const auto end = run("misbehave", R"({"how":"cancelled_unasked"})");
  EXPECT_EQ(end.kind, Kind::Failed);
  ASSERT_TRUE(end.error);
  EXPECT_EQ(end.error->code, "cancelled_unasked");
  expectStillWorks();
}

}  // namespace
}  // namespace jobhost::pool
