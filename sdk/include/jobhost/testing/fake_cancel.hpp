// jobhost SDK, for tests: being asked to stop. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <thread>

#if !defined(_WIN32)
#include <fcntl.h>
#include <unistd.h>
#endif

#include "../abi.h"

namespace jobhost::testing::detail {

/// The cancel flag of one attempt, the callbacks and the handle of jobhost.cancel/1. Any thread.
class FakeCancel {
 public:
  FakeCancel() = default;
  FakeCancel(const FakeCancel&) = delete;
  FakeCancel& operator=(const FakeCancel&) = delete;
  ~FakeCancel() { reset(); }

  std::int32_t reason() const noexcept { return reason_.load(); }

  /// Asks to stop: callbacks run on a thread of their own, as the host does it, so one that takes a lock the job
  /// thread holds does not hang the test. The first reason counts.
  void ask(std::int32_t reason) {
    std::int32_t none = JH_CANCEL_NO;
    if (!reason_.compare_exchange_strong(none, reason)) return;
    const std::lock_guard lock(mutex_);
    signal();
    // Without callbacks no thread: most tests cancel without any.
    if (!callbacks_.empty()) thread_ = std::thread([this, reason] { fire(reason); });
  }

  std::uint64_t add(jh_cancel_fn fn, void* context) {
    std::uint64_t token = 0;
    {
      const std::lock_guard lock(mutex_);
      token = ++serial_;
      callbacks_[token] = {fn, context, false, {}};
    }
    // Asked after it is in the list: a cancel in between fires it, one before is seen here.
    if (const std::int32_t why = reason(); why != JH_CANCEL_NO) fire(why);
    return token;
  }

  /// False: unknown, or it already ran. When this returns the callback is not running, unless it is the caller.
  bool remove(std::uint64_t token) {
    std::unique_lock lock(mutex_);
    const auto known = callbacks_.find(token);
    if (known == callbacks_.end()) return false;
    if (!known->second.running) {
      callbacks_.erase(known);
      return true;
    }
    if (known->second.thread == std::this_thread::get_id()) return false;
    ended_.wait(lock, [&] { return callbacks_.find(token) == callbacks_.end(); });
    return false;
  }

  /// Readable once asked; made when first wanted. -1: none on this system.
  std::int64_t handle() {
#if defined(_WIN32)
    return -1;
#else
    const std::lock_guard lock(mutex_);
    if (pipe_[0] < 0) {
      if (::pipe(pipe_) != 0) return -1;
      for (const int fd : pipe_) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
      if (reason() != JH_CANCEL_NO) signal();
    }
    return pipe_[0];
#endif
  }

  /// Ready for the next attempt. Callbacks that were never taken back are dropped.
  void reset() {
    if (thread_.joinable()) thread_.join();
    const std::lock_guard lock(mutex_);
    callbacks_.clear();
    reason_ = JH_CANCEL_NO;
#if !defined(_WIN32)
    for (int& fd : pipe_) {
      if (fd >= 0) ::close(fd);
      fd = -1;
    }
#endif
  }

 private:
  struct Callback {
    jh_cancel_fn fn;
    void* context;
    bool running;
    std::thread::id thread;
  };

  /// Makes the handle readable. Call with the lock held.
  void signal() noexcept {
#if !defined(_WIN32)
    if (pipe_[1] >= 0 && ::write(pipe_[1], "c", 1) < 0) {
      // it is readable already, or the plugin closed it
    }
#endif
  }

  void fire(std::int32_t reason) {
    std::unique_lock lock(mutex_);
    for (auto next = callbacks_.begin(); next != callbacks_.end();) {
      if (next->second.running) {
        ++next;
        continue;
      }
      next->second.running = true;
      next->second.thread = std::this_thread::get_id();
      const Callback callback = next->second;
      lock.unlock();
      callback.fn(callback.context, reason);
      lock.lock();
      callbacks_.erase(next);
      ended_.notify_all();
      next = callbacks_.begin();
    }
  }

  std::atomic<std::int32_t> reason_{JH_CANCEL_NO};
  std::mutex mutex_;
  std::condition_variable ended_;
  std::uint64_t serial_ = 0;
  std::map<std::uint64_t, Callback> callbacks_;
  std::thread thread_;
  int pipe_[2] = {-1, -1};
};

}  // namespace jobhost::testing::detail
