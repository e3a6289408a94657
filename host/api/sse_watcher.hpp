#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <Poco/Net/StreamSocket.h>

#include "api/sse_hub.hpp"
#include "core/event.hpp"
#include "events/event_bus.hpp"

namespace jobhost::api {

/// One event as its lines on the wire, appended.
void appendSse(std::string& out, const core::JobEvent& event);

/// After it the stream of a job ends. Once ended, later facts (tags changed) say so too.
inline bool endsJobStream(const core::JobEvent& event) {
  return event.kind == core::EventKind::Deleted || core::isTerminal(event.state);
}

// A replay has an HTTP thread: a reader slower than this on average is dropped and may come back with its last number.
inline constexpr auto kReplaySend = std::chrono::seconds(10);
inline constexpr std::size_t kReplayBytesPerSecond = 64 * 1024;

/// One stream.
struct SseHub::Watcher {
  Watcher(const Poco::Net::StreamSocket& from, const StreamPlan& how)
      : socket(from), fd(static_cast<int>(from.impl()->sockfd())), plan(how) {}

  // Owned by the thread that has the watcher: the HTTP thread in watch(), then the hub's.
  Poco::Net::StreamSocket socket;
  int fd;
  StreamPlan plan;
  std::string out;
  std::size_t sent = 0;
  std::size_t replayed = 0;  ///< bytes sent by the HTTP thread
  std::chrono::steady_clock::time_point replay_began = std::chrono::steady_clock::now();
  [[nodiscard]] std::chrono::steady_clock::time_point replayDeadline() const {
    return replay_began + kReplaySend + std::chrono::milliseconds(replayed * 1000 / kReplayBytesPerSecond);
  }
  std::int64_t last_seq = 0;
  std::int64_t log_offset = 0;
  bool ending = false;  ///< close when everything is written
  bool wants_write = false;
  bool log_pending = false;    ///< the file has more than fits the buffer now
  bool log_ended = false;      ///< the job is over: what the file has is all
  bool batch_in_doubt = true;  ///< its batch may have gone: while the stream began, or since jobs were removed
  bool lost_jobs = false;      ///< jobs, of whatever batch, were removed meanwhile
  std::unique_ptr<events::EventBus::Subscription> subscription;

  std::mutex mutex;  ///< guards what follows
  std::vector<core::JobEvent> inbox;
  bool live = false;   ///< the hub's thread has it
  bool dirty = false;  ///< it is in dirty_
  bool overflow = false;
};

}  // namespace jobhost::api
