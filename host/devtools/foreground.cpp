#include "devtools/foreground.hpp"

#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <thread>

#include "catalog/folder_watch.hpp"
#include "devtools/record.hpp"
#include "devtools/valgrind.hpp"
#include "devtools/watched.hpp"
#include "jobhost/abi.h"

extern char** environ;

namespace jobhost::devtools {
namespace {

namespace fs = std::filesystem;

constexpr core::Millis kDebuggerPatience{7LL * 24 * 3600 * 1000};
constexpr int kLookMs = 200;

core::Error wrong(const std::string& why) {
  return {core::ErrorCode::InvalidArgument, why, {}, {}};
}

std::string readAll(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

core::Result<void> writeAll(const fs::path& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (out) return {};
  return core::Error{core::ErrorCode::Unavailable, "cannot write " + file.string(), {}, {}};
}

/// Starts gdb on the runner once that waits for it, and gives it the terminal until it is left.
class Debugger {
 public:
  Debugger(Lab& lab, fs::path program)
      : thread_(
            [this, &lab, program = std::move(program)](const std::stop_token& stop) { attach(lab, program, stop); }) {}
  ~Debugger() { thread_.request_stop(); }

 private:
  static void attach(Lab& lab, const fs::path& program, const std::stop_token& stop) {
    catalog::FolderWatch watch;
    watch.watch(lab.folder());
    while (!stop.stop_requested() && !fs::exists(lab.folder() / "watched")) {  // the runner's first sign of life
      pollfd fd{watch.fd(), POLLIN, 0};
      poll(&fd, 1, kLookMs);
      watch.read();
    }
    const int pid = lab.runnerPid();
    if (stop.stop_requested() || pid <= 0) return;
    std::vector<std::string> words{program.string(), "-q", "-p", std::to_string(pid)};
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_t child = 0;
    if (posix_spawn(&child, program.c_str(), nullptr, nullptr, argv.data(), environ) != 0) return;
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  }
  std::jthread thread_;
};

/// What a record says, put in place of what was asked for. Its inputs are written to `folder`.
core::Result<void> fromRecord(ForegroundOptions& options, const fs::path& folder) {
  auto record = readRecord(options.replay);
  if (!record) return record.error();
  options.type = record->type;
  options.params = record->params;
  options.lab.config_json = record->config_json;
  options.lab.inputs.clear();
  for (const auto& input : record->inputs) {
    if (auto written = writeAll(folder / input.name, input.bytes); !written) return written.error();
    options.lab.inputs.push_back({input.name, folder / input.name});
  }
  return {};
}

/// The option that asks for what the runner's inspector does, which is not there where the runner becomes a program.
const char* forLibraries(const ForegroundOptions& options) {
  if (!options.trace.empty()) return "--trace";
  if (!options.record.empty()) return "--record";
  if (!options.replay.empty()) return "--replay";
  if (options.gdb) return "--gdb";
  return options.valgrind ? "--valgrind" : nullptr;
}

core::Result<std::string> checkedParams(const Subject& subject, const ForegroundOptions& options) {
  std::string names;
  for (const auto& type : subject.manifest->types) {
    if (type.info.name == options.type) return type.schema->check(options.params);
    names += (names.empty() ? "" : ", ") + type.info.name;
  }
  return wrong(options.type.empty() ? "--type: which of " + names + "?"
                                    : "--type: there is no job type \"" + options.type + "\"; it has " + names);
}

core::Result<std::vector<fs::path>> keepOutputs(const JobReport& job, const fs::path& folder) {
  std::vector<fs::path> kept;
  std::error_code error;
  for (const auto& output : job.end.outputs) {
    const auto to = folder / output.name;
    fs::create_directories(to.parent_path(), error);
    fs::copy_file(job.outputs / output.name, to, fs::copy_options::overwrite_existing, error);
    if (error) return core::Error{core::ErrorCode::Unavailable, to.string() + ": " + error.message(), {}, {}};
    kept.push_back(to);
  }
  return kept;
}

Record makeRecord(const Subject& subject, const ForegroundOptions& options, const std::vector<Json>& lines) {
  Record record{
      options.type, options.params, subject.manifest->id, subject.manifest->version, options.lab.config_json, {}, {}};
  for (const auto& input : options.lab.inputs) record.inputs.push_back({input.name, readAll(input.file)});
  record.calls = callsOf(lines, 1);
  return record;
}

}  // namespace

core::Result<ForegroundReport> Foreground::run(const Subject& subject, const ForegroundOptions& asked,
                                               Lab::Watcher watcher) {
  if (!subject.manifest) {
    return wrong(!subject.note_problem.empty() ? subject.note_problem
                                               : "its manifest is wrong: " + subject.manifest_problems[0]);
  }
  ForegroundOptions options = asked;
  if (subject.program) {
    if (const auto* option = forLibraries(options); option != nullptr)
      return wrong(std::string(option) + ": is for libraries; a program (kind \"process\") speaks for itself");
  }
  const ScratchFolder inputs;
  if (!options.replay.empty()) {
    if (auto read = fromRecord(options, inputs.path()); !read) return read.error();
  }
  auto params = checkedParams(subject, options);
  if (!params) return params.error();
  options.params = *std::move(params);

  WatchPlan plan;
  plan.calls = !options.trace.empty() || !options.record.empty() || !options.replay.empty() || options.gdb;
  plan.full = !options.record.empty();
  plan.debugger = options.gdb;
  if (!options.replay.empty()) plan.replay = fs::absolute(options.replay).string();
  core::Result<fs::path> debugger = fs::path();
  if (options.gdb) {
    debugger = findTool("gdb", toolFolders());
    options.lab.load_timeout = options.lab.job_timeout = kDebuggerPatience;
    options.lab.host_flags |= static_cast<int>(JH_HOST_DEBUG);
  }
  const auto said = inputs.path() / ".valgrind";
  if (options.valgrind) {
    debugger = findTool("valgrind", toolFolders());
    if (debugger) options.lab.runner_prefix = {debugger->string(), "--quiet", "--log-file=" + said.string()};
    options.lab.limit_memory = false;
  }
  if (!debugger) return debugger.error();

  ForegroundReport report;
  std::vector<Json> lines;
  {
    options.lab.real_pauses = true;
    Lab lab(subject, options.lab, plan, {JobSpec{options.type, options.params}});
    lab.setWatcher(std::move(watcher));
    {
      const std::lock_guard lock(mutex_);
      lab_ = &lab;
    }
    {
      std::optional<Debugger> gdb;
      if (options.gdb) gdb.emplace(lab, *debugger);
      report.job = lab.run(0);
    }
    {
      const std::lock_guard lock(mutex_);
      lab_ = nullptr;
    }
    lines = lab.watched();
    if (!options.out.empty()) {
      auto kept = keepOutputs(report.job, options.out);
      if (!kept) return kept.error();
      report.outputs = *std::move(kept);
    }
  }
  if (options.valgrind) report.valgrind = readAll(said);
  for (const auto& line : lines) {
    if (line["s"].stringOr("") == "diverged") report.diverged.emplace_back(line["c"].stringOr(""));
  }
  if (!options.trace.empty()) {
    if (auto written = writeAll(options.trace, chromeTrace(subject.manifest->id, options.type, lines)); !written)
      return written.error();
  }
  if (!options.record.empty()) {
    if (auto written = writeRecord(options.record, makeRecord(subject, options, lines)); !written)
      return written.error();
  }
  return report;
}

void Foreground::stop() {
  const std::lock_guard lock(mutex_);
  if (lab_ != nullptr) lab_->stop();
}

void Foreground::kill() {
  const std::lock_guard lock(mutex_);
  if (lab_ != nullptr) lab_->kill();
}

}  // namespace jobhost::devtools
