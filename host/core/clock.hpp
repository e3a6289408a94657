#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace jobhost::core {

/// A moment of wall time, in microseconds since the Unix epoch. What is stored and shown.
using Instant = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;
using Millis = std::chrono::milliseconds;

inline std::int64_t toMicros(Instant at) { return at.time_since_epoch().count(); }
inline Instant fromMicros(std::int64_t micros) { return Instant(std::chrono::microseconds(micros)); }

/// The one door to time. Wall time may jump (NTP, daylight changes of a badly set host); steady time never does.
/// Leases, deadlines and waits that must survive a jump use steadyNow(); what is written down uses now().
/// Thread-safety: every method may be called from any thread.
class Clock {
 public:
  using Steady = std::chrono::steady_clock::time_point;
  virtual ~Clock() = default;
  [[nodiscard]] virtual Instant now() const = 0;
  [[nodiscard]] virtual Steady steadyNow() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override {
    return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  }
  [[nodiscard]] Steady steadyNow() const override { return std::chrono::steady_clock::now(); }
};

/// Time that stands still until a test moves it. jump() moves wall time alone, as a clock change does.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Instant start = fromMicros(1'800'000'000'000'000)) : wall_(toMicros(start)) {}
  [[nodiscard]] Instant now() const override { return fromMicros(wall_.load()); }
  [[nodiscard]] Steady steadyNow() const override { return Steady(std::chrono::microseconds(steady_.load())); }
  void advance(std::chrono::microseconds by) { wall_ += by.count(); steady_ += by.count(); }
  void jump(std::chrono::microseconds by) { wall_ += by.count(); }

 private:
  std::atomic<std::int64_t> wall_;
  std::atomic<std::int64_t> steady_{1'000'000'000};
};

}  // namespace jobhost::core
