#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/clock.hpp"
#include "core/job.hpp"

namespace jobhost::core {

/// What happened to a job. The numbers are stored: never reuse one.
enum class EventKind : int {
  Queued = 1,           ///< made, or back in the queue (data: reason "submitted", "retry", "lease_expired", "resumed"…)
  Started = 2,          ///< claimed for an attempt
  Note = 3,
  Waiting = 4,
  CancelRequested = 5,  ///< a running job was asked to stop
  Suspended = 6,
  Succeeded = 7,
  Failed = 8,
  Canceled = 9,
  Deleted = 10,
  Changed = 11,         ///< priority, tags, run_at
  ChildrenChanged = 12,
  Progress = 100,       ///< live only: seq 0, never stored
  Log = 101,            ///< live only: seq 0; the log file is the truth
};

constexpr std::string_view toString(EventKind kind) {
  switch (kind) {
    case EventKind::Queued: return "queued";
    case EventKind::Started: return "started";
    case EventKind::Note: return "note";
    case EventKind::Waiting: return "waiting";
    case EventKind::CancelRequested: return "cancel_requested";
    case EventKind::Suspended: return "suspended";
    case EventKind::Succeeded: return "succeeded";
    case EventKind::Failed: return "failed";
    case EventKind::Canceled: return "canceled";
    case EventKind::Deleted: return "deleted";
    case EventKind::Changed: return "changed";
    case EventKind::ChildrenChanged: return "children_changed";
    case EventKind::Progress: return "progress";
    case EventKind::Log: return "log";
  }
  return "unknown";
}

/// A fact about a job. With a sequence number it is committed; seq 0 is live only (progress, log lines).
struct JobEvent {
  std::int64_t seq = 0;  ///< increasing over all jobs in commit order
  EventKind kind = EventKind::Queued;
  JobId job;
  Instant at;
  JobState state = JobState::Queued;  ///< the job's state after it
  int attempt = 0;
  std::string data_json;  ///< a JSON object with what the kind adds, or empty
};

}  // namespace jobhost::core
