#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>

#include "wire/frame.hpp"
#include "wire/messages.hpp"

namespace jobhost::runner {

/// The sending half of the control socket, with the host's credit for what a plugin can make in any amount.
///
/// Threads: every method may be called from any thread. Frames leave in the order they were put in. When the host does
/// not read, what waits is kept here; put() from a thread of the plugin blocks at kHighWater, so a flood blocks itself.
/// Errors: a socket that fails ends the process (the host is gone); nothing is reported to callers.
class Channel {
 public:
  static constexpr std::size_t kHighWater = 4 * 1024 * 1024;
  enum class When {
    Now,    ///< hand it to the kernel before returning, as far as it takes it
    Later,  ///< with the next Now, or flush()
  };

  /// Borrows both: `wake_fd` is an eventfd that stirs the protocol thread.
  Channel(int socket_fd, int wake_fd) : socket_(socket_fd), wake_(wake_fd) {}

  template <class Message>
  void put(wire::FrameType type, std::uint32_t id, std::uint32_t job, const Message& message, When when) {
    std::unique_lock lock(mutex_);
    waitForRoom(lock);
    wire::FrameWriter frame(pending_, type, id, job);
    encode(frame.payload(), message);
    frame.finish();
    if (when == When::Now) flushLocked();
  }

  /// The same under the host's credit; waits for it while `may_wait()` says so (asked again after wakeAll()). False:
  /// not sent.
  template <class Message, class MayWait>
  bool putCredited(wire::FrameType type, std::uint32_t job, const Message& message, const MayWait& may_wait) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return credit_ > 0 || !may_wait(); });
    if (credit_ <= 0) return false;
    waitForRoom(lock);
    const std::size_t before = pending_.size();
    wire::FrameWriter frame(pending_, type, 0, job);
    encode(frame.payload(), message);
    frame.finish();
    credit_ -= static_cast<std::int64_t>(pending_.size() - before);
    flushLocked();
    return true;
  }

  /// Sends what waits, without blocking. False: some is left, poll for POLLOUT.
  bool flush();
  [[nodiscard]] bool pending() const;
  void addCredit(std::uint64_t bytes);
  /// Makes waits ask again whether they may go on.
  void wakeAll();
  /// Stirs the protocol thread out of its poll.
  void stir() const;

  /// Called once by the protocol thread, which must never wait for itself.
  void protocolThreadIsMe();

 private:
  void waitForRoom(std::unique_lock<std::mutex>& lock);
  bool flushLocked();

  const int socket_;
  const int wake_;
  mutable std::mutex mutex_;
  std::condition_variable room_;
  std::string pending_;
  std::size_t sent_ = 0;  ///< of pending_, already with the kernel
  std::int64_t credit_ = 0;
};

/// The host is gone or the session is over: ends the process and everything in its process group.
[[noreturn]] void leaveWithGroup(int code);

/// Has leaveWithGroup() call this instead, which must not return: for a session on threads of another's process.
void leaveInstead(void (*handler)());

/// Where leaveWithGroup() leaves word (Phase::Ending) for a host that is still there. Set once, before any thread.
void leaveWordIn(std::atomic<std::uint32_t>& phase);

}  // namespace jobhost::runner
