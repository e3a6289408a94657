#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/event.hpp"

namespace jobhost::events {

/// Tells committed and live events to whoever listens. Commit, then tell: publish() is called by the store's hook after
/// the commit (and by the dispatcher for live progress and log lines).
///
/// Thread-safety: every method from any thread. Listeners run on the publishing thread, under no lock of the bus, and
/// must only post or copy. A Subscription ends when it is destroyed: afterwards its listener is not running and never
/// runs again (do not destroy it from inside the listener).
class EventBus {
 public:
  using Listener = std::function<void(std::span<const core::JobEvent>)>;
  class Subscription;

  EventBus();
  ~EventBus();

  /// All events, or those of one job. Live: events committed before are read from the store by sequence number.
  [[nodiscard]] std::unique_ptr<Subscription> subscribe(std::optional<core::JobId> job, Listener listener);
  void publish(std::span<const core::JobEvent> events);

  /// Whether anyone would hear an event of this job: lets the caller skip making live ones.
  [[nodiscard]] bool hasListeners(core::JobId job) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

class EventBus::Subscription {
 public:
  virtual ~Subscription() = default;
};

}  // namespace jobhost::events
