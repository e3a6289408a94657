#include "pool/runner_pool.hpp"

#include <gmock/gmock.h>
#include <spawn.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>
#include <set>

#include "pool/runner_probe.hpp"
#include "pool_fixture.hpp"

namespace jobhost::pool {
namespace {

using Kind = dispatch::AttemptEnd::Kind;

class Pool : public PoolTest {};

TEST_F(Pool, RunsAJobInAProcessOfItsOwn) {
  const auto end = run("echo", R"({"value":"hello"})");
  ASSERT_EQ(end.kind, Kind::Succeeded) << (end.error ? end.error->message : "");
  EXPECT_NE(end.result_json.find("hello"), std::string::npos);
  EXPECT_TRUE(end.started_at);
  EXPECT_EQ(end.generation, generation_->id);
  expectNothingLeft();
}

TEST_F(Pool, KeepsARunnerWarm) {
  run("noop");
  const auto before = pool_->status();
  ASSERT_EQ(before.size(), 1u);
  run("noop");
  const auto after = pool_->status();
  ASSERT_EQ(after.size(), 1u);
  EXPECT_EQ(before[0].pid, after[0].pid);
}

TEST_F(Pool, RunsThousandsOfShortJobsInOrderOfNothingLost) {
  std::vector<dispatch::Assignment> all;
  for (int i = 0; i < 2000; ++i) all.push_back(assignment("noop"));
  const auto last = all.back().job.id;
  pool_->start(std::move(all));
  for (std::int64_t id = 1; id <= last.value; ++id) EXPECT_EQ(recorder_.waitForEnd({id}).kind, Kind::Succeeded);
  EXPECT_EQ(recorder_.ends(), 2000u);
}

TEST_F(Pool, BlamesACrashOnTheJobThatRanAndGivesTheOthersAnotherRunner) {
  auto options = defaultOptions(data_);
  options.max_runners_per_plugin = 1;
  restart(options);
  for (int i = 0; i < 50; ++i) run("noop");  // short: the pool sends them ahead
  std::vector<dispatch::Assignment> all;
  for (int i = 0; i < 20; ++i) all.push_back(assignment("noop"));
  all.push_back(assignment("crash", R"({"how":"segv"})"));
  const auto bad = all.back().job.id;
  for (int i = 0; i < 20; ++i) all.push_back(assignment("noop"));
  const auto last = all.back().job.id;
  pool_->start(std::move(all));
  for (std::int64_t id = 51; id <= last.value; ++id) {
    const auto end = recorder_.waitForEnd({id});
    EXPECT_EQ(end.kind, core::JobId{id} == bad ? Kind::Failed : Kind::Succeeded) << "job " << id;
  }
}

TEST_F(Pool, SendsNoShortJobBehindALongOne) {
  for (int i = 0; i < 50; ++i) run("noop");  // short: the pool sends them ahead
  const auto busy = start("sleep", R"({"ms":60000,"steps":60000})");
  ASSERT_TRUE(recorder_.waitForStart(busy));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(run("noop").kind, Kind::Succeeded) << "on the other runner";
  pool_->stop(busy, dispatch::StopReason::Canceled);
  EXPECT_EQ(recorder_.waitForEnd(busy).kind, Kind::Stopped);
}

TEST_F(Pool, FreesThoseBehindAShortJobThatTurnsOutLong) {
  for (int i = 0; i < 50; ++i) run("sleep", R"({"ms":0,"steps":1})");
  std::vector<dispatch::Assignment> all{assignment("sleep", R"({"ms":60000,"steps":60000})")};
  for (int i = 0; i < 20; ++i) all.push_back(assignment("sleep", R"({"ms":0,"steps":1})"));
  const auto busy = all.front().job.id;
  const auto last = all.back().job.id;
  pool_->start(std::move(all));
  for (std::int64_t id = busy.value + 1; id <= last.value; ++id) {
    EXPECT_EQ(recorder_.waitForEnd({id}).kind, Kind::Succeeded) << "job " << id;
  }
  pool_->stop(busy, dispatch::StopReason::Canceled);
  const auto end = recorder_.waitForEnd(busy);
  EXPECT_EQ(end.kind, Kind::Stopped) << end.result_json << (end.error ? end.error->message : "");
}

TEST_F(Pool, GivesBackWhatHasNotBegun) {
  auto options = defaultOptions(data_);
  options.max_runners_per_plugin = 1;
  restart(options);
  const auto busy = start("sleep", R"({"ms":60000,"steps":60000})");
  ASSERT_TRUE(recorder_.waitForStart(busy));
  const auto waiting = start("noop");
  pool_->recall({waiting});
  EXPECT_EQ(recorder_.waitForEnd(waiting).kind, Kind::NotStarted);
  pool_->stop(busy, dispatch::StopReason::Canceled);
  EXPECT_EQ(recorder_.waitForEnd(busy).kind, Kind::Stopped);
}

TEST_F(Pool, StopsAJobThatStillWaitsAtOnce) {
  auto options = defaultOptions(data_);
  options.max_runners_per_plugin = 1;
  restart(options);
  const auto busy = start("sleep", R"({"ms":60000,"steps":60000})");
  ASSERT_TRUE(recorder_.waitForStart(busy));
  const auto waiting = start("noop");
  pool_->stop(waiting, dispatch::StopReason::Canceled);
  EXPECT_EQ(recorder_.waitForEnd(waiting).kind, Kind::Stopped);
  EXPECT_EQ(pool_->status().size(), 1u);
}

TEST_F(Pool, KeepsThePluginsErrorAsItSaidIt) {
  const auto end = run("fail", R"({"class":6,"code":"http.503","message":"busy","retry_after_ms":1500})");
  EXPECT_EQ(end.kind, Kind::Failed);
  ASSERT_TRUE(end.error);
  EXPECT_EQ(end.error->error_class, core::ErrorClass::Upstream);
  EXPECT_EQ(end.error->code, "http.503");
  EXPECT_EQ(end.error->message, "busy");
  EXPECT_EQ(end.retry_after, core::Millis(1500));
}

TEST_F(Pool, MovesInputsInAndOutputsOut) {
  const auto inputs = core::inputFolder(data_, "u1");
  std::filesystem::create_directories(inputs);
  std::ofstream(inputs / "a.txt") << "given";
  auto one = assignment("files", R"({"outputs":[{"name":"sub/b.txt","text":"made"}]})");
  one.job.input_id = "u1";
  const auto id = one.job.id;
  pool_->start({one});
  const auto end = recorder_.waitForEnd(id);
  ASSERT_EQ(end.kind, Kind::Succeeded) << (end.error ? end.error->message : "");
  std::set<std::string> names;
  for (const auto& output : end.outputs) names.insert(output.name);
  EXPECT_THAT(names, testing::UnorderedElementsAre("copy/a.txt", "sub/b.txt", "by-path.txt"));
  std::string text;
  std::ifstream(core::jobPaths(data_, id).output / "copy/a.txt") >> text;
  EXPECT_EQ(text, "given");
  EXPECT_TRUE(std::filesystem::exists(inputs / "a.txt")) << "the upload stays for a retry";
  expectNothingLeft();
}

TEST_F(Pool, KeepsNoOutputsOfAFailedJob) {
  const auto end = run("files", R"({"outputs":[{"name":"b.txt","text":"made"}],"fail":true})");
  EXPECT_EQ(end.kind, Kind::Failed);
  EXPECT_TRUE(end.outputs.empty());
  EXPECT_FALSE(std::filesystem::exists(core::jobPaths(data_, end.id).output));
}

TEST_F(Pool, SaysWhenAJobsInputsAreGone) {
  auto one = assignment("files");
  one.job.input_id = "missing";
  const auto id = one.job.id;
  pool_->start({one});
  const auto end = recorder_.waitForEnd(id);
  EXPECT_EQ(end.kind, Kind::Failed);
  ASSERT_TRUE(end.error);
  EXPECT_EQ(end.error->code, "inputs_unavailable");
  expectStillWorks();
}

TEST_F(Pool, RunsNewJobsOnTheNewGenerationWhileOldOnesFinish) {
  const auto old = generation_->id;
  const auto busy = start("sleep", R"({"ms":300,"steps":30})");
  ASSERT_TRUE(recorder_.waitForStart(busy));
  publish();
  const auto fresh = run("noop");
  EXPECT_EQ(fresh.generation, generation_->id);
  const auto end = recorder_.waitForEnd(busy);
  EXPECT_EQ(end.kind, Kind::Succeeded);
  EXPECT_EQ(end.generation, old);
}

TEST_F(Pool, RefusesATypeThatNobodyHandles) {
  const auto end = run("unknown");
  EXPECT_EQ(end.kind, Kind::NotStarted);
  ASSERT_TRUE(end.error);
  EXPECT_EQ(end.error->code, "plugin_unavailable");
}

TEST_F(Pool, TellsHowManyAttemptsMayRunAtOnce) {
  EXPECT_TRUE(recorder_.waitForSlots("org.jobhost.testkit", 2));
  catalog_.publish({}, {});
  EXPECT_TRUE(recorder_.waitForSlots("org.jobhost.testkit", 0));
}

TEST_F(Pool, GivesJobsBackWhenTheRunnerCannotBeStarted) {
  auto options = defaultOptions(data_);
  options.runner = data_ / "no-such-runner";
  restart(options);
  const auto end = run("noop");
  EXPECT_EQ(end.kind, Kind::NotStarted);
  ASSERT_TRUE(end.error);
  EXPECT_NE(end.error->message.find("cannot start a runner"), std::string::npos) << end.error->message;
}

TEST_F(Pool, ProbesAPluginInAProcessOfItsOwn) {
  RunnerProbe probe(*pool_);
  const auto report = probe.probe(*generation_);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_THAT(report->job_types, testing::Contains("noop"));
  EXPECT_EQ(report->abi_major, 1);
  auto broken = *generation_;
  broken.private_path = data_ / "no-such-plugin.so";
  const auto refused = probe.probe(broken);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::ErrorCode::InvalidArgument) << refused.error().message;
  expectNothingLeft();
}

TEST_F(Pool, EndsWhatAFormerHostLeftBehind) {
  run("noop");
  pool_.reset();
  std::filesystem::create_directories(data_ / "work" / "r-99" / "out");
  // A process as a host that was killed leaves it: it carries the work folder's mark and belongs to nobody.
  std::string marker = "JOBHOST_WORK=" + (data_ / "work").string();
  std::string program = "/bin/sleep";
  std::string seconds = "600";
  char* arguments[] = {program.data(), seconds.data(), nullptr};
  char* environment[] = {marker.data(), nullptr};
  pid_t left = -1;
  ASSERT_EQ(::posix_spawn(&left, program.c_str(), nullptr, nullptr, arguments, environment), 0);
  // Another that has nothing to do with us: its mark names another folder.
  std::string other_marker = marker + "-of-another";
  char* other_environment[] = {other_marker.data(), nullptr};
  pid_t other = -1;
  ASSERT_EQ(::posix_spawn(&other, program.c_str(), nullptr, nullptr, arguments, other_environment), 0);

  restart(defaultOptions(data_));
  int status = 0;
  ASSERT_EQ(::waitpid(left, &status, 0), left);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  EXPECT_EQ(::waitpid(other, &status, WNOHANG), 0) << "a stranger was ended";
  ::kill(other, SIGKILL);
  ASSERT_EQ(::waitpid(other, &status, 0), other);
  EXPECT_FALSE(std::filesystem::exists(data_ / "work" / "r-99"));
  expectStillWorks();
}

}  // namespace
}  // namespace jobhost::pool
