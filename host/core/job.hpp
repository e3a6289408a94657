#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/job_state.hpp"

namespace jobhost::core {

/// A job's number: positive, increasing in the order jobs were made, never reused.
struct JobId {
  std::int64_t value = 0;
  auto operator<=>(const JobId&) const = default;
};
inline std::string toString(JobId id) {
  return std::to_string(id.value);
}

/// How long a failed job waits before its next attempt (see core/retry.hpp).
enum class BackoffKind : int { Minion = 0, Fixed = 1, Exponential = 2 };
struct Backoff {
  BackoffKind kind = BackoffKind::Minion;  ///< Minion: retries⁴ + 15 s
  Millis base{15'000};                     ///< Fixed: the wait; Exponential: the first wait, doubled each time
  Millis cap{24 * 3600 * 1000};
  double jitter = 0.0;  ///< 0..1: share of the wait that is random
  bool operator==(const Backoff&) const = default;
};

/// What a failed attempt says of itself. `error_class` numbers are the ABI's (jh_error.error_class).
enum class ErrorClass : int {
  BadInput = 1,
  Transient = 2,
  Permanent = 3,
  Resource = 4,
  Denied = 5,
  Upstream = 6,
  Internal = 9,
};
struct JobError {
  ErrorClass error_class = ErrorClass::Internal;
  std::string code;          ///< stable, machine-readable: "plugin_crashed", "timeout", "pdf.encrypted"
  std::string message;       ///< one sentence for people
  std::string details_json;  ///< a JSON value, or empty
  bool operator==(const JobError&) const = default;
};

/// How the runner process ended, when an attempt's end was the process's end.
struct ProcessExit {
  std::optional<int> code;
  std::optional<int> signal;
  bool operator==(const ProcessExit&) const = default;
};

/// What an attempt used.
struct Usage {
  std::int64_t cpu_us = 0;
  std::int64_t peak_rss_bytes = 0;
  std::int64_t read_bytes = 0;
  std::int64_t written_bytes = 0;
  bool operator==(const Usage&) const = default;
};

/// A file a job made; it lies in the job's output folder under `name`.
struct Output {
  std::string name;  ///< relative path, '/' between parts, no "." or ".." part
  std::string media_type;
  std::int64_t size_bytes = 0;
  std::string sha256;  ///< lower-case hex; empty where not computed
  bool operator==(const Output&) const = default;
};

/// Jobs made below a job. A parent's own row counts direct children; `descendants` counts the whole tree below.
struct ChildCounters {
  std::int64_t total = 0;
  std::int64_t done = 0;    ///< ended, whatever the outcome
  std::int64_t failed = 0;  ///< of those done: failed or canceled
  bool operator==(const ChildCounters&) const = default;
};

/// What failed or canceled children mean for a parent whose own step succeeded.
enum class ChildFailure : int {
  Ignore = 0,  ///< the parent succeeds; its counters show the failures (lncrawl's rule)
  Fail = 1,    ///< the parent fails with code "children_failed"
};

struct Progress {
  double fraction = 0.0;  ///< 0..1; -1 when indeterminate
  double done = 0.0;      ///< as the plugin counts
  double total = 0.0;     ///< 0: unknown
  std::string message;
  bool operator==(const Progress&) const = default;
};

/// A request for a job, checked by JobService and not yet stored.
struct JobDraft {
  std::string type;
  std::string params_json = "{}";  ///< a JSON object, passed on as these bytes
  int priority = 0;                ///< higher first
  std::optional<Instant> run_at;   ///< not before; absent: now
  std::string queue_key;           ///< jobs with the same key do not run at once; empty: none, or its parent's fair one
  std::optional<JobId> parent;
  std::vector<JobId> depends_on;  ///< must all succeed first; a failed one fails this job
  std::vector<JobId> after;       ///< must all have ended first, whatever the outcome; one that is gone has
  std::string batch;
  std::string owner;  ///< principal's id
  std::vector<std::string> tags;
  std::string notes_json = "{}";
  int max_attempts = 1;
  Backoff backoff;
  Millis timeout{0};         ///< of one attempt; 0: the type's or the host's default
  std::string unique_key;    ///< while a live job of this type has it, submit answers that job
  std::string webhook_json;  ///< empty: none
  std::string dedupe_key;    ///< among the children of one parent: a re-run attempt finds its child again
  std::string input_id;      ///< uploaded inputs this job takes over; empty: none
  ChildFailure child_failure = ChildFailure::Ignore;
  std::string args_json;          ///< the arguments a caller gave by position, as spelt; empty: none
  bool inherit_priority = false;  ///< takes its parent's instead of `priority`
};

/// A job as stored.
struct Job {
  JobId id;
  std::string type;
  std::string params_json;
  int priority = 0;
  JobState state = JobState::Queued;
  Hold hold = Hold::None;
  Instant created_at;
  Instant run_at;
  std::optional<Instant> started_at;   ///< of the last attempt
  std::optional<Instant> finished_at;  ///< set once terminal; of the failed attempt while a retry waits
  Instant updated_at;
  std::string queue_key;
  std::optional<JobId> parent;
  JobId root;     ///< itself when it has no parent
  int depth = 0;  ///< 0 at the root
  std::vector<JobId> depends_on;
  std::vector<JobId> after;
  std::string batch;
  std::string owner;
  std::vector<std::string> tags;
  std::string notes_json = "{}";
  Progress progress;
  ChildCounters children;
  ChildCounters descendants;
  ChildCounters units_below;  ///< for unitsOf() (core/units.hpp)
  bool own_done = false;      ///< its own step succeeded while children were outstanding
  int attempt = 0;            ///< 0 before the first, then 1…
  int retries = 0;            ///< how often it was put back
  int max_attempts = 1;
  Backoff backoff;
  Millis timeout{0};
  std::string unique_key;
  std::string dedupe_key;
  bool cancel_requested = false;
  bool suspend_requested = false;  ///< of a running job, which is put aside as soon as its plugin lets go
  int rescues = 0;                 ///< attempts lost with their host or lease since the last retry command
  std::string result_json;        ///< empty: none
  std::optional<JobError> error;  ///< of the last failed attempt
  std::string webhook_json;
  std::string input_id;
  ChildFailure child_failure = ChildFailure::Ignore;
  Usage usage;  ///< of the last attempt
  std::optional<ProcessExit> exit;
  std::vector<Output> outputs;
  std::string args_json;  ///< as in the draft; read with one job, not in lists
};

}  // namespace jobhost::core

template <>
struct std::hash<jobhost::core::JobId> {
  std::size_t operator()(jobhost::core::JobId id) const noexcept { return std::hash<std::int64_t>{}(id.value); }
};
