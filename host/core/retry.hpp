#pragma once

#include <optional>

#include "core/job.hpp"

namespace jobhost::core {

/// The wait before attempt `retries + 2`, when `retries` retries were made before. `random` in [0,1) feeds the jitter.
/// Minion's rule is retries⁴ + 15 s (contracts/minion.md section 2): 15, 16, 31, 96 … s. Never over `backoff.cap`.
Millis retryDelay(const Backoff& backoff, int retries, double random);

/// Whether a failure is worth another attempt, and after how long; nullopt: terminal.
/// BadInput, Permanent and Denied never are. `retry_after` (from the plugin, negative: none) wins over the backoff.
std::optional<Millis> decideRetry(const JobError& error, Millis retry_after, const Backoff& backoff, int attempt,
                                  int retries, int max_attempts, double random);

}  // namespace jobhost::core
