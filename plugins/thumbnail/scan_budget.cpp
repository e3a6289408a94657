#include "thumbnail/scan_budget.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <system_error>
#include <utility>

#include "support/files/unique_fd.hpp"

namespace jobhost::thumbnail {
namespace {

std::int64_t realTimeMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

ScanBudget::ScanBudget(std::filesystem::path file, Clock clock)
    : file_(std::move(file)), clock_(clock ? std::move(clock) : Clock(realTimeMs)) {}

bool ScanBudget::take() {
  bool taken = false;
  change([&](State& state) {
    const std::int64_t now = clock_();
    // A clock that was set back gives nothing and takes nothing.
    const std::int64_t passed = state.at_ms == 0 ? 0 : std::max<std::int64_t>(0, now - state.at_ms);
    state.left =
        std::min<double>(kAtOnce, state.left + static_cast<double>(passed) / static_cast<double>(state.refill_ms));
    state.at_ms = now;
    taken = state.left >= 1;
    if (taken) state.left -= 1;
  });
  return taken;
}

void ScanBudget::spent(std::int64_t ms) {
  const std::int64_t rest = kRestPerScan * std::clamp<std::int64_t>(ms, 0, kMostRefillMs);
  change([&](State& state) { state.refill_ms = std::clamp(rest, kRefillMs, kMostRefillMs); });
}

void ScanBudget::change(const std::function<void(State&)>& change) {
  static_assert(std::is_trivially_copyable_v<State>);
  const std::lock_guard lock(mutex_);
  std::error_code ignored;
  std::filesystem::create_directories(file_.parent_path(), ignored);
  const support::UniqueFd fd(::open(file_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!fd || ::flock(fd.get(), LOCK_EX) != 0) return change(own_);  // the lock ends with the descriptor
  State state = own_;
  char bytes[sizeof(State)];
  if (::pread(fd.get(), bytes, sizeof(bytes), 0) == static_cast<ssize_t>(sizeof(bytes))) {
    State read;
    std::memcpy(&read, bytes, sizeof(bytes));
    const bool sane = read.refill_ms >= kRefillMs && read.refill_ms <= kMostRefillMs;
    if (sane && std::isfinite(read.left) && read.left >= 0 && read.at_ms >= 0) state = read;
  }
  change(state);
  own_ = state;
  std::memcpy(bytes, &state, sizeof(bytes));
  (void)!::pwrite(fd.get(), bytes, sizeof(bytes), 0);  // on a full disk each process counts by itself
}

}  // namespace jobhost::thumbnail
