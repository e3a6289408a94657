#include "api/lncrawl/source_scan.hpp"

#include <chrono>

#include "telemetry/log.hpp"

namespace jobhost::api::lncrawl {
namespace {

constexpr const char* kType = "scan_sources";
constexpr auto kEvery = std::chrono::seconds(60);

}  // namespace

SourceScan::SourceScan(const Deps& deps) : deps_(deps) {}

SourceScan::~SourceScan() {
  if (listener_ != 0) deps_.catalog.removeListener(listener_);
  thread_.request_stop();
}

void SourceScan::start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  listener_ = deps_.catalog.addListener([this](const auto& snapshot) { published(*snapshot); });
  published(*deps_.catalog.snapshot());
}

void SourceScan::published(const catalog::Snapshot& snapshot) {
  const auto* type = snapshot.find(kType);
  if (type == nullptr || !type->generation) return;
  const auto generation = type->generation->id;
  std::lock_guard lock(mutex_);
  if (generation_ == generation) return;
  generation_ = generation;
  due_ = true;
  wake_.notify_all();
}

void SourceScan::wanted() {
  const auto now = deps_.clock.steadyNow();
  std::lock_guard lock(mutex_);
  if (!generation_ || (asked_ && now - *asked_ < kEvery)) return;
  due_ = true;
  wake_.notify_all();
}

void SourceScan::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (wake_.wait(lock, stop, [this] { return due_; })) {
    due_ = false;
    asked_ = deps_.clock.steadyNow();
    lock.unlock();
    submit();
    lock.lock();
  }
}

void SourceScan::submit() {
  jobs::JobRequest request;
  request.draft.type = kType;
  request.draft.unique_key = kType;  // one that waits already will see what there is now
  const auto made = deps_.jobs.submit(std::move(request));
  if (!made) telemetry::log("api").warn("source scan refused reason=\"{}\"", made.error().message);
}

}  // namespace jobhost::api::lncrawl
