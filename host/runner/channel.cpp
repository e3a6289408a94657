#include "runner/channel.hpp"

#include <cerrno>
#include <csignal>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/status_page.hpp"

namespace jobhost::runner {
namespace {

thread_local bool is_protocol_thread = false;
std::atomic<std::atomic<std::uint32_t>*> last_word{nullptr};
std::atomic<void (*)()> instead{nullptr};

}  // namespace

void leaveWordIn(std::atomic<std::uint32_t>& phase) {
  last_word = &phase;
}

void leaveInstead(void (*handler)()) {
  instead = handler;
}

void leaveWithGroup(int code) {
  if (auto* handler = instead.load()) handler();
  if (auto* word = last_word.load()) word->store(static_cast<std::uint32_t>(wire::Phase::Ending));
  // Only a group of our own: started from a shell, the group is the shell's job.
  if (getpgrp() == getpid()) kill(0, SIGKILL);
  _exit(code);
}

void Channel::protocolThreadIsMe() {
  is_protocol_thread = true;
}

void Channel::waitForRoom(std::unique_lock<std::mutex>& lock) {
  if (is_protocol_thread) return;
  room_.wait(lock, [&] { return pending_.size() - sent_ < kHighWater; });
}

bool Channel::flushLocked() {
  while (sent_ < pending_.size()) {
    const ssize_t n = send(socket_, pending_.data() + sent_, pending_.size() - sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) {
      sent_ += static_cast<std::size_t>(n);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) leaveWithGroup(0);
    if (!is_protocol_thread) stir();
    return false;
  }
  pending_.clear();
  if (pending_.capacity() > kHighWater) pending_.shrink_to_fit();
  sent_ = 0;
  room_.notify_all();
  return true;
}

bool Channel::flush() {
  const std::lock_guard lock(mutex_);
  return flushLocked();
}

bool Channel::pending() const {
  const std::lock_guard lock(mutex_);
  return !pending_.empty();
}

void Channel::addCredit(std::uint64_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    constexpr std::int64_t kMost = std::int64_t{1} << 40;
    const auto more = static_cast<std::int64_t>(bytes < (std::uint64_t{1} << 40) ? bytes : std::uint64_t{1} << 40);
    credit_ = credit_ + more < kMost ? credit_ + more : kMost;
  }
  room_.notify_all();
}

void Channel::wakeAll() {
  { const std::lock_guard lock(mutex_); }
  room_.notify_all();
}

void Channel::stir() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t ignored = write(wake_, &one, sizeof(one));
}

}  // namespace jobhost::runner
