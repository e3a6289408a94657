#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "devtools/lab.hpp"

namespace jobhost::devtools {

struct Bench;

/// A job that was run once with everything watched.
struct Trial {
  JobSpec job;
  std::size_t type = 0;  ///< in the manifest
  bool example = false;  ///< of the manifest
  JobReport report;
  std::vector<Json> calls;
  Json end;  ///< the runner's line about the end of run(); null: it never came back
};

/// Jobs of every type, from the manifest's examples and from the schema, each run once. Made when first asked for.
const std::vector<Trial>& trials(Bench& bench);

/// For each type the trial that shows it best: one that succeeded, examples first.
std::vector<const Trial*> samples(Bench& bench);

/// Runs these jobs in a process of their own; what was watched goes into the trials, in order.
std::vector<Trial> runTrials(Bench& bench, std::vector<Trial> wanted, WatchPlan plan, const LabOptions& options);
/// The same with the check's own options, calls watched.
std::vector<Trial> runTrials(Bench& bench, std::vector<Trial> wanted, WatchPlan plan = {});

/// For params that nobody chose: they may make a job of hours, which is stopped soon and is no fault; after a while the
/// rest is left out of what is answered.
std::vector<Trial> runBriefly(Bench& bench, std::vector<Trial> wanted);

/// Why this end shows a broken plugin: it crashed, hung, or answered what run() may not. Empty: a job may end so.
std::string brokenEnd(const Trial& trial);
/// "repeat {"text":…}", for people.
std::string nameOf(const Trial& trial);

}  // namespace jobhost::devtools
