#include "core/retry.hpp"

#include <algorithm>
#include <cmath>

namespace jobhost::core {

Millis retryDelay(const Backoff& backoff, int retries, double random) {
  const double n = std::max(retries, 0);
  const double base = static_cast<double>(backoff.base.count());
  const double cap = static_cast<double>(backoff.cap.count());
  double wait = base;
  switch (backoff.kind) {
    case BackoffKind::Minion: wait = (n * n * n * n + 15.0) * 1000.0; break;
    case BackoffKind::Fixed: break;
    case BackoffKind::Exponential: wait = base * std::exp2(std::min(n, 40.0)); break;
  }
  wait = std::clamp(wait, 0.0, cap);
  const double jitter = std::clamp(backoff.jitter, 0.0, 1.0);
  return Millis(static_cast<std::int64_t>(wait * (1.0 - jitter) + wait * jitter * random));
}

std::optional<Millis> decideRetry(const JobError& error, Millis retry_after, const Backoff& backoff, int attempt,
                                  int retries, int max_attempts, double random) {
  switch (error.error_class) {
    case ErrorClass::BadInput:
    case ErrorClass::Permanent:
    case ErrorClass::Denied: return std::nullopt;
    case ErrorClass::Transient:
    case ErrorClass::Resource:
    case ErrorClass::Upstream:
    case ErrorClass::Internal: break;
  }
  if (attempt >= max_attempts) return std::nullopt;
  if (retry_after.count() >= 0) return std::min(retry_after, backoff.cap);
  return retryDelay(backoff, retries, random);
}

}  // namespace jobhost::core
