#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "catalog/catalog.hpp"
#include "core/clock.hpp"
#include "dispatch/scheduler.hpp"
#include "events/event_bus.hpp"
#include "unit/dispatch/fake_store.hpp"

namespace jobhost::test {

/// A list where attempts go instead of processes. What is asked of it is written down.
class ListRunner final : public dispatch::JobRunner {
 public:
  void setListener(dispatch::RunnerListener*) override {}
  void start(std::vector<dispatch::Assignment> assignments) override {
    for (auto& assignment : assignments) attempts.push_back(std::move(assignment));
  }
  void stop(core::JobId id, dispatch::StopReason reason) override { stops.emplace_back(id, reason); }
  void recall(std::vector<core::JobId> ids) override { recalls.insert(recalls.end(), ids.begin(), ids.end()); }

  std::vector<dispatch::Assignment> attempts;  ///< outstanding, oldest first
  std::vector<std::pair<core::JobId, dispatch::StopReason>> stops;
  std::vector<core::JobId> recalls;
};

/// A scheduler on a desk: manual clock, fake store, list runner; every step is the test's.
class Desk {
 public:
  using Clock = core::ManualClock;

  explicit Desk(dispatch::Options wanted = {}) : options(std::move(wanted)), store(clock) {
    scheduler.emplace(
        dispatch::Scheduler::Deps{store, catalog, bus, runner, clock}, options,
        [this](dispatch::Message message) { inbox.push_back(std::move(message)); }, 1);
    store.setClaimHook(
        [this](store::ClaimBatch batch) { inbox.emplace_back(dispatch::msg::Claimed{std::move(batch)}); });
    store.setDueHook([this](core::Instant at) { inbox.emplace_back(dispatch::msg::DueMoved{at}); });
    store.setEventHook([this](std::span<const core::JobEvent> events) {
      for (const auto& event : events) {
        const bool suspend = event.data_json.find("suspend") != std::string::npos;
        inbox.emplace_back(dispatch::msg::StopAsked{
            event.job, suspend ? dispatch::StopReason::Suspended : dispatch::StopReason::Canceled});
      }
    });
  }

  void type(const std::string& name, const std::string& plugin,
            const std::function<void(catalog::JobTypeInfo&)>& more = {}) {
    catalog::JobTypeInfo info;
    info.name = name;
    info.plugin_id = plugin;
    if (more) more(info);
    catalog.addTypeForTest(std::move(info));
    inbox.emplace_back(dispatch::msg::CatalogChanged{catalog.snapshot()});
  }
  void slots(const std::string& plugin, int count) {
    inbox.emplace_back(dispatch::msg::CapacityChanged{plugin, count});
    settle();
  }
  core::JobId submit(const std::string& type, const std::function<void(core::JobDraft&)>& more = {}) {
    core::JobDraft draft;
    draft.type = type;
    if (more) more(draft);
    const auto id = store.add(std::move(draft));
    settle();
    return id;
  }

  /// Lets dispatcher and store talk until neither has anything to say.
  void settle() {
    for (int round = 0; round < 1000; ++round) {
      for (auto& message : std::exchange(inbox, {})) scheduler->handle(std::move(message));
      scheduler->turn();
      if (!store.commit() && inbox.empty()) return;
    }
  }
  void advance(std::chrono::microseconds by) {
    clock.advance(by);
    settle();
  }

  /// Where the attempt stands in the runner's list; the job must be there.
  dispatch::Assignment& attempt(core::JobId id) {
    for (auto& assignment : runner.attempts) {
      if (assignment.job.id == id) return assignment;
    }
    throw std::runtime_error("job is not with the runner: " + core::toString(id));
  }
  [[nodiscard]] bool runs(core::JobId id) const {
    return std::any_of(runner.attempts.begin(), runner.attempts.end(), [id](const auto& a) { return a.job.id == id; });
  }
  void begin(core::JobId id) {
    inbox.emplace_back(dispatch::msg::AttemptStarted{id, attempt(id).job.lease});
    settle();
  }
  /// Takes the attempt off the list and reports its end.
  void end(core::JobId id, dispatch::AttemptEnd::Kind kind, const std::function<void(dispatch::AttemptEnd&)>& more = {},
           core::Millis took = core::Millis(100)) {
    dispatch::AttemptEnd end;
    end.id = id;
    end.lease = attempt(id).job.lease;
    end.kind = kind;
    end.finished_at = clock.now();
    if (kind != dispatch::AttemptEnd::Kind::NotStarted) end.started_at = clock.now() - took;
    if (more) more(end);
    std::erase_if(runner.attempts, [id](const auto& a) { return a.job.id == id; });
    inbox.emplace_back(dispatch::msg::AttemptEnded{std::move(end)});
    settle();
  }
  void succeed(core::JobId id, core::Millis took = core::Millis(100)) {
    end(id, dispatch::AttemptEnd::Kind::Succeeded, {}, took);
  }
  void fail(core::JobId id, core::ErrorClass error_class, const std::string& code) {
    end(id, dispatch::AttemptEnd::Kind::Failed, [&](auto& end) {
      end.error = core::JobError{error_class, code, "it did not work", ""};
    });
  }
  void progress(core::JobId id, double fraction) {
    core::Progress value;
    value.fraction = fraction;
    inbox.emplace_back(dispatch::msg::Progressed{id, attempt(id).job.lease, value});
    settle();
  }
  void note(core::JobId id, const std::string& key, const std::string& value) {
    inbox.emplace_back(dispatch::msg::Noted{id, attempt(id).job.lease, key, value});
    settle();
  }
  /// Teaches the dispatcher that attempts of this type are short.
  void warmUp(const std::string& type) {
    for (int i = 0; i < 8; ++i) succeed(submit(type), core::Millis(0));
  }
  FakeStore::Row& row(core::JobId id) { return store.rows.at(id); }
  core::JobState state(core::JobId id) { return row(id).state; }

  dispatch::Options options;
  Clock clock;
  catalog::Catalog catalog;
  events::EventBus bus;
  FakeStore store;
  ListRunner runner;
  std::deque<dispatch::Message> inbox;
  std::optional<dispatch::Scheduler> scheduler;
};

}  // namespace jobhost::test
