#include "api/auth/token_bucket.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace jobhost::api {

TokenBucket::Taken TokenBucket::taken(core::Clock::Steady now, int wanted) {
  const double per_second = per_minute_ / 60.0;
  std::lock_guard lock(mutex_);
  if (now > at_) {  // threads may come a little out of order
    tokens_ = std::min<double>(burst_, tokens_ + std::chrono::duration<double>(now - at_).count() * per_second);
    at_ = now;
  }
  Taken taken;
  taken.limit = burst_;
  // Sixty additions of a sixtieth are not quite one.
  taken.allowed = tokens_ >= 1 - 1e-9;
  if (taken.allowed) {
    tokens_ = std::max(0.0, tokens_ - wanted);
  } else {
    taken.retry_after_s = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil((1 - tokens_) / per_second)));
  }
  taken.remaining = static_cast<int>(tokens_);
  taken.reset_s = static_cast<std::int64_t>(std::ceil((burst_ - tokens_) / per_second));
  return taken;
}

}  // namespace jobhost::api
