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
constexpr double bucketEnd(std::size_t index) {
  return 0.0001 * static_cast<double>(1ULL << index);
}

// 1 ms, doubled per bucket up to 2.3 hours: from an echo to a long conversion.
constexpr double typeBucketEnd(std::size_t index) {
  return 0.001 * static_cast<double>(1ULL << index);
}

/// Where the share `part` of all values lies below, given how many each bucket holds.
template <class Buckets>
double quantile(const Buckets& buckets, std::int64_t count, double part, double (*end)(std::size_t)) {
  const double wanted = static_cast<double>(count) * part;
  double seen = 0;
  for (std::size_t i = 0; i + 1 < buckets.size(); ++i) {
    const auto here = static_cast<double>(buckets[i]);
    if (here > 0 && seen + here >= wanted) {
      const double begin = i == 0 ? 0 : end(i - 1);
      return begin + (end(i) - begin) * (wanted - seen) / here;
    }
    seen += here;
  }
  return count == 0 ? 0 : end(buckets.size() - 2);
}

template <class Buckets>
Metrics::Summary summarise(const Buckets& buckets, double sum, double (*end)(std::size_t)) {
  Metrics::Summary summary;
  for (const auto n : buckets) summary.count += n;
  summary.sum = sum;
  summary.p50 = quantile(buckets, summary.count, 0.5, end);
  summary.p95 = quantile(buckets, summary.count, 0.95, end);
  summary.p99 = quantile(buckets, summary.count, 0.99, end);
  return summary;
}

/// A label's value as Prometheus reads it.
std::string label(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    c == '\n' ? out += "\\n" : out += c;
  }
  return out;
}

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

void Metrics::observeAttempt(const std::string& job_type, double seconds) {
  std::size_t index = 0;
  while (index < kTypeBuckets && seconds > typeBucketEnd(index)) ++index;
  const std::lock_guard lock(types_mutex_);
  auto found = types_.find(job_type);
  if (found == types_.end() && types_.size() < kTypes) found = types_.try_emplace(job_type).first;
  auto& histogram = found == types_.end() ? other_types_ : found->second;
  ++histogram.buckets[index];
  histogram.sum += seconds;
}

Metrics::Snapshot Metrics::snapshot() const {
  Snapshot all;
  for (std::size_t i = 0; i < kCounterRows.size(); ++i)
    all.counters.emplace_back(kCounterRows[i].name, counters_[i].load());
  for (std::size_t i = 0; i < kGaugeRows.size(); ++i) all.gauges.emplace_back(kGaugeRows[i].name, gauges_[i].load());
  for (std::size_t i = 0; i < kTimerRows.size(); ++i) {
    std::array<std::int64_t, kBuckets + 1> buckets{};
    for (std::size_t b = 0; b <= kBuckets; ++b) buckets[b] = timers_[i].buckets[b].load();
    const double sum = static_cast<double>(timers_[i].sum_us.load()) / 1e6;
    all.timers.emplace_back(kTimerRows[i].name, summarise(buckets, sum, bucketEnd));
  }
  const std::lock_guard lock(types_mutex_);
  for (const auto& [type, histogram] : types_) {
    all.job_types.emplace_back(type, summarise(histogram.buckets, histogram.sum, typeBucketEnd));
  }
  all.other_job_types = summarise(other_types_.buckets, other_types_.sum, typeBucketEnd);
  return all;
}

std::string Metrics::expose(bool with_types) const {
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
  if (!with_types) return out;
  const std::string name = "jobhost_job_attempt_seconds";
  header(out, {name.c_str(), "Duration of an attempt by job type"}, "summary");
  const std::lock_guard lock(types_mutex_);
  const auto add = [&](const std::string& type, const TypeHistogram& histogram) {
    std::int64_t count = 0;
    for (const auto n : histogram.buckets) count += n;
    if (count == 0) return;
    const std::string of = "{type=\"" + label(type) + "\"} ";
    out.append(name).append("_sum").append(of).append(number(histogram.sum)).append("\n");
    out.append(name).append("_count").append(of).append(std::to_string(count)).append("\n");
  };
  for (const auto& [type, histogram] : types_) add(type, histogram);
  add("", other_types_);
  return out;
}

Metrics& metrics() {
  static Metrics all;
  return all;
}

}  // namespace jobhost::telemetry
