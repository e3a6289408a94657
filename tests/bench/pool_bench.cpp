// What runner processes cost, through the pool's interface and with the testkit plugin: no-ops a second over one and
// two runners, and how long a crash, a cancel and a forced kill take until the attempt's end is told, and one no-op alone. `pool_bench
// [jobs]`
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "pool/runner_pool.hpp"

using namespace jobhost;

namespace {

using SteadyClock = std::chrono::steady_clock;
namespace fs = std::filesystem;

double millisSince(SteadyClock::time_point begun) {
  return std::chrono::duration<double, std::milli>(SteadyClock::now() - begun).count();
}

/// Remembers when each attempt began and ended.
class Watcher final : public dispatch::RunnerListener {
 public:
  void attemptStarted(core::JobId id, store::LeaseToken) override {
    if (!counting_.load()) note(started_, id);
  }
  void attemptEnded(dispatch::AttemptEnd end) override {
    const auto ends = ends_.fetch_add(1) + 1;
    if (!counting_.load()) return note(ended_, end.id);
    if (ends != target_.load()) return;
    std::lock_guard lock(mutex_);
    changed_.notify_all();
  }
  void progressed(core::JobId, store::LeaseToken, core::Progress) override {}
  void noted(core::JobId, store::LeaseToken, std::string, std::string) override {}
  void logged(core::JobId id, std::string line) override {
    if (line.find("about to crash") != std::string::npos) note(logged_, id);
  }
  void capacityChanged(const std::string&, int) override {}

  SteadyClock::time_point started(core::JobId id) { return wait(started_, id); }
  SteadyClock::time_point ended(core::JobId id) { return wait(ended_, id); }
  SteadyClock::time_point logged(core::JobId id) { return wait(logged_, id); }
  void waitForEnds(std::int64_t count) {
    std::unique_lock lock(mutex_);
    target_.store(count);
    changed_.wait(lock, [&] { return ends_.load() >= count; });
  }
  /// Only counts: the times of thousands would cost more than what is measured.
  void countOnly(bool yes) { counting_.store(yes); }
  [[nodiscard]] std::int64_t ends() const { return ends_.load(); }

 private:
  using Times = std::map<std::int64_t, SteadyClock::time_point>;
  void note(Times& times, core::JobId id) {
    std::lock_guard lock(mutex_);
    times.try_emplace(id.value, SteadyClock::now());
    changed_.notify_all();
  }
  SteadyClock::time_point wait(Times& times, core::JobId id) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return times.contains(id.value); });
    return times[id.value];
  }

  std::atomic<bool> counting_{false};
  std::atomic<std::int64_t> ends_{0};
  std::atomic<std::int64_t> target_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  Times started_;
  Times ended_;
  Times logged_;
};

class Bench {
 public:
  explicit Bench(int runners) {
    std::string pattern = (fs::temp_directory_path() / "jobhost-pool-bench-XXXXXX").string();
    data_ = ::mkdtemp(pattern.data());
    publish();
    pool::RunnerPoolOptions options;
    options.runner = fs::path(JOBHOST_BIN_DIR) / "jobhost-runner";
    options.data_folder = data_;
    options.max_runners_per_plugin = runners;
    pool_ = std::make_unique<pool::RunnerPool>(options, catalog_, nullptr, clock_);
    pool_->setListener(&watcher_);
  }
  ~Bench() {
    pool_.reset();
    std::error_code ignored;
    fs::remove_all(data_, ignored);
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  dispatch::Assignment assignment(const std::string& type, const std::string& params) {
    dispatch::Assignment one;
    one.job.id = {next_job_++};
    one.job.lease = one.job.id.value;
    one.job.type = type;
    one.job.params_json = params;
    one.plugin = "org.jobhost.testkit";
    return one;
  }
  core::JobId start(const std::string& type, const std::string& params) {
    auto one = assignment(type, params);
    const auto id = one.job.id;
    pool_->start({std::move(one)});
    return id;
  }

  /// As the dispatcher does: hands over in portions, keeps a bounded number with the pool.
  double drain(int jobs) {
    constexpr int kPortion = 128;
    watcher_.countOnly(true);
    const auto before = watcher_.ends();
    const auto begun = SteadyClock::now();
    for (int given = 0; given < jobs; given += kPortion) {
      std::vector<dispatch::Assignment> portion;
      for (int i = given; i < std::min(jobs, given + kPortion); ++i) portion.push_back(assignment("noop", "{}"));
      pool_->start(std::move(portion));
      watcher_.waitForEnds(before + given - 2 * kPortion);
    }
    watcher_.waitForEnds(before + jobs);
    watcher_.countOnly(false);
    return jobs / (millisSince(begun) / 1000);
  }

  /// One no-op with nothing else going on: what a warm runner adds to calling the plugin's function.
  double alone() {
    const auto begun = SteadyClock::now();
    const auto id = start("noop", "{}");
    return std::chrono::duration<double, std::micro>(watcher_.ended(id) - begun).count();
  }

  /// From the plugin's last word to the end with its report.
  double crash() {
    const auto id = start("crash", R"({"how":"segv"})");
    const auto said = watcher_.logged(id);
    return std::chrono::duration<double, std::milli>(watcher_.ended(id) - said).count();
  }
  /// From the request to the end, `after` less (the grace, where one has to pass).
  double stop(const std::string& type, const std::string& params, double after) {
    const auto id = start(type, params);
    watcher_.started(id);
    const auto asked = SteadyClock::now();
    pool_->stop(id, dispatch::StopReason::Canceled);
    return std::chrono::duration<double, std::milli>(watcher_.ended(id) - asked).count() - after;
  }

  static constexpr double kGraceMs = 100;

 private:
  void publish() {
    auto generation = std::make_shared<catalog::PluginGeneration>();
    generation->id = catalog_.nextGenerationId();
    generation->plugin_id = "org.jobhost.testkit";
    generation->version = "1.0.0";
    generation->private_path = fs::path(JOBHOST_TEST_PLUGIN_DIR) / "testkit.so";
    std::map<std::string, catalog::TypeEntry, std::less<>> types;
    for (const char* name : {"noop", "sleep", "crash", "hog"}) {
      catalog::TypeEntry entry;
      entry.info.name = name;
      entry.info.plugin_id = generation->plugin_id;
      entry.info.generation = generation->id;
      entry.info.cancel_grace = core::Millis(static_cast<int>(kGraceMs));
      entry.generation = generation;
      types[name] = entry;
    }
    catalog_.publish(std::move(types), {});
  }

  fs::path data_;
  core::SystemClock clock_;
  catalog::Catalog catalog_;
  Watcher watcher_;
  std::unique_ptr<pool::RunnerPool> pool_;
  std::int64_t next_job_ = 1;
};

void measure(const char* label, const std::function<double()>& once) {
  constexpr int kTimes = 21;
  std::vector<double> times;
  for (int i = 0; i < kTimes; ++i) times.push_back(once());
  std::sort(times.begin(), times.end());
  std::printf("%-52s p50 %7.1f ms   worst %7.1f ms\n", label, times[kTimes / 2], times.back());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const int jobs = argc > 1 ? std::atoi(argv[1]) : 200'000;
  for (const int runners : {1, 2}) {
    Bench bench(runners);
    bench.drain(1'000);  // the pool learns that they are short
    std::printf("no-ops through %d runner%s %38.0f /s\n", runners, runners == 1 ? " " : "s", bench.drain(jobs));
    std::fflush(stdout);
  }
  Bench bench(2);
  bench.drain(10);
  std::vector<double> alone;
  for (int i = 0; i < 2'001; ++i) alone.push_back(bench.alone());
  std::sort(alone.begin(), alone.end());
  std::printf("%-52s p50 %7.1f us   p99 %9.1f us\n", "a no-op alone, handed over until its end is told",
              alone[alone.size() / 2], alone[alone.size() * 99 / 100]);
  std::fflush(stdout);
  measure("crash, from the last word to the end with report", [&] { return bench.crash(); });
  measure("cancel of a job that heeds it", [&] { return bench.stop("sleep", R"({"ms":60000,"steps":60000})", 0); });
  measure("forced kill, after the grace", [&] { return bench.stop("hog", R"({"what":"cpu_deaf"})", Bench::kGraceMs); });
  return 0;
}
