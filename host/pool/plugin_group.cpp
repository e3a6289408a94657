#include "pool/plugin_group.hpp"

#include <algorithm>
#include <utility>

#include "telemetry/log.hpp"

namespace jobhost::pool {
namespace {

constexpr double kShortUs = 5'000;      // may be sent behind another when every runner is there
constexpr double kVeryShortUs = 1'000;  // is sent ahead as far as the option allows
constexpr std::size_t kShortDepth = 8;
constexpr std::size_t kMaxUnsentBytes = 4 << 20;
constexpr double kWeight = 0.2;  // of the newest duration in the average
constexpr core::Millis kMaxRestartDelay{60'000};
constexpr std::chrono::milliseconds kFoundLong{50};  // a short type's attempt that has run this long is none

const char* stateName(const Runner& runner) {
  switch (runner.state()) {
    case Runner::State::Starting:
    case Runner::State::Loading:
      return "starting";
    case Runner::State::Ready:
      return runner.inFlight() > 0 ? "running" : "ready";
    case Runner::State::Draining:
      return "draining";
    case Runner::State::Ending:
    case Runner::State::Gone:
      return "ending";
  }
  return "ending";
}

}  // namespace

PluginGroup::PluginGroup(PoolContext& context, Owner& owner, catalog::GenerationRef generation)
    : context_(context),
      owner_(owner),
      generation_(std::move(generation)),
      memory_bytes_(context.options.memory_bytes),
      processes_(context.options.processes) {}

PluginGroup::~PluginGroup() {
  context_.loop.cancel(retry_timer_);
}

void PluginGroup::add(std::unique_ptr<Attempt> attempt) {
  used_ = true;
  const auto& limits = attempt->type->info.limits;
  memory_bytes_ = std::max(memory_bytes_, limits.memory_bytes);
  processes_ = std::max(processes_, limits.processes);
  if (blocked())
    return giveBack(std::move(attempt), "plugin_unavailable", "its plugin could not be started a moment ago");
  queue_.push_back(std::move(attempt));
}

void PluginGroup::stop(Attempt& attempt, dispatch::StopReason reason) {
  if (attempt.runner != nullptr) return attempt.runner->stop(attempt, reason);
  const auto found = std::find_if(queue_.begin(), queue_.end(), [&](const auto& one) { return one.get() == &attempt; });
  if (found == queue_.end()) {  // its DONE came: the end is on its way
    attempt.stop = reason;
    return;
  }
  auto taken = std::move(*found);
  queue_.erase(found);
  dispatch::AttemptEnd end;
  end.id = taken->id();
  end.lease = taken->assignment.job.lease;
  end.kind = dispatch::AttemptEnd::Kind::Stopped;
  end.finished_at = context_.clock.now();
  owner_.ended(std::move(taken), std::move(end));
}

void PluginGroup::recall(Attempt& attempt) {
  attempt.give_back = true;
  if (attempt.runner != nullptr) {
    if (attempt.sent) attempt.runner->recall({attempt.slot});
    return;
  }
  const auto found = std::find_if(queue_.begin(), queue_.end(), [&](const auto& one) { return one.get() == &attempt; });
  if (found == queue_.end()) return;
  auto taken = std::move(*found);
  queue_.erase(found);
  giveBack(std::move(taken), "recalled", "given back before it began");
}

void PluginGroup::giveBack(std::unique_ptr<Attempt> attempt, std::string code, std::string message) {
  dispatch::AttemptEnd end;
  end.id = attempt->id();
  end.lease = attempt->assignment.job.lease;
  end.kind = dispatch::AttemptEnd::Kind::NotStarted;
  end.finished_at = context_.clock.now();
  end.error = core::JobError{core::ErrorClass::Transient, std::move(code), std::move(message), {}};
  owner_.ended(std::move(attempt), std::move(end));
}

void PluginGroup::giveBackAll(const core::Error& why) {
  auto queue = std::exchange(queue_, {});
  for (auto& attempt : queue) giveBack(std::move(attempt), "plugin_unavailable", why.message);
}

std::size_t PluginGroup::depth(const Attempt& attempt) const {
  if (attempt.type->info.isolation == catalog::Isolation::Fresh) return 1;
  const auto found = average_us_.find(attempt.assignment.job.type);
  if (found == average_us_.end() || !attempt.assignment.job.input_id.empty()) return 1;
  const auto most = static_cast<std::size_t>(std::max(1, context_.options.read_ahead));
  if (found->second < kVeryShortUs) return most;
  const bool all_there = static_cast<int>(runners_.size()) >= context_.options.max_runners_per_plugin;
  return found->second < kShortUs && all_there ? std::min(kShortDepth, most) : 1;
}

/// Whether others should not wait behind it.
bool PluginGroup::isLong(const Attempt& running) const {
  return depth(running) == 1 || EventLoop::Steady::now() - running.front_since > kFoundLong;
}

Runner* PluginGroup::pick(const Attempt& attempt) {
  const std::size_t most = depth(attempt);
  Runner* best = nullptr;
  for (const auto& runner : runners_) {
    if (!runner->takesAttempts() || runner->inFlight() >= most || runner->unsentBytes() > kMaxUnsentBytes) continue;
    if (runner->front() != nullptr && (runner->front()->stop || isLong(*runner->front()))) continue;
    if (runner->leavesSoon() || (most == 1 && !runner->isIdle())) continue;
    if (best == nullptr || runner->inFlight() < best->inFlight()) best = runner.get();
  }
  return best;
}

void PluginGroup::pump() {
  while (!queue_.empty()) {
    Runner* runner = pick(*queue_.front());
    if (runner == nullptr) break;
    auto attempt = std::move(queue_.front());
    queue_.pop_front();
    runner->send(std::move(attempt));
  }
  startRunners();
  if (retired_ && queue_.empty()) {
    for (const auto& runner : std::vector(runners_)) runner->drain();
  }
}

void PluginGroup::startRunners() {
  if (queue_.empty() || blocked()) return;
  const auto starting =
      static_cast<std::size_t>(std::count_if(runners_.begin(), runners_.end(), [](const auto& runner) {
        return runner->state() == Runner::State::Starting || runner->state() == Runner::State::Loading;
      }));
  const auto using_slots = [this] {
    return std::count_if(runners_.begin(), runners_.end(), [](const auto& runner) {
      return runner->state() != Runner::State::Ending && !runner->leavesSoon();
    });
  };
  for (std::size_t wanted = queue_.size(); wanted > starting && using_slots() < context_.options.max_runners_per_plugin;
       --wanted) {
    if (static_cast<int>(runners_.size()) >= 2 * context_.options.max_runners_per_plugin) return;
    if (!owner_.mayStartRunner(*this)) return;
    startRunner();
  }
}

void PluginGroup::startRunner() {
  auto runner = std::make_shared<Runner>(context_, *this, generation_, owner_.nextRunnerNumber());
  runners_.push_back(runner);
  runner->start(memory_bytes_, processes_);
}

void PluginGroup::retire() {
  retired_ = true;
  pump();
}

void PluginGroup::endIdle(EventLoop::Steady::time_point now) {
  int idle = 0;
  for (const auto& runner : runners_) idle += runner->isIdle() ? 1 : 0;
  const int keep = used_ && !retired_ ? context_.options.min_idle : 0;
  for (const auto& runner : std::vector(runners_)) {
    if (idle <= keep) return;
    if (!runner->isIdle() || now - runner->idleSince() < context_.options.idle_timeout) continue;
    runner->drain();
    --idle;
  }
}

bool PluginGroup::endOneIdle() {
  for (const auto& runner : runners_) {
    if (!runner->isIdle()) continue;
    const auto kept = runner;
    kept->drain();
    return true;
  }
  return false;
}

void PluginGroup::killAll() {
  giveBackAll({core::ErrorCode::Unavailable, "the host stops", {}, {}});
  for (const auto& runner : std::vector(runners_)) runner->endNow();
}

void PluginGroup::endTurn() {
  for (std::size_t i = 0; i < runners_.size(); ++i) runners_[i]->endTurn();
}

void PluginGroup::collectBusy(EventLoop::Steady::time_point now, std::chrono::milliseconds least,
                              std::vector<std::pair<pid_t, std::string>>& busy) const {
  for (const auto& runner : runners_) {
    const Attempt* front = runner->front();
    if (front != nullptr && front->sent && now - front->front_since >= least)
      busy.emplace_back(runner->pid(), runner->name());
  }
}

void PluginGroup::freeBehindLong() {
  for (const auto& runner : runners_) {
    if (runner->inFlight() > 1 && isLong(*runner->front())) runner->recallAllBehindFront();
  }
}

void PluginGroup::measured(const TreeUsage& usage) {
  for (const auto& runner : std::vector(runners_)) runner->measured(usage);
}

void PluginGroup::describe(std::vector<RunnerPool::RunnerStatus>& list) const {
  for (const auto& runner : runners_) {
    const bool loaded = !runner->loaded().types.empty();
    list.push_back({runner->name(), generation_->plugin_id, generation_->id, static_cast<int>(runner->pid()),
                    stateName(*runner), loaded ? std::string(wire::toString(runner->loaded().sandbox)) : std::string(),
                    runner->inFlight()});
  }
}

void PluginGroup::runnerReady(Runner& runner) {
  failures_ = 0;
  owner_.startFailed(*this, nullptr);
  runnerHasRoom(runner);
}

void PluginGroup::runnerHasRoom(Runner& runner) {
  pump();
  if (runner.isIdle()) owner_.runnerIdle();
}

void PluginGroup::learn(const Attempt& attempt, const dispatch::AttemptEnd& end) {
  if (!end.started_at) return;
  const auto took = static_cast<double>((end.finished_at - *end.started_at).count());
  const auto seen = static_cast<double>(
      std::chrono::duration_cast<std::chrono::microseconds>(EventLoop::Steady::now() - attempt.front_since).count());
  const double us = std::min(took, seen);
  const auto [found, first] = average_us_.try_emplace(attempt.assignment.job.type, us);
  if (!first) found->second += kWeight * (us - found->second);
}

void PluginGroup::attemptEnded(std::unique_ptr<Attempt> attempt, dispatch::AttemptEnd end) {
  learn(*attempt, end);
  owner_.ended(std::move(attempt), std::move(end));
}

void PluginGroup::attemptReturned(std::unique_ptr<Attempt> attempt) {
  attempt->runner = nullptr;
  attempt->sent = false;
  attempt->cancel_sent = false;
  attempt->told_started = false;
  if (attempt->stop) {
    queue_.push_front(std::move(attempt));
    return stop(*queue_.front(), *queue_.front()->stop);
  }
  if (attempt->give_back || blocked()) return giveBack(std::move(attempt), "recalled", "given back before it began");
  queue_.push_front(std::move(attempt));
}

void PluginGroup::runnerGone(Runner& runner, const std::optional<core::Error>& load_error) {
  const auto found =
      std::find_if(runners_.begin(), runners_.end(), [&](const auto& one) { return one.get() == &runner; });
  if (found == runners_.end()) return;
  const auto kept = std::move(*found);
  runners_.erase(found);
  if (load_error) {
    ++failures_;
    telemetry::log("pool").warn("runner did not start runner={} plugin={} code={} reason=\"{}\" detail=\"{}\"",
                                runner.name(), generation_->plugin_id, core::toString(load_error->code),
                                load_error->message, load_error->detail);
    const auto delay = std::min(kMaxRestartDelay, context_.options.restart_delay * (1 << std::min(failures_ - 1, 10)));
    context_.loop.cancel(retry_timer_);
    retry_timer_ = context_.loop.after(delay, [this] {
      retry_timer_ = 0;
      owner_.startFailed(*this, nullptr);
      pump();
    });
    giveBackAll(*load_error);
    owner_.startFailed(*this, &*load_error);
  } else {
    pump();
  }
  owner_.runnerEnded(*this);
}

}  // namespace jobhost::pool
