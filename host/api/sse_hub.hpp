#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <Poco/Net/StreamSocket.h>

#include "api/auth/credential_observer.hpp"
#include "api/http_types.hpp"
#include "api/owner_cache.hpp"
#include "api/places.hpp"
#include "api/server.hpp"

namespace jobhost::api {

/// All event streams, on one thread. A connection that becomes a stream leaves the HTTP pool and lives here until its
/// client goes, its job ends, it reads too slowly, or the host stops.
///
/// A stream is told each committed event once and in order: the subscription comes first, then what the store has, then
/// what the bus said meanwhile beyond that. Live events (progress, log) have no number and are told as they come.
/// Thread-safety: every method from any thread.
class SseHub final : public CredentialObserver {
 public:
  struct Parts {
    jobs::JobService& jobs;
    events::EventBus& bus;
    /// A job as its snapshot shows it.
    std::function<std::string(const core::Job&)> render_job;
    /// Whether who watches still may; asked when credentials changed and now and then (they expire). Empty: always.
    std::function<bool(const Principal&)> still_may = {};
  };
  SseHub(Parts parts, SseLimits limits);
  ~SseHub() override;
  SseHub(const SseHub&) = delete;
  SseHub& operator=(const SseHub&) = delete;

  /// A place for another stream of this caller, which goes into its plan; `replays`: it will read what was before it.
  /// Unavailable: there is no room at all now. Exhausted: the caller has too many, or too many that still catch up.
  [[nodiscard]] core::Result<std::shared_ptr<void>> seat(const Principal& caller, bool replays) const;
  /// Ends the streams of those who may no more, before anything committed from now on is told to them.
  void credentialsChanged() override;
  /// Ends the streams of a batch that is no more, behind what was committed before.
  void batchRemoved(const std::string& batch);
  /// Makes a stream of the socket of an answered request. Subscribes before it sends `head`, so that a client that has
  /// read the head misses nothing from then on; replays on the caller's thread, then hands over.
  void watch(const Poco::Net::StreamSocket& socket, const StreamPlan& plan, std::string_view head);
  /// Ends all streams and the thread.
  void stop();

 private:
  struct Watcher;
  using WatcherRef = std::shared_ptr<Watcher>;

  /// Whether a caller hears of this job; nullopt: the store cannot say now.
  std::optional<bool> hears(const StreamPlan& plan, core::JobId job);
  bool replay(Watcher& watcher);
  bool replayPage(Watcher& watcher, bool& ended, std::string& last_event, bool& more);
  [[nodiscard]] bool worthGoingOn(const Watcher& watcher) const;
  [[nodiscard]] bool stillMay(const Watcher& watcher) const;
  bool flushBlocking(Watcher& watcher);
  void heard(const WatcherRef& watcher, std::span<const core::JobEvent> events);
  void wake();

  // On the hub's thread only.
  void run();
  static std::uint32_t interestOf(const Watcher& watcher);
  void takeArrivals();
  void takeDirty();
  void endUnwelcome();
  void endOfBatches();
  void endOf(const std::vector<WatcherRef>& watchers);
  void lookForBatches();
  void deliver(Watcher& watcher);
  void deliverLog(Watcher& watcher);
  static std::size_t appendLogLines(Watcher& watcher, std::string_view bytes, bool all);
  static std::optional<bool> writeSome(Watcher& watcher);
  void flush(Watcher& watcher);
  void end(Watcher* watcher);
  void keepAlive();

  Parts parts_;
  SseLimits limits_;
  OwnerCache owners_;
  mutable Places seats_;  ///< by caller; how many there are in all is watchers_count_'s business
  mutable Places replays_;
  int epoll_ = -1;
  int wake_ = -1;  ///< eventfd
  std::atomic<int> watchers_count_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> credentials_changed_{false};
  std::mutex mutex_;  ///< guards arrivals_, dirty_ and removed_batches_
  std::vector<WatcherRef> arrivals_;
  std::vector<WatcherRef> dirty_;
  std::vector<std::string> removed_batches_;
  std::unordered_map<Watcher*, WatcherRef> watchers_;  ///< owned by thread_
  std::thread thread_;
};

}  // namespace jobhost::api
