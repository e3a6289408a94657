#include "devtools/program_watch.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <system_error>
#include <utility>

#include "devtools/lab.hpp"
#include "pool/process_tree.hpp"
#include "pool/warden.hpp"

namespace jobhost::devtools {
namespace {

namespace fs = std::filesystem;
using dispatch::AttemptEnd;

constexpr std::size_t kMaxLines = 200'000;
constexpr std::size_t kMaxListed = 64;

std::int64_t nowMicros() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

/// What run() would have returned. Null: the process ended under it.
Json codeOf(const AttemptEnd& end) {
  const bool crashed = end.exit.has_value() || (end.error && end.error->code.rfind("plugin_", 0) == 0);
  switch (end.kind) {
    case AttemptEnd::Kind::Succeeded:
      return JH_OK;
    case AttemptEnd::Kind::Failed:
      if (crashed) return {};
      return end.error && end.error->code == "stopped_itself" ? JH_E_CANCELLED : JH_E_FAILED;
    case AttemptEnd::Kind::Stopped:
      return end.forced ? Json() : Json(JH_E_CANCELLED);
    case AttemptEnd::Kind::Suspended:
      return JH_E_SUSPENDED;
    case AttemptEnd::Kind::NotStarted:
      return {};
  }
  return {};
}

/// The newest process that the pool with this work folder started; 0: there is none.
pid_t processOf(const fs::path& work) {
  const auto marker = pool::Warden::markerOf(work);
  pool::ProcessInfo newest;
  for (const auto& info : pool::allProcesses()) {
    const bool ours = info.parent == ::getpid() && info.session == info.pid && info.state != 'Z';
    if (ours && info.start_ticks >= newest.start_ticks && pool::hasEnvironment(info.pid, marker)) newest = info;
  }
  return newest.pid;
}

Json openFiles(const std::string& process) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(process + "/fd", error), end; !error && at != end; at.increment(error)) {
    std::error_code ignored;
    const auto target = fs::read_symlink(at->path(), ignored).string();
    if (!ignored) names.push_back(at->path().filename().string() + " " + target);
  }
  std::sort(names.begin(), names.end());
  Json list = Json::array();
  for (const auto& name : names) list.push(name);
  return list;
}

/// Files below the runners' work folders that are in none of in/ and out/.
Json strayFiles(const fs::path& work) {
  Json out = Json::array();
  std::error_code error;
  for (fs::recursive_directory_iterator at(work, error), end; !error && at != end; at.increment(error)) {
    const auto name = at->path().filename();
    const bool files_of_jobs = at.depth() == 1 && (name == "in" || name == "out");
    if (files_of_jobs) at.disable_recursion_pending();
    if (at.depth() == 0 || files_of_jobs || (at.depth() == 1 && name == "tmp")) continue;
    if (out.size() < kMaxListed) out.push(at->path().lexically_relative(work).string());
  }
  return out;
}

Json stateOf(pid_t pid, const fs::path& work) {
  const std::string process = "/proc/" + std::to_string(pid);
  Json is = Json::object();
  std::ifstream status(process + "/status");
  for (std::string line; std::getline(status, line);) {
    for (const std::string_view name : {"Threads:", "VmRSS:"}) {
      if (line.rfind(name, 0) != 0) continue;
      const auto begin = line.find_first_not_of(" \t", name.size());
      if (begin != std::string::npos) is.set(name.substr(0, name.size() - 1), line.substr(begin));
    }
  }
  is.set("pid", pid).set("files", openFiles(process)).set("stray", strayFiles(work));
  return is;
}

}  // namespace

ProgramWatch::ProgramWatch(std::vector<JobSpec> jobs, fs::path work, bool states)
    : jobs_(std::move(jobs)), work_(std::move(work)), states_(states) {}

const JobSpec* ProgramWatch::specOf(core::JobId job) const {
  const auto index = static_cast<std::size_t>(job.value - 1);
  return index < jobs_.size() ? &jobs_[index] : nullptr;
}

/// With the mutex held.
void ProgramWatch::write(Json line) {
  if (lines_.size() < kMaxLines) lines_.push_back(std::move(line));
}

/// Counts a call, with the mutex held. True: the job is to be asked to stop now.
bool ProgramWatch::counted(core::JobId job, std::string_view call) {
  ++number_;
  ++counts_[std::string(call)];
  const auto* spec = specOf(job);
  if (spec == nullptr || spec->cancel_at <= 0 || spec->cancel_at != number_) return false;
  write(Json{{"s", "cancel"}, {"job", job.value}, {"before", number_}, {"t", nowMicros()}});
  return true;
}

void ProgramWatch::begin(core::JobId job, std::string_view type) {
  const std::lock_guard lock(mutex_);
  number_ = 0;
  counts_.clear();
  left_behind_.clear();
  write(Json{{"s", "begin"}, {"job", job.value}, {"type", type}, {"t", nowMicros()}});
}

void ProgramWatch::started(core::JobId job) {
  if (states_) look("loaded", job);
  {
    const std::lock_guard lock(mutex_);
    const auto* spec = specOf(job);
    if (spec == nullptr || spec->cancel_at != 0) return;
    write(Json{{"s", "cancel"}, {"job", job.value}, {"before", 0}, {"t", nowMicros()}});
  }
  stop(job);
}

void ProgramWatch::progressed(core::JobId job, const core::Progress& progress) {
  bool asks = false;
  {
    const std::lock_guard lock(mutex_);
    asks = counted(job, "progress");
    Json line{{"c", "progress"}, {"n", number_}, {"p", "run"}, {"t", nowMicros()}, {"d", 0}, {"r", JH_OK}};
    line.set("a", Json::array({progress.done, progress.total, progress.message}));
    write(std::move(line));
  }
  if (asks) stop(job);
}

void ProgramWatch::logged(const std::string& line_json) {
  if (line_json.find("left behind were ended") == std::string::npos) return;
  const Json line = Json::parse(line_json);
  if (line["level"].stringOr("") != "host") return;
  const std::lock_guard lock(mutex_);
  left_behind_ = line["text"].stringOr("");
}

jh_result ProgramWatch::called(core::JobId job, std::string_view call, std::string_view subject, bool permitted) {
  jh_result code = permitted ? JH_OK : JH_E_DENIED;
  bool asks = false;
  {
    const std::lock_guard lock(mutex_);
    asks = counted(job, call);
    const auto* spec = specOf(job);
    const bool fails =
        permitted && spec != nullptr && spec->fail_call == call && counts_[std::string(call)] == spec->fail_nth;
    if (fails) code = spec->fail_code;
    Json line{{"c", call}, {"n", number_}, {"p", "run"}, {"t", nowMicros()}, {"d", 0}, {"r", code}};
    line.set("a", Json::array({Json(subject)}));
    if (fails) line.set("injected", true);
    write(std::move(line));
  }
  if (asks) stop(job);
  return code;
}

void ProgramWatch::ended(const AttemptEnd& end) {
  if (states_) look("attempt", end.id);
  const Json code = codeOf(end);
  if (code.isNull()) return;
  const std::lock_guard lock(mutex_);
  Json line{{"s", "end"}, {"job", end.id.value}, {"t", nowMicros()}, {"r", code}, {"calls", number_}};
  write(std::move(line));
}

void ProgramWatch::loaded(core::Millis took, bool left_in_order) {
  const std::lock_guard lock(mutex_);
  write(Json{{"s", "module"}, {"load_us", took.count() * 1000}, {"init_us", 0}});
  if (left_in_order) write(Json{{"s", "deinit"}, {"t", nowMicros()}});
}

void ProgramWatch::look(const char* when, core::JobId job) {
  const pid_t pid = processOf(work_);
  if (pid == 0) return;
  const bool first = std::string_view(when) == "loaded";
  const std::lock_guard lock(mutex_);
  const bool known = std::find(known_.begin(), known_.end(), pid) != known_.end();
  if (first && known) return;
  if (first) known_.push_back(pid);
  Json is = stateOf(pid, work_);
  Json children = Json::array();
  if (!left_behind_.empty()) children.push(left_behind_);
  is.set("children", std::move(children));
  Json line{{"s", "state"}, {"when", when}, {"job", first ? 0 : job.value}};
  line.set("is", std::move(is));
  write(std::move(line));
}

std::vector<Json> ProgramWatch::lines() const {
  const std::lock_guard lock(mutex_);
  return lines_;
}

}  // namespace jobhost::devtools
