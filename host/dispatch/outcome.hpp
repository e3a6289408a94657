#pragma once

#include <optional>

#include "core/job.hpp"
#include "dispatch/job_runner.hpp"
#include "store/job_store.hpp"

namespace jobhost::dispatch {

/// What the dispatcher knew of an attempt when it ended.
struct AttemptFacts {
  core::Instant now;
  core::Instant run_at;  ///< where the job stood in the queue: what is put back keeps its place
  int attempt = 1;
  int retries = 0;
  int max_attempts = 1;
  core::Backoff backoff;
  core::Millis timeout{0};
  std::optional<StopReason> stop;  ///< what it was asked to stop for
  double random = 0;               ///< [0,1): jitter of a retry
};

/// What becomes of the job. Pure. A success stays one even when the attempt had been asked to stop.
store::AttemptOutcome decideOutcome(AttemptEnd end, const AttemptFacts& facts);

}  // namespace jobhost::dispatch
