#pragma once

#include <cstdint>
#include <mutex>

#include "core/clock.hpp"

namespace jobhost::api {

/// A budget of requests that fills up evenly with time. Thread-safety: take() from any thread.
class TokenBucket {
 public:
  /// `per_minute` and `burst` at least 1: so many a minute on the long run, so many at once.
  TokenBucket(int per_minute, int burst, core::Clock::Steady now)
      : per_minute_(per_minute), burst_(burst), tokens_(burst), at_(now) {}

  struct Taken {
    bool allowed = false;
    int limit = 0;                   ///< the burst
    int remaining = 0;               ///< whole requests left
    std::int64_t reset_s = 0;        ///< until the bucket is full again, rounded up
    std::int64_t retry_after_s = 0;  ///< until one is left, rounded up; 0 when allowed
  };
  /// Takes one if there is one.
  Taken take(core::Clock::Steady now) { return taken(now, 1); }
  /// What take() would find; takes nothing.
  Taken look(core::Clock::Steady now) { return taken(now, 0); }

 private:
  Taken taken(core::Clock::Steady now, int wanted);

  const int per_minute_;
  const int burst_;
  std::mutex mutex_;
  double tokens_;
  core::Clock::Steady at_;
};

}  // namespace jobhost::api
