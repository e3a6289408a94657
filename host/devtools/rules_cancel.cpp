// Stopping when asked to.
#include <algorithm>

#include "devtools/check.hpp"
#include "devtools/watched.hpp"
#include "jobhost/abi.h"

namespace jobhost::devtools {
namespace {

constexpr int kPoints = 10;
constexpr int kRounds = 3;  // of a measurement that a busy machine can spoil
constexpr std::string_view kBegins = "a program cannot be held before it begins";
constexpr std::string_view kOwnFiles = "a program writes its outputs itself; when it finishes one does not show";

struct Canceled {
  Trial trial;
  std::int64_t latency_us = -1;  ///< from the ask to the end of run(); -1: it never ended
};

/// The sample, asked to stop before run() and before calls spread over all it makes.
std::vector<Canceled> canceledAt(Bench& bench, const Trial& sample, bool only_before) {
  const auto calls = sample.end["calls"].intOr(0);
  std::vector<Trial> wanted;
  std::int64_t last = -1;
  for (int i = 0; i <= (only_before ? 0 : kPoints); ++i) {
    const auto at = i == 0 ? 0 : std::max<std::int64_t>(1, calls * i / kPoints);
    if (at == last) continue;
    last = at;
    Trial trial{sample.job, sample.type, false, {}, {}, {}};
    trial.job.cancel_at = at;
    wanted.push_back(std::move(trial));
  }
  std::vector<JobSpec> jobs;
  for (const auto& one : wanted) jobs.push_back(one.job);
  WatchPlan plan;
  plan.calls = true;
  Lab lab(bench.subject, bench.options.lab, plan, std::move(jobs));
  std::vector<Canceled> out;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    wanted[i].report = lab.run(i);
    const auto lines = lab.watched();
    const auto id = static_cast<std::int64_t>(i) + 1;
    wanted[i].calls = callsOf(lines, id);
    wanted[i].end = stepLine(lines, "end", id);
    const Json asked = stepLine(lines, "cancel", id);
    Canceled one{std::move(wanted[i]), -1};
    if (!one.trial.end.isNull() && !asked.isNull()) one.latency_us = one.trial.end["t"].intOr(0) - asked["t"].intOr(0);
    if (!asked.isNull()) out.push_back(std::move(one));
  }
  return out;
}

std::string at(const Canceled& one) {
  const auto point = one.trial.job.cancel_at;
  return nameOf(one.trial) + " asked to stop before " + (point == 0 ? "run()" : "call " + std::to_string(point));
}

/// One round over all points: the latencies in order, and what did not stop at all.
struct Round {
  std::vector<std::int64_t> us;
  std::vector<std::string> never;
  [[nodiscard]] std::int64_t share(std::size_t percent) const {
    return us.empty() ? 0 : us[std::min(us.size() * percent / 100, us.size() - 1)];
  }
};

Round measured(Bench& bench, const Trial& sample) {
  Round round;
  for (const auto& one : canceledAt(bench, sample, false)) {
    if (one.latency_us < 0) {
      round.never.push_back(at(one) + " " + one.trial.report.describe());
    } else {
      round.us.push_back(one.latency_us);
    }
  }
  std::sort(round.us.begin(), round.us.end());
  return round;
}

Finding latency(Bench& bench) {
  std::vector<std::string> wrong;
  std::int64_t worst = 0;
  for (const auto* sample : samples(bench)) {
    const auto grace = bench.subject.manifest->types[sample->type].info.cancel_grace;
    const auto over = [&](std::int64_t us) { return us / 1000 > grace.count(); };
    auto round = measured(bench, *sample);
    // A busy machine delays one or the other; a job that does not look is late most of the time.
    for (int i = 1; i < kRounds && round.never.empty() && over(round.share(95)) && !over(round.share(50)); ++i) {
      round = measured(bench, *sample);
    }
    wrong.insert(wrong.end(), round.never.begin(), round.never.end());
    worst = std::max(worst, round.share(95));
    if (over(round.share(95))) {
      wrong.push_back(sample->job.type + " takes " + std::to_string(round.share(95) / 1000) +
                      " ms to stop (p95), its grace is " + std::to_string(grace.count()) + " ms");
    }
  }
  if (!wrong.empty()) return failed(joined(wrong) + ". Ask cancelled() or progress() more often.");
  return passed("p95 " + std::to_string(worst / 1000) + " ms");
}

Finding answer(Bench& bench) {
  std::vector<std::string> wrong;
  for (const auto* sample : samples(bench)) {
    if (!sample->report.succeeded()) continue;
    for (const auto& one : canceledAt(bench, *sample, false)) {
      const auto code = one.trial.end["r"].intOr(JH_E_CANCELLED);
      if (code != JH_E_CANCELLED && code != JH_OK) wrong.push_back(at(one) + " returns " + std::to_string(code));
    }
  }
  return wrong.empty() ? passed()
                       : failed(joined(wrong) + ". It returns JH_E_CANCELLED, or JH_OK when it was done anyway.");
}

/// How often it could have noticed.
int chances(const Trial& trial) {
  const auto asks = [](const Json& call) { return call["c"].stringOr("") == "progress"; };
  return static_cast<int>(std::count_if(trial.calls.begin(), trial.calls.end(), asks) + trial.end["asked"].intOr(0));
}

Finding beforeStart(Bench& bench) {
  std::vector<std::string> wrong;
  for (const auto* sample : samples(bench)) {
    if (!sample->report.succeeded() || chances(*sample) < 2) continue;
    for (const auto& one : canceledAt(bench, *sample, true)) {
      if (one.trial.end["r"].intOr(-1) == JH_OK) wrong.push_back(at(one) + " does all its work");
    }
  }
  return wrong.empty() ? passed() : failed(joined(wrong));
}

Finding noOutput(Bench& bench) {
  std::vector<std::string> wrong;
  for (const auto* sample : samples(bench)) {
    for (const auto& one : canceledAt(bench, *sample, false)) {
      if (one.trial.end["r"].intOr(0) != JH_E_CANCELLED) continue;  // it was done anyway
      bool knows = false;
      for (const auto& call : one.trial.calls) {
        const auto name = call["c"].stringOr("");
        knows = knows || call["r"].intOr(0) == JH_E_CANCELLED || (name == "cancelled" && call["r"].intOr(0) > 0);
        if (knows && (name == "output.commit" || name == "output.publish")) {
          wrong.push_back(at(one) + " still calls " + std::string(name) + "()");
          break;
        }
      }
    }
  }
  return wrong.empty() ? passed() : failed(joined(wrong, 3));
}

Finding unasked(Bench& bench) {
  std::vector<std::string> wrong;
  for (const auto& one : trials(bench)) {
    if (one.end["r"].intOr(0) == JH_E_CANCELLED && !one.report.timed_out) wrong.push_back(nameOf(one));
  }
  return wrong.empty() ? passed() : failed(joined(wrong) + " returns JH_E_CANCELLED though nobody asked");
}

}  // namespace

std::vector<Rule> cancelRules() {
  return {
      {"cancel.latency", Level::Standard, true, "It stops within its grace, whenever it is asked", &latency},
      {"cancel.answer", Level::Standard, true, "Asked to stop it answers that it was canceled, not that it failed",
       &answer},
      {"cancel.before-start", Level::Standard, true, "Asked before it begins, it does not do the work", &beforeStart,
       kBegins},
      {"cancel.no-output", Level::Standard, true, "Once it knows, it finishes no output", &noOutput, kOwnFiles},
      {"cancel.unasked", Level::Standard, true, "It is not canceled when nobody asked", &unasked},
  };
}

}  // namespace jobhost::devtools
