// Jobs that fetch, and a web that does not give what they want.
#include <algorithm>

#include "devtools/check.hpp"
#include "devtools/watched.hpp"
#include "jobhost/abi.h"

namespace jobhost::devtools {
namespace {

bool fetches(const Trial& trial) {
  return std::any_of(trial.calls.begin(), trial.calls.end(),
                     [](const Json& call) { return call["c"].stringOr("") == "http.fetch"; });
}

/// The samples that fetch, run again in another web.
std::vector<Trial> again(Bench& bench, Web web) {
  std::vector<Trial> wanted;
  for (const auto* sample : samples(bench)) {
    if (fetches(*sample)) wanted.push_back({sample->job, sample->type, false, {}, {}, {}});
  }
  if (wanted.empty()) return wanted;
  LabOptions options = bench.options.lab;
  options.web = web;
  return runTrials(bench, std::move(wanted), {}, options);
}

Finding judge(Bench& bench, Web web, const char* what, bool may_succeed) {
  const auto done = again(bench, web);
  if (done.empty()) return passed("no job fetches here");
  std::vector<std::string> wrong;
  for (const auto& one : done) {
    const auto& error = one.report.end.error;
    const std::string name = nameOf(one) + " with " + what + " ";
    if (!brokenEnd(one).empty()) {
      wrong.push_back(name + one.report.describe());
    } else if (!may_succeed && error && error->error_class == core::ErrorClass::Internal) {
      wrong.push_back(name + one.report.describe() + "; that is no bug of the plugin's: class 2, 3 or 6");
    } else if (!may_succeed && error && error->error_class == core::ErrorClass::BadInput) {
      wrong.push_back(name + one.report.describe() + "; the params were good: class 2, 3 or 6");
    }
  }
  return wrong.empty() ? passed() : failed(joined(wrong, 3));
}

Finding notFound(Bench& bench) {
  return judge(bench, Web::NotFound, "a web that answers 404", true);
}

Finding late(Bench& bench) {
  return judge(bench, Web::Timeout, "a web that does not answer", false);
}

Finding truncated(Bench& bench) {
  return judge(bench, Web::Truncated, "a web that cuts bodies off", false);
}

/// Asked to stop while it waits for a response that never comes.
Finding stopsWhileFetching(Bench& bench) {
  std::vector<JobSpec> jobs;
  for (const auto* sample : samples(bench)) {
    if (fetches(*sample)) jobs.push_back(sample->job);
  }
  if (jobs.empty()) return passed("no job fetches here");
  LabOptions options = bench.options.lab;
  options.web = Web::Silent;
  options.waiting_timeout = core::Millis(500);  // then it is asked to stop
  Lab lab(bench.subject, options, {}, jobs);
  std::vector<std::string> wrong;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const auto report = lab.run(i);
    const bool stopped = report.end.kind == dispatch::AttemptEnd::Kind::Stopped && !report.end.forced;
    if (!stopped) wrong.push_back(jobs[i].type + " " + report.describe());
  }
  return wrong.empty() ? passed() : failed(joined(wrong, 3) + ". Let Cancelled pass; return JH_E_CANCELLED.");
}

}  // namespace

std::vector<Rule> httpRules() {
  return {
      {"errors.http-not-found", Level::Standard, true, "It survives a server that answers 404", &notFound},
      {"errors.http-timeout", Level::Standard, true,
       "It survives a server that does not answer, and says whose fault it is", &late},
      {"errors.http-truncated", Level::Standard, true, "It survives a body that is cut off, and says whose fault it is",
       &truncated},
      {"cancel.http", Level::Standard, true, "It stops when asked to while it waits for a response",
       &stopsWhileFetching},
  };
}

}  // namespace jobhost::devtools
