#pragma once

#include "core/job.hpp"

namespace jobhost::core {

/// How far a job with all below it has come: it counts one, its own step, and each job below it one. done >= failed,
/// total >= max(done, 1). It is what lncrawl's clients show as progress:
/// - done: own steps that succeeded, and all that a job which failed or was canceled left undone, which counts as
///   failed too;
/// - a job that succeeded or failed has done == total, one that succeeded over failed ones with failed > 0;
/// - the units of a canceled job stay as they were when it was asked to stop; what it left undone counts in its
///   ancestors alone, as what it does after that counts nowhere;
/// - a deleted job is taken out of all its ancestors at once, with all below it; what its attempt does until it has
///   stopped counts nowhere.
struct Units {
  std::int64_t done = 0;
  std::int64_t failed = 0;  ///< of those done
  std::int64_t total = 1;
  bool operator==(const Units&) const = default;
};

/// The units of a job, from what the store keeps in its row.
constexpr Units unitsOf(JobState state, bool own_done, const ChildCounters& below) {
  Units units{below.done + (own_done ? 1 : 0), below.failed, below.total + 1};
  if (state == JobState::Failed) units.failed += units.total - units.done;
  if (state == JobState::Failed || state == JobState::Succeeded) units.done = units.total;
  return units;
}
inline Units unitsOf(const Job& job) {
  return unitsOf(job.state, job.own_done, job.units_below);
}

}  // namespace jobhost::core
