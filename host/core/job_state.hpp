#pragma once

#include <optional>
#include <string_view>

namespace jobhost::core {

/// Where a job is in its life. The numbers are stored: never reuse one.
enum class JobState : int {
  Queued = 0,     ///< waits: for a slot, for run_at, for its queue key, or for depends_on (see Hold)
  Running = 1,    ///< claimed under a lease; a runner has it or is about to
  Waiting = 2,    ///< its own step is done or set aside; children are outstanding; holds no slot
  Suspended = 3,  ///< put aside by a caller; resume() brings it back to Queued
  Succeeded = 4,
  Failed = 5,
  Canceled = 6,
};
inline constexpr int kJobStateCount = 7;

/// Why a queued job is not ready to be claimed. The numbers are stored.
enum class Hold : int {
  None = 0,        ///< ready
  Delayed = 1,     ///< run_at lies ahead
  KeyBusy = 2,     ///< its queue key is at its limit
  Dependency = 3,  ///< a job in depends_on has not succeeded yet
};

constexpr bool isTerminal(JobState state) {
  return state == JobState::Succeeded || state == JobState::Failed || state == JobState::Canceled;
}

/// The one table of legal moves. docs/states.md shows it; guards in store/ are tested against it.
/// Queued→Failed: a dependency failed, or the attempts are used up by crashes of the host. Failed/Canceled→Queued: retry().
constexpr bool isLegalMove(JobState from, JobState to) {
  using enum JobState;
  switch (from) {
    case Queued: return to == Running || to == Suspended || to == Canceled || to == Failed;
    case Running: return to == Queued || to == Waiting || to == Suspended || isTerminal(to);
    case Waiting: return to == Queued || isTerminal(to);
    case Suspended: return to == Queued || to == Canceled;
    case Succeeded: return false;
    case Failed:
    case Canceled: return to == Queued;
  }
  return false;
}

constexpr std::string_view toString(JobState state) {
  switch (state) {
    case JobState::Queued: return "queued";
    case JobState::Running: return "running";
    case JobState::Waiting: return "waiting";
    case JobState::Suspended: return "suspended";
    case JobState::Succeeded: return "succeeded";
    case JobState::Failed: return "failed";
    case JobState::Canceled: return "canceled";
  }
  return "unknown";
}

constexpr std::optional<JobState> jobStateFromString(std::string_view word) {
  for (int i = 0; i < kJobStateCount; ++i) {
    if (toString(static_cast<JobState>(i)) == word) return static_cast<JobState>(i);
  }
  return std::nullopt;
}

}  // namespace jobhost::core
