#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "core/clock.hpp"
#include "events/event_bus.hpp"
#include "pool/attempt_services.hpp"
#include "store/job_store.hpp"

namespace jobhost::services {

/// Attempts that wait for children of theirs. Owned by one thread (HostServices'); bus listeners only call `post`,
/// which brings ended() to that thread.
class ChildWaits {
 public:
  using Steady = core::Clock::Steady;
  using States = std::vector<pool::AttemptServices::ChildState>;
  using Done = pool::AttemptServices::Done<States>;
  /// Any thread; must not block: child `id` of wait `wait` has ended, or (no id) the waiting attempt itself has.
  using Post = std::function<void(std::uint64_t wait, std::optional<core::JobId> id)>;

  ChildWaits(store::JobStore& store, events::EventBus& bus, const core::Clock& clock, Post post);

  /// No ids: all children the caller has now. Errors: NotFound for one that is no child of it; TooLarge.
  void start(const pool::AttemptServices::Caller& caller, std::vector<core::JobId> ids, bool any, core::Millis timeout,
             Done done);
  void ended(std::uint64_t wait, std::optional<core::JobId> id);
  /// Answers the waits whose time is over.
  void expire();
  [[nodiscard]] std::optional<Steady> nextDeadline() const;
  /// Answers every wait with Unavailable.
  void abandon();

  /// States of children of `parent`, in the order asked. Errors: NotFound for one that is no child of it.
  core::Result<States> states(core::JobId parent, const std::vector<core::JobId>& ids);

 private:
  core::Result<std::vector<core::JobId>> childrenOf(core::JobId parent, bool ended_too);
  struct Wait {
    core::JobId parent;
    std::vector<core::JobId> ids;
    std::set<core::JobId> open;
    bool any = false;
    Steady deadline;
    Done done;
    std::vector<std::unique_ptr<events::EventBus::Subscription>> subscriptions;
  };
  void answer(std::uint64_t wait);

  store::JobStore& store_;
  events::EventBus& bus_;
  const core::Clock& clock_;
  Post post_;
  std::uint64_t next_ = 1;
  std::map<std::uint64_t, Wait> waits_;
};

}  // namespace jobhost::services
