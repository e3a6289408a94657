#include "dispatch/scheduler.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "dispatch/live_json.hpp"
#include "dispatch/outcome.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

namespace jobhost::dispatch {
namespace {

using telemetry::metrics;

constexpr core::Millis kStillRunningWait{1'000};  // a job claimed again while its old attempt is being stopped
constexpr std::size_t kNotesKept = 10'000;        // of one job while the store takes no writes

double seconds(core::Instant from, core::Instant to) {
  return std::max(0.0, std::chrono::duration<double>(to - from).count());
}

}  // namespace

Scheduler::Scheduler(Deps deps, const Options& options, Post post, std::uint64_t seed)
    : deps_(deps), options_(options), post_(std::move(post)), random_(seed), capacity_(options) {
  next_due_ = core::Instant{};  // the first turn asks the store what is due
}

void Scheduler::handle(Message message) {
  std::visit([this](auto& body) { on(std::move(body)); }, message);
}

void Scheduler::on(msg::Claimed claimed) {
  seen_ = std::max(seen_, claimed.batch.generation);
  standing_ = false;
  free_changed_ = true;
  const auto now = deps_.clock.now();
  const auto steady = deps_.clock.steadyNow();
  metrics().add(telemetry::Counter::JobsClaimed, static_cast<std::int64_t>(claimed.batch.jobs.size()));
  for (auto& job : claimed.batch.jobs) accept(std::move(job), now, steady);
}

void Scheduler::accept(store::ClaimedJob job, core::Instant now, Steady steady) {
  if (draining_) return giveBack(job, job.run_at, "shutdown");
  if (attempts_.contains(job.id)) return giveBack(job, now + kStillRunningWait, "still_running");
  Capacity::Type* type = capacity_.find(job.type);
  if (type == nullptr) return giveBack(job, now + kStillRunningWait, "plugin_unavailable");

  metrics().observe(telemetry::Timer::SubmitToStart, seconds(std::max(job.created_at, job.run_at), now));
  Attempt attempt;
  attempt.lease = job.lease;
  attempt.attempt = job.attempt;
  attempt.retries = job.retries;
  attempt.max_attempts = job.max_attempts;
  attempt.backoff = job.backoff;
  attempt.timeout = job.timeout.count() > 0  ? job.timeout
                    : type->wall.count() > 0 ? type->wall
                                             : options_.default_timeout;
  attempt.run_at = job.run_at;
  attempt.place = capacity_.take(*type, steady);
  attempt.handed_at = attempt.renewed_at = steady;
  if (attempt.place.ahead && !stall_check_at_) stall_check_at_ = steady + options_.stall;
  Assignment assignment{std::move(job), type->plugin->id, attempt.timeout};
  attempts_.emplace(assignment.job.id, std::move(attempt));
  to_start_.push_back(std::move(assignment));
}

void Scheduler::giveBack(const store::ClaimedJob& job, core::Instant at, const char* reason) {
  store::AttemptOutcome outcome;
  outcome.id = job.id;
  outcome.lease = job.lease;
  outcome.kind = store::OutcomeKind::Requeue;
  outcome.retry_at = at;
  outcome.finished_at = deps_.clock.now();
  outcome.reason = reason;
  outcomes_.push_back(std::move(outcome));
}

Scheduler::Attempt* Scheduler::find(core::JobId id, store::LeaseToken lease) {
  const auto found = attempts_.find(id);
  return found == attempts_.end() || found->second.lease != lease ? nullptr : &found->second;
}

void Scheduler::on(const msg::AttemptStarted& started) {
  Attempt* attempt = find(started.id, started.lease);
  if (attempt == nullptr || attempt->began_at) return;
  const auto now = deps_.clock.steadyNow();
  attempt->began_at = now;
  ++attempt->place.plugin->begun;
  attempt->place.plugin->failures = 0;
  if (attempt->timeout.count() > 0) {
    timers_.add({now + attempt->timeout, Timer::Kind::Timeout, started.id, started.lease});
  }
}

void Scheduler::on(msg::AttemptEnded ended) {
  AttemptEnd& end = ended.end;
  Attempt* attempt = find(end.id, end.lease);
  if (attempt == nullptr) {
    telemetry::log("dispatch").warn("end of an unknown attempt job={} lease={}", end.id.value, end.lease);
    return;
  }
  count(end, *attempt);
  capacity_.giveBack(attempt->place, attempt->began_at.has_value());
  free_changed_ = true;
  if (!attempt->lost) {
    const double random = std::uniform_real_distribution<double>(0.0, 1.0)(random_);
    const AttemptFacts facts{deps_.clock.now(), attempt->run_at,       attempt->attempt,
                             attempt->retries,  attempt->max_attempts, attempt->backoff,
                             attempt->timeout,  attempt->stop,         random};
    const auto id = end.id;
    auto outcome = decideOutcome(std::move(end), facts);
    const bool stopped = outcome.kind == store::OutcomeKind::Requeue && attempt->stop == StopReason::Shutdown;
    if (stopped && attempt->put_back) outcome.reason = "restarted";
    outcome.progress = std::move(attempt->last_progress);
    outcomes_.push_back(std::move(outcome));
    attempts_.erase(id);
  } else {
    attempts_.erase(end.id);
  }
}

// What the attempt teaches about its type, its plugin and the plugin's file.
void Scheduler::count(const AttemptEnd& end, const Attempt& attempt) {
  Capacity::Plugin& plugin = *attempt.place.plugin;
  const auto now = deps_.clock.steadyNow();
  if (end.kind == AttemptEnd::Kind::NotStarted) {
    const bool asked = attempt.recalled || attempt.stop || attempt.lost;
    if (asked || !end.error || end.error->code == "recalled") return;
    if (now >= plugin.blocked_until) {
      telemetry::log("dispatch")
          .warn("no runner could be had plugin={} job={} code={} error={}", plugin.id, end.id.value, end.error->code,
                end.error->message);
    }
    return capacity_.failedToStart(plugin, now);
  }
  plugin.failures = 0;
  double micros = 0;
  if (end.started_at) {
    micros = seconds(*end.started_at, end.finished_at) * 1e6;
  } else {
    micros = std::chrono::duration<double, std::micro>(now - attempt.began_at.value_or(attempt.handed_at)).count();
  }
  // A run that only found out that it has to wait says nothing of how long the job takes.
  const bool handed_back = end.kind == AttemptEnd::Kind::Suspended && end.retry_after.count() >= 0;
  if (!handed_back) capacity_.learn(*attempt.place.type, micros);
  metrics().observe(telemetry::Timer::AttemptDuration, micros / 1e6);
  metrics().observeAttempt(attempt.place.type->name, micros / 1e6);
  if (end.generation.value <= 0) return;
  if (end.kind == AttemptEnd::Kind::Failed && end.error && end.error->code == "plugin_crashed") {
    deps_.catalog.reportCrash(end.generation, end.error->message);
  } else {
    finished_on_.insert(end.generation);
  }
}

void Scheduler::on(msg::Progressed progressed) {
  Attempt* attempt = find(progressed.id, progressed.lease);
  if (attempt == nullptr || attempt->lost) return;
  publishProgress(progressed.id, *attempt, progressed.progress);
  const auto now = deps_.clock.steadyNow();
  const auto next = attempt->progress_stored_at + options_.progress_interval;
  if (now >= next && !attempt->progress_timer) {
    attempt->progress_stored_at = now;
    updateFor(progressed.id, progressed.lease).progress = std::move(progressed.progress);
    return;
  }
  attempt->last_progress = std::move(progressed.progress);
  if (attempt->progress_timer) return;
  attempt->progress_timer = true;
  timers_.add({next, Timer::Kind::Progress, progressed.id, progressed.lease});
}

void Scheduler::publishProgress(core::JobId id, const Attempt& attempt, const core::Progress& progress) {
  if (!deps_.bus.hasListeners(id)) return;
  core::JobEvent event;
  event.kind = core::EventKind::Progress;
  event.job = id;
  event.at = deps_.clock.now();
  event.state = core::JobState::Running;
  event.attempt = attempt.attempt;
  event.data_json = progressJson(progress);
  deps_.bus.publish({&event, 1});
}

void Scheduler::on(msg::Noted noted) {
  const Attempt* attempt = find(noted.id, noted.lease);
  if (attempt == nullptr || attempt->lost) return;
  auto& notes = updateFor(noted.id, noted.lease).notes;
  if (notes.size() < kNotesKept) notes.emplace_back(std::move(noted.key), std::move(noted.value_json));
}

store::AttemptUpdate& Scheduler::updateFor(core::JobId id, store::LeaseToken lease) {
  const auto [found, added] = update_index_.try_emplace(id, updates_.size());
  if (added) {
    updates_.push_back({id, lease, std::nullopt, {}});
  }
  return updates_[found->second];
}

void Scheduler::on(const msg::CapacityChanged& changed) {
  const auto& plugin = capacity_.setSlots(changed.plugin, changed.slots);
  free_changed_ = true;
  if (plugin.slots == 0 && plugin.outstanding > plugin.begun) stall_check_at_ = deps_.clock.steadyNow();
}

void Scheduler::on(const msg::CatalogChanged& changed) {
  capacity_.setTypes(*changed.snapshot);
  free_changed_ = true;
}

void Scheduler::on(const msg::Held& held) {
  held_ = held.types;
  free_changed_ = true;
}

// The plugin is told what it is told when the host stops: to leave off, as it will be run again.
void Scheduler::on(const msg::PutBack& put_back) {
  const auto& types = put_back.types;
  for (auto& [id, attempt] : attempts_) {
    if (attempt.stop || std::find(types.begin(), types.end(), attempt.place.type->name) == types.end()) continue;
    attempt.put_back = true;
    stop(id, attempt, StopReason::Shutdown);
  }
}

void Scheduler::on(const msg::StopAsked& asked) {
  const auto found = attempts_.find(asked.id);
  if (found != attempts_.end()) stop(asked.id, found->second, asked.reason);
}

// The first reason starts the runner's ladder; a cancel that comes later still decides what becomes of the job.
void Scheduler::stop(core::JobId id, Attempt& attempt, StopReason reason) {
  if (!attempt.stop) {
    to_stop_.emplace_back(id, reason);
    attempt.stop = reason;
  } else if (reason == StopReason::Canceled) {
    attempt.stop = reason;
  }
}

void Scheduler::lose(core::JobId id, store::LeaseToken lease, bool any_lease) {
  const auto found = attempts_.find(id);
  if (found == attempts_.end() || found->second.lost || (!any_lease && found->second.lease != lease)) return;
  telemetry::log("dispatch").warn("lease lost, stopping the attempt job={} lease={}", id.value, found->second.lease);
  found->second.lost = true;
  stop(id, found->second, StopReason::Shutdown);
}

void Scheduler::on(const msg::DueMoved& moved) {
  if (!next_due_ || moved.at < *next_due_) next_due_ = moved.at;
}

void Scheduler::on(const msg::Ticked& ticked) {
  tick_in_flight_ = false;
  const auto now = deps_.clock.steadyNow();
  if (!ticked.result) {
    next_due_ = core::Instant{};
    tick_not_before_ = now + core::Millis(1'000);
    telemetry::log("dispatch").warn("tick failed error={}", ticked.result.error().message);
    return;
  }
  tick_not_before_ = now + core::Millis(5);
  if (ticked.result->next_due) on(msg::DueMoved{*ticked.result->next_due});
  if (!ticked.result->expired.empty()) {
    metrics().add(telemetry::Counter::JobsRescued, static_cast<std::int64_t>(ticked.result->expired.size()));
    for (const auto id : ticked.result->expired) lose(id, 0, true);
  }
}

void Scheduler::on(msg::SettleDone done) {
  --writes_in_flight_;
  if (!done.result) {
    const bool later = done.result.error().code == core::ErrorCode::Unavailable;
    const bool together = done.outcomes.size() > 1;
    if (later || together) {
      std::move(outcomes_.begin(), outcomes_.end(), std::back_inserter(done.outcomes));
      outcomes_ = std::move(done.outcomes);
      settle_apart_ = true;
    }
    if (later || !together) writesFailed(done.result.error(), "settle");
    return;
  }
  write_failures_ = 0;
  for (const auto& settled : *done.result) {
    if (!settled.applied) {
      telemetry::log("dispatch").debug("outcome came too late job={}", settled.id.value);
    } else if (settled.state == core::JobState::Succeeded) {
      metrics().add(telemetry::Counter::JobsSucceeded);
    } else if (settled.state == core::JobState::Failed) {
      metrics().add(telemetry::Counter::JobsFailed);
    } else if (settled.state == core::JobState::Canceled) {
      metrics().add(telemetry::Counter::JobsCanceled);
    }
  }
}

void Scheduler::on(msg::UpdateDone done) {
  --writes_in_flight_;
  if (done.result) return;
  if (done.result.error().code == core::ErrorCode::Unavailable) {
    // Notes keep their order: what failed goes before what came since.
    auto since = std::exchange(updates_, std::move(done.updates));
    update_index_.clear();
    for (std::size_t i = 0; i < updates_.size(); ++i) update_index_[updates_[i].id] = i;
    for (auto& later : since) {
      auto& update = updateFor(later.id, later.lease);
      if (update.lease != later.lease) {
        update = std::move(later);
        continue;
      }
      if (later.progress) update.progress = std::move(later.progress);
      std::move(later.notes.begin(), later.notes.end(), std::back_inserter(update.notes));
    }
  }
  writesFailed(done.result.error(), "update");
}

void Scheduler::on(const msg::Renewed& renewed) {
  if (!renewed.lost) {
    renew_all_ = true;
    renew_at_ = deps_.clock.steadyNow() + core::Millis(1'000);
    telemetry::log("dispatch").warn("renewing leases failed error={}", renewed.lost.error().message);
    return;
  }
  for (const auto& lost : *renewed.lost) lose(lost.id, lost.lease, false);
}

void Scheduler::on(const msg::Drain& drain) {
  drain_stop_at_ = draining_ ? std::min(drain_stop_at_, drain.stop_at) : drain.stop_at;
  draining_ = true;
  free_changed_ = true;
}

}  // namespace jobhost::dispatch
