#include "devtools/lab.hpp"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <system_error>
#include <utility>

#include "core/job_paths.hpp"
#include "devtools/in_process.hpp"
#include "jobhost/abi.h"
#include "services/http_door.hpp"

namespace jobhost::devtools {
namespace {

namespace fs = std::filesystem;
using dispatch::AttemptEnd;

constexpr core::Millis kEndPatience{90'000};  // beyond every grace and kill there is
constexpr core::Millis kKillPatience{10'000};
constexpr int kMaxResumes = 16;
constexpr core::Millis kMoment{20};
constexpr std::size_t kMaxKeptLines = 20'000;
constexpr const char* kInputId = "inputs-of-the-lab";
constexpr const char* kHangs = "a-program-hangs";  // a file that each of Programs::Hanging makes when it is there

}  // namespace

ScratchFolder::ScratchFolder() {
  std::string pattern = (fs::temp_directory_path() / "jobhost-lab-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::system_error(errno, std::generic_category(), pattern);
  path_ = fs::canonical(pattern);
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

/// Keeps what the pool tells and lets the lab wait for the end.
class Lab::Listener final : public dispatch::RunnerListener {
 public:
  Listener(LocalRecords& kept, ProgramWatch* outside) : records(kept), outside_(outside) {}

  void attemptStarted(core::JobId id, store::LeaseToken) override {
    if (outside_ != nullptr) outside_->started(id);
    if (watcher.started) watcher.started();
  }
  void attemptEnded(AttemptEnd end) override {
    if (outside_ != nullptr) outside_->ended(end);
    if (end.writes) records.commit(*end.writes);
    const std::lock_guard lock(mutex_);
    end_ = std::move(end);
    changed_.notify_all();
  }
  void progressed(core::JobId id, store::LeaseToken, core::Progress progress) override {
    if (outside_ != nullptr) outside_->progressed(id, progress);
    if (watcher.progressed) watcher.progressed(progress);
    const std::lock_guard lock(mutex_);
    if (report_.progress.size() < kMaxKeptLines) report_.progress.push_back(std::move(progress));
  }
  void noted(core::JobId, store::LeaseToken, std::string key, std::string value_json) override {
    if (watcher.noted) watcher.noted(key, value_json);
    const std::lock_guard lock(mutex_);
    report_.notes[std::move(key)] = std::move(value_json);
  }
  void logged(core::JobId, std::string line_json) override {
    if (outside_ != nullptr) outside_->logged(line_json);
    if (watcher.logged) watcher.logged(line_json);
    const std::lock_guard lock(mutex_);
    if (report_.log.size() >= kMaxKeptLines) return;
    const bool piped = line_json.find("\"level\":\"stdout\"") != std::string::npos ||
                       line_json.find("\"level\":\"stderr\"") != std::string::npos;
    if (piped) report_.printed.push_back(line_json);
    report_.log.push_back(std::move(line_json));
  }
  void capacityChanged(const std::string&, int) override {}

  void begin(bool again) {
    const std::lock_guard lock(mutex_);
    end_.reset();
    if (!again) report_ = {};
  }
  /// `longest` 0: however long it takes.
  bool waitForEnd(core::Millis longest) {
    std::unique_lock lock(mutex_);
    if (longest.count() == 0) changed_.wait(lock, [&] { return end_.has_value(); });
    return changed_.wait_for(lock, longest, [&] { return end_.has_value(); });
  }
  JobReport take() {
    const std::lock_guard lock(mutex_);
    if (end_) report_.end = *end_;
    return report_;
  }

  Watcher watcher;
  LocalRecords& records;

 private:
  ProgramWatch* const outside_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<AttemptEnd> end_;
  JobReport report_;
};

std::string JobReport::describe() const {
  std::string text;
  switch (end.kind) {
    case AttemptEnd::Kind::Succeeded:
      return "succeeded";
    case AttemptEnd::Kind::Stopped:
      text = end.forced ? "did not stop when asked to and was killed" : "stopped when asked to";
      break;
    case AttemptEnd::Kind::Suspended:
      text = "suspended itself again and again";
      break;
    case AttemptEnd::Kind::NotStarted:
      text = "could not be started";
      break;
    case AttemptEnd::Kind::Failed:
      text = "failed";
      break;
  }
  if (timed_out) text += " (over its time)";
  if (end.error) {
    text += ": class " + std::to_string(static_cast<int>(end.error->error_class)) + ", code " + end.error->code + ": " +
            end.error->message;
  }
  return text;
}

bool JobReport::crashed() const {
  return end.exit.has_value() ||
         (end.error && (end.error->code.rfind("plugin_", 0) == 0 || end.error->code == "thread_ended"));
}

Lab::Lab(const Subject& subject, LabOptions options, WatchPlan plan, std::vector<JobSpec> jobs)
    : options_(std::move(options)),
      jobs_(std::move(jobs)),
      plugin_id_(subject.manifest ? subject.manifest->id : "plugin"),
      outside_(subject.program ? std::make_unique<ProgramWatch>(jobs_, scratch_.path() / "work", plan.state) : nullptr),
      listener_(std::make_unique<Listener>(services_.kept, outside_.get())) {
  services_.config_json = options_.config_json;
  services_.secrets = options_.secrets;
  if (outside_) {
    services_.gate = [this](const pool::AttemptServices::Caller& caller, std::string_view call, std::string_view what,
                            bool permitted) { return outside_->called(caller.job, call, what, permitted); };
    outside_->stop = [this](core::JobId id) { pool_->stop(id, dispatch::StopReason::Canceled); };
  }
  if (options_.web == Web::Real) {
    fetch::ClientOptions real;
    real.guard = *fetch::AddressGuard::make(options_.allow_private, {});
    real.user_agent = "jobhost/" JOBHOST_VERSION;
    client_ = std::make_unique<fetch::Client>(std::move(real));
    web_ = std::make_unique<services::HttpDoor>(*client_);
  } else {
    web_ = std::make_unique<LocalWeb>(options_.web, [this] { fetch_waits_.store(true); });
  }
  services_.web = web_.get();
  const auto inputs = core::inputFolder(scratch_.path(), kInputId);
  fs::create_directories(inputs);
  for (const auto& input : options_.inputs) fs::copy_file(input.file, inputs / input.name);
  publish(subject);
  if (subject.manifest) services_.kept.declare(*subject.manifest);

  pool::RunnerPoolOptions pool;
  pool.runner = options_.runner;
  pool.data_folder = scratch_.path();
  pool.host_version = JOBHOST_VERSION;
  pool.max_runners_per_plugin = 1;
  pool.max_runners = 2;
  pool.load_timeout = options_.load_timeout;
  pool.drain_timeout = options_.drain_timeout;
  pool.restart_delay = core::Millis(50);
  pool.recycle_rss_factor = 1e6;  // growth is what is looked for, so its process must stay
  pool.max_output_bytes = options_.max_output_bytes;
  pool.sync_outputs = false;
  pool.use_cgroups = false;
  if (!options_.limit_memory) pool.memory_bytes = 0;
  // Limits are set when the process runs already. Valgrind keeps files at the top of the range it found at its start,
  // and gives up when that is gone.
  if (!options_.runner_prefix.empty()) pool.max_open_files = 0;
  pool.runner_prefix = options_.runner_prefix;
  if (options_.in_process) pool.spawn = &spawnInProcess;
  pool.host_flags = static_cast<std::uint32_t>(options_.host_flags);
  if (options_.in_process) pool.host_flags &= ~std::uint32_t{JH_HOST_ISOLATED};
  pool.inspection = inspection(plan);
  if (options_.programs != Programs::Real) pool.program_path = standIns(subject);
  pool_ = std::make_unique<pool::RunnerPool>(std::move(pool), catalog_, &services_, clock_);
  pool_->setListener(listener_.get());
}

Lab::~Lab() {
  pool_.reset();
}

/// A folder with programs of the names the manifest asks for, which do what `programs` says.
std::string Lab::standIns(const Subject& subject) const {
  const fs::path folder = scratch_.path() / "programs";
  fs::create_directories(folder);
  if (!subject.manifest) return folder.string();
  for (const auto& name : subject.manifest->permissions.exec) {
    if (name.empty() || name.find('/') != std::string::npos) continue;
    const std::string hangs = ": > '" + (scratch_.path() / kHangs).string() + "'\nexec /bin/sleep 1000000\n";
    std::ofstream(folder / name) << "#!/bin/sh\n" << (options_.programs == Programs::Failing ? "exit 1\n" : hangs);
    fs::permissions(folder / name, fs::perms(0755));
  }
  return folder.string();
}

void Lab::publish(const Subject& subject) {
  auto generation = std::make_shared<catalog::PluginGeneration>();
  generation->id = catalog_.nextGenerationId();
  generation->plugin_id = plugin_id_;
  generation->private_path = subject.path;
  generation->manifest_json = subject.manifest_json;
  std::map<std::string, catalog::TypeEntry, std::less<>> types;
  if (subject.manifest) {
    generation->version = subject.manifest->version;
    generation->permissions = subject.manifest->permissions;
    generation->records = subject.manifest->records;
    for (const auto& type : subject.manifest->types) {
      catalog::TypeEntry entry{type.info, type.schema, nullptr};
      entry.info.plugin_id = plugin_id_;
      entry.info.generation = generation->id;
      entry.info.permissions = subject.manifest->permissions;
      generation->job_types.push_back(type.info.name);
      types[type.info.name] = std::move(entry);
    }
  }
  generation_ = generation;
  for (auto& [name, entry] : types) entry.generation = generation_;
  catalog_.publish(std::move(types), {});
}

std::string Lab::inspection(const WatchPlan& plan) const {
  Json absent = Json::array();
  for (const auto& id : plan.absent) absent.push(id);
  Json jobs = Json::array();
  for (const auto& job : jobs_) {
    Json one = Json::object();
    if (job.cancel_at >= 0) one.set("cancel_at", job.cancel_at);
    if (!job.fail_call.empty()) {
      one.set("fail", Json{{"call", job.fail_call}, {"nth", job.fail_nth}, {"code", job.fail_code}});
    }
    jobs.push(std::move(one));
  }
  Json out{{"log", (scratch_.path() / "watched").string()},
           {"calls", plan.calls},
           {"state", plan.state},
           {"full", plan.full},
           {"longer", plan.longer},
           {"shorter", plan.shorter},
           {"debugger", plan.debugger},
           {"flags", plan.flags},
           {"parallel", plan.parallel}};
  if (plan.abi_minor >= 0) out.set("abi_minor", plan.abi_minor);
  if (!plan.replay.empty()) out.set("replay", plan.replay);
  out.set("absent", std::move(absent));
  out.set("jobs", std::move(jobs));
  return out.dump();
}

core::Result<pool::RunnerPool::Probed> Lab::load() {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<core::Result<pool::RunnerPool::Probed>> answer;
  const auto begun = std::chrono::steady_clock::now();
  pool_->probe(generation_, [&](core::Result<pool::RunnerPool::Probed> found) {
    const std::lock_guard lock(mutex);
    answer.emplace(std::move(found));
    changed.notify_all();
  });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return answer.has_value(); });  // always answered: each step of a probe has its time-out
  if (outside_ && *answer) {
    const auto took = std::chrono::steady_clock::now() - begun;
    outside_->loaded(std::chrono::duration_cast<core::Millis>(took), (*answer)->left_in_order);
  }
  return *std::move(answer);
}

void Lab::setWatcher(Watcher watcher) {
  listener_->watcher = std::move(watcher);
}

JobReport Lab::run(std::size_t index) {
  const auto& spec = jobs_.at(index);
  const core::JobId id{static_cast<std::int64_t>(index) + 1};
  JobReport report;
  fetch_waits_.store(false);
  std::error_code ignored;
  fs::remove(scratch_.path() / kHangs, ignored);
  services_.kept.clear();
  bool again = false;
  store::LeaseToken lease = 0;
  for (int round = 0; round <= kMaxResumes; ++round) {
    dispatch::Assignment one;
    one.job.id = id;
    one.job.lease = ++lease;
    one.job.type = spec.type;
    one.job.params_json = spec.params;
    one.job.resumed = again;
    one.job.created_at = clock_.now();
    if (!options_.inputs.empty()) one.job.input_id = kInputId;
    one.plugin = plugin_id_;
    listener_->begin(std::exchange(again, true));
    running_.store(id.value);
    if (outside_) outside_->begin(id, spec.type);
    pool_->start({std::move(one)});
    const bool in_time = endsInTime();
    if (!in_time) {
      pool_->stop(id, dispatch::StopReason::TimedOut);
      listener_->waitForEnd(kEndPatience);
    }
    running_.store(0);
    report = listener_->take();
    report.timed_out = !in_time;
    report.outputs = core::jobPaths(scratch_.path(), id).output;
    if (report.end.kind != AttemptEnd::Kind::Suspended || !in_time) break;
    const auto& end = report.end;
    if (end.retry_after.count() < 0) continue;
    if (listener_->watcher.pausing) listener_->watcher.pausing(end.retry_after, end.reason);
    if (!pause(options_.real_pauses ? end.retry_after : std::min(end.retry_after, kMoment))) {
      report.end.kind = AttemptEnd::Kind::Stopped;
      break;
    }
    if (options_.real_pauses) --round;
  }
  return report;
}

/// Whether the job that runs has begun to wait for what never comes.
bool Lab::waits() const {
  return fetch_waits_.load() || fs::exists(scratch_.path() / kHangs);
}

/// Waits for the attempt's end. False: it is to be asked to stop.
bool Lab::endsInTime() {
  if (options_.waiting_timeout.count() == 0) return listener_->waitForEnd(options_.job_timeout);
  const auto begun = std::chrono::steady_clock::now();
  const auto late = [&] {
    return options_.job_timeout.count() != 0 && std::chrono::steady_clock::now() - begun >= options_.job_timeout;
  };
  while (!waits()) {
    if (listener_->waitForEnd(kMoment)) return true;
    if (late()) return false;
  }
  return listener_->waitForEnd(options_.waiting_timeout);
}

/// False: stop() or kill() came first.
bool Lab::pause(core::Millis time) {
  std::unique_lock lock(pause_mutex_);
  return !stopped_.wait_for(lock, time, [&] { return stop_asked_; });
}

std::vector<JobReport> Lab::runAll() {
  std::vector<JobReport> reports;
  for (std::size_t i = 0; i < jobs_.size(); ++i) reports.push_back(run(i));
  return reports;
}

bool Lab::finish() {
  const int pid = runnerPid();
  if (pid <= 0) return true;
  const pool::UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  catalog_.publish({}, {});  // nobody needs its generation any more: the pool lets it go
  if (!process) return true;
  pollfd ended{process.get(), POLLIN, 0};
  const auto patience = options_.drain_timeout + kKillPatience;
  return ::poll(&ended, 1, static_cast<int>(patience.count())) == 1;
}

void Lab::stop() {
  {
    const std::lock_guard lock(pause_mutex_);
    stop_asked_ = true;
  }
  stopped_.notify_all();
  if (const auto id = running_.load(); id != 0) pool_->stop({id}, dispatch::StopReason::Canceled);
}

void Lab::kill() {
  {
    const std::lock_guard lock(pause_mutex_);
    stop_asked_ = true;
  }
  stopped_.notify_all();
  if (const int pid = runnerPid(); pid > 0) ::kill(-pid, SIGKILL);
}

int Lab::runnerPid() {
  for (const auto& one : pool_->status()) {
    if (one.pid > 0) return one.pid;
  }
  return 0;
}

std::vector<Json> Lab::watched() const {
  if (outside_) return outside_->lines();
  std::vector<Json> lines;
  std::ifstream in(scratch_.path() / "watched");
  for (std::string text; std::getline(in, text);) {
    try {
      lines.push_back(Json::parse(text));
    } catch (const Error&) {
      continue;  // the last line of a process that was killed while it wrote
    }
  }
  return lines;
}

}  // namespace jobhost::devtools
