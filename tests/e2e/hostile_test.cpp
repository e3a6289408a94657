// No plugin can hurt the host: each way to misbehave, asked for through REST from a real host. The job ends with an
// error that names what it did, its log tells the story, a job beside it is not disturbed, the next one runs, and
// nothing is left.

#include <csignal>
#include <filesystem>
#include <sstream>

#include <gmock/gmock.h>

#include <Poco/JSON/Array.h>

#include "core/sanitized.hpp"
#include "e2e/host_process.hpp"

namespace jobhost::e2e {
namespace {
namespace fs = std::filesystem;
using testing::HasSubstr;

using core::kSanitized;

std::size_t entriesIn(const fs::path& folder) {
  std::error_code absent;
  fs::directory_iterator all(folder, absent);
  return absent ? 0 : static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

class HostileTest : public testing::Test {
 protected:
  HostileTest()
      : host_({.data = folder_ / "data",
               .plugins = {},
               .set = {"plugins.early_crashes=1000", "runner.max_per_plugin=2", "runner.max_total=2",
                       "runner.processes=16", "runner.memory_mb=768", "runner.log_bytes=1048576",
                       "runner.result_bytes=1048576", "runner.output_mb=1"},
               .wrapper = {}}) {}

  void SetUp() override {
    ASSERT_TRUE(host_.start()) << host_.log();
    ASSERT_EQ(text(host_.waitForEnd(*host_.submit("noop")), "state"), "succeeded");
    const auto beside = host_.submit("sleep", R"({"ms":600000,"steps":60000})");
    ASSERT_TRUE(beside);
    beside_ = *beside;
    ASSERT_TRUE(host_.waitForEvent(beside_, "started"));
    ASSERT_EQ(text(host_.waitForEnd(*host_.submit("noop")), "state"), "succeeded");
    EXPECT_EQ(host_.get("/api/v1/jobs/" + std::to_string(beside_) + "/logs").status / 100, 2);
    ASSERT_TRUE(HostProcess::eventually([&] { return host_.otherProcesses().size() == 2; }));
    files_before_ = host_.openFiles();
  }

  Poco::JSON::Object::Ptr run(const std::string& type, const std::string& params) {
    const auto id = host_.submit(type, params);
    EXPECT_TRUE(id);
    return id ? host_.waitForEnd(*id) : nullptr;
  }

  [[nodiscard]] std::string logOf(std::int64_t id) const {
    std::string all;
    for (;;) {
      const auto part = host_.get("/api/v1/jobs/" + std::to_string(id) + "/logs?offset=" + std::to_string(all.size()));
      if (part.status != 200 || part.body.empty()) return all;
      all += part.body;
    }
  }
  [[nodiscard]] std::string logOf(const Poco::JSON::Object::Ptr& job) const {
    return logOf(job->getValue<std::int64_t>("id"));
  }

  /// The job beside still runs its first attempt and reports; a job after it runs; processes, files and work folders
  /// are those of two warm runners; and when the host stops nothing is left at all.
  void expectUnhurt() {
    const auto beside = host_.job(beside_);
    ASSERT_TRUE(beside);
    EXPECT_EQ(text(beside, "state"), "running");
    EXPECT_EQ(text(beside, "attempt"), "1");
    EXPECT_EQ(text(beside, "error"), "");
    EXPECT_TRUE(host_.waitForEvent(beside_, "progress")) << "the job beside stands still";
    EXPECT_EQ(text(run("noop", "{}"), "state"), "succeeded");
    EXPECT_EQ(host_.get("/readyz").status, 200);

    EXPECT_TRUE(HostProcess::eventually([&] { return host_.otherProcesses().size() <= 2; }))
        << host_.otherProcesses().size() << " processes";
    EXPECT_TRUE(HostProcess::eventually([&] { return entriesIn(folder_ / "data/work") <= 2; }))
        << entriesIn(folder_ / "data/work") << " work folders";
    const std::size_t symbolizer = kSanitized ? 2 : 0;  // a sanitizer's helper, whose pipes stay open
    EXPECT_TRUE(HostProcess::eventually([&] { return host_.openFiles() <= files_before_ + symbolizer; }))
        << host_.openFiles() << " open files, before " << files_before_;

    EXPECT_EQ(host_.post("/api/v1/jobs/" + std::to_string(beside_) + "/cancel").status, 202);
    EXPECT_EQ(text(host_.waitForEnd(beside_), "state"), "canceled");
    EXPECT_EQ(host_.stop(), 0);
    EXPECT_TRUE(HostProcess::eventually([&] { return host_.otherProcesses().empty(); }));
    EXPECT_EQ(entriesIn(folder_ / "data/work"), 0U);
  }

  TempFolder folder_;
  HostProcess host_;
  std::int64_t beside_ = 0;
  std::size_t files_before_ = 0;
};

struct Case {
  const char* name;
  const char* type;
  const char* params;
  const char* code;     ///< of the error
  const char* message;  ///< a part of it
  const char* told;     ///< a part of the job's log; "": nothing needs to be there
  int signal = 0;       ///< the process died of it by itself: the details hold the report
  bool frames = true;   ///< with a backtrace
};

void PrintTo(const Case& one, std::ostream* out) {
  *out << one.name;
}

class Hostile : public HostileTest, public testing::WithParamInterface<Case> {};

TEST_P(Hostile, FailsItsOwnJobWithAPreciseError) {
  const auto& one = GetParam();
  if (kSanitized && (one.code == std::string("out_of_memory") || one.code == std::string("memory_limit")))
    GTEST_SKIP() << "sanitizers need the memory";
  const auto job = run(one.type, one.params);
  ASSERT_TRUE(job);
  EXPECT_EQ(text(job, "state"), "failed");
  const auto error = job->getObject("error");
  ASSERT_TRUE(error);
  EXPECT_EQ(text(error, "code"), one.code);
  EXPECT_THAT(text(error, "message"), HasSubstr(one.message));
  EXPECT_TRUE(job->isNull("result"));
  EXPECT_THAT(logOf(job), HasSubstr(one.told));
  if (one.signal != 0) {
    EXPECT_EQ(job->getObject("exit")->getValue<int>("signal"), one.signal);
    const auto details = error->getObject("details");
    ASSERT_TRUE(details);
    EXPECT_EQ(details->getValue<int>("signal"), one.signal);
    ASSERT_TRUE(details->getArray("last_calls"));
    EXPECT_GT(details->getArray("last_calls")->size(), 0U);
    ASSERT_TRUE(details->getArray("frames"));
    EXPECT_EQ(details->getArray("frames")->size() > 0, one.frames);
    EXPECT_THAT(logOf(job), HasSubstr("about to crash by")) << "what the plugin logged before it died";
    EXPECT_THAT(logOf(job), HasSubstr("last SDK calls"));
  }
  expectUnhurt();
}

INSTANTIATE_TEST_SUITE_P(
    , Hostile,
    testing::Values(
        Case{"Segv", "crash", R"({"how":"segv"})", "plugin_crashed", "signal 11 (SIGSEGV)", "SIGSEGV", SIGSEGV},
        Case{"SegvInAThread", "crash", R"({"how":"thread_segv"})", "plugin_crashed", "signal 11 (SIGSEGV)", "SIGSEGV",
             SIGSEGV},
        Case{"Bus", "crash", R"({"how":"bus"})", "plugin_crashed", "signal 7 (SIGBUS)", "SIGBUS", SIGBUS},
        Case{"Fpe", "crash", R"({"how":"fpe"})", "plugin_crashed", "signal 8 (SIGFPE)", "SIGFPE", SIGFPE},
        Case{"Ill", "crash", R"({"how":"ill"})", "plugin_crashed", "signal 4 (SIGILL)", "SIGILL", SIGILL},
        Case{"Abort", "crash", R"({"how":"abort"})", "plugin_crashed", "signal 6 (SIGABRT)", "SIGABRT", SIGABRT},
        Case{"UncaughtException", "crash", R"({"how":"exception"})", "plugin_crashed", "signal 6 (SIGABRT)",
             "through a noexcept function", SIGABRT},
        Case{"StackOverflow", "crash", R"({"how":"stack_overflow"})", "plugin_crashed", "signal 11 (SIGSEGV)",
             "SIGSEGV", SIGSEGV},
        Case{"KillsItself", "crash", R"({"how":"kill_self"})", "plugin_crashed", "signal 9 (SIGKILL)", "SIGKILL",
             SIGKILL, false},
        Case{"ExitZero", "crash", R"({"how":"exit0"})", "plugin_exited", "exit code 0", "exit code 0"},
        Case{"UnderscoreExit", "crash", R"({"how":"_exit"})", "plugin_exited", "exit code 3", "exit code 3"},
        Case{"ExceptionInTheHandler", "fail", R"({"throw":true,"message":"as it was thrown"})", "exception",
             "as it was thrown", ""},
        Case{"TenGigabytes", "hog", R"({"what":"memory"})", "out_of_memory", "out of memory", ""},
        Case{"MemoryHeld", "hog", R"({"what":"touched_memory","amount":1073741824,"hold_ms":60000})", "memory_limit",
             "at most 768 MiB", "at most 768 MiB"},
        Case{"ForkBomb", "hog", R"({"what":"forks","amount":64,"hold_ms":60000})", "process_limit",
             "more than the 16 processes", "more than the 16 processes"},
        Case{"ClosesAllFds", "crash", R"({"how":"close_fds"})", "plugin_closed_connection", "closed the connection",
             "closed the connection"},
        Case{"ClosesItsSocket", "crash", R"({"how":"close_socket"})", "plugin_closed_connection",
             "closed the connection", "closed the connection"},
        Case{"GarbageFrames", "crash", R"({"how":"garbage_frames"})", "plugin_protocol_error", "broke the protocol",
             "broke the protocol"},
        Case{"StopsInMidFrame", "crash", R"({"how":"half_frame"})", "plugin_protocol_error",
             "stopped in the middle of a frame", "stopped in the middle of a frame"},
        Case{"HugeFrame", "crash", R"({"how":"huge_frame"})", "plugin_protocol_error", "2147483647",
             "broke the protocol"},
        Case{"ForgedDone", "crash", R"({"how":"forged_done"})", "plugin_protocol_error", "DONE", "broke the protocol"},
        Case{"HundredMegabyteResult", "hog", R"({"what":"result_bytes"})", "limit", "over the limit of 1048576", ""},
        Case{"TooMuchOutput", "hog", R"({"what":"output_bytes","amount":8388608})", "limit", "limit of 1048576", ""},
        Case{"PthreadExit", "misbehave", R"({"how":"pthread_exit"})", "thread_ended", "pthread_exit", ""},
        Case{"PthreadExitUnderAGlueHandler", "crash", R"({"how":"pthread_exit"})", "plugin_crashed",
             "signal 6 (SIGABRT)", "exception not rethrown", SIGABRT},
        Case{"CanceledUnasked", "misbehave", R"({"how":"cancelled_unasked"})", "cancelled_unasked", "", ""},
        Case{"ReturnsNonsense", "misbehave", R"({"how":"bad_return"})", "bad_return", "12345", ""}),
    [](const auto& one) { return one.param.name; });

TEST_F(HostileTest, AMillionLogLinesAreCutShort) {
  const auto job = run("hog", R"({"what":"log_lines"})");
  EXPECT_EQ(text(job, "state"), "succeeded");
  const auto log = logOf(job);
  EXPECT_LT(log.size(), std::size_t{1200} << 10);
  EXPECT_THAT(log, HasSubstr("lines dropped"));
  expectUnhurt();
}

TEST_F(HostileTest, AMillionPrintedLinesAreCutShort) {
  const auto job = run("hog", R"({"what":"stdout_lines"})");
  EXPECT_EQ(text(job, "state"), "succeeded");
  const auto log = logOf(job);
  EXPECT_LT(log.size(), std::size_t{1200} << 10);
  EXPECT_THAT(log, HasSubstr("lines dropped"));
  expectUnhurt();
}

TEST_F(HostileTest, ProgressThatIsNotANumberIsNone) {
  const auto job = run("misbehave", R"({"how":"nan_progress"})");
  EXPECT_EQ(text(job, "state"), "succeeded");
  const auto progress = job->getObject("progress");
  ASSERT_TRUE(progress);
  if (!progress->isNull("fraction")) {
    EXPECT_GE(progress->getValue<double>("fraction"), 0.0);
    EXPECT_LE(progress->getValue<double>("fraction"), 1.0);
  }
  expectUnhurt();
}

TEST_F(HostileTest, OutputNamesThatLeaveTheFolderAreRefused) {
  const auto job = run("misbehave", R"({"how":"bad_names"})");
  EXPECT_EQ(text(job, "state"), "succeeded");
  EXPECT_EQ(job->getArray("outputs")->size(), 0U);
  const auto codes = job->getObject("result")->getArray("codes");
  for (const auto& code : *codes) EXPECT_LT(code.convert<int>(), 0);
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "data")) {
    EXPECT_NE(entry.path().filename(), "up");
    EXPECT_NE(entry.path().filename(), "passwd");
  }
  expectUnhurt();
}

TEST_F(HostileTest, LinksInTheOutputFolderAreNotFollowed) {
  const auto job = run("misbehave", R"({"how":"symlink_output"})");
  ASSERT_TRUE(job);
  EXPECT_FALSE(fs::exists("/tmp/escaped.txt"));
  EXPECT_EQ(job->getArray("outputs")->size(), 0U);
  expectUnhurt();
}

TEST_F(HostileTest, ProcessesItLeavesBehindAreEnded) {
  const auto job = run("hog", R"({"what":"orphans","amount":3})");
  EXPECT_EQ(text(job, "state"), "succeeded");
  EXPECT_THAT(logOf(job), HasSubstr("3 processes it left behind were ended"));
  for (const auto& pid : *job->getObject("result")->getArray("pids")) {
    // Killed before the job's end is told; when the kernel is done with it has no event.
    EXPECT_TRUE(HostProcess::eventually([&] { return kill(pid.convert<pid_t>(), 0) != 0; })) << pid.toString() << " lives";
  }
  expectUnhurt();
}

TEST_F(HostileTest, ThreadsItLeavesBehindCostItsProcess) {
  EXPECT_EQ(text(run("hog", R"({"what":"threads"})"), "state"), "succeeded");
  EXPECT_EQ(text(run("misbehave", R"({"how":"late_thread"})"), "state"), "succeeded");
  expectUnhurt();
}

TEST_F(HostileTest, ALoopThatHeedsCancelStopsByItself) {
  const auto id = host_.submit("hog", R"({"what":"cpu"})");
  ASSERT_TRUE(id && host_.waitForEvent(*id, "started"));
  EXPECT_EQ(host_.post("/api/v1/jobs/" + std::to_string(*id) + "/cancel").status, 202);
  const auto job = host_.waitForEnd(*id);
  EXPECT_EQ(text(job, "state"), "canceled");
  EXPECT_TRUE(job->isNull("exit")) << "its process lives on";
  expectUnhurt();
}

TEST_F(HostileTest, ALoopThatIsDeafIsKilledAfterItsGrace) {
  const auto id = host_.submit("hog", R"({"what":"cpu_deaf"})");
  ASSERT_TRUE(id && HostProcess::eventually([&] { return logOf(*id).find("deaf") != std::string::npos; }));
  EXPECT_EQ(host_.post("/api/v1/jobs/" + std::to_string(*id) + "/cancel").status, 202);
  const auto job = host_.waitForEnd(*id);
  EXPECT_EQ(text(job, "state"), "canceled");
  EXPECT_THAT(text(job->getObject("error"), "message"), HasSubstr("did not stop in time and was killed"));
  EXPECT_THAT(logOf(job), HasSubstr("did not stop when asked to"));
  EXPECT_THAT(job->getObject("exit")->getValue<int>("signal"), testing::AnyOf(SIGTERM, SIGKILL));
  expectUnhurt();
}

TEST_F(HostileTest, CrashesAreRetriedAndTheLastOneCounts) {
  const auto id = host_.submit("crash", R"({"how":"segv","times":2})",
                               R"(,"max_attempts":3,"backoff":{"kind":"fixed","base_ms":10})");
  ASSERT_TRUE(id);
  const auto job = host_.waitForEnd(*id);
  EXPECT_EQ(text(job, "state"), "succeeded");
  EXPECT_EQ(text(job, "attempt"), "3");
  const auto log = logOf(job);
  EXPECT_NE(log.find("SIGSEGV", log.find("SIGSEGV") + 200), std::string::npos) << "both reports are in the log";
  expectUnhurt();
}

}  // namespace
}  // namespace jobhost::e2e
