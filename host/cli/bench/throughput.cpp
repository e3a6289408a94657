// Figures of many jobs: submits, bulk submits, draining, both at once.
#include <algorithm>

#include "cli/bench/bench.hpp"
#include "cli/bench/load_generator.hpp"

namespace jobhost::cli::bench {
namespace {

constexpr int kBulkJobs = 1000;

std::string bulkBody() {
  std::string body = "{\"jobs\":[";
  for (int i = 0; i < kBulkJobs; ++i) body += i == 0 ? R"({"type":"noop"})" : R"(,{"type":"noop"})";
  return body + "]}";
}

Load loadOf(const Target& target, std::string request, int connections) {
  return {.host = target.host, .port = target.port, .request = std::move(request), .connections = connections};
}

std::string refusals(const LoadResult& result) {
  return result.refused == 0
             ? ""
             : "; " + std::to_string(result.refused) + " refused, first with " + std::to_string(result.first_refusal);
}

std::string percentiles(const LoadResult& result) {
  char text[80];
  std::snprintf(text, sizeof text, "p50 %.2f ms, p99 %.2f ms", result.percentileMs(0.5), result.percentileMs(0.99));
  return text + refusals(result);
}

/// One job run, so that a warm runner is there and its type's times are known.
core::Result<void> warmUp(Target& target) {
  const auto id = submitOne(target, "noop", "{}");
  if (!id) return id.error();
  const auto ended = awaitState(target, *id, {"succeeded", "failed"});
  if (!ended) return ended.error();
  return {};
}

}  // namespace

Figures durableSubmits(Target& target) {
  Figures figures{{.name = "durable submits, 1 connection", .unit = "jobs/s", .target = 700},
                  {.name = "durable submits, 16 connections", .unit = "jobs/s", .target = 14'000},
                  {.name = "durable submits, 64 connections", .unit = "jobs/s", .target = 14'000}};
  // An hour ahead: the figure is the submit alone, as its peers' are.
  const auto request =
      httpRequest("POST", "/api/v1/jobs", target.host, target.key, R"({"type":"noop","params":{},"delay_ms":3600000})");
  const int connections[] = {1, 16, 64};
  for (std::size_t i = 0; i < figures.size(); ++i) {
    auto load = loadOf(target, request, connections[i]);
    load.duration = std::chrono::seconds(target.args.seconds);
    const auto result = run(load);
    if (!result) return missing(figures, result.error().message);
    figures[i].measured = result->rate();
    figures[i].note = percentiles(*result);
  }
  return figures;
}

Figures bulkSubmits(Target& target) {
  Figures figures{{.name = "bulk submits, 1000 a request", .unit = "jobs/s", .target = 100'000}};
  std::string body = bulkBody();
  const std::string noop = R"({"type":"noop"})";
  const std::string delayed = R"({"type":"noop","delay_ms":3600000})";
  for (auto at = body.find(noop); at != std::string::npos; at = body.find(noop, at + delayed.size())) {
    body.replace(at, noop.size(), delayed);
  }
  auto load = loadOf(target, httpRequest("POST", "/api/v1/jobs/bulk", target.host, target.key, body), 2);
  load.duration = std::chrono::seconds(target.args.seconds);
  const auto result = run(load);
  if (!result) return missing(figures, result.error().message);
  figures[0].measured = result->rate() * kBulkJobs;
  figures[0].note = "2 connections, a request " + percentiles(*result);
  return figures;
}

Figures drain(Target& target) {
  Figures figures{{.name = "drain of queued no-ops", .unit = "jobs/s", .target = 30'000}};
  if (const auto warm = warmUp(target); !warm) return missing(figures, warm.error().message);
  const auto before = endedJobs(target);
  if (!before) return missing(figures, before.error().message);
  auto load = loadOf(target, httpRequest("POST", "/api/v1/jobs/bulk", target.host, target.key, bulkBody()), 2);
  load.requests = std::max(1, target.args.queue / kBulkJobs);
  const auto filled = run(load);
  if (!filled) return missing(figures, filled.error().message);
  const double jobs = static_cast<double>(filled->answered - filled->refused) * kBulkJobs;
  const auto at_full = endedJobs(target);
  if (!at_full) return missing(figures, at_full.error().message);
  const auto seconds = awaitEnded(target, *before + jobs);
  if (!seconds) return missing(figures, seconds.error().message);
  const double left = *before + jobs - *at_full;
  if (*seconds <= 0 || left <= 0) return missing(figures, "the queue was empty when it was filled: raise --queue");
  figures[0].measured = left / *seconds;
  char note[120];
  std::snprintf(note, sizeof note, "%.0f of %.0f left when the last submit was answered, %.2f s%s", left, jobs,
                *seconds, refusals(*filled).c_str());
  figures[0].note = note;
  return figures;
}

Figures sustained(Target& target) {
  Figures figures{{.name = "submit and end, sustained", .unit = "jobs/s", .target = 8'000}};
  if (const auto warm = warmUp(target); !warm) return missing(figures, warm.error().message);
  const auto before = endedJobs(target);
  if (!before) return missing(figures, before.error().message);
  auto load = loadOf(target, submitRequest(target, "noop", "{}"), 32);
  load.duration = std::chrono::seconds(2 * target.args.seconds);
  const auto result = run(load);
  if (!result) return missing(figures, result.error().message);
  const double jobs = static_cast<double>(result->answered - result->refused);
  const auto rest = awaitEnded(target, *before + jobs);
  if (!rest) return missing(figures, rest.error().message);
  figures[0].measured = jobs / (result->seconds + *rest);
  char tail[64];
  std::snprintf(tail, sizeof tail, ", the last ended %.2f s after", *rest);
  figures[0].note = "32 connections, submit " + percentiles(*result) + tail;
  return figures;
}

}  // namespace jobhost::cli::bench
