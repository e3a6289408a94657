#pragma once

#include <functional>
#include <optional>
#include <random>
#include <set>
#include <unordered_map>
#include <vector>

#include "catalog/catalog.hpp"
#include "core/clock.hpp"
#include "dispatch/capacity.hpp"
#include "dispatch/job_runner.hpp"
#include "dispatch/messages.hpp"
#include "dispatch/options.hpp"
#include "dispatch/timers.hpp"
#include "events/event_bus.hpp"
#include "store/job_store.hpp"

namespace jobhost::dispatch {

/// Everything the dispatcher knows and decides, without a thread of its own: handle() takes in what happened, turn()
/// acts on it (starts and stops attempts, writes to the store, places the next claim) and wakeAt() says when to look
/// again. So a test can step it with a ManualClock and a list for a runner.
///
/// Not thread-safe: one thread owns it. Answers of the store come back as messages through `post`, which is called from
/// the store's thread and must be safe after the Scheduler's end.
class Scheduler {
 public:
  using Steady = core::Clock::Steady;
  using Post = std::function<void(Message)>;

  struct Deps {
    store::JobStore& store;
    catalog::Catalog& catalog;
    events::EventBus& bus;
    JobRunner& runner;
    const core::Clock& clock;
  };
  Scheduler(Deps deps, const Options& options, Post post, std::uint64_t seed);

  void handle(Message message);
  void turn();
  /// When turn() is needed though nothing came; nullopt: never.
  [[nodiscard]] std::optional<Steady> wakeAt() const;

  [[nodiscard]] bool draining() const { return draining_; }
  /// Nothing runs and every outcome is stored.
  [[nodiscard]] bool idle() const;
  [[nodiscard]] int outstanding() const { return static_cast<int>(attempts_.size()); }

 private:
  struct Attempt {
    store::LeaseToken lease = 0;
    int attempt = 1;
    int retries = 0;
    int max_attempts = 1;
    core::Backoff backoff;
    core::Millis timeout{0};
    core::Instant run_at;
    Capacity::Place place;
    Steady handed_at;
    Steady renewed_at;
    std::optional<Steady> began_at;
    std::optional<StopReason> stop;
    bool recalled = false;
    bool put_back = false;                        ///< stopped by msg::PutBack, as the host's own stop but for the word
    bool lost = false;                            ///< its lease is no longer ours: the outcome is not stored
    std::optional<core::Progress> last_progress;  ///< not stored yet
    Steady progress_stored_at{};
    bool progress_timer = false;
  };

  void on(msg::Claimed claimed);
  void on(const msg::AttemptStarted& started);
  void on(msg::AttemptEnded ended);
  void on(msg::Progressed progressed);
  void on(msg::Noted noted);
  void on(const msg::CapacityChanged& changed);
  void on(const msg::CatalogChanged& changed);
  void on(const msg::Held& held);
  void on(const msg::PutBack& put_back);
  void on(const msg::StopAsked& asked);
  void on(const msg::DueMoved& moved);
  void on(const msg::Ticked& ticked);
  void on(msg::SettleDone done);
  void on(msg::UpdateDone done);
  void on(const msg::Renewed& renewed);
  void on(const msg::Drain& drain);

  void accept(store::ClaimedJob job, core::Instant now, Steady steady);
  void giveBack(const store::ClaimedJob& job, core::Instant at, const char* reason);
  void stop(core::JobId id, Attempt& attempt, StopReason reason);
  void lose(core::JobId id, store::LeaseToken lease, bool any_lease);
  void count(const AttemptEnd& end, const Attempt& attempt);
  Attempt* find(core::JobId id, store::LeaseToken lease);
  store::AttemptUpdate& updateFor(core::JobId id, store::LeaseToken lease);
  void publishProgress(core::JobId id, const Attempt& attempt, const core::Progress& progress);

  void watchWallClock();
  void fireTimers();
  void checkStalls();
  void stopForDrain();
  void reportFinished();
  void writesFailed(const core::Error& error, const char* what);
  void handOver();
  void flushUpdates();
  void settle();
  void send(std::vector<store::AttemptOutcome> outcomes);
  void renew();
  void tick();
  void placeClaim();

  Deps deps_;
  const Options& options_;
  Post post_;
  std::mt19937_64 random_;
  Capacity capacity_;
  Timers timers_;
  std::unordered_map<core::JobId, Attempt> attempts_;

  // gathered by handle(), acted on by turn()
  std::vector<Assignment> to_start_;
  std::vector<std::pair<core::JobId, StopReason>> to_stop_;
  std::vector<store::AttemptUpdate> updates_;
  std::unordered_map<core::JobId, std::size_t> update_index_;
  std::vector<store::AttemptOutcome> outcomes_;
  std::set<catalog::GenerationId> finished_on_;

  // the standing claim
  std::uint64_t generation_ = 0;
  std::uint64_t seen_ = 0;
  bool standing_ = false;
  std::vector<std::string> held_;  ///< types of which no job is claimed
  bool free_changed_ = true;
  store::ClaimRequest last_request_;

  // writes under way and what to do when the store refuses them
  int writes_in_flight_ = 0;
  std::optional<Steady> retry_writes_at_;
  int write_failures_ = 0;
  bool settle_apart_ = false;  ///< the next outcomes go one by one, so that one that is refused keeps no other back

  // time
  std::optional<Steady> renew_at_;
  bool renew_all_ = false;
  std::optional<core::Instant> next_due_;
  bool tick_in_flight_ = false;
  Steady tick_not_before_{};
  std::optional<Steady> unblock_at_;  ///< when a plugin without runners may claim again
  std::optional<Steady> stall_check_at_;
  std::optional<std::chrono::microseconds> wall_offset_;

  bool draining_ = false;
  bool drain_stopped_ = false;
  Steady drain_stop_at_{};
};

}  // namespace jobhost::dispatch
