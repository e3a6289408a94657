#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

namespace jobhost::core {

/// A bounded queue into one thread. Any thread pushes; the owner pops, in order.
/// Waiting wakes on a message, on the deadline given, or on stop; it never polls.
template <class Message>
class Mailbox {
 public:
  explicit Mailbox(std::size_t capacity) : capacity_(capacity) {}

  /// False when full or closed: the sender decides what that costs.
  [[nodiscard]] bool tryPush(Message message) {
    {
      std::lock_guard lock(mutex_);
      if (closed_ || queue_.size() >= capacity_) return false;
      queue_.push_back(std::move(message));
    }
    ready_.notify_one();
    return true;
  }

  /// For messages that must not be lost (a finished attempt): goes over the capacity. False only when closed.
  bool push(Message message) {
    {
      std::lock_guard lock(mutex_);
      if (closed_) return false;
      queue_.push_back(std::move(message));
    }
    ready_.notify_one();
    return true;
  }

  /// The next message; nullopt when stop was requested (messages left are dropped) or the mailbox is closed and empty.
  std::optional<Message> pop(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, stop, [&] { return !queue_.empty() || closed_; });
    if (stop.stop_requested() || queue_.empty()) return std::nullopt;
    Message message = std::move(queue_.front());
    queue_.pop_front();
    return message;
  }

  /// Everything that waits, at least one message unless the deadline (nullopt: none) passes, stop or close comes first.
  std::vector<Message> popAll(const std::stop_token& stop,
                              std::optional<std::chrono::steady_clock::time_point> deadline = std::nullopt) {
    std::unique_lock lock(mutex_);
    const auto ready = [&] { return !queue_.empty() || closed_; };
    if (deadline) {
      ready_.wait_until(lock, stop, *deadline, ready);
    } else {
      ready_.wait(lock, stop, ready);
    }
    std::vector<Message> all(std::make_move_iterator(queue_.begin()), std::make_move_iterator(queue_.end()));
    queue_.clear();
    return all;
  }

  /// No more pushes; what waits can still be popped.
  void close() {
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
    }
    ready_.notify_all();
  }

  [[nodiscard]] std::size_t size() const {
    std::lock_guard lock(mutex_);
    return queue_.size();
  }

 private:
  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable_any ready_;
  std::deque<Message> queue_;
  bool closed_ = false;
};

}  // namespace jobhost::core
