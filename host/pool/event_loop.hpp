#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <unordered_map>
#include <utility>

#include "pool/unique_fd.hpp"

namespace jobhost::pool {

/// Hears that a file descriptor is ready. Called on the loop's thread.
class IoHandler {
 public:
  virtual ~IoHandler() = default;
  virtual void onIo(int fd, std::uint32_t events) = 0;
};

/// One thread's epoll, timers and inbox. Everything but post() belongs to the thread that calls run().
class EventLoop {
 public:
  using Steady = std::chrono::steady_clock;
  using Task = std::function<void()>;
  /// Names a timer; 0 is none. Never reused.
  using TimerId = std::uint64_t;

  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Runs until stop is requested; calls `after_turn` at the end of each turn, before it waits again.
  void run(const std::stop_token& stop, const Task& after_turn);

  /// Posts as the loop does, and may outlive it: what is posted then is dropped. For answers of threads that do not end
  /// before the loop. Any thread.
  class Poster {
   public:
    void post(Task task) const;

   private:
    friend class EventLoop;
    struct Inbox;
    Poster();
    std::shared_ptr<Inbox> inbox_;
  };

  /// Any thread. Runs `task` on the loop's thread, in order. Tasks posted once run() has returned are dropped.
  void post(Task task) { poster_.post(std::move(task)); }
  [[nodiscard]] Poster poster() const { return poster_; }

  /// Watches `fd` for EPOLL* `events` until unwatch(fd). The handler is borrowed.
  void watch(int fd, std::uint32_t events, IoHandler* handler);
  void change(int fd, std::uint32_t events);
  /// Safe inside onIo: events of this turn that are still to come for `fd` are dropped.
  void unwatch(int fd);

  TimerId after(std::chrono::microseconds delay, Task task);
  void cancel(TimerId& timer);  ///< sets it to 0; an id that has fired is ignored

 private:
  struct Watch {
    int fd = -1;
    IoHandler* handler = nullptr;
  };
  using TimerKey = std::pair<Steady::time_point, TimerId>;

  [[nodiscard]] int waitMillis() const;
  void dispatchIo(int timeout_ms);
  void fireTimers();
  void runInbox();

  Poster poster_;
  UniqueFd epoll_;
  std::unordered_map<std::uint64_t, Watch>
      watches_;  ///< by the number epoll carries; never reused, so nothing is stale
  std::unordered_map<int, std::uint64_t> by_fd_;
  std::uint64_t next_watch_ = 1;
  std::map<TimerKey, Task> timers_;
  std::unordered_map<TimerId, Steady::time_point> timer_times_;
  TimerId next_timer_ = 1;
};

}  // namespace jobhost::pool
