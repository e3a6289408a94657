#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>

namespace jobhost::thumbnail {

/// How often the content folder may be looked through because somebody asked for an archive nobody knows: a few times
/// at once, then once in a while. Callers without a key can ask for any id, so what is unknown must cost them nothing
/// else.
///
/// All processes of the plugin share it through a small file; where that cannot be written each keeps to it by itself.
/// Thread-safe.
class ScanBudget {
 public:
  static constexpr int kAtOnce = 5;
  /// Until one more scan may be made; longer where a scan takes long, so that scans never have more than a twentieth of
  /// the time.
  static constexpr std::int64_t kRefillMs = 30'000;
  static constexpr std::int64_t kRestPerScan = 20;
  static constexpr std::int64_t kMostRefillMs = 24LL * 3600 * 1000;

  /// Milliseconds since 1970, which all processes share.
  using Clock = std::function<std::int64_t()>;

  explicit ScanBudget(std::filesystem::path file, Clock clock = {});

  /// Whether one may be made now; counts it.
  bool take();
  /// How long it took.
  void spent(std::int64_t ms);

 private:
  struct State {
    double left = kAtOnce;
    std::int64_t at_ms = 0;              ///< when `left` was counted; 0: never
    std::int64_t refill_ms = kRefillMs;  ///< for one more
  };

  /// Changes the state that all share, as nobody else does at that moment.
  void change(const std::function<void(State&)>& change);

  const std::filesystem::path file_;
  const Clock clock_;
  std::mutex mutex_;
  State own_;  ///< where there is no file
};

}  // namespace jobhost::thumbnail
