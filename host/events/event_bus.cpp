#include "events/event_bus.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <shared_mutex>
#include <utility>

namespace jobhost::events {
namespace {

/// One subscriber. Calls and the end of the subscription exclude each other by `running`.
struct Entry {
  explicit Entry(EventBus::Listener call) : listener(std::move(call)) {}
  EventBus::Listener listener;
  std::shared_mutex running;  ///< shared while the listener runs, alone when it ends
  bool ended = false;         ///< guarded by running
};
using EntryRef = std::shared_ptr<Entry>;

void call(Entry& entry, std::span<const core::JobEvent> events) {
  std::shared_lock lock(entry.running);
  if (!entry.ended) entry.listener(events);
}

constexpr std::size_t kShards = 16;

struct Shard {
  mutable std::mutex mutex;
  std::unordered_map<core::JobId, std::vector<EntryRef>> by_job;
};

void drop(std::vector<EntryRef>& entries, const EntryRef& entry) {
  std::erase(entries, entry);
}

}  // namespace

struct EventBus::State {
  std::array<Shard, kShards> shards;
  mutable std::mutex all_mutex;
  std::shared_ptr<const std::vector<EntryRef>> all = std::make_shared<std::vector<EntryRef>>();
  std::atomic<int> for_all{0};
  std::atomic<int> for_jobs{0};

  Shard& shard(core::JobId job) { return shards[static_cast<std::size_t>(job.value) % kShards]; }

  std::vector<EntryRef> listeners(core::JobId job) {
    Shard& own = shard(job);
    std::lock_guard lock(own.mutex);
    const auto found = own.by_job.find(job);
    return found == own.by_job.end() ? std::vector<EntryRef>{} : found->second;
  }

  void add(std::optional<core::JobId> job, EntryRef entry) {
    if (job) {
      Shard& own = shard(*job);
      std::lock_guard lock(own.mutex);
      own.by_job[*job].push_back(std::move(entry));
      ++for_jobs;
      return;
    }
    std::lock_guard lock(all_mutex);
    auto grown = std::make_shared<std::vector<EntryRef>>(*all);
    grown->push_back(std::move(entry));
    all = std::move(grown);
    ++for_all;
  }

  void remove(std::optional<core::JobId> job, const EntryRef& entry) {
    if (job) {
      Shard& own = shard(*job);
      std::lock_guard lock(own.mutex);
      const auto found = own.by_job.find(*job);
      if (found == own.by_job.end()) return;
      drop(found->second, entry);
      if (found->second.empty()) own.by_job.erase(found);
      --for_jobs;
      return;
    }
    std::lock_guard lock(all_mutex);
    auto shrunk = std::make_shared<std::vector<EntryRef>>(*all);
    drop(*shrunk, entry);
    all = std::move(shrunk);
    --for_all;
  }

  [[nodiscard]] std::shared_ptr<const std::vector<EntryRef>> everyone() const {
    std::lock_guard lock(all_mutex);
    return all;
  }
};

namespace {

/// Ends the subscription it stands for: waits for calls in progress, then forgets it.
class Handle final : public EventBus::Subscription {
 public:
  using Remove = std::function<void(const EntryRef&)>;
  Handle(EntryRef entry, Remove remove) : entry_(std::move(entry)), remove_(std::move(remove)) {}
  ~Handle() override {
    remove_(entry_);
    std::lock_guard lock(entry_->running);
    entry_->ended = true;
  }

 private:
  EntryRef entry_;
  Remove remove_;
};

}  // namespace

EventBus::EventBus() : state_(std::make_shared<State>()) {}
EventBus::~EventBus() = default;

std::unique_ptr<EventBus::Subscription> EventBus::subscribe(std::optional<core::JobId> job, Listener listener) {
  auto entry = std::make_shared<Entry>(std::move(listener));
  state_->add(job, entry);
  return std::make_unique<Handle>(std::move(entry),
                                  [state = state_, job](const EntryRef& ended) { state->remove(job, ended); });
}

void EventBus::publish(std::span<const core::JobEvent> events) {
  if (events.empty()) return;
  if (state_->for_all.load(std::memory_order_acquire) > 0) {
    const auto everyone = state_->everyone();  // held: a range-for over *everyone() would let go of it at once
    for (const auto& entry : *everyone) call(*entry, events);
  }
  if (state_->for_jobs.load(std::memory_order_acquire) == 0) return;
  // Neighbouring events of one job go out in one call.
  for (std::size_t first = 0; first < events.size();) {
    std::size_t next = first + 1;
    while (next < events.size() && events[next].job == events[first].job) ++next;
    for (const auto& entry : state_->listeners(events[first].job)) call(*entry, events.subspan(first, next - first));
    first = next;
  }
}

bool EventBus::hasListeners(core::JobId job) const {
  if (state_->for_all.load(std::memory_order_acquire) > 0) return true;
  if (state_->for_jobs.load(std::memory_order_acquire) == 0) return false;
  const Shard& own = state_->shard(job);
  std::lock_guard lock(own.mutex);
  return own.by_job.contains(job);
}

}  // namespace jobhost::events
