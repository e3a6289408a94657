#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "core/clock.hpp"
#include "core/job.hpp"
#include "store/job_store.hpp"

namespace jobhost::dispatch {

/// One thing to look at again about one attempt. Stale ones (the attempt is gone) are met and ignored by whoever pops.
struct Timer {
  enum class Kind { Timeout, Progress };
  core::Clock::Steady at;
  Kind kind = Kind::Timeout;
  core::JobId id;
  store::LeaseToken lease = 0;
};

/// Timers by due time. Removing is lazy: keep() drops those no longer wanted when they outnumber the live ones.
class Timers {
 public:
  void add(Timer timer) {
    heap_.push_back(timer);
    std::push_heap(heap_.begin(), heap_.end(), later);
  }

  [[nodiscard]] std::optional<core::Clock::Steady> next() const {
    if (heap_.empty()) return std::nullopt;
    return heap_.front().at;
  }

  /// The earliest timer that is due; nullopt: none.
  std::optional<Timer> popDue(core::Clock::Steady now) {
    if (heap_.empty() || heap_.front().at > now) return std::nullopt;
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const Timer due = heap_.back();
    heap_.pop_back();
    return due;
  }

  [[nodiscard]] std::size_t size() const { return heap_.size(); }

  template <class Wanted>
  void keep(const Wanted& wanted) {
    std::erase_if(heap_, [&](const Timer& timer) { return !wanted(timer); });
    std::make_heap(heap_.begin(), heap_.end(), later);
  }

 private:
  static bool later(const Timer& a, const Timer& b) { return a.at > b.at; }
  std::vector<Timer> heap_;
};

}  // namespace jobhost::dispatch
