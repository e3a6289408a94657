#include "telemetry/metrics.hpp"

#include <cstdio>

namespace jobhost::telemetry {
namespace {

struct Row {
  const char* name;
  const char* help;
};

constexpr std::array<Row, static_cast<std::size_t>(Counter::kCount)> kCounterRows{{
    {"jobhost_jobs_submitted_total", "Jobs stored"},
    {"jobhost_jobs_claimed_total", "Attempts claimed"},
    {"jobhost_jobs_succeeded_total", "Jobs that ended as succeeded"},
    {"jobhost_jobs_failed_total", "Jobs that ended as failed"},
    {"jobhost_jobs_canceled_total", "Jobs that ended as canceled"},
    {"jobhost_jobs_retried_total", "Failed attempts put back for a retry"},
    {"jobhost_jobs_rescued_total", "Running jobs whose lease ran out"},
    {"jobhost_runners_started_total", "Runner processes started"},
    {"jobhost_runners_crashed_total", "Runner processes that ended unasked"},
    {"jobhost_runners_killed_total", "Runner processes killed after the grace time"},
    {"jobhost_runner_protocol_errors_total", "Runner sessions ended for breaking the protocol"},
    {"jobhost_log_lines_dropped_total", "Job log lines dropped by a limit"},
    {"jobhost_store_commits_total", "Commits of the store's writer"},
    {"jobhost_store_commands_total", "Changes carried by those commits"},
    {"jobhost_store_failures_total", "Changes the database refused"},
    {"jobhost_http_requests_total", "HTTP requests answered"},
    {"jobhost_http_rejected_total", "HTTP requests answered 4xx or 5xx"},
    {"jobhost_sse_connections_total", "Event stream connections accepted"},
    {"jobhost_sse_dropped_total", "Event stream connections dropped as too slow"},
    {"jobhost_plugin_loads_total", "Plugin generations taken into use"},
    {"jobhost_plugin_refusals_total", "Plugin files refused or quarantined"},
}};

constexpr std::array<Row, static_cast<std::size_t>(Gauge::kCount)> kGaugeRows{{
    {"jobhost_runners_alive_count", "Runner processes alive"},
    {"jobhost_attempts_running_count", "Attempts handed to runners"},
    {"jobhost_sse_watchers_count", "Event stream connections open"},
}};

constexpr std::array<Row, static_cast<std::size_t>(Timer::kCount)> kTimerRows{{
    {"jobhost_store_commit_seconds", "Duration of a group commit"},
    {"jobhost_submit_to_start_seconds", "From a job's being due to its claim"},
    {"jobhost_attempt_duration_seconds", "Duration of an attempt"},
    {"jobhost_http_request_seconds", "Duration of an HTTP request"},
}};

// 100 µs, doubled per bucket up to 3.3 s: from one commit to a slow request.
constexpr double bucketEnd(std::size_t index) { return 0.0001 * static_cast<double>(1ULL << index); }

void header(std::string& out, const Row& row, const char* kind) {
  out.append("# HELP ").append(row.name).append(" ").append(row.help).append("\n# TYPE ").append(row.name).append(" ");
  out.append(kind).append("\n");
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

}  // namespace

void Metrics::observe(Timer timer, double seconds) {
  auto& histogram = timers_[static_cast<std::size_t>(timer)];
  std::size_t index = 0;
  while (index < kBuckets && seconds > bucketEnd(index)) ++index;
  histogram.buckets[index].fetch_add(1, std::memory_order_relaxed);
  histogram.sum_us.fetch_add(static_cast<std::int64_t>(seconds * 1e6), std::memory_order_relaxed);
}

std::string Metrics::expose() const {
  std::string out;
  for (std::size_t i = 0; i < kCounterRows.size(); ++i) {
    header(out, kCounterRows[i], "counter");
    out.append(kCounterRows[i].name).append(" ").append(std::to_string(counters_[i].load())).append("\n");
  }
  for (std::size_t i = 0; i < kGaugeRows.size(); ++i) {
    header(out, kGaugeRows[i], "gauge");
    out.append(kGaugeRows[i].name).append(" ").append(std::to_string(gauges_[i].load())).append("\n");
  }
  for (std::size_t i = 0; i < kTimerRows.size(); ++i) {
    const std::string name = kTimerRows[i].name;
    header(out, kTimerRows[i], "histogram");
    std::int64_t seen = 0;
    for (std::size_t b = 0; b <= kBuckets; ++b) {
      seen += timers_[i].buckets[b].load();
      const std::string end = b == kBuckets ? "+Inf" : number(bucketEnd(b));
      out.append(name).append("_bucket{le=\"").append(end).append("\"} ").append(std::to_string(seen)).append("\n");
    }
    out.append(name).append("_sum ").append(number(static_cast<double>(timers_[i].sum_us.load()) / 1e6)).append("\n");
    out.append(name).append("_count ").append(std::to_string(seen)).append("\n");
  }
  return out;
}

Metrics& metrics() {
  static Metrics all;
  return all;
}

}  // namespace jobhost::telemetry
