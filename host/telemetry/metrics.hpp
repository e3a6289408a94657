#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace jobhost::telemetry {

/// Every counter the host has: one row here and one in metrics.cpp (name, help). Thread-safe; all but the durations by
/// job type lock-free.
enum class Counter {
  JobsSubmitted, JobsClaimed, JobsSucceeded, JobsFailed, JobsCanceled, JobsRetried, JobsRescued,
  RunnersStarted, RunnersCrashed, RunnersKilled, RunnerProtocolErrors, LogLinesDropped,
  StoreCommits, StoreCommands, StoreFailures,
  HttpRequests, HttpRejected, SseConnections, SseDropped,
  PluginLoads, PluginRefusals,
  kCount
};

/// Values that go up and down.
enum class Gauge { RunnersAlive, AttemptsRunning, SseWatchers, kCount };

/// Latency histograms (seconds).
enum class Timer { StoreCommit, SubmitToStart, AttemptDuration, HttpRequest, kCount };

class Metrics {
 public:
  void add(Counter counter, std::int64_t by = 1) { counters_[static_cast<std::size_t>(counter)].fetch_add(by, std::memory_order_relaxed); }
  void set(Gauge gauge, std::int64_t value) { gauges_[static_cast<std::size_t>(gauge)].store(value, std::memory_order_relaxed); }
  void add(Gauge gauge, std::int64_t by) { gauges_[static_cast<std::size_t>(gauge)].fetch_add(by, std::memory_order_relaxed); }
  void observe(Timer timer, double seconds);
  /// An attempt's duration by its job type. Types come from plugins: those beyond kTypes share one row without a name.
  void observeAttempt(const std::string& job_type, double seconds);
  [[nodiscard]] std::int64_t value(Counter counter) const { return counters_[static_cast<std::size_t>(counter)].load(std::memory_order_relaxed); }

  /// What a histogram says, in seconds. A quantile is interpolated within its bucket: right to within a factor of two,
  /// and at most the end of the last one.
  struct Summary {
    std::int64_t count = 0;
    double sum = 0, p50 = 0, p95 = 0, p99 = 0;
  };
  struct Snapshot {
    std::vector<std::pair<std::string, std::int64_t>> counters, gauges;
    std::vector<std::pair<std::string, Summary>> timers;
    std::vector<std::pair<std::string, Summary>> job_types;  ///< durations of attempts, by name
    Summary other_job_types;                                 ///< the same of types beyond kTypes, all together
  };
  [[nodiscard]] Snapshot snapshot() const;

  static constexpr std::size_t kTypes = 500;

  /// Prometheus text exposition format 0.0.4; every name is `jobhost_<what>_<unit>`. Names of job types tell what a host
  /// is for: `with_types` false leaves them out. Types beyond kTypes are the row whose label is empty.
  [[nodiscard]] std::string expose(bool with_types = true) const;

 private:
  static constexpr std::size_t kBuckets = 16;
  struct Histogram {
    std::array<std::atomic<std::int64_t>, kBuckets + 1> buckets{};
    std::atomic<std::int64_t> sum_us{0};
  };
  std::array<std::atomic<std::int64_t>, static_cast<std::size_t>(Counter::kCount)> counters_{};
  std::array<std::atomic<std::int64_t>, static_cast<std::size_t>(Gauge::kCount)> gauges_{};
  std::array<Histogram, static_cast<std::size_t>(Timer::kCount)> timers_{};
  static constexpr std::size_t kTypeBuckets = 24;
  struct TypeHistogram {
    std::array<std::int64_t, kTypeBuckets + 1> buckets{};
    double sum = 0;
  };
  mutable std::mutex types_mutex_;
  std::map<std::string, TypeHistogram> types_;
  TypeHistogram other_types_;
};

/// The process's one registry: counting is an effect like logging, so it is reached like a logger.
Metrics& metrics();

}  // namespace jobhost::telemetry
