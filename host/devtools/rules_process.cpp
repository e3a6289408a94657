// Jobs that run programs, and programs that do not do what they should.
#include <algorithm>

#include "devtools/check.hpp"
#include "devtools/watched.hpp"

namespace jobhost::devtools {
namespace {

bool runsPrograms(const Trial& trial) {
  return std::any_of(trial.calls.begin(), trial.calls.end(),
                     [](const Json& call) { return call["c"].stringOr("") == "process.spawn"; });
}

std::vector<const Trial*> wanted(Bench& bench) {
  std::vector<const Trial*> found;
  for (const auto* sample : samples(bench)) {
    if (runsPrograms(*sample)) found.push_back(sample);
  }
  return found;
}

/// Every call to spawn was for a program that the manifest asks for.
Finding permitted(Bench& bench) {
  std::vector<std::string> wrong;
  for (const auto* sample : wanted(bench)) {
    for (const auto& call : sample->calls) {
      if (call["c"].stringOr("") != "process.spawn" || call["r"].intOr(0) != JH_E_DENIED) continue;
      wrong.push_back(nameOf(*sample) + " was denied " + std::string(call["a"].at(0).stringOr("a program")));
      break;
    }
  }
  return wrong.empty() ? passed() : failed(joined(wrong, 3) + ". Name the program in permissions.exec.");
}

/// Programs that end with status 1 at once, having done nothing.
Finding failing(Bench& bench) {
  std::vector<Trial> trials;
  for (const auto* sample : wanted(bench)) trials.push_back({sample->job, sample->type, false, {}, {}, {}});
  if (trials.empty()) return passed("no job runs programs here");
  LabOptions options = bench.options.lab;
  options.programs = Programs::Failing;
  std::vector<std::string> wrong;
  for (const auto& one : runTrials(bench, std::move(trials), {}, options)) {
    const auto& error = one.report.end.error;
    const std::string name = nameOf(one) + " with a program that ends with status 1 ";
    if (!brokenEnd(one).empty()) {
      wrong.push_back(name + one.report.describe());
    } else if (error && error->error_class == core::ErrorClass::Internal) {
      wrong.push_back(name + one.report.describe() + "; that is no bug of the plugin's: class 1 to 6");
    }
  }
  return wrong.empty() ? passed() : failed(joined(wrong, 3));
}

/// Asked to stop while a program runs that never ends.
Finding stopsWhileRunning(Bench& bench) {
  std::vector<JobSpec> jobs;
  for (const auto* sample : wanted(bench)) jobs.push_back(sample->job);
  if (jobs.empty()) return passed("no job runs programs here");
  LabOptions options = bench.options.lab;
  options.programs = Programs::Hanging;
  options.waiting_timeout = core::Millis(500);  // then it is asked to stop
  Lab lab(bench.subject, options, {}, jobs);
  std::vector<std::string> wrong;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const auto report = lab.run(i);
    const bool stopped = report.end.kind == dispatch::AttemptEnd::Kind::Stopped && !report.end.forced;
    const bool gave_up = report.end.kind == dispatch::AttemptEnd::Kind::Failed && !report.timed_out;
    if (!stopped && !gave_up) wrong.push_back(jobs[i].type + " " + report.describe());
  }
  return wrong.empty() ? passed() : failed(joined(wrong, 3) + ". Let Cancelled pass; return JH_E_CANCELLED.");
}

}  // namespace

std::vector<Rule> processRules() {
  return {
      {"run.process-permitted", Level::Standard, true, "It runs only programs that the manifest asks for", &permitted},
      {"errors.process-failed", Level::Standard, true, "It survives a program that fails", &failing},
      {"cancel.process", Level::Standard, true, "It stops when asked to while a program runs that never ends",
       &stopsWhileRunning},
  };
}

}  // namespace jobhost::devtools
