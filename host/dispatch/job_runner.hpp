#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "catalog/job_type.hpp"
#include "core/job.hpp"
#include "store/job_store.hpp"

namespace jobhost::dispatch {

/// Why a running attempt is asked to stop. The numbers are what jh_host.cancelled() answers to the plugin.
enum class StopReason : int { Canceled = 1, TimedOut = 2, Shutdown = 3, Suspended = 4 };

/// One attempt to run: the claimed job and what the dispatcher resolved for it.
struct Assignment {
  store::ClaimedJob job;
  std::string plugin;       ///< plugin id (catalog)
  core::Millis timeout{0};  ///< of this attempt; 0: none. The dispatcher enforces it with stop()
};

/// How an attempt ended, as the runner side saw it. The dispatcher turns it into a store::AttemptOutcome.
struct AttemptEnd {
  enum class Kind {
    Succeeded,
    Failed,      ///< `error` says why; includes crash ("plugin_crashed"), protocol abuse, limits
    Stopped,     ///< the plugin honoured stop() or was killed after it; `forced` tells which
    Suspended,   ///< waits for its children, and for `retry_after` where that is not negative
    NotStarted,  ///< recalled, or no runner could be had: not the job's doing; `error` says why
  };
  core::JobId id;
  store::LeaseToken lease = 0;
  Kind kind = Kind::Failed;
  bool forced = false;
  std::string result_json;
  std::optional<core::JobError> error;
  core::Millis retry_after{-1};  ///< from the plugin's error, or when it wants to run again; negative: none
  std::string reason;            ///< Suspended with retry_after: why, for people
  std::optional<core::Instant> started_at;
  core::Instant finished_at;
  core::Usage usage;
  std::optional<core::ProcessExit> exit;
  std::vector<core::Output> outputs;  ///< moved into the job's output folder already
  catalog::GenerationId generation;   ///< the plugin file it ran on; 0: it never began
  /// What it wrote to records, sealed; null where that does not count or there is nothing.
  std::shared_ptr<const store::AttemptWrites> writes;
};

/// Told by the runner side; every method may be called from its reactor thread and must not block.
class RunnerListener {
 public:
  virtual ~RunnerListener() = default;
  /// The plugin's run() began: from here its timeout counts. May be left out for an attempt that ended in the same turn
  /// of the reactor; whatever still runs when a turn ends has been told, so it costs one call per runner and turn.
  virtual void attemptStarted(core::JobId id, store::LeaseToken lease) = 0;
  virtual void attemptEnded(AttemptEnd end) = 0;
  virtual void progressed(core::JobId id, store::LeaseToken lease, core::Progress progress) = 0;
  virtual void noted(core::JobId id, store::LeaseToken lease, std::string key, std::string value_json) = 0;
  /// A line was appended to the job's log file; `line_json` is {"at","level","text"} for live watchers.
  virtual void logged(core::JobId id, std::string line_json) = 0;
  /// How many attempts of `plugin` may run at once now (0: the plugin is gone, quarantined or cannot start). Told once
  /// for each plugin when it becomes known, then on change. Of short attempts more are handed over than may run: they
  /// wait on the runner side, in the order given, and can be recalled.
  virtual void capacityChanged(const std::string& plugin, int slots) = 0;
};

/// Runs attempts somewhere. pool/ does it in processes; tests with a list. Every method returns at once and may be
/// called from any thread; each started attempt is reported exactly once by RunnerListener::attemptEnded.
class JobRunner {
 public:
  virtual ~JobRunner() = default;
  virtual void setListener(RunnerListener* listener) = 0;  ///< before the first start(); borrowed
  virtual void start(std::vector<Assignment> assignments) = 0;
  /// Asks, waits the type's grace, then kills the process group. Unknown ids are ignored (the attempt just ended).
  virtual void stop(core::JobId id, StopReason reason) = 0;
  /// Gives back attempts that were handed over but not begun (kind NotStarted).
  virtual void recall(std::vector<core::JobId> ids) = 0;
};

}  // namespace jobhost::dispatch
