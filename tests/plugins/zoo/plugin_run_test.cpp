// One job in the foreground: outputs, trace, record and replay, stopping.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "devtools/foreground.hpp"
#include "devtools/record.hpp"
#include "telemetry/log.hpp"

namespace jobhost::devtools {
namespace {

namespace fs = std::filesystem;

std::string textOf(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

class PluginRun : public testing::Test {
 protected:
  PluginRun() {
    telemetry::setLogLevel("off");
    options.lab.runner = fs::path(JOBHOST_BIN_DIR) / "jobhost-runner";
    options.type = "repeat";
    options.params = R"({"text":"abc","times":4})";
  }
  core::Result<ForegroundReport> run(const std::string& plugin = "good") {
    return job.run(*readSubject(fs::path(ZOO_DIR) / (plugin + ".so")), options, watcher);
  }
  core::Result<ForegroundReport> runTestkit(const std::string& type, const std::string& params) {
    options.type = type;
    options.params = params;
    return job.run(*readSubject(fs::path(JOBHOST_TEST_PLUGIN_DIR) / "testkit.so"), options, watcher);
  }

  ScratchFolder folder;
  ForegroundOptions options;
  Lab::Watcher watcher;
  Foreground job;
};

TEST_F(PluginRun, LeavesItsOutputsInTheFolder) {
  options.out = folder.path() / "out";
  const auto report = run();
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->job.succeeded()) << report->job.describe();
  EXPECT_EQ(report->job.end.result_json, R"({"bytes": 20})");
  EXPECT_EQ(textOf(options.out / "repeated.txt"), R"("abc""abc""abc""abc")");
}

TEST_F(PluginRun, RefusesWhatAHostWould) {
  options.params = R"({"text":"abc","times":400})";
  auto report = run();
  ASSERT_FALSE(report);
  ASSERT_EQ(report.error().fields.size(), 1U);
  EXPECT_EQ(report.error().fields[0].pointer, "/times");
  options.type = "nothing";
  report = run();
  ASSERT_FALSE(report);
  EXPECT_NE(report.error().message.find("repeat"), std::string::npos) << report.error().message;
  EXPECT_FALSE(run("no_note"));
}

TEST_F(PluginRun, TracesEachCallAsASlice) {
  options.trace = folder.path() / "trace.json";
  const auto report = run();
  ASSERT_TRUE(report) << report.error().message;
  const Json trace = Json::parse(textOf(options.trace));
  std::map<std::string, int> slices;
  std::int64_t begin = 0;
  std::int64_t end = 0;
  for (const auto& event : trace["traceEvents"].items()) {
    ASSERT_TRUE(event["name"].isString() && event["ph"].isString() && event["ts"].isInt() && event["pid"].isInt() &&
                event["tid"].isInt())
        << event.dump();
    if (event["ph"].stringOr("") != "X") continue;
    ASSERT_TRUE(event["dur"].isInt() && event["dur"].intOr(-1) >= 0) << event.dump();
    ++slices[std::string(event["name"].stringOr(""))];
    if (event["name"].stringOr("") == "run repeat") {
      begin = event["ts"].intOr(0);
      end = begin + event["dur"].intOr(0);
    }
  }
  EXPECT_EQ(slices["output.write"], 4);
  EXPECT_EQ(slices["progress"], 4);
  EXPECT_EQ(slices["set_result"], 1);
  EXPECT_EQ(slices["run repeat"], 1);
  for (const auto& event : trace["traceEvents"].items()) {
    if (event["name"].stringOr("") != "output.write") continue;
    EXPECT_GE(event["ts"].intOr(0), begin);
    EXPECT_LE(event["ts"].intOr(0) + event["dur"].intOr(0), end);
  }
}

TEST_F(PluginRun, WaitsForAJobThatWantsToRunLater) {
  std::vector<std::string> said;
  watcher.pausing = [&](core::Millis time, const std::string& reason) {
    said.push_back(std::to_string(time.count()) + " " + reason);
  };
  const auto begun = std::chrono::steady_clock::now();
  const auto report = runTestkit("checkpoint", R"({"until":21,"later_ms":20})");
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->job.end.result_json, R"({"runs":21,"rescues":0,"attempt":1,"resumed":true})");
  EXPECT_GE(std::chrono::steady_clock::now() - begun, core::Millis(20 * 20));
  ASSERT_EQ(said.size(), 20U);
  EXPECT_EQ(said[1], "20 busy, says run 2");
}

TEST_F(PluginRun, StopsAJobThatWaitsToRunAgain) {
  watcher.pausing = [&](core::Millis, const std::string&) { job.stop(); };
  const auto report = runTestkit("checkpoint", R"({"later_ms":600000})");
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->job.describe(), "stopped when asked to");
}

TEST_F(PluginRun, RunsARecordedJobAgainWithoutItsInputs) {
  const auto input = folder.path() / "in.txt";
  std::ofstream(input) << "what was uploaded";
  options.lab.inputs = {{"in.txt", input}};
  options.record = folder.path() / "job.jhrec";
  options.out = folder.path() / "first";
  const auto first = runTestkit("files", R"({"outputs":[{"name":"made.txt","text":"made"}]})");
  ASSERT_TRUE(first) << first.error().message;
  ASSERT_TRUE(first->job.succeeded()) << first->job.describe();
  EXPECT_EQ(fs::status(options.record).permissions() & (fs::perms::group_all | fs::perms::others_all), fs::perms::none);

  fs::remove(input);
  options.lab.inputs.clear();
  options.replay = std::exchange(options.record, fs::path());
  options.out = folder.path() / "second";
  const auto second = runTestkit("noop", "{}");  // the record says which type and params
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_TRUE(second->job.succeeded()) << second->job.describe();
  EXPECT_EQ(second->job.end.result_json, first->job.end.result_json);
  EXPECT_TRUE(second->diverged.empty());
  std::set<std::string> names;
  for (const auto& file : first->outputs) {
    const auto name = fs::relative(file, folder.path() / "first");
    names.insert(name.string());
    EXPECT_EQ(textOf(folder.path() / "second" / name), textOf(file)) << name;
  }
  EXPECT_TRUE(names.contains("made.txt"));
  EXPECT_GE(names.size(), 2U) << "the input is copied, too";
}

TEST_F(PluginRun, AnswersFromTheRecordWhatAHostAnswered) {
  options.lab.config_json = R"({"colour":"red"})";
  options.lab.secrets = {{"TOKEN", "very-secret-value"}};
  options.record = folder.path() / "job.jhrec";
  const auto first = runTestkit("settings", "{}");
  ASSERT_TRUE(first) << first.error().message;
  ASSERT_TRUE(first->job.succeeded()) << first->job.describe();
  EXPECT_EQ(textOf(options.record).find("very-secret-value"), std::string::npos) << "a secret is in the record";
  options.lab.config_json = R"({"colour":"blue"})";
  options.replay = std::exchange(options.record, fs::path());
  const auto second = runTestkit("settings", "{}");
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_NE(second->job.end.result_json.find("red"), std::string::npos) << second->job.end.result_json;
}

TEST_F(PluginRun, SaysWhereAReplayLeavesTheRecord) {
  options.record = folder.path() / "job.jhrec";
  ASSERT_TRUE(run());
  options.replay = std::exchange(options.record, fs::path());
  const auto report = run("progress_back");  // another build, which tells more progress
  ASSERT_TRUE(report) << report.error().message;
  ASSERT_FALSE(report->diverged.empty());
  EXPECT_EQ(report->diverged.front(), "progress");
}

TEST_F(PluginRun, RefusesRecordsThatAreNone) {
  options.replay = folder.path() / "none";
  EXPECT_EQ(run().error().code, core::ErrorCode::NotFound);
  std::ofstream(options.replay) << "{\"a\":1}\n";
  EXPECT_EQ(run().error().code, core::ErrorCode::InvalidArgument);
  std::ofstream(options.replay) << "not json\n";
  EXPECT_NE(run().error().message.find("line 1"), std::string::npos);
}

TEST_F(PluginRun, StopsWhenAskedTo) {
  watcher.progressed = [this](const core::Progress&) { std::thread([this] { job.stop(); }).detach(); };
  const auto report = runTestkit("sleep", R"({"ms":60000,"steps":6000})");
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->job.end.kind, dispatch::AttemptEnd::Kind::Stopped) << report->job.describe();
  EXPECT_FALSE(report->job.end.forced);
}

TEST_F(PluginRun, EndsAJobThatDoesNotListen) {
  watcher.logged = [this](const std::string&) { std::thread([this] { job.kill(); }).detach(); };
  const auto report = runTestkit("hog", R"({"what":"cpu_deaf"})");
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->job.crashed()) << report->job.describe();
}

/// `jobhost` with these words: its exit status, and what it printed.
struct Said {
  int status = -1;
  std::string out;
};

Said jobhost(const std::string& words) {
  Said said;
  const std::string command = std::string(JOBHOST_BIN_DIR) + "/jobhost " + words + " 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  char buffer[4096];
  for (std::size_t n = 0; (n = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) said.out.append(buffer, n);
  said.status = WEXITSTATUS(pclose(pipe));
  return said;
}

TEST(PluginCommands, ExitByWhatTheyFound) {
  const std::string zoo = std::string(ZOO_DIR) + "/";
  EXPECT_EQ(jobhost("plugin check --only static " + zoo + "good.so").status, 0);
  const auto bad = jobhost("plugin check --only static " + zoo + "no_relro.so");
  EXPECT_EQ(bad.status, 1);
  EXPECT_NE(bad.out.find("FAIL  static.relro"), std::string::npos) << bad.out;
  EXPECT_EQ(jobhost("plugin check " + zoo + "nothing.so").status, 2);
  EXPECT_EQ(jobhost("plugin check --only static.moon " + zoo + "good.so").status, 2);
  EXPECT_EQ(jobhost("plugin check").status, 2);
  const auto list = jobhost("plugin check --list --json");
  EXPECT_EQ(list.status, 0);
  EXPECT_GE(Json::parse(list.out).size(), 50U);

  const ScratchFolder folder;
  const std::string out = " --out " + (folder.path() / "out").string();
  const auto good = jobhost("plugin run " + zoo + "good.so --params '{\"text\":\"ab\"}'" + out);
  EXPECT_EQ(good.status, 0) << good.out;
  EXPECT_NE(good.out.find("{\"bytes\": 8}"), std::string::npos) << good.out;
  EXPECT_EQ(jobhost("plugin run " + zoo + "good.so --params '{}'" + out).status, 2);
  EXPECT_EQ(jobhost("plugin run " + zoo + "odd_code.so --params '{\"text\":\"text\"}'" + out).status, 1);
  EXPECT_EQ(jobhost("plugin run " + zoo + "good.so --params @/nothing" + out).status, 2);
}

/// `jobhost` with these words, whose stderr is read line by line.
class Running {
 public:
  explicit Running(std::vector<std::string> words) {
    int fds[2];
    if (pipe(fds) != 0) throw std::runtime_error("pipe");
    words.insert(words.begin(), std::string(JOBHOST_BIN_DIR) + "/jobhost");
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ < 0) throw std::runtime_error("fork");
    if (pid_ == 0) {
      dup2(fds[1], STDERR_FILENO);
      execv(argv[0], argv.data());
      _exit(127);
    }
    close(fds[1]);
    said_ = fdopen(fds[0], "r");
  }
  ~Running() { fclose(said_); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  /// Reads until a line has these words; false: it ended without.
  bool waitFor(std::string_view words) {
    char line[4096];
    while (fgets(line, sizeof(line), said_) != nullptr) {
      all += line;
      if (std::string_view(line).find(words) != std::string_view::npos) return true;
    }
    return false;
  }
  void interrupt() const { kill(pid_, SIGINT); }
  int exitStatus() {
    waitFor("no line has these words");
    int status = 0;
    waitpid(pid_, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string all;

 private:
  pid_t pid_ = -1;
  FILE* said_ = nullptr;
};

TEST(PluginCommands, CtrlCAsksAndASecondOneEnds) {
  Running job({"plugin", "run", std::string(JOBHOST_TEST_PLUGIN_DIR) + "/testkit.so", "--type", "hog", "--params",
               R"({"what":"cpu_deaf"})"});
  ASSERT_TRUE(job.waitFor("deaf from here on")) << job.all;
  job.interrupt();
  ASSERT_TRUE(job.waitFor("once more ends it")) << job.all;
  job.interrupt();
  EXPECT_EQ(job.exitStatus(), 1) << job.all;
}

TEST(PluginCommands, RunAgainWhenTheFileWasRebuilt) {
  const ScratchFolder folder;
  const auto file = folder.path() / "mine.so";
  fs::copy_file(fs::path(ZOO_DIR) / "good.so", file);
  Running job({"plugin", "run", file.string(), "--watch", "--out", (folder.path() / "out").string(), "--params",
               R"({"text":"text"})"});
  ASSERT_TRUE(job.waitFor("to change")) << job.all;
  EXPECT_NE(job.all.find("succeeded"), std::string::npos) << job.all;
  const auto beside = folder.path() / "mine.so.new";
  fs::copy_file(fs::path(ZOO_DIR) / "odd_code.so", beside);
  fs::rename(beside, file);
  ASSERT_TRUE(job.waitFor("run() returned -77")) << job.all;
  ASSERT_TRUE(job.waitFor("to change")) << job.all;
  job.interrupt();
  EXPECT_EQ(job.exitStatus(), 1) << job.all;
}

}  // namespace
}  // namespace jobhost::devtools
