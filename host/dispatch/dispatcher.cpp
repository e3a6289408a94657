#include "dispatch/dispatcher.hpp"

#include <random>
#include <utility>
#include <vector>

#include "dispatch/scheduler.hpp"
#include "telemetry/log.hpp"

namespace jobhost::dispatch {
namespace {

// Progress beyond this many waiting messages is dropped (the next value replaces it); nothing else ever is.
constexpr std::size_t kInbox = 65'536;

}  // namespace

struct Dispatcher::DrainState {
  enum class Phase { Running, Clean, GaveUp };
  std::mutex mutex;
  std::condition_variable changed;
  Phase phase = Phase::Running;

  void set(Phase reached) {
    {
      std::lock_guard lock(mutex);
      phase = reached;
    }
    changed.notify_all();
  }
};

Dispatcher::Dispatcher(store::JobStore& store, catalog::Catalog& catalog, events::EventBus& bus, JobRunner& runner,
                       const core::Clock& clock, Options options)
    : store_(store),
      catalog_(catalog),
      bus_(bus),
      runner_(runner),
      clock_(clock),
      options_(std::move(options)),
      inbox_(std::make_shared<Inbox>(kInbox)),
      drain_(std::make_shared<DrainState>()) {
  store_.setClaimHook([inbox = inbox_](store::ClaimBatch batch) { inbox->push(msg::Claimed{std::move(batch)}); });
  store_.setDueHook([inbox = inbox_](core::Instant at) { inbox->push(msg::DueMoved{at}); });
}

Dispatcher::~Dispatcher() {
  if (catalog_listener_ != 0) catalog_.removeListener(catalog_listener_);
  inbox_->close();
  if (thread_.joinable()) {
    thread_.request_stop();
    thread_.join();
  }
  drain_->set(DrainState::Phase::GaveUp);
}

void Dispatcher::start() {
  catalog_listener_ = catalog_.addListener([inbox = inbox_](const std::shared_ptr<const catalog::Snapshot>& snapshot) {
    inbox->push(msg::CatalogChanged{snapshot});
  });
  inbox_->push(msg::CatalogChanged{catalog_.snapshot()});
  runner_.setListener(this);
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void Dispatcher::run(const std::stop_token& stop) {
  Scheduler scheduler(
      {store_, catalog_, bus_, runner_, clock_}, options_,
      [inbox = inbox_](Message message) { inbox->push(std::move(message)); }, std::random_device{}());
  std::optional<core::Clock::Steady> give_up_at;
  while (!stop.stop_requested()) {
    try {
      scheduler.turn();
    } catch (const std::exception& error) {
      telemetry::log("dispatch").critical("turn failed error={}", error.what());
    }
    if (scheduler.draining()) {
      if (scheduler.idle()) drain_->set(DrainState::Phase::Clean);
      if (scheduler.outstanding() == 0 && !give_up_at) give_up_at = clock_.steadyNow() + options_.settle_patience;
      if (give_up_at && !scheduler.idle() && clock_.steadyNow() >= *give_up_at) drain_->set(DrainState::Phase::GaveUp);
    }
    auto wake = scheduler.wakeAt();
    if (give_up_at && !scheduler.idle() && (!wake || *give_up_at < *wake)) wake = give_up_at;
    if (wake) wake = std::chrono::steady_clock::now() + (*wake - clock_.steadyNow());
    for (auto& message : inbox_->popAll(stop, wake)) {
      try {
        scheduler.handle(std::move(message));
      } catch (const std::exception& error) {
        telemetry::log("dispatch").critical("message failed error={}", error.what());
      }
    }
  }
}

void Dispatcher::committed(std::span<const core::JobEvent> events) {
  for (const auto& event : events) {
    if (event.kind != core::EventKind::CancelRequested) continue;
    const bool suspend = event.data_json.find(R"("suspend")") != std::string::npos;
    inbox_->push(msg::StopAsked{event.job, suspend ? StopReason::Suspended : StopReason::Canceled});
  }
}

void Dispatcher::hold(std::vector<std::string> types) {
  inbox_->push(msg::Held{std::move(types)});
}

void Dispatcher::putBack(std::vector<std::string> types) {
  inbox_->push(msg::PutBack{std::move(types)});
}

bool Dispatcher::drain(core::Millis grace) {
  if (catalog_listener_ == 0) return true;  // never started: nothing was taken
  inbox_->push(msg::Drain{clock_.steadyNow() + grace});
  std::unique_lock lock(drain_->mutex);
  drain_->changed.wait(lock, [this] { return drain_->phase != DrainState::Phase::Running; });
  return drain_->phase == DrainState::Phase::Clean;
}

void Dispatcher::attemptStarted(core::JobId id, store::LeaseToken lease) {
  inbox_->push(msg::AttemptStarted{id, lease});
}

void Dispatcher::attemptEnded(AttemptEnd end) {
  inbox_->push(msg::AttemptEnded{std::move(end)});
}

void Dispatcher::progressed(core::JobId id, store::LeaseToken lease, core::Progress progress) {
  if (!inbox_->tryPush(msg::Progressed{id, lease, std::move(progress)})) {
    telemetry::log("dispatch").debug("progress dropped job={}", id.value);
  }
}

void Dispatcher::noted(core::JobId id, store::LeaseToken lease, std::string key, std::string value_json) {
  inbox_->push(msg::Noted{id, lease, std::move(key), std::move(value_json)});
}

// The log file is the truth; what nobody listens to is not told.
void Dispatcher::logged(core::JobId id, std::string line_json) {
  if (!bus_.hasListeners(id)) return;
  core::JobEvent event;
  event.kind = core::EventKind::Log;
  event.job = id;
  event.at = clock_.now();
  event.state = core::JobState::Running;
  event.data_json = std::move(line_json);
  bus_.publish({&event, 1});
}

void Dispatcher::capacityChanged(const std::string& plugin, int slots) {
  inbox_->push(msg::CapacityChanged{plugin, slots});
}

}  // namespace jobhost::dispatch
