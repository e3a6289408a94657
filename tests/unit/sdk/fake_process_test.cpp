// Programs under the FakeHost: what a plugin's own tests can play.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <jobhost/plugin.hpp>
#include <jobhost/testing.hpp>

#include <fstream>
#include <iterator>

JOBHOST_MANIFEST(
    R"json({"manifest": 1, "id": "test.fake-process", "version": "1.0.0", "abi": {"major": 1, "min_minor": 1},
  "requires": ["jobhost.process/1"], "permissions": {"exec": ["convert"]},
  "job_types": [{"name": "convert"}, {"name": "other"}, {"name": "talk"}]})json");

static jobhost::Json convert(jobhost::Job& job) {
  jobhost::ProcessOptions options;
  options.send("pixels").timeout(5000).set("TZ", "UTC");
  const auto done = job.run({"convert", "-", "out.png"}, options).requireOk();
  std::ifstream made(job.tempDir() + "/out.png");
  return {{"out", done.out}, {"made", std::string(std::istreambuf_iterator<char>(made), {})}};
}
static jobhost::Json other(jobhost::Job& job) {
  return job.run({"rm", "-rf", "/"}).out;
}
static jobhost::Json talk(jobhost::Job& job) {
  jobhost::ProcessOptions options;
  options.in = jobhost::ProcessStream::pipe();
  auto process = job.spawn({"convert", "-"}, options);
  process.write("line ");
  process.write("two");
  process.closeInput();
  if (process.wait(0)) return "ended";
  process.end();
  return process.wait().describe();
}
JOBHOST_JOB("convert", convert);
JOBHOST_JOB("other", other);
JOBHOST_JOB("talk", talk);
JOBHOST_PLUGIN(&jh_t_convert, &jh_t_other, &jh_t_talk)

namespace jobhost::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(FakeProcess, PlaysAProgram) {
  FakeHost host(&jobhost_plugin_entry_v1);
  host.onSpawn([](const Spawn& asked) { return SpawnEnd::ok("done " + asked.input).leaves("out.png", "PNG"); });
  const auto done = host.run("convert");
  ASSERT_TRUE(done.succeeded()) << done.error_message;
  EXPECT_EQ(done.result["out"].stringOr(""), "done pixels");
  EXPECT_EQ(done.result["made"].stringOr(""), "PNG");
  ASSERT_EQ(done.spawns.size(), 1U);
  EXPECT_THAT(done.spawns[0].argv, ElementsAre("convert", "-", "out.png"));
  EXPECT_EQ(done.spawns[0].options["env"]["TZ"].stringOr(""), "UTC");
  EXPECT_THAT(done.complaints, IsEmpty());
}

TEST(FakeProcess, EndsInEveryWayARealOneDoes) {
  FakeHost host(&jobhost_plugin_entry_v1);
  const auto with = [&](const SpawnEnd& end) {
    host.onSpawn([end](const Spawn&) { return end; });
    return host.run("convert");
  };
  const auto failed = with(SpawnEnd::exited(2, "first\nno such picture\n"));
  EXPECT_EQ(failed.error_code, "process.failed");
  EXPECT_EQ(failed.error_message, "convert ended with status 2: no such picture");
  EXPECT_THAT(with(SpawnEnd::killed(9)).error_message, HasSubstr("signal 9"));
  const auto late = with(SpawnEnd::timeout());
  EXPECT_EQ(late.error_code, "process.timeout");
  EXPECT_EQ(late.error_class, JH_CLASS_TRANSIENT);
  EXPECT_EQ(with(SpawnEnd::missing()).error_code, "process.not_found");
  EXPECT_EQ(with(SpawnEnd::ok(std::string(17 << 20, 'x'))).error_code, "process.output_limit");
}

TEST(FakeProcess, KeepsTheManifestsPermissions) {
  FakeHost host(&jobhost_plugin_entry_v1);
  host.onSpawn([](const Spawn&) { return SpawnEnd::ok(); });
  const auto denied = host.run("other");
  EXPECT_EQ(denied.error_code, "process.not_permitted");
  EXPECT_EQ(denied.error_class, JH_CLASS_DENIED);
  EXPECT_THAT(denied.spawns, IsEmpty());
}

TEST(FakeProcess, OneThatNeverEndsIsEnded) {
  FakeHost host(&jobhost_plugin_entry_v1);
  host.onSpawn([](const Spawn&) { return SpawnEnd::never(); });
  const auto done = host.run("talk");
  ASSERT_TRUE(done.succeeded()) << done.error_message;
  EXPECT_EQ(done.result.stringOr(""), "was ended by signal 15");
  EXPECT_EQ(done.spawns.at(0).input, "line two");
  EXPECT_THAT(done.complaints, IsEmpty());
}

TEST(FakeProcess, ACancelComesAtEachCall) {
  FakeHost host(&jobhost_plugin_entry_v1);
  host.onSpawn([](const Spawn&) { return SpawnEnd::ok("x"); });
  const auto whole = host.run("convert");
  for (std::size_t n = 1; n <= whole.calls.size(); ++n) {
    host.cancelAtCall(n);
    const auto done = host.run("convert");
    EXPECT_TRUE(done.code == JH_E_CANCELLED || done.succeeded()) << n << ": " << done.error_message;
    EXPECT_THAT(done.complaints, IsEmpty()) << n;
  }
}

}  // namespace
}  // namespace jobhost::testing
