// `plugin check --in-process`: no process but this one.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include "devtools/check.hpp"
#include "devtools/watched.hpp"
#include "telemetry/log.hpp"

namespace jobhost::devtools {
namespace {

namespace fs = std::filesystem;

class InProcess : public testing::Test {
 protected:
  InProcess() {
    telemetry::setLogLevel("off");
    options.level = Level::Strict;
    options.lab.runner = "/nothing/jobhost-runner";
    options.lab.in_process = true;
  }
  static Subject subject(const std::string& name) { return *readSubject(fs::path(ZOO_DIR) / (name + ".so")); }

  CheckOptions options;
};

TEST_F(InProcess, ThePluginIsInThisOne) {
  WatchPlan plan;
  plan.state = true;
  Lab lab(subject("good"), options.lab, plan, {JobSpec{"repeat", R"({"text":"ab"})"}});
  const auto report = lab.run(0);
  EXPECT_TRUE(report.succeeded()) << report.describe();
  EXPECT_EQ(report.end.result_json, R"({"bytes": 8})");
  EXPECT_EQ(stateAt(lab.watched(), "loaded")["pid"].intOr(0), getpid());
  EXPECT_EQ(stateAt(lab.watched(), "attempt", 1)["pid"].intOr(0), getpid());
}

TEST_F(InProcess, EachSessionHasAnInstanceOfItsOwn) {
  for (int i = 0; i < 2; ++i) {  // the second job in one instance says that it is given an old handle
    Lab lab(subject("old_job"), options.lab, {}, {JobSpec{"repeat", R"({"text":"ab"})"}});
    EXPECT_TRUE(lab.run(0).succeeded());
    EXPECT_TRUE(lab.finish());
  }
}

TEST_F(InProcess, AppliesAllRulesButThoseThatNeedTheirOwn) {
  const auto good = subject("good");
  const auto report = check(good, options);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->good()) << reportText(good, *report, false);
  for (const auto& one : report->results) {
    if (!one.rule->not_yet.empty()) continue;
    const bool skipped = one.finding.verdict == Verdict::Skipped;
    EXPECT_EQ(skipped, one.rule->own_process) << one.rule->id << ": " << one.finding.text;
    if (skipped) {
      EXPECT_EQ(one.finding.text, "needs its own process") << one.rule->id;
    }
  }
}

TEST_F(InProcess, FindsWhatIsWrong) {
  options.only = {"run", "load"};
  const auto report = check(subject("wrong_result"), options);
  ASSERT_TRUE(report) << report.error().message;
  ASSERT_EQ(report->count(Verdict::Failed), 1);
  for (const auto& one : report->results) {
    if (one.finding.verdict == Verdict::Failed) {
      EXPECT_EQ(one.rule->id, "run.result-schema") << one.finding.text;
    }
  }
}

/// The exit status of `jobhost plugin check` as a shell tells it: 128 and the signal for one that was killed.
int checkStatus(const std::string& words) {
  const std::string command =
      std::string(JOBHOST_BIN_DIR) + "/jobhost plugin check " + words + " >/dev/null 2>&1; echo $?";
  FILE* pipe = popen(command.c_str(), "r");
  int status = -1;
  if (std::fscanf(pipe, "%d", &status) != 1) status = -1;
  pclose(pipe);
  return status;
}

TEST(InProcessCommand, ExitsByWhatItFoundAndDiesWithThePlugin) {
  const std::string zoo = std::string(ZOO_DIR) + "/";
  EXPECT_EQ(checkStatus("--in-process --only run.ends " + zoo + "good.so"), 0);
  EXPECT_EQ(checkStatus("--in-process --only run.result-schema " + zoo + "wrong_result.so"), 1);
  EXPECT_EQ(checkStatus("--in-process --only run.ends " + zoo + "crashes.so"), 128 + SIGABRT)
      << "a debugger would stop";
}

}  // namespace
}  // namespace jobhost::devtools
