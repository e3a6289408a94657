#include "devtools/trials.hpp"

#include <set>

#include "devtools/check.hpp"
#include "devtools/params_maker.hpp"
#include "devtools/watched.hpp"

namespace jobhost::devtools {
namespace {

constexpr std::size_t kMaxExamples = 3;
constexpr core::Millis kBriefJob{2'000};
constexpr core::Millis kBriefRule{10'000};
constexpr std::size_t kShownParams = 120;

std::vector<Trial> candidates(Bench& bench) {
  std::vector<Trial> all;
  const auto& types = bench.subject.manifest->types;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const auto& info = types[i].info;
    std::set<std::string> seen;
    const auto add = [&](const std::string& params, bool example) {
      if (!seen.insert(params).second) return;
      Trial trial;
      trial.job.type = info.name;
      trial.job.params = params;
      trial.type = i;
      trial.example = example;
      all.push_back(std::move(trial));
    };
    for (const auto& example : bench.subject.examples(i)) {
      if (seen.size() >= kMaxExamples) break;
      if (const auto filled = types[i].schema->check(example)) add(*filled, true);
    }
    ParamsMaker maker(info.params_schema_json, types[i].schema, bench.options.seed);
    for (const auto style : {ParamsMaker::Style::Full, ParamsMaker::Style::Minimal}) {
      if (const auto made = maker.make(style)) add(*made, false);
    }
  }
  return all;
}

/// Jobs are begun until the time is over; what was not begun is not answered.
std::vector<Trial> runWithin(Bench& bench, std::vector<Trial> wanted, WatchPlan plan, const LabOptions& options,
                             core::Millis time) {
  const auto begun = std::chrono::steady_clock::now();
  plan.calls = true;
  std::vector<JobSpec> jobs;
  for (const auto& one : wanted) jobs.push_back(one.job);
  Lab lab(bench.subject, options, std::move(plan), std::move(jobs));
  std::size_t count = 0;
  while (count < wanted.size() && std::chrono::steady_clock::now() - begun < time) {
    wanted[count].report = lab.run(count);
    ++count;
  }
  wanted.resize(count);
  const auto lines = lab.watched();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto id = static_cast<std::int64_t>(i) + 1;
    wanted[i].calls = callsOf(lines, id);
    wanted[i].end = stepLine(lines, "end", id);
  }
  return wanted;
}

}  // namespace

std::vector<Trial> runTrials(Bench& bench, std::vector<Trial> wanted, WatchPlan plan, const LabOptions& options) {
  return runWithin(bench, std::move(wanted), std::move(plan), options, core::Millis(24LL * 3600 * 1000));
}

std::vector<Trial> runTrials(Bench& bench, std::vector<Trial> wanted, WatchPlan plan) {
  return runTrials(bench, std::move(wanted), std::move(plan), bench.options.lab);
}

std::vector<Trial> runBriefly(Bench& bench, std::vector<Trial> wanted) {
  LabOptions options = bench.options.lab;
  if (options.job_timeout.count() == 0 || options.job_timeout > kBriefJob) options.job_timeout = kBriefJob;
  return runWithin(bench, std::move(wanted), {}, options, kBriefRule);
}

const std::vector<Trial>& trials(Bench& bench) {
  if (!bench.trials) bench.trials = runTrials(bench, candidates(bench));
  return *bench.trials;
}

std::vector<const Trial*> samples(Bench& bench) {
  std::vector<const Trial*> best(bench.subject.manifest->types.size(), nullptr);
  const auto& all = trials(bench);
  for (const auto& one : all) {
    auto& known = best[one.type];
    if (known == nullptr || (!known->report.succeeded() && one.report.succeeded())) known = &one;
  }
  std::erase(best, nullptr);
  return best;
}

std::string nameOf(const Trial& trial) {
  std::string params = trial.job.params.substr(0, kShownParams);
  while (!params.empty() && (static_cast<unsigned char>(params.back()) & 0xc0) == 0x80) params.pop_back();
  return trial.job.type + " " + params + (params.size() < trial.job.params.size() ? "…" : "");
}

std::string brokenEnd(const Trial& trial) {
  const auto& report = trial.report;
  const bool stopped = report.end.kind == dispatch::AttemptEnd::Kind::Stopped && !report.end.forced;
  // Long, and it listens, or it was done when it was asked: its params make it so.
  if (report.timed_out && (stopped || report.succeeded()) && !trial.example) return {};
  if (report.timed_out) return nameOf(trial) + " did not end in time";
  if (report.crashed()) return nameOf(trial) + " " + report.describe();
  if (report.end.kind == dispatch::AttemptEnd::Kind::NotStarted) return nameOf(trial) + " " + report.describe();
  return {};
}

}  // namespace jobhost::devtools
