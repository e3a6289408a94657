// The checker and the foreground run with plugins of kind "process".
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "devtools/check.hpp"
#include "devtools/foreground.hpp"
#include "telemetry/log.hpp"

namespace jobhost::devtools {
namespace {

namespace fs = std::filesystem;

constexpr const char* kManifest = R"({
  "manifest": 1, "kind": "process", "command": ["./zoo_program.py", "FAULT"], "files": ["jobhost_handler.py"],
  "id": "test.zoo-program", "version": "1.0.0",
  "job_types": [{
    "name": "repeat", "idempotent": true, "cancel": {"grace_ms": 300},
    "params": {"type": "object", "required": ["text"], "additionalProperties": false, "properties": {
      "text": {"type": "string", "maxLength": 100000},
      "times": {"type": "integer", "minimum": 1, "maximum": 50, "default": 2}}},
    "result": {"type": "object", "required": ["characters"], "properties": {"characters": {"type": "integer"}}},
    "examples": [{"text": "ab", "times": 3}]}]
})";

/// A folder with the program and a manifest that names the fault it has.
class ProgramZoo {
 public:
  explicit ProgramZoo(const std::string& fault) {
    telemetry::setLogLevel("off");
    fs::copy_file(fs::path(ZOO_SOURCE_DIR) / "zoo_program.py", folder.path() / "zoo_program.py");
    fs::copy_file(fs::path(HANDLER_DIR) / "jobhost_handler.py", folder.path() / "jobhost_handler.py");
    std::string text = kManifest;
    text.replace(text.find("FAULT"), 5, fault);
    manifest = folder.path() / "zoo.plugin.json";
    std::ofstream(manifest) << text;
    options.level = Level::Strict;
    options.lab.runner = fs::path(JOBHOST_BIN_DIR) / "jobhost-runner";
    options.lab.job_timeout = core::Millis(10'000);
  }
  CheckReport check() const {
    const auto subject = readSubject(manifest);
    if (!subject) throw std::runtime_error(subject.error().message);
    auto report = devtools::check(*subject, options);
    if (!report) throw std::runtime_error(report.error().message);
    return *std::move(report);
  }

  ScratchFolder folder;
  fs::path manifest;
  CheckOptions options;
};

std::string whatFailed(const CheckReport& report) {
  std::string text;
  for (const auto& one : report.results) {
    if (one.finding.verdict == Verdict::Failed) text += std::string(one.rule->id) + ": " + one.finding.text + "\n";
  }
  return text;
}

struct Fault {
  const char* name;
  const char* rule;
  const char* words;
};

constexpr Fault kFaults[] = {
    {"does_not_load", "load.loads", "no moon tonight"},
    {"stays", "load.leaves", "deinit()"},
    {"crashes", "run.ends", "SIGABRT"},
    {"raises", "run.examples", "boom"},
    {"wrong_result", "run.result-schema", "/result/characters"},
    {"progress_back", "run.progress-grows", "went back"},
    {"aborts_on_failure", "errors.failing-calls", "config()"},
    {"slow_to_stop", "cancel.latency", "killed"},
    {"leaks_file", "hygiene.files", "/dev/zero"},
    {"leaks_thread", "hygiene.threads", "threads after its jobs"},
    {"leaks_process", "hygiene.processes", "left behind"},
    {"leaks_memory", "hygiene.memory", "KiB"},
    {"stray_file", "hygiene.stray-files", "left_behind"},
};

class ProgramFaults : public testing::TestWithParam<Fault> {};

TEST_P(ProgramFaults, AreFoundByTheirRule) {
  ProgramZoo zoo(GetParam().name);
  zoo.options.only = {GetParam().rule};
  const auto failed = whatFailed(zoo.check());
  EXPECT_NE(failed.find(std::string(GetParam().rule) + ": "), std::string::npos) << failed;
  EXPECT_NE(failed.find(GetParam().words), std::string::npos) << failed;
}

INSTANTIATE_TEST_SUITE_P(Programs, ProgramFaults, testing::ValuesIn(kFaults),
                         [](const auto& fault) { return fault.param.name; });

TEST(ProgramCheck, FindsNothingWrongWithTheGoodOne) {
  const ProgramZoo zoo("none");
  const auto report = zoo.check();
  EXPECT_TRUE(report.good()) << whatFailed(report);
  EXPECT_EQ(report.results.size(), allRules().size());
  std::set<std::string> applied;
  for (const auto& one : report.results) {
    if (one.finding.verdict == Verdict::Skipped) {
      EXPECT_FALSE(one.finding.text.empty()) << one.rule->id;
    } else {
      applied.emplace(one.rule->id);
    }
  }
  for (const auto& fault : kFaults) EXPECT_TRUE(applied.contains(fault.rule)) << fault.rule << " was skipped";
  for (const char* rule : {"static.manifest", "static.examples", "static.size", "load.names", "run.unicode",
                           "fuzz.params", "errors.invalid-params", "errors.disk-full", "cancel.answer"}) {
    EXPECT_TRUE(applied.contains(rule)) << rule << " was skipped";
  }
  EXPECT_EQ(report.facts["kind"].stringOr(""), "process");
}

TEST(ProgramCheck, NamesTheFileThatIsNotThere) {
  const ProgramZoo zoo("none");
  fs::remove(zoo.folder.path() / "jobhost_handler.py");
  const auto report = zoo.check();
  EXPECT_NE(whatFailed(report).find("static.note: its file \"jobhost_handler.py\" is not in"), std::string::npos)
      << whatFailed(report);
}

TEST(ProgramCheck, NamesTheFieldOfTheManifestThatIsWrong) {
  const ProgramZoo zoo("none");
  std::ofstream(zoo.manifest) << R"({"manifest": 1, "kind": "process", "command": ["./zoo_program.py"], "id": "a.b"})";
  const auto report = zoo.check();
  EXPECT_NE(whatFailed(report).find("static.manifest: /"), std::string::npos) << whatFailed(report);
}

TEST(ProgramCheck, TellsThePermissionThatADeniedCallNeeds) {
  ProgramZoo zoo("asks_for_more");
  zoo.options.only = {"run.ends"};
  const auto report = zoo.check();
  const auto denied = report.facts["denied"].dump();
  EXPECT_NE(denied.find(R"(permissions.secrets: [\"TOKEN\"])"), std::string::npos) << denied;
  EXPECT_NE(denied.find(R"(permissions.children: [\"other\"])"), std::string::npos) << denied;
}

TEST(ProgramRun, RunsAJobThroughTheProtocol) {
  const ProgramZoo zoo("none");
  ForegroundOptions options;
  options.lab = zoo.options.lab;
  options.type = "repeat";
  options.params = R"({"text": "ab"})";
  options.out = zoo.folder.path() / "out";
  Foreground job;
  const auto report = job.run(*readSubject(zoo.manifest), options, {});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->job.succeeded()) << report->job.describe();
  EXPECT_EQ(report->job.end.result_json, R"({"characters":4})");
  std::ifstream in(options.out / "repeated.txt");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "abab");
}

TEST(ProgramRun, RefusesWhatIsForLibraries) {
  const ProgramZoo zoo("none");
  ForegroundOptions options;
  options.lab = zoo.options.lab;
  options.params = R"({"text": "ab"})";
  options.trace = zoo.folder.path() / "trace.json";
  Foreground job;
  const auto report = job.run(*readSubject(zoo.manifest), options, {});
  ASSERT_FALSE(report);
  EXPECT_NE(report.error().message.find("--trace: is for libraries"), std::string::npos) << report.error().message;
}

}  // namespace
}  // namespace jobhost::devtools
