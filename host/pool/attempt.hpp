#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "catalog/catalog.hpp"
#include "dispatch/job_runner.hpp"
#include "pool/event_loop.hpp"
#include "pool/http_services.hpp"
#include "pool/job_log.hpp"
#include "store/attempt_writes.hpp"

namespace jobhost::pool {

class PluginGroup;
class Runner;

/// One attempt from start() to attemptEnded(). Owned by the group while it waits, then by the runner that has it.
struct Attempt {
  dispatch::Assignment assignment;
  std::shared_ptr<const catalog::TypeEntry> type;
  PluginGroup* group = nullptr;  ///< where it belongs; never null
  Runner* runner = nullptr;      ///< null while it waits in the group

  std::uint32_t slot = 0;     ///< on its runner
  bool sent = false;          ///< the RUN frame is written; false while inputs are staged
  bool told_started = false;  ///< RunnerListener::attemptStarted was called
  bool give_back = false;     ///< recalled by the dispatcher: report NotStarted instead of queueing again
  bool cancel_sent = false;
  EventLoop::Steady::time_point sent_at;
  EventLoop::Steady::time_point front_since;  ///< when nothing was ahead of it on the runner
  std::optional<dispatch::StopReason> stop;
  EventLoop::TimerId grace = 0;
  std::unique_ptr<JobLog> log;  ///< with the first line
  std::int64_t notes = 0;
  int open_calls = 0;
  std::unique_ptr<HttpSession> http;  ///< with the first fetch
  /// What it wrote to records, not committed; null: nothing yet. Goes with it unless it succeeds.
  std::shared_ptr<store::AttemptWrites> writes;
  std::optional<core::Millis> cpu_before;  ///< of the runner's tree when this attempt was first measured

  [[nodiscard]] core::JobId id() const { return assignment.job.id; }
};

}  // namespace jobhost::pool
