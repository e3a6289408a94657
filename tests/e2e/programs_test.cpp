// jobhost.process/1 under a real host: what jobs run, what they may not, and that nothing of it stays.
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include <gmock/gmock.h>

#include <Poco/JSON/Object.h>

#include "e2e/host_process.hpp"
#include "e2e/python_plugin.hpp"

namespace jobhost::e2e {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// One program of many uses, named "tool": its first argument says which.
constexpr char kTool[] = R"sh(#!/bin/sh
what="$1"; shift
case "$what" in
  say)      printf '%s' "$1"; printf '%s' "$2" >&2; exit "${3:-0}" ;;
  args)     printf '%s' "$#" ;;
  env)      env | sort; pwd ;;
  cat)      cat ;;
  leave)    printf left > "$1" ;;
  stubborn) trap '' TERM INT HUP; echo $$ >> "$1"; while :; do sleep 1000 & wait; done ;;
  polite)   trap 'echo bye > "$2"; exit 7' TERM; echo $$ >> "$1"; while :; do sleep 1000 & wait; done ;;
  family)   # grandchildren in a session of their own, with pipes closed, and then it is gone
            setsid sh -c 'trap "" TERM; exec sleep 1000' </dev/null >/dev/null 2>&1 &
            sh -c 'trap "" TERM; sleep 1000 & sleep 1000' &
            echo $$ >> "$1"; exit 3 ;;
  tree)     setsid sh -c 'trap "" TERM; sleep 1000 & sleep 1000; :' </dev/null >/dev/null 2>&1 &
            trap '' TERM; echo $$ >> "$1"; echo up; while :; do sleep 1000 & wait; done ;;
  endless)  exec yes ;;
  deaf)     exec 0<&-; echo deaf; exec sleep 1000 ;;
  burn)     while :; do :; done ;;
  hog)      exec head -c "$1" /dev/zero ;;
esac
)sh";

class Programs : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_ / "tools");
    std::ofstream(folder_ / "tools" / "tool") << kTool;
    fs::permissions(folder_ / "tools" / "tool", fs::perms(0755));
  }
  void TearDown() override {
    if (host_ && host_->pid() > 0) {
      EXPECT_EQ(host_->stop(), 0);
    }
    EXPECT_TRUE(nothingIsLeft());
  }

  void start(const std::string& python = {}) {
    fs::path plugins = fs::path(JOBHOST_TEST_PLUGIN_DIR) / "process";
    if (!python.empty()) {
      plugins = folder_ / "plugins";
      putPythonPlugin(plugins, python,
                      R"("id":"test.py-program","version":"1.0.0","permissions":{"exec":["tool"]},)"
                      R"("job_types":[{"name":"py-program"}])");
    }
    host_ = std::make_unique<HostProcess>(
        HostProcess::Options{.data = folder_ / "data",
                             .plugins = {plugins},
                             .set = {"process.path=" + (folder_ / "tools").string() + ":/usr/bin:/bin",
                                     "plugins.early_crashes=1000", "process.max_at_once=3"},
                             .wrapper = {}});
    ASSERT_TRUE(host_->start()) << host_->log();
    const std::string type = python.empty() ? "program" : "py-program";
    ASSERT_TRUE(HostProcess::eventually([&] { return host_->get("/api/v1/job-types/" + type).status == 200; }))
        << host_->log();
  }

  std::int64_t submit(const std::string& params, const std::string& type = "program") {
    const auto id = host_->submit(type, params, R"(,"max_attempts":1)");
    EXPECT_TRUE(id) << params;
    return id.value_or(0);
  }
  Poco::JSON::Object::Ptr run(const std::string& params, const std::string& type = "program") {
    auto job = host_->waitForEnd(submit(params, type));
    EXPECT_TRUE(job) << host_->log();
    return job ? job : Poco::JSON::Object::Ptr(new Poco::JSON::Object);
  }
  void cancel(std::int64_t id) { EXPECT_EQ(host_->post("/api/v1/jobs/" + std::to_string(id) + "/cancel").status, 202); }
  static std::string error(const Poco::JSON::Object::Ptr& job, const std::string& member) {
    const auto object = job->getObject("error");
    return object ? text(object, member) : "";
  }
  static std::string result(const Poco::JSON::Object::Ptr& job, const std::string& member) {
    const auto object = job->getObject("result");
    return object ? text(object, member) : "(" + error(job, "code") + ": " + error(job, "message") + ")";
  }
  /// A file in which tools write that they are there.
  std::string sign() const { return (folder_ / "sign").string(); }
  bool signSeen() const {
    return HostProcess::eventually([&] { return fs::exists(sign()) && fs::file_size(sign()) > 0; });
  }
  std::string tool(const std::string& arguments, const std::string& more = {}) const {
    return R"({"argv":["tool",)" + arguments + "]" + (more.empty() ? "" : "," + more) + "}";
  }
  /// No process but the host's runners has to do with this test's folder.
  bool nothingIsLeft() const {
    return HostProcess::eventually([&] {
      for (const auto& entry : fs::directory_iterator("/proc")) {
        std::ifstream line(entry.path() / "cmdline");
        std::string command((std::istreambuf_iterator<char>(line)), {});
        std::ifstream file(entry.path() / "environ");
        const std::string environment((std::istreambuf_iterator<char>(file)), {});
        if (environment.find(folder_.path().string()) == std::string::npos) continue;
        std::replace(command.begin(), command.end(), '\0', ' ');
        const bool runner = command.find("jobhost-runner --parent=") != std::string::npos ||
                            command.find("handler.py") != std::string::npos ||
                            command.find("jobhost serve") != std::string::npos;
        if (!command.empty() && !runner) return false;
      }
      return true;
    });
  }

  TempFolder folder_;
  std::unique_ptr<HostProcess> host_;
};

TEST_F(Programs, AJobRunsAProgramAndHearsHowItEnded) {
  start();
  const auto job = run(tool(R"("say","out","err","4")"));
  EXPECT_EQ(result(job, "out"), "out");
  EXPECT_EQ(result(job, "err"), "err");
  EXPECT_EQ(result(job, "exit_code"), "4");
  EXPECT_EQ(result(job, "timed_out"), "false");
  EXPECT_GT(std::stoll(result(job, "max_rss_kib")), 0);
  EXPECT_EQ(result(run(tool(R"("say","a","b")", R"("options":{"stderr":"stdout"})")), "out"), "ab");
  EXPECT_EQ(result(run(tool(R"("cat")", R"("options":{"input":"given"})")), "out"), "given");
}

TEST_F(Programs, AnArgumentIsAnArgumentAndNothingElse) {
  start();
  EXPECT_EQ(result(run(tool(R"("say","$(id); `id` > /tmp/x")")), "out"), "$(id); `id` > /tmp/x");
}

TEST_F(Programs, TheEnvironmentIsWhatItIsSaidToBe) {
  start();
  const auto job = run(tool(R"("env")", R"("options":{"env":{"TZ":"UTC"}})"));
  const std::string out = result(job, "out");
  EXPECT_THAT(out, HasSubstr("LANG=C.UTF-8\n"));
  EXPECT_THAT(out, HasSubstr("TZ=UTC\n"));
  EXPECT_THAT(out, HasSubstr("PATH=" + (folder_ / "tools").string() + ":/usr/bin:/bin\n"));
  EXPECT_THAT(out, HasSubstr("TMPDIR=" + (folder_ / "data").string()));
  for (const char* absent : {"HOME=", "PYTHONDONTWRITEBYTECODE=", "LD_"}) {
    EXPECT_THAT(out, testing::Not(HasSubstr(std::string("\n") + absent)));
  }
  const auto bad = run(tool(R"("env")", R"("options":{"env":{"LD_PRELOAD":"/tmp/x.so"}})"));
  EXPECT_EQ(error(bad, "code"), "process.invalid_request");
  EXPECT_THAT(error(bad, "message"), HasSubstr("env/LD_PRELOAD"));
}

TEST_F(Programs, FilesAreInTheTempFolder) {
  start();
  EXPECT_EQ(result(run(tool(R"("say","kept")", R"("options":{"stdout":{"file":"a.txt"}},"file":"a.txt")")), "file"),
            "kept");
  EXPECT_EQ(result(run(tool(R"("leave","b.txt")", R"("file":"b.txt")")), "file"), "left");
  const auto bad = run(tool(R"("say","x")", R"("options":{"stdout":{"file":"../a.txt"}})"));
  EXPECT_EQ(error(bad, "code"), "process.invalid_request");
  EXPECT_THAT(error(bad, "message"), HasSubstr("stdout/file"));
}

TEST_F(Programs, OnlyWhatTheManifestNamesIsRun) {
  start();
  const auto other = run(R"({"argv":["env"]})");
  EXPECT_EQ(error(other, "code"), "process.not_permitted");
  EXPECT_EQ(error(other, "class"), "denied");
  EXPECT_THAT(error(other, "message"), HasSubstr("permissions.exec"));
  EXPECT_EQ(error(run(tool(R"("say","x")"), "program-mute"), "code"), "process.not_permitted");
  EXPECT_EQ(error(run(R"({"argv":["/bin/sh","-c","id"]})"), "code"), "process.invalid_request");
  const auto missing = run(R"({"argv":["absent-tool"]})");
  EXPECT_EQ(error(missing, "code"), "process.not_found");
  EXPECT_THAT(error(missing, "message"), HasSubstr("\"absent-tool\""));
}

TEST_F(Programs, ManyArgumentsAndTooMany) {
  start();
  EXPECT_EQ(result(run(tool(R"("args")", R"("repeat":4000,"argument":"some words of text")")), "out"), "4000");
  EXPECT_EQ(error(run(tool(R"("args")", R"("repeat":5000)")), "code"), "process.too_large");
  const auto long_one = run(tool(R"("args")", R"("repeat":1,"argument":")" + std::string(200'000, 'y') + "\""));
  EXPECT_EQ(error(long_one, "code"), "process.too_large");
  EXPECT_THAT(error(long_one, "message"), HasSubstr("argv/2"));
}

TEST_F(Programs, LimitsOfTimeOutputAndNumber) {
  start();
  // A tool whose time is over before it was up could not yet do with a signal what it is there to do: then the time
  // was too short for this machine, and says nothing.
  const auto timedOut = [&](const std::string& arguments, const std::string& options, const std::string& more) {
    Poco::JSON::Object::Ptr job;
    for (int timeout_ms = 300; timeout_ms < 60'000; timeout_ms *= 3) {
      fs::remove(sign());
      job =
          run(tool(arguments, R"("options":{"timeout_ms":)" + std::to_string(timeout_ms) + "," + options + "}" + more));
      if (fs::exists(sign())) break;
    }
    EXPECT_TRUE(fs::exists(sign())) << "the tool was never up";
    return job;
  };
  const auto late = timedOut("\"stubborn\",\"" + sign() + "\"", R"("grace_ms":100)", "");
  EXPECT_EQ(result(late, "timed_out"), "true");
  EXPECT_EQ(result(late, "signal"), "9");
  const auto polite =
      timedOut("\"polite\",\"" + sign() + "\",\"bye.txt\"", R"("grace_ms":10000)", R"(,"file":"bye.txt")");
  EXPECT_EQ(result(polite, "exit_code"), "7");
  EXPECT_EQ(result(polite, "file"), "bye\n");
  const auto burnt = run(tool(R"("burn")", R"("options":{"cpu_s":1})"));
  EXPECT_EQ(result(burnt, "signal"), "24");  // SIGXCPU
  EXPECT_EQ(error(run(tool(R"("endless")", R"("options":{"max_output_bytes":100000})")), "code"),
            "process.output_limit");
  const auto many = run(tool("\"stubborn\",\"" + sign() + "\"", R"("how":"many")"));
  EXPECT_EQ(error(many, "code"), "process.too_many");
  EXPECT_THAT(error(many, "message"), HasSubstr("3 processes"));
}

TEST_F(Programs, WhatItStartedGoesWithIt) {
  start();
  const auto job = run(tool("\"family\",\"" + sign() + "\""));
  EXPECT_EQ(result(job, "exit_code"), "3") << "and its output ended, though a grandchild had it";
  EXPECT_TRUE(nothingIsLeft());
}

TEST_F(Programs, OneLeftBehindGoesWithTheAttempt) {
  start();
  const auto job = run(tool("\"tree\",\"" + sign() + "\"", R"("how":"leave")"));
  EXPECT_EQ(result(job, "read"), "1");
  EXPECT_TRUE(nothingIsLeft());
  EXPECT_EQ(result(run(tool(R"("say","next")")), "out"), "next") << "the runner is as good as before";
}

TEST_F(Programs, StdinThatIsClosedEarlyIsAnErrorOfTheWrite) {
  start();
  const auto job = run(tool(R"("say","x")", R"("how":"write","options":{"stdin":"pipe"})"));
  EXPECT_EQ(result(job, "failed"), "io");
  EXPECT_EQ(result(job, "exit_code"), "0");
}

TEST_F(Programs, ACancelEndsWhatIgnoresSignals) {
  start();
  const auto id = submit(tool("\"tree\",\"" + sign() + "\"", R"("options":{"grace_ms":200})"));
  ASSERT_TRUE(signSeen());
  cancel(id);
  const auto job = host_->waitForEnd(id);
  ASSERT_TRUE(job);
  EXPECT_EQ(text(job, "state"), "canceled");
  EXPECT_TRUE(job->isNull("exit")) << "the host had to end the runner";
  EXPECT_TRUE(nothingIsLeft());
}

TEST_F(Programs, ACancelIsAskedOfThemFirst) {
  start();
  const std::string bye = (folder_ / "bye").string();
  const auto id = submit(tool("\"polite\",\"" + sign() + "\",\"" + bye + "\"", R"("options":{"grace_ms":10000})"));
  ASSERT_TRUE(signSeen());
  cancel(id);
  EXPECT_EQ(text(host_->waitForEnd(id), "state"), "canceled");
  EXPECT_TRUE(fs::exists(bye));
}

TEST_F(Programs, EndlessOutputThatNobodyReadsWaitsAndIsCanceled) {
  start();
  const auto id = submit(tool(R"("endless")", R"("how":"unread","options":{"grace_ms":200})"));
  ASSERT_TRUE(host_->waitForEvent(id, "note"));
  cancel(id);
  EXPECT_EQ(text(host_->waitForEnd(id), "state"), "canceled");
  EXPECT_TRUE(nothingIsLeft());
}

/// The runner that has the host as its parent and runs a job of this kit.
pid_t runnerOf(const HostProcess& host) {
  for (const pid_t pid : host.otherProcesses()) {
    std::ifstream line("/proc/" + std::to_string(pid) + "/cmdline");
    const std::string command((std::istreambuf_iterator<char>(line)), {});
    if (command.find("--parent=") == std::string::npos) continue;
    std::ifstream children("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children");
    if (std::string((std::istreambuf_iterator<char>(children)), {}).empty()) continue;
    return pid;
  }
  return -1;
}

TEST_F(Programs, NothingOutlivesARunnerThatIsKilled) {
  start();
  const auto id = submit(tool("\"tree\",\"" + sign() + "\""));
  ASSERT_TRUE(signSeen());
  const pid_t runner = runnerOf(*host_);
  ASSERT_GT(runner, 0);
  ASSERT_EQ(::kill(runner, SIGKILL), 0);
  EXPECT_EQ(text(host_->waitForEnd(id), "state"), "failed");
  EXPECT_TRUE(nothingIsLeft());
}

TEST_F(Programs, NothingOutlivesAHostThatIsKilled) {
  start();
  submit(tool("\"tree\",\"" + sign() + "\""));
  ASSERT_TRUE(signSeen());
  host_->killNow();
  EXPECT_TRUE(HostProcess::eventually([&] { return host_->otherProcesses().empty(); })) << "without a next start";
}

TEST_F(Programs, NothingOutlivesAHostAndARunnerKilledAtOnce) {
  start();
  submit(tool("\"tree\",\"" + sign() + "\""));
  ASSERT_TRUE(signSeen());
  const pid_t runner = runnerOf(*host_);
  ASSERT_GT(runner, 0);
  ::kill(runner, SIGSTOP);  // it cannot do anything for them
  host_->killNow();
  ::kill(runner, SIGKILL);
  EXPECT_TRUE(HostProcess::eventually([&] { return host_->otherProcesses().empty(); }));
}

TEST_F(Programs, APythonHandlerRunsThemToo) {
  start(R"py(#!/usr/bin/env python3
from jobhost_handler import ProcessFailed, handler, serve

@handler("py-program")
def program(job):
    if job.params.get("tree"):
        with job.spawn(["tool", "tree", job.params["tree"]], grace_ms=200) as process:
            process.wait()
    done = job.run(["tool", "cat"], input=b"given")
    failed = job.run(["tool", "say", "o", "e", "5"])
    try:
        job.run(["env"])
        denied = ""
    except ProcessFailed as error:
        denied = error.code
    late = job.run(["tool", "burn"], timeout_ms=200, grace_ms=100)
    return {"out": done.out.decode(), "exit": failed.exit_code, "err": failed.err.decode(), "denied": denied,
            "late": late.timed_out}

serve()
)py");
  const auto job = run("{}", "py-program");
  EXPECT_EQ(result(job, "out"), "given");
  EXPECT_EQ(result(job, "exit"), "5");
  EXPECT_EQ(result(job, "err"), "e");
  EXPECT_EQ(result(job, "denied"), "process.not_permitted");
  EXPECT_EQ(result(job, "late"), "true");
  const auto id = submit("{\"tree\":\"" + sign() + "\"}", "py-program");
  ASSERT_TRUE(signSeen());
  cancel(id);
  EXPECT_EQ(text(host_->waitForEnd(id), "state"), "canceled");
  EXPECT_TRUE(nothingIsLeft());
  fs::remove(sign());
  submit("{\"tree\":\"" + sign() + "\"}", "py-program");
  ASSERT_TRUE(signSeen());
  host_->killNow();
  EXPECT_TRUE(HostProcess::eventually([&] { return host_->otherProcesses().empty(); }));
}

}  // namespace
}  // namespace jobhost::e2e
