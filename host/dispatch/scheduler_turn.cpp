#include <algorithm>
#include <cstdlib>
#include <utility>

#include "dispatch/scheduler.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

namespace jobhost::dispatch {
namespace {

constexpr core::Millis kWriteRetry{250};
constexpr core::Millis kLongestWriteRetry{5'000};
constexpr std::size_t kStaleTimers = 1024;

bool sameClaim(const store::ClaimRequest& a, const store::ClaimRequest& b) {
  return a.total == b.total && a.groups == b.groups &&
         std::equal(a.quotas.begin(), a.quotas.end(), b.quotas.begin(), b.quotas.end(),
                    [](const auto& x, const auto& y) {
                      return x.type == y.type && x.max == y.max && x.group == y.group && x.cost == y.cost;
                    });
}

template <class T>
void earliest(std::optional<T>& best, T candidate) {
  if (!best || candidate < *best) best = candidate;
}

}  // namespace

void Scheduler::turn() {
  watchWallClock();
  fireTimers();
  stopForDrain();
  handOver();
  checkStalls();
  for (const auto& [id, reason] : std::exchange(to_stop_, {})) deps_.runner.stop(id, reason);
  reportFinished();
  if (retry_writes_at_ && deps_.clock.steadyNow() >= *retry_writes_at_) retry_writes_at_.reset();
  flushUpdates();
  settle();
  renew();
  tick();
  placeClaim();
  telemetry::metrics().set(telemetry::Gauge::AttemptsRunning, static_cast<std::int64_t>(attempts_.size()));
}

// Leases are wall times. After a jump they may look expired though their attempts run: renew them before any tick.
void Scheduler::watchWallClock() {
  const auto wall = deps_.clock.now().time_since_epoch();
  const auto steady = std::chrono::duration_cast<std::chrono::microseconds>(deps_.clock.steadyNow().time_since_epoch());
  const auto offset = wall - steady;
  const auto tolerated = std::min<std::chrono::microseconds>(options_.lease / 6, std::chrono::seconds(1));
  if (wall_offset_ && std::chrono::abs(offset - *wall_offset_) > tolerated) {
    telemetry::log("dispatch")
        .warn("wall clock jumped by_ms={} running={}", (offset - *wall_offset_).count() / 1000, attempts_.size());
    renew_all_ = true;
    renew_at_ = deps_.clock.steadyNow();
    next_due_ = core::Instant{};
  }
  wall_offset_ = offset;
}

void Scheduler::fireTimers() {
  const auto now = deps_.clock.steadyNow();
  while (const auto timer = timers_.popDue(now)) {
    Attempt* attempt = find(timer->id, timer->lease);
    if (attempt == nullptr) continue;
    if (timer->kind == Timer::Kind::Timeout) {
      stop(timer->id, *attempt, StopReason::TimedOut);
      continue;
    }
    attempt->progress_timer = false;
    if (!attempt->last_progress || attempt->lost) continue;
    attempt->progress_stored_at = now;
    updateFor(timer->id, timer->lease).progress = std::exchange(attempt->last_progress, std::nullopt);
  }
  if (timers_.size() > kStaleTimers + 4 * attempts_.size()) {
    timers_.keep([this](const Timer& timer) { return find(timer.id, timer.lease) != nullptr; });
  }
}

void Scheduler::stopForDrain() {
  if (!draining_ || drain_stopped_) return;
  if (deps_.clock.steadyNow() >= drain_stop_at_) {
    drain_stopped_ = true;
    for (auto& [id, attempt] : attempts_) stop(id, attempt, StopReason::Shutdown);
    return;
  }
  // Those that wait behind others need not be waited for.
  std::vector<core::JobId> waiting;
  for (auto& [id, attempt] : attempts_) {
    if (attempt.began_at || attempt.recalled || !attempt.place.ahead) continue;
    attempt.recalled = true;
    waiting.push_back(id);
  }
  if (!waiting.empty()) deps_.runner.recall(std::move(waiting));
}

void Scheduler::handOver() {
  if (!to_start_.empty()) deps_.runner.start(std::exchange(to_start_, {}));
}

// Attempts handed over ahead wait behind others that were expected to be short. Where one is not, they come back.
void Scheduler::checkStalls() {
  const auto now = deps_.clock.steadyNow();
  if (!stall_check_at_ || now < *stall_check_at_) return;
  stall_check_at_.reset();
  std::set<Capacity::Plugin*> stalled;
  for (auto& [id, attempt] : attempts_) {
    Capacity::Plugin& plugin = *attempt.place.plugin;
    const bool gone = plugin.slots == 0;
    const bool long_running = attempt.began_at && now - *attempt.began_at >= options_.stall;
    if (plugin.outstanding == plugin.begun || (!gone && !long_running)) continue;
    stalled.insert(&plugin);
    if (!long_running) continue;
    Capacity::takeWholeSlot(attempt.place);
    auto& average = attempt.place.type->average_us;
    average = std::max(average, std::chrono::duration<double, std::micro>(now - *attempt.began_at).count());
  }
  std::vector<core::JobId> back;
  bool ahead = false;
  for (auto& [id, attempt] : attempts_) {
    Capacity::Plugin& plugin = *attempt.place.plugin;
    if (attempt.began_at || attempt.recalled || attempt.stop || (!attempt.place.ahead && plugin.slots > 0)) continue;
    if (!stalled.contains(&plugin)) {
      ahead = true;
      continue;
    }
    attempt.recalled = true;
    back.push_back(id);
  }
  for (Capacity::Plugin* plugin : stalled) capacity_.stalled(*plugin, now);
  if (ahead) stall_check_at_ = now + options_.stall;
  if (!back.empty()) deps_.runner.recall(std::move(back));
}

void Scheduler::reportFinished() {
  for (const auto generation : std::exchange(finished_on_, {})) deps_.catalog.reportFinished(generation);
}

void Scheduler::writesFailed(const core::Error& error, const char* what) {
  if (error.code != core::ErrorCode::Unavailable) {
    // A bug: nothing can be stored again. The lease runs out and the job is rescued.
    telemetry::log("dispatch")
        .error("{} failed code={} error={} detail={}", what, core::toString(error.code), error.message, error.detail);
    return;
  }
  if (retry_writes_at_) return;  // of writes that were sent together the first says it
  const auto wait = std::min(kWriteRetry * (1 << std::min(write_failures_, 5)), kLongestWriteRetry);
  ++write_failures_;
  retry_writes_at_ = deps_.clock.steadyNow() + wait;
  telemetry::log("dispatch")
      .warn("{} failed, kept for later outcomes={} error={}", what, outcomes_.size(), error.message);
}

void Scheduler::flushUpdates() {
  if (updates_.empty() || retry_writes_at_) return;
  update_index_.clear();
  auto kept = std::make_shared<std::vector<store::AttemptUpdate>>(updates_);
  ++writes_in_flight_;
  deps_.store.update(std::exchange(updates_, {}), [post = post_, kept](core::Result<void> result) {
    msg::UpdateDone done{std::move(result), {}};
    if (!done.result) done.updates = std::move(*kept);
    post(std::move(done));
  });
}

void Scheduler::settle() {
  if (outcomes_.empty() || retry_writes_at_) return;
  auto outcomes = std::exchange(outcomes_, {});
  if (!std::exchange(settle_apart_, false)) return send(std::move(outcomes));
  for (auto& outcome : outcomes) {
    std::vector<store::AttemptOutcome> one;
    one.push_back(std::move(outcome));
    send(std::move(one));
  }
}

void Scheduler::send(std::vector<store::AttemptOutcome> outcomes) {
  auto kept = std::make_shared<std::vector<store::AttemptOutcome>>(outcomes);
  ++writes_in_flight_;
  deps_.store.settle(std::move(outcomes), [post = post_, kept](core::Result<std::vector<store::Settled>> result) {
    msg::SettleDone done{std::move(result), {}};
    if (!done.result) done.outcomes = std::move(*kept);
    post(std::move(done));
  });
}

void Scheduler::renew() {
  if (attempts_.empty() && outcomes_.empty()) {
    renew_at_.reset();
    renew_all_ = false;
    return;
  }
  const auto now = deps_.clock.steadyNow();
  if (!renew_at_) renew_at_ = now + options_.lease / 3;
  if (now < *renew_at_) return;
  renew_at_ = now + options_.lease / 3;
  std::vector<store::LeaseRef> leases;
  for (auto& [id, attempt] : attempts_) {
    if (attempt.lost || (!renew_all_ && now - attempt.renewed_at < options_.lease / 4)) continue;
    attempt.renewed_at = now;
    leases.push_back({id, attempt.lease});
  }
  for (const auto& outcome : outcomes_) leases.push_back({outcome.id, outcome.lease});
  renew_all_ = false;
  if (leases.empty()) return;
  deps_.store.renew(std::move(leases), options_.lease, [post = post_](core::Result<std::vector<store::LeaseRef>> lost) {
    post(msg::Renewed{std::move(lost)});
  });
}

void Scheduler::tick() {
  // While leases could not be renewed a tick would take running attempts for lost.
  if (!next_due_ || tick_in_flight_ || retry_writes_at_ || renew_all_) return;
  if (deps_.clock.now() < *next_due_ || deps_.clock.steadyNow() < tick_not_before_) return;
  next_due_.reset();
  tick_in_flight_ = true;
  deps_.store.tick([post = post_](core::Result<store::TickResult> result) { post(msg::Ticked{std::move(result)}); });
}

void Scheduler::placeClaim() {
  const auto now = deps_.clock.steadyNow();
  if (unblock_at_ && now >= *unblock_at_) free_changed_ = true;
  if (!free_changed_) return;
  free_changed_ = false;
  unblock_at_ = capacity_.nextChange(now);
  store::ClaimRequest request;
  if (!draining_) capacity_.fill(request, now);
  std::erase_if(request.quotas, [this](const store::TypeQuota& quota) {
    return std::find(held_.begin(), held_.end(), quota.type) != held_.end();
  });
  if (standing_ ? sameClaim(request, last_request_) : request.quotas.empty()) return;
  request.generation = ++generation_;
  request.seen = seen_;
  request.max_per_key = options_.max_per_key;
  request.lease = options_.lease;
  standing_ = !request.quotas.empty();
  last_request_ = request;
  deps_.store.claim(std::move(request));
}

bool Scheduler::idle() const {
  return attempts_.empty() && to_start_.empty() && outcomes_.empty() && updates_.empty() && writes_in_flight_ == 0;
}

std::optional<Scheduler::Steady> Scheduler::wakeAt() const {
  std::optional<Steady> wake = timers_.next();
  const auto now = deps_.clock.steadyNow();
  if (renew_at_) earliest(wake, *renew_at_);
  if (stall_check_at_) earliest(wake, *stall_check_at_);
  if (retry_writes_at_) earliest(wake, *retry_writes_at_);
  if (unblock_at_) earliest(wake, *unblock_at_);
  if (draining_ && !drain_stopped_) earliest(wake, drain_stop_at_);
  if (next_due_ && !tick_in_flight_ && !retry_writes_at_ && !renew_all_) {
    const auto ahead = std::clamp<std::chrono::microseconds>(*next_due_ - deps_.clock.now(),
                                                             std::chrono::microseconds(0), options_.poll);
    earliest(wake, std::max(Steady(now + ahead), tick_not_before_));
  }
  return wake;
}

}  // namespace jobhost::dispatch
