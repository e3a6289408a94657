#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>

#include "catalog/catalog.hpp"
#include "core/clock.hpp"
#include "core/event.hpp"
#include "core/mailbox.hpp"
#include "dispatch/job_runner.hpp"
#include "dispatch/messages.hpp"
#include "dispatch/options.hpp"
#include "events/event_bus.hpp"
#include "store/job_store.hpp"

namespace jobhost::dispatch {

/// Decides what runs next. One thread owns a Scheduler with all the state; everyone else posts to its mailbox.
///
/// Wiring: construct it before the store's first change (it sets the claim and due hooks), call committed() from the
/// store's event hook, give it to nobody else as a listener (start() calls JobRunner::setListener).
/// References must outlive it; store callbacks that come after its end are dropped.
/// Thread-safety: every method from any thread. No lock is held while calling out.
class Dispatcher final : public RunnerListener {
 public:
  Dispatcher(store::JobStore& store, catalog::Catalog& catalog, events::EventBus& bus, JobRunner& runner,
             const core::Clock& clock, Options options);
  /// Stops the thread at once; drain() first for a clean end.
  ~Dispatcher() override;
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  /// Starts the thread and places the first claim. After the store's rescueAll().
  void start();

  /// Committed events, from the store's event hook (writer thread): passes on asks to stop. Never blocks.
  void committed(std::span<const core::JobEvent> events);

  /// From now on begins no job of these types, and of the others again. What runs goes on. Not kept across a restart.
  void hold(std::vector<std::string> types);

  /// Stops what runs of these types now: it is queued again where it stood (reason "restarted", the attempt is not
  /// counted) and may be claimed at once. What was asked to stop before, or ends by itself meanwhile, ends as it would.
  void putBack(std::vector<std::string> types);

  /// Takes no new jobs, gives attempts `grace` to end, then stops them (they are queued again) and waits until every
  /// outcome is stored. A second call, from another thread, shortens the grace. False when an outcome could not be
  /// stored in time: that job's lease runs out and the next start rescues it.
  bool drain(core::Millis grace);

  // RunnerListener: posts.
  void attemptStarted(core::JobId id, store::LeaseToken lease) override;
  void attemptEnded(AttemptEnd end) override;
  void progressed(core::JobId id, store::LeaseToken lease, core::Progress progress) override;
  void noted(core::JobId id, store::LeaseToken lease, std::string key, std::string value_json) override;
  void logged(core::JobId id, std::string line_json) override;
  void capacityChanged(const std::string& plugin, int slots) override;

 private:
  struct DrainState;
  using Inbox = core::Mailbox<Message>;
  void run(const std::stop_token& stop);

  store::JobStore& store_;
  catalog::Catalog& catalog_;
  events::EventBus& bus_;
  JobRunner& runner_;
  const core::Clock& clock_;
  const Options options_;
  std::shared_ptr<Inbox> inbox_;  ///< shared with the store's callbacks, which may outlive this
  std::shared_ptr<DrainState> drain_;
  int catalog_listener_ = 0;
  std::jthread thread_;  ///< last: stops and joins first
};

}  // namespace jobhost::dispatch
