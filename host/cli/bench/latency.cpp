// Figures of one job on an idle host: start, cancel, crash, kill; and of a host without any.
#include <algorithm>
#include <cmath>
#include <thread>

#include "cli/bench/bench.hpp"
#include "cli/json.hpp"

namespace jobhost::cli::bench {
namespace {

constexpr int kStartJobs = 300;
constexpr int kEndings = 20;
constexpr int kKills = 3;  // each waits for the type's grace

double percentile(std::vector<double>& values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto rank = std::max(0.0, std::ceil(share * static_cast<double>(values.size())) - 1);
  return values[static_cast<std::size_t>(rank)];
}

std::string timesNote(std::vector<double>& values) {
  char text[96];
  std::snprintf(text, sizeof text, "median of %zu; p99 %.1f ms", values.size(), percentile(values, 0.99));
  return text;
}

/// Milliseconds between two time members of a job's document. They are cut to whole milliseconds, both alike.
double between(const std::string& job, const char* from, const char* to) {
  const auto object = parseObject(job);
  return static_cast<double>(micros(textAt(object, to)) - micros(textAt(object, from))) / 1000.0;
}

/// Milliseconds from a moment of ours to a time member, which was cut to the millisecond: half of one is added.
double since(std::int64_t from_us, const std::string& job, const char* to) {
  return static_cast<double>(micros(textAt(parseObject(job), to)) - from_us) / 1000.0 + 0.5;
}

/// Starts a job that lasts, waits until it runs, asks it to stop; milliseconds from the request to its end.
core::Result<double> cancelOne(Target& target, const std::string& type, const std::string& params) {
  const auto id = submitOne(target, type, params);
  if (!id) return id.error();
  const auto running = awaitState(target, *id, {"running", "succeeded", "failed"});
  if (!running) return running.error();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the plugin is in its work, not at its door
  const auto asked_us = wallMicros();
  if (const auto answer = target.client.send("POST", "/api/v1/jobs/" + std::to_string(*id) + "/cancel"); !answer) {
    return answer.error();
  }
  const auto ended = awaitState(target, *id, {"canceled", "failed", "succeeded"});
  if (!ended) return ended.error();
  if (textAt(parseObject(*ended), "state") == "succeeded") {
    return core::Error{
        .code = core::ErrorCode::Internal, .message = type + " ended by itself", .detail = {}, .fields = {}};
  }
  return since(asked_us, *ended, "finished_at");
}

Figure repeated(Figure figure, const std::function<core::Result<double>()>& once, int times) {
  std::vector<double> all;
  for (int i = 0; i < times; ++i) {
    const auto value = once();
    if (!value) return missing({figure}, value.error().message).front();
    all.push_back(*value);
  }
  figure.measured = percentile(all, 0.5);
  figure.note += (figure.note.empty() ? "" : "; ") + timesNote(all);
  return figure;
}

}  // namespace

Figures startLatency(Target& target) {
  Figures figures{{.name = "submit to plugin start, idle, p50", .unit = "ms", .target = 1.0, .at_least = false},
                  {.name = "submit to plugin start, idle, p99", .unit = "ms", .target = 4.0, .at_least = false}};
  std::vector<std::pair<std::int64_t, std::int64_t>> jobs;  // id, moment before the request was sent
  for (int i = 0; i < kStartJobs; ++i) {
    const auto before = wallMicros();
    const auto id = submitOne(target, "noop", "{}");
    if (!id) return missing(figures, id.error().message);
    jobs.emplace_back(*id, before);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));  // the host is at rest again
  }
  std::vector<double> waits;
  for (const auto& [id, before] : jobs) {
    const auto ended = awaitState(target, id, {"succeeded", "failed"});
    if (!ended) return missing(figures, ended.error().message);
    if (id != jobs.front().first) waits.push_back(since(before, *ended, "started_at"));  // the first started a runner
  }
  figures[0].measured = percentile(waits, 0.5);
  figures[1].measured = percentile(waits, 0.99);
  for (auto& figure : figures) figure.note = "from before the request to started_at, which has whole ms (+0.5)";
  return figures;
}

Figures idle(Target& target) {
  Figures figures{{.name = "idle CPU of host and runners", .unit = "%", .target = 0.2, .at_least = false},
                  {.name = "idle host memory", .unit = "MiB", .target = 40, .at_least = false},
                  {.name = "warm runner memory", .unit = "MiB", .target = 8, .at_least = false}};
  if (target.pid < 0) return missing(figures, "only measured on a host the bench started");
  const auto id = submitOne(target, "noop", "{}");
  if (!id) return missing(figures, id.error().message);
  if (const auto ended = awaitState(target, *id, {"succeeded", "failed"}); !ended) {
    return missing(figures, ended.error().message);
  }
  constexpr std::chrono::seconds kSettle{2};
  constexpr std::chrono::seconds kWindow{10};
  std::this_thread::sleep_for(kSettle);
  const auto cpu = [&] {
    double seconds = processStats(target.pid).cpu_seconds;
    for (const auto pid : descendants(target.pid)) seconds += processStats(pid).cpu_seconds;
    return seconds;
  };
  const double before = cpu();
  std::this_thread::sleep_for(kWindow);
  figures[0].measured = (cpu() - before) / static_cast<double>(kWindow.count()) * 100;
  figures[0].note = "over 10 s at rest";
  figures[1].measured = processStats(target.pid).rss_mib;
  figures[1].note = "RSS, " + std::to_string(processStats(target.pid).threads) + " threads";
  const auto runners = descendants(target.pid);
  if (runners.empty()) {
    figures[2] = missing({figures[2]}, "no runner was kept warm").front();
    return figures;
  }
  for (const auto pid : runners) figures[2].measured = std::max(figures[2].measured, processStats(pid).rss_mib);
  figures[2].note = "RSS of the largest of " + std::to_string(runners.size());
  return figures;
}

Figures endings(Target& target) {
  Figure cancel{.name = "cancel of a cooperative job", .unit = "ms", .target = 20, .at_least = false};
  Figure crash{.name = "crash to failed with report", .unit = "ms", .target = 50, .at_least = false};
  Figure kill{.name = "forced kill after the grace", .unit = "ms", .target = 50, .at_least = false};
  const auto cancelled = [&] { return cancelOne(target, "sleep", R"({"ms":60000,"steps":6000})"); };
  const auto crashed = [&]() -> core::Result<double> {
    const auto id = submitOne(target, "crash", R"({"how":"segv"})");
    if (!id) return id.error();
    const auto ended = awaitState(target, *id, {"failed", "succeeded", "canceled"});
    if (!ended) return ended.error();
    return between(*ended, "started_at", "finished_at");
  };
  Figures figures{repeated(cancel, cancelled, kEndings)};
  figures.push_back(repeated(crash, crashed, kEndings));
  if (target.pid < 0) {
    figures.push_back(missing({kill}, "needs runner.kill_grace_ms=0 of a host the bench started").front());
    return figures;
  }
  const auto type = target.client.get("/api/v1/job-types/hog");
  if (!type) {
    figures.push_back(missing({kill}, type.error().message).front());
    return figures;
  }
  const double grace_ms = numberAt(parseObject(type->body), "cancel_grace_ms").value_or(0);
  kill.note = "beyond the type's grace of " + std::to_string(static_cast<int>(grace_ms)) + " ms";
  const auto killed = [&]() -> core::Result<double> {
    const auto took = cancelOne(target, "hog", R"({"what":"cpu_deaf"})");
    if (!took) return took;
    return *took - grace_ms;
  };
  figures.push_back(repeated(kill, killed, kKills));
  return figures;
}

}  // namespace jobhost::cli::bench
