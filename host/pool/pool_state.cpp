#include "pool/pool_state.hpp"

#include <algorithm>
#include <future>
#include <utility>

#include "pool/work_dir.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

namespace jobhost::pool {
namespace {

constexpr std::chrono::seconds kShutdownPatience{20};

/// Removes what a former host left; answers the folder for this one's runners.
std::filesystem::path cleanStart(const RunnerPoolOptions& options) {
  const auto work = options.data_folder / "work";
  const int ended = Warden::endLeftovers(work);
  if (ended > 0) telemetry::log("pool").warn("processes of a former host ended count={}", ended);
  removeTree(work);
  std::error_code error;
  std::filesystem::create_directories(work, error);
  if (error)
    telemetry::log("pool").error("cannot make the work folder path={} reason={}", work.string(), error.message());
  return work;
}

}  // namespace

RunnerPool::State::State(RunnerPoolOptions options, catalog::Catalog& catalog, AttemptServices* services,
                         const core::Clock& clock)
    : options_(std::move(options)),
      catalog_(catalog),
      warden_(
          std::make_unique<Warden>(Warden::Options{cleanStart(options_), options_.use_cgroups, options_.spawn}, loop_)),
      context_{options_, clock, loop_, *warden_, files_, services, nullptr} {
  telemetry::log("pool").info("runners start max={} per_plugin={} pids_controller={} sandbox_required={}",
                              options_.max_runners, options_.max_runners_per_plugin, warden_->hasPidsController(),
                              options_.require_sandbox);
  loop_.after(options_.idle_timeout / 4, [this] { tidy(); });
  catalog_listener_ = catalog_.addListener([this](const std::shared_ptr<const catalog::Snapshot>& snapshot) {
    loop_.post([this, snapshot] { catalogChanged(snapshot); });
  });
  loop_.post([this] { catalogChanged(catalog_.snapshot()); });
  thread_ = std::jthread([this](const std::stop_token& stop) { loop_.run(stop, [this] { afterTurn(); }); });
}

RunnerPool::State::~State() {
  catalog_.removeListener(catalog_listener_);
  std::promise<void> empty;
  loop_.post([this, &empty] {
    context_.listener = nullptr;
    on_empty_ = [&empty] { empty.set_value(); };
    shutDown();
  });
  if (empty.get_future().wait_for(kShutdownPatience) != std::future_status::ready) {
    telemetry::log("pool").error("runners did not end in time");
  }
  thread_.request_stop();
  thread_.join();
}

void RunnerPool::State::setListener(dispatch::RunnerListener* listener) {
  context_.listener = listener;
  told_capacity_.clear();
  for (const auto& [plugin, generation] : current_) tellCapacity(plugin);
}

PluginGroup& RunnerPool::State::groupFor(const catalog::GenerationRef& generation) {
  auto& group = groups_[generation->id.value];
  if (!group) group = std::make_unique<PluginGroup>(context_, *this, generation);
  return *group;
}

void RunnerPool::State::refuse(const dispatch::Assignment& assignment, std::string message) {
  if (context_.listener == nullptr) return;
  dispatch::AttemptEnd end;
  end.id = assignment.job.id;
  end.lease = assignment.job.lease;
  end.kind = dispatch::AttemptEnd::Kind::NotStarted;
  end.finished_at = context_.clock.now();
  end.error = core::JobError{core::ErrorClass::Transient, "plugin_unavailable", std::move(message), {}};
  context_.listener->attemptEnded(std::move(end));
}

void RunnerPool::State::start(std::vector<dispatch::Assignment> assignments) {
  std::shared_ptr<const catalog::TypeEntry> type;
  std::set<PluginGroup*> touched;
  for (auto& assignment : assignments) {
    if (!type || type->info.name != assignment.job.type) type = catalog_.findType(assignment.job.type);
    if (!type || !type->generation || !type->info.available || shutting_down_) {
      refuse(assignment, "no plugin handles \"" + assignment.job.type + "\" now");
      continue;
    }
    touched.insert(&groupFor(type->generation));
    begin(std::move(assignment), type);
  }
  for (auto* group : touched) group->pump();
}

void RunnerPool::State::begin(dispatch::Assignment assignment, std::shared_ptr<const catalog::TypeEntry> type) {
  auto& group = groupFor(type->generation);
  auto attempt = std::make_unique<Attempt>();
  attempt->assignment = std::move(assignment);
  attempt->type = std::move(type);
  attempt->group = &group;
  attempts_[attempt->id()] = attempt.get();
  ++group.outstanding;
  telemetry::metrics().add(telemetry::Gauge::AttemptsRunning, 1);
  group.add(std::move(attempt));
}

void RunnerPool::State::stop(core::JobId id, dispatch::StopReason reason) {
  const auto found = attempts_.find(id);
  if (found != attempts_.end()) found->second->group->stop(*found->second, reason);
}

void RunnerPool::State::recall(const std::vector<core::JobId>& ids) {
  std::map<Runner*, std::vector<std::uint32_t>> sent;
  for (const auto id : ids) {
    const auto found = attempts_.find(id);
    if (found == attempts_.end()) continue;
    Attempt& attempt = *found->second;
    attempt.give_back = true;
    if (attempt.runner != nullptr && attempt.sent) {
      sent[attempt.runner].push_back(attempt.slot);
    } else {
      attempt.group->recall(attempt);
    }
  }
  for (const auto& [runner, slots] : sent) runner->recall(slots);
}

void RunnerPool::State::ended(std::unique_ptr<Attempt> attempt, dispatch::AttemptEnd end) {
  const auto found = attempts_.find(attempt->id());
  if (found != attempts_.end() && found->second == attempt.get()) attempts_.erase(found);
  --attempt->group->outstanding;
  telemetry::metrics().add(telemetry::Gauge::AttemptsRunning, -1);
  if (context_.listener != nullptr) context_.listener->attemptEnded(std::move(end));
}

bool RunnerPool::State::mayStartRunner(const PluginGroup& group) {
  if (shutting_down_) return false;
  if (static_cast<int>(runnerCount()) < options_.max_runners) return true;
  for (const auto& [id, other] : groups_) {
    if (other.get() != &group && other->waiting() == 0 && other->endOneIdle()) return false;  // its end calls us again
  }
  refused_runner_ = true;
  return false;
}

void RunnerPool::State::runnerEnded(PluginGroup&) {
  loop_.post([this] {
    removeEmptyGroups();
    for (const auto& [id, group] : groups_) group->pump();
  });
}

void RunnerPool::State::runnerIdle() {
  if (!std::exchange(refused_runner_, false)) return;
  loop_.post([this] {
    for (const auto& [id, group] : groups_) group->pump();
  });
}

void RunnerPool::State::startFailed(PluginGroup& group, const core::Error* reason) {
  if (reason != nullptr && reason->code == core::ErrorCode::Internal) {
    catalog_.reportCrash(group.generation()->id, reason->message + " while it was loaded");
  }
  tellCapacity(group.generation()->plugin_id);
}

void RunnerPool::State::tellCapacity(const std::string& plugin) {
  const auto found = current_.find(plugin);
  const bool gone = found == current_.end() || !found->second;
  const auto group = gone ? groups_.end() : groups_.find(found->second->id.value);
  const bool blocked = group != groups_.end() && group->second->blocked();
  const int slots = gone || blocked ? 0 : std::min(options_.max_runners_per_plugin, options_.max_runners);
  const auto told = told_capacity_.find(plugin);
  if (context_.listener == nullptr || (told != told_capacity_.end() && told->second == slots)) return;
  told_capacity_[plugin] = slots;
  context_.listener->capacityChanged(plugin, slots);
}

void RunnerPool::State::catalogChanged(const std::shared_ptr<const catalog::Snapshot>& snapshot) {
  for (auto& [plugin, generation] : current_) generation = nullptr;
  std::set<std::int64_t> live;
  for (const auto& [name, entry] : snapshot->types) {
    if (!entry.generation || !entry.info.available) continue;
    live.insert(entry.generation->id.value);
    current_[entry.generation->plugin_id] = entry.generation;
  }
  for (const auto& [id, group] : groups_) {
    if (!live.contains(id) && !group->retired()) group->retire();
  }
  for (const auto& [plugin, generation] : current_) tellCapacity(plugin);
  removeEmptyGroups();
}

std::size_t RunnerPool::State::runnerCount() const {
  std::size_t count = 0;
  for (const auto& [id, group] : groups_) count += group->runners();
  return count;
}

void RunnerPool::State::removeEmptyGroups() {
  std::erase_if(groups_, [](const auto& entry) {
    return entry.second->retired() && entry.second->runners() == 0 && entry.second->outstanding == 0;
  });
  if (shutting_down_ && on_empty_ && runnerCount() == 0 && probes_.empty()) std::exchange(on_empty_, nullptr)();
}

void RunnerPool::State::shutDown() {
  shutting_down_ = true;
  for (const auto& [id, group] : groups_) group->killAll();
  for (const auto& probe : std::vector(probes_)) probe->kill();
  removeEmptyGroups();
}

void RunnerPool::State::afterTurn() {
  for (const auto& [id, group] : groups_) group->endTurn();
  for (const auto& probe : probes_) probe->endTurn();
  if (busy_timer_ == 0 && !attempts_.empty() && !shutting_down_) {
    busy_timer_ = loop_.after(options_.watch_interval, [this] {
      busy_timer_ = 0;
      watchBusy();
    });
  }
}

/// Looks after attempts that have run for a while: nothing waits behind them, their trees are measured. The others are
/// over before it would matter.
void RunnerPool::State::watchBusy() {
  std::vector<std::pair<pid_t, std::string>> busy;
  for (const auto& [id, group] : groups_) group->freeBehindLong();
  for (const auto& [id, group] : groups_)
    group->collectBusy(EventLoop::Steady::now(), options_.watch_interval / 2, busy);
  if (busy.empty() || measuring_) return;
  measuring_ = true;
  warden_->measure(std::move(busy), [this](const std::vector<TreeUsage>& usages) {
    measuring_ = false;
    for (const auto& usage : usages) {
      for (const auto& [id, group] : groups_) group->measured(usage);
    }
  });
}

void RunnerPool::State::tidy() {
  const auto now = EventLoop::Steady::now();
  for (const auto& [id, group] : groups_) group->endIdle(now);
  loop_.after(options_.idle_timeout / 4, [this] { tidy(); });
}

std::vector<RunnerPool::RunnerStatus> RunnerPool::State::status() const {
  std::vector<RunnerStatus> list;
  for (const auto& [id, group] : groups_) group->describe(list);
  return list;
}

void RunnerPool::State::probe(catalog::GenerationRef generation, std::function<void(core::Result<Probed>)> done) {
  if (shutting_down_) return done(core::Error{core::ErrorCode::Unavailable, "the host stops", {}, {}});
  auto session = std::make_shared<ProbeSession>(
      context_, std::move(generation), nextRunnerNumber(), std::move(done), [this](ProbeSession* over) {
        loop_.post([this, over] {
          std::erase_if(probes_, [&](const auto& one) { return one.get() == over; });
          removeEmptyGroups();
        });
      });
  probes_.push_back(session);
  session->start(options_.memory_bytes, options_.processes);
}

}  // namespace jobhost::pool
