#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "store/job_store.hpp"

namespace jobhost::test {

/// A store for stepping the dispatcher by hand: changes wait until commit(), which does all of them and then the
/// standing claim, as the real one does with its batches. Knows the rules the dispatcher depends on and no others. One
/// thread.
class FakeStore final : public store::JobStore {
 public:
  struct Row {
    core::JobDraft draft;
    core::JobState state = core::JobState::Queued;
    core::Instant run_at;
    core::Instant lease_until;
    store::LeaseToken lease = 0;
    int attempt = 0;
    int retries = 0;
    bool cancel_asked = false;
    bool suspend_asked = false;
    int terminal_moves = 0;
    int claims = 0;
    std::optional<core::JobError> error;
    std::optional<core::Progress> progress;
    std::vector<std::pair<std::string, std::string>> notes;
    std::string requeue_reason;
  };

  explicit FakeStore(const core::Clock& clock) : clock_(clock) {}

  core::JobId add(core::JobDraft draft) {
    const core::JobId id{static_cast<std::int64_t>(rows.size()) + 1};
    Row& row = rows[id];
    row.run_at = draft.run_at.value_or(clock_.now());
    if (row.run_at > clock_.now() && due_hook_) due_hook_(row.run_at);
    row.draft = std::move(draft);
    return id;
  }

  /// Does what waits; answers whether anything did.
  bool commit() {
    auto waiting = std::exchange(commands_, {});
    const bool had = !waiting.empty();
    for (auto& command : waiting) command();
    ++commits;
    return serveClaim() || had;
  }

  std::map<core::JobId, Row> rows;
  bool failing = false;                            ///< every change answers Unavailable
  std::map<core::JobId, core::ErrorCode> refused;  ///< a settle with the outcome of one of these fails as a whole
  int commits = 0;
  int ticks = 0;
  int renewals = 0;
  std::vector<std::string> order;  ///< "settle", "renew", "tick", "update" as they were asked for
  std::optional<store::ClaimRequest> standing;

  // ---- JobStore
  void setEventHook(EventHook hook) override { event_hook_ = std::move(hook); }
  void setClaimHook(std::function<void(store::ClaimBatch)> hook) override { claim_hook_ = std::move(hook); }
  void setDueHook(std::function<void(core::Instant)> hook) override { due_hook_ = std::move(hook); }

  void claim(store::ClaimRequest request) override {
    commands_.push_back([this, request = std::move(request)] {
      if (request.seen >= last_delivered_) standing = request;
    });
  }

  void settle(std::vector<store::AttemptOutcome> outcomes, Done<std::vector<store::Settled>> done) override {
    order.emplace_back("settle");
    commands_.push_back([this, outcomes = std::move(outcomes), done = std::move(done)] {
      if (failing) return done(unavailable());
      for (const auto& outcome : outcomes) {
        if (const auto found = refused.find(outcome.id); found != refused.end())
          return done(core::Error{found->second, "refused", "", {}});
      }
      std::vector<store::Settled> all;
      for (const auto& outcome : outcomes) all.push_back(settleOne(outcome));
      done(std::move(all));
    });
  }

  void update(std::vector<store::AttemptUpdate> updates, Done<void> done) override {
    order.emplace_back("update");
    commands_.push_back([this, updates = std::move(updates), done = std::move(done)] {
      if (failing) return done(unavailable());
      for (const auto& update : updates) {
        auto row = rows.find(update.id);
        if (row == rows.end() || row->second.lease != update.lease) continue;
        if (update.progress) row->second.progress = update.progress;
        for (const auto& note : update.notes) row->second.notes.push_back(note);
      }
      done({});
    });
  }

  void renew(std::vector<store::LeaseRef> leases, core::Millis lease,
             Done<std::vector<store::LeaseRef>> done) override {
    order.emplace_back("renew");
    commands_.push_back([this, leases = std::move(leases), lease, done = std::move(done)] {
      if (failing) return done(unavailable());
      ++renewals;
      std::vector<store::LeaseRef> lost;
      for (const auto& ref : leases) {
        auto& row = rows[ref.id];
        if (row.lease == ref.lease && row.state == core::JobState::Running) {
          row.lease_until = clock_.now() + lease;
        } else {
          lost.push_back(ref);
        }
      }
      done(std::move(lost));
    });
  }

  void tick(Done<store::TickResult> done) override {
    order.emplace_back("tick");
    commands_.push_back([this, done = std::move(done)] {
      if (failing) return done(unavailable());
      ++ticks;
      store::TickResult result;
      const auto soonest = [&](core::Instant at) {
        if (!result.next_due || at < *result.next_due) result.next_due = at;
      };
      for (auto& [id, row] : rows) {
        if (row.state == core::JobState::Queued && row.run_at > clock_.now()) soonest(row.run_at);
        if (row.state != core::JobState::Running) continue;
        if (row.lease_until > clock_.now()) {
          soonest(row.lease_until);
          continue;
        }
        row.state = core::JobState::Queued;
        row.lease = 0;
        result.expired.push_back(id);
      }
      done(std::move(result));
    });
  }

  core::Result<store::CancelOutcome> cancel(core::JobId id, std::string, std::string = {}) override {
    return ask(id, core::JobState::Canceled, R"({"reason":"cancel"})", &Row::cancel_asked);
  }
  core::Result<void> suspend(core::JobId id) override {
    if (auto asked = ask(id, core::JobState::Suspended, R"({"reason":"suspend"})", &Row::suspend_asked); !asked) {
      return asked.error();
    }
    return {};
  }

  core::Result<std::vector<store::Submitted>> submit(std::vector<core::JobDraft>, store::SubmitOptions) override {
    return unsupported();
  }
  void submitAsync(std::vector<core::JobDraft>, store::SubmitOptions,
                   Done<std::vector<store::Submitted>> done) override {
    done(unsupported());
  }
  core::Result<store::SubmittedBatch> submitBatch(std::vector<core::JobDraft>, store::SubmitOptions) override {
    return unsupported();
  }
  core::Result<store::TickResult> rescueAll() override { return unsupported(); }
  core::Result<void> retry(core::JobId) override { return unsupported(); }
  core::Result<void> resume(core::JobId) override { return unsupported(); }
  core::Result<void> setPriority(core::JobId, int) override { return unsupported(); }
  core::Result<void> setTags(core::JobId, std::vector<std::string>) override { return unsupported(); }
  core::Result<std::vector<core::JobId>> remove(core::JobId, store::Removal) override { return unsupported(); }
  core::Result<store::BulkApplied> applyAll(store::BulkAction, std::span<const core::JobId>,
                                            store::BulkOptions) override {
    return unsupported();
  }
  core::Result<std::vector<core::JobId>> purge(core::Instant, int) override { return unsupported(); }
  core::Result<store::Batch> batch(const std::string&) override { return unsupported(); }
  core::Result<store::BatchPage> batches(const std::string&, std::optional<std::int64_t>, int) override {
    return unsupported();
  }
  core::Result<std::optional<core::JobId>> liveBelow(const store::Batch&) override { return unsupported(); }
  core::Result<void> removeBatch(const std::string&) override { return unsupported(); }
  void saveCheckpoint(store::LeaseRef, std::string, Done<void> done) override { done(unsupported()); }
  core::Result<std::optional<std::string>> loadCheckpoint(core::JobId) override { return unsupported(); }
  core::Result<core::Job> get(core::JobId) override { return unsupported(); }
  core::Result<store::Page> list(const store::JobFilter&, const store::ListOptions&) override { return unsupported(); }
  core::Result<store::Counted> count(const store::JobFilter&) override { return unsupported(); }
  core::Result<std::vector<core::JobEvent>> events(std::int64_t, std::optional<core::JobId>, int) override {
    return unsupported();
  }
  core::Result<store::EventPage> eventsOfOwner(const std::string&, std::int64_t, int) override { return unsupported(); }
  core::Result<std::int64_t> lastSeq() override { return unsupported(); }
  core::Result<std::vector<store::StateCounts>> counts() override { return unsupported(); }
  core::Result<void> check() override { return {}; }

 private:
  static core::Error unavailable() { return {core::ErrorCode::Unavailable, "disk full", "", {}}; }
  static core::Error unsupported() { return {core::ErrorCode::Unsupported, "not in this fake", "", {}}; }

  core::Result<store::CancelOutcome> ask(core::JobId id, core::JobState to, const char* data, bool Row::*asked) {
    auto& row = rows[id];
    if (core::isTerminal(row.state)) return store::CancelOutcome::AlreadyEnded;
    if (row.state != core::JobState::Running) {
      move(row, to);
      return store::CancelOutcome::Canceled;
    }
    row.*asked = true;
    core::JobEvent event;
    event.seq = ++seq_;
    event.kind = core::EventKind::CancelRequested;
    event.job = id;
    event.data_json = data;
    if (event_hook_) event_hook_({&event, 1});
    return store::CancelOutcome::Asked;
  }

  static void move(Row& row, core::JobState to) {
    row.state = to;
    if (core::isTerminal(to)) ++row.terminal_moves;
  }

  store::Settled settleOne(const store::AttemptOutcome& outcome) {
    auto& row = rows[outcome.id];
    if (row.state != core::JobState::Running || row.lease != outcome.lease) return {outcome.id, false, row.state};
    row.lease = 0;
    row.error = outcome.error;
    if (outcome.progress) row.progress = outcome.progress;
    using store::OutcomeKind;
    if (row.cancel_asked && outcome.kind != OutcomeKind::Succeeded) {
      move(row, core::JobState::Canceled);
    } else if (outcome.kind == OutcomeKind::Succeeded) {
      move(row, core::JobState::Succeeded);
    } else if (row.suspend_asked) {
      move(row, core::JobState::Suspended);
      row.suspend_asked = false;
    } else if (outcome.kind == OutcomeKind::Failed) {
      move(row, core::JobState::Failed);
    } else if (outcome.kind == OutcomeKind::Canceled) {
      move(row, core::JobState::Canceled);
    } else if (outcome.kind == OutcomeKind::AwaitChildren && !outcome.not_before) {
      move(row, core::JobState::Waiting);
    } else {
      if (outcome.kind == OutcomeKind::Retry) ++row.retries;
      if (outcome.kind == OutcomeKind::Requeue) {
        --row.attempt;
        row.requeue_reason = outcome.reason;
      }
      if (outcome.kind == OutcomeKind::AwaitChildren) --row.attempt;  // the same one goes on
      row.run_at = std::max(row.run_at, outcome.not_before.value_or(outcome.retry_at));
      move(row, core::JobState::Queued);
      if (due_hook_ && row.run_at > clock_.now()) due_hook_(row.run_at);
    }
    return {outcome.id, true, row.state};
  }

  bool serveClaim() {
    if (!standing || standing->total <= 0 || failing) return false;
    std::vector<std::pair<core::JobId, Row*>> ready;
    for (auto& [id, row] : rows) {
      if (row.state == core::JobState::Queued && row.run_at <= clock_.now()) ready.emplace_back(id, &row);
    }
    std::stable_sort(ready.begin(), ready.end(), [](const auto& a, const auto& b) {
      return std::pair(-a.second->draft.priority, a.second->run_at) <
             std::pair(-b.second->draft.priority, b.second->run_at);
    });
    store::ClaimBatch batch;
    batch.generation = standing->generation;
    auto quotas = standing->quotas;
    auto groups = standing->groups;
    for (auto& [id, row] : ready) {
      if (static_cast<int>(batch.jobs.size()) >= standing->total) break;
      const auto quota =
          std::find_if(quotas.begin(), quotas.end(), [r = row](const auto& q) { return q.type == r->draft.type; });
      if (quota == quotas.end() || quota->max <= 0) continue;
      auto& budget = groups.at(static_cast<std::size_t>(quota->group));
      if (budget <= 0) continue;
      budget -= quota->cost;
      --quota->max;
      batch.jobs.push_back(take(id, *row));
    }
    if (batch.jobs.empty()) return false;
    last_delivered_ = batch.generation;
    standing.reset();
    claim_hook_(std::move(batch));
    return true;
  }

  store::ClaimedJob take(core::JobId id, Row& row) {
    row.state = core::JobState::Running;
    row.lease = ++leases_;
    row.lease_until = clock_.now() + standing->lease;
    if (due_hook_) due_hook_(row.lease_until);
    ++row.attempt;
    ++row.claims;
    store::ClaimedJob job;
    job.id = id;
    job.lease = row.lease;
    job.type = row.draft.type;
    job.attempt = row.attempt;
    job.retries = row.retries;
    job.max_attempts = row.draft.max_attempts;
    job.backoff = row.draft.backoff;
    job.timeout = row.draft.timeout;
    job.created_at = job.run_at = row.run_at;
    return job;
  }

  const core::Clock& clock_;
  EventHook event_hook_;
  std::function<void(store::ClaimBatch)> claim_hook_;
  std::function<void(core::Instant)> due_hook_;
  std::vector<std::function<void()>> commands_;
  std::uint64_t last_delivered_ = 0;
  store::LeaseToken leases_ = 0;
  std::int64_t seq_ = 0;
};

}  // namespace jobhost::test
