#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <sys/syscall.h>
#include <unistd.h>

#include "wire/status_page.hpp"

namespace jobhost::runner {

inline std::uint64_t steadyMicros() {
  timespec at{};
  clock_gettime(CLOCK_MONOTONIC, &at);
  return static_cast<std::uint64_t>(at.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(at.tv_nsec) / 1'000;
}

inline std::int64_t wallMicros() {
  timespec at{};
  clock_gettime(CLOCK_REALTIME, &at);
  return static_cast<std::int64_t>(at.tv_sec) * 1'000'000 + at.tv_nsec / 1'000;
}

/// Writes the shared page. Any thread; never blocks.
class Status {
 public:
  explicit Status(wire::StatusPage& page) : page_(page) {}

  void beat() {
    // Not an increment: losing one among threads is fine, a locked instruction in cancelled() is not.
    page_.heartbeat.store(page_.heartbeat.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  void crumb(wire::SdkCall call, std::int32_t result) {
    beat();
    static thread_local const auto tid = static_cast<std::uint32_t>(syscall(SYS_gettid));
    const std::uint32_t at = page_.crumb_count.fetch_add(1, std::memory_order_relaxed) % wire::StatusPage::kCrumbs;
    page_.crumbs[at].call.store(static_cast<std::uint64_t>(call) | (std::uint64_t{tid & 0xffffU} << 16) |
                                    (std::uint64_t{static_cast<std::uint32_t>(result)} << 32),
                                std::memory_order_relaxed);
    page_.crumbs[at].time_us.store(steadyMicros(), std::memory_order_relaxed);
  }
  void phase(wire::Phase phase) { page_.phase.store(static_cast<std::uint32_t>(phase), std::memory_order_release); }
  /// Why the host's page says that `slot` should stop; 0: it does not.
  [[nodiscard]] std::int32_t cancelOf(std::uint32_t slot) const {
    const std::uint64_t word = page_.cancel.load(std::memory_order_relaxed);
    return (word >> 8) == slot ? static_cast<std::int32_t>(word & 0xff) : 0;
  }
  wire::StatusPage& page() { return page_; }

 private:
  wire::StatusPage& page_;
};

}  // namespace jobhost::runner
