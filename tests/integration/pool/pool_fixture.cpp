#include "pool_fixture.hpp"

#include <stdlib.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>

#include "pool/process_tree.hpp"

namespace jobhost::pool {

namespace fs = std::filesystem;

int openFds() {
  return static_cast<int>(std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator{}));
}

void Recorder::attemptStarted(core::JobId id, store::LeaseToken) {
  std::lock_guard lock(mutex_);
  started_[id.value] = true;
  changed_.notify_all();
}

void Recorder::attemptEnded(dispatch::AttemptEnd end) {
  std::lock_guard lock(mutex_);
  const auto id = end.id.value;
  EXPECT_FALSE(ends_.contains(id)) << "attempt " << id << " ended twice";
  ends_[id] = std::move(end);
  changed_.notify_all();
}

void Recorder::progressed(core::JobId id, store::LeaseToken, core::Progress progress) {
  std::lock_guard lock(mutex_);
  progress_[id.value].push_back(std::move(progress));
  changed_.notify_all();
}

void Recorder::noted(core::JobId id, store::LeaseToken, std::string key, std::string value_json) {
  std::lock_guard lock(mutex_);
  notes_[id.value][std::move(key)] = std::move(value_json);
  changed_.notify_all();
}

void Recorder::logged(core::JobId id, std::string line_json) {
  std::lock_guard lock(mutex_);
  lines_[id.value].push_back(std::move(line_json));
  changed_.notify_all();
}

void Recorder::capacityChanged(const std::string& plugin, int slots) {
  std::lock_guard lock(mutex_);
  slots_[plugin] = slots;
  changed_.notify_all();
}

dispatch::AttemptEnd Recorder::waitForEnd(core::JobId id) {
  std::unique_lock lock(mutex_);
  EXPECT_TRUE(wait(lock, [&] { return ends_.contains(id.value); })) << "job " << id.value << " did not end";
  return ends_[id.value];
}

bool Recorder::waitForStart(core::JobId id) {
  std::unique_lock lock(mutex_);
  return wait(lock, [&] { return started_[id.value]; });
}

bool Recorder::waitForLog(core::JobId id, const std::string& part) {
  std::unique_lock lock(mutex_);
  return wait(lock, [&] {
    for (const auto& line : lines_[id.value]) {
      if (line.find(part) != std::string::npos) return true;
    }
    return false;
  });
}

bool Recorder::waitForSlots(const std::string& plugin, int slots) {
  std::unique_lock lock(mutex_);
  return wait(lock, [&] { return slots_.contains(plugin) && slots_[plugin] == slots; });
}

std::size_t Recorder::ends() {
  std::lock_guard lock(mutex_);
  return ends_.size();
}

std::vector<core::Progress> Recorder::progress(core::JobId id) {
  std::lock_guard lock(mutex_);
  return progress_[id.value];
}

std::map<std::string, std::string> Recorder::notes(core::JobId id) {
  std::lock_guard lock(mutex_);
  return notes_[id.value];
}

std::vector<std::string> Recorder::lines(core::JobId id) {
  std::lock_guard lock(mutex_);
  return lines_[id.value];
}

PoolTest::PoolTest() : fds_before_(openFds()) {
  std::string pattern = (fs::temp_directory_path() / "jobhost-pool-XXXXXX").string();
  data_ = ::mkdtemp(pattern.data());
  publish();
  restart(defaultOptions(data_));
}

PoolTest::~PoolTest() {
  pool_.reset();
  std::error_code ignored;
  fs::remove_all(data_, ignored);
}

RunnerPoolOptions PoolTest::defaultOptions(const fs::path& data) {
  RunnerPoolOptions options;
  options.runner = fs::path(JOBHOST_BIN_DIR) / "jobhost-runner";
  options.data_folder = data;
  options.max_runners_per_plugin = 2;
  options.max_runners = 4;
  options.term_grace = core::Millis(200);
  options.restart_delay = core::Millis(50);
  options.watch_interval = core::Millis(50);
  options.sync_outputs = false;
  return options;
}

void PoolTest::restart(const RunnerPoolOptions& options) {
  pool_.reset();
  pool_ = std::make_unique<RunnerPool>(options, catalog_, nullptr, clock_);
  pool_->setListener(&recorder_);
}

void PoolTest::publish(const std::function<void(catalog::JobTypeInfo&)>& change) {
  auto generation = std::make_shared<catalog::PluginGeneration>();
  generation->id = catalog_.nextGenerationId();
  generation->plugin_id = "org.jobhost.testkit";
  generation->version = "1.0.0";
  generation->private_path = fs::path(JOBHOST_TEST_PLUGIN_DIR) / "testkit.so";
  std::map<std::string, catalog::TypeEntry, std::less<>> types;
  for (const char* name :
       {"noop", "echo", "sleep", "fail", "crash", "hog", "spawn", "files", "checkpoint", "misbehave", "settings"}) {
    catalog::TypeEntry entry;
    entry.info.name = name;
    entry.info.plugin_id = generation->plugin_id;
    entry.info.generation = generation->id;
    entry.info.cancel_grace = core::Millis(30'000);  // for those who heed it: they may stand still for a while
    if (change) change(entry.info);
    entry.generation = generation;
    types[name] = entry;
  }
  generation_ = generation;
  catalog_.publish(std::move(types), {});
}

dispatch::Assignment PoolTest::assignment(const std::string& type, const std::string& params) {
  dispatch::Assignment one;
  one.job.id = {next_job_++};
  one.job.lease = one.job.id.value * 10;
  one.job.type = type;
  one.job.params_json = params;
  one.plugin = "org.jobhost.testkit";
  return one;
}

core::JobId PoolTest::start(const std::string& type, const std::string& params) {
  auto one = assignment(type, params);
  const auto id = one.job.id;
  pool_->start({std::move(one)});
  return id;
}

dispatch::AttemptEnd PoolTest::run(const std::string& type, const std::string& params) {
  return recorder_.waitForEnd(start(type, params));
}

std::string PoolTest::logOf(core::JobId id) {
  std::ifstream file(core::jobPaths(data_, id).log);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void PoolTest::expectStillWorks() {
  const auto end = run("echo", R"({"value":42})");
  ASSERT_EQ(end.kind, dispatch::AttemptEnd::Kind::Succeeded) << (end.error ? end.error->message : "");
  EXPECT_NE(end.result_json.find("42"), std::string::npos) << end.result_json;
}

int PoolTest::strangers() {
  const auto runners = pool_->status();
  int count = 0;
  for (const auto& info : allProcesses()) {
    const bool ours = hasEnvironment(info.pid, "JOBHOST_WORK=" + (data_ / "work").string());
    const bool runner =
        std::any_of(runners.begin(), runners.end(), [&](const auto& one) { return one.pid == info.pid; });
    if (ours && !runner && info.state != 'Z') ++count;
  }
  return count;
}

void PoolTest::expectNothingLeft() {
  pool_.reset();
  EXPECT_EQ(openFds(), fds_before_);
  EXPECT_TRUE(fs::is_empty(data_ / "work"));
  for (const auto& info : allProcesses()) {
    EXPECT_FALSE(hasEnvironment(info.pid, "JOBHOST_WORK=" + (data_ / "work").string()))
        << "process " << info.pid << " is left";
  }
}

}  // namespace jobhost::pool
