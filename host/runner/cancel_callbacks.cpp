#include "runner/cancel_callbacks.hpp"

#include <algorithm>

namespace jobhost::runner {

std::uint64_t CancelCallbacks::add(std::uint32_t owner, jh_cancel_fn function, void* context, std::int32_t reason) {
  const std::lock_guard lock(mutex_);
  if (entries_.size() >= kMost) return 0;
  if (!started_) {
    started_ = true;
    std::thread thread([this] { loop(); });
    thread_id_ = thread.get_id();
    thread.detach();  // ends with the process
  }
  const std::uint64_t token = next_++;
  entries_[token] = {owner, function, context, reason};
  if (reason != 0) changed_.notify_all();
  return token;
}

bool CancelCallbacks::remove(std::uint64_t token) {
  std::unique_lock lock(mutex_);
  const bool known = entries_.erase(token) > 0;
  if (running_ != token) return known;
  if (std::this_thread::get_id() != thread_id_) changed_.wait(lock, [&] { return running_ != token; });
  return true;
}

void CancelCallbacks::fire(std::uint32_t owner, std::int32_t reason) {
  const std::lock_guard lock(mutex_);
  for (auto& [token, entry] : entries_) {
    if (entry.owner == owner && entry.reason == 0) entry.reason = reason;
  }
  changed_.notify_all();
}

void CancelCallbacks::clear() {
  std::unique_lock lock(mutex_);
  entries_.clear();
  changed_.wait(lock, [&] { return running_ == 0; });
}

void CancelCallbacks::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto due =
        std::find_if(entries_.begin(), entries_.end(), [](const auto& item) { return item.second.reason != 0; });
    if (due == entries_.end()) {
      changed_.wait(lock);
      continue;
    }
    running_ = due->first;
    const Entry entry = due->second;
    entries_.erase(due);
    lock.unlock();
    entry.function(entry.context, entry.reason);
    lock.lock();
    running_ = 0;
    changed_.notify_all();
  }
}

}  // namespace jobhost::runner
