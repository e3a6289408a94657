#pragma once

#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <ostream>
#include <string>
#include <unistd.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/clock.hpp"
#include "core/mailbox.hpp"
#include "store/job_store.hpp"

namespace jobhost::store {

/// A kind of store the contract is run on: makes one over a folder; opened again over the same folder it must find
/// what was acknowledged. A new engine adds a row in store_contract.cpp.
struct StoreFactory {
  std::string name;
  std::function<std::unique_ptr<JobStore>(const std::filesystem::path&, const core::Clock&)> open;
};
inline void PrintTo(const StoreFactory& factory, std::ostream* out) {
  *out << factory.name;
}
std::vector<StoreFactory> storeFactories();

/// A store over a folder of its own, with verbs. Time stands still until moved.
class StoreHarness {
 public:
  explicit StoreHarness(StoreFactory factory,
                        const std::filesystem::path& below = std::filesystem::temp_directory_path())
      : factory_(std::move(factory)) {
    folder_ = below / ("jobhost-store-" + std::to_string(::getpid()) + "-" + std::to_string(counter()++));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    reopen();
  }
  ~StoreHarness() {
    store.reset();
    std::filesystem::remove_all(folder_);
    std::filesystem::remove_all(kept());
  }
  StoreHarness(const StoreHarness&) = delete;
  StoreHarness& operator=(const StoreHarness&) = delete;

  void reopen() {
    store.reset();
    batches_ = std::make_unique<core::Mailbox<ClaimBatch>>(1024);
    store = factory_.open(folder_, clock);
    store->setClaimHook([this](ClaimBatch batch) { static_cast<void>(batches_->push(std::move(batch))); });
    store->setEventHook([this](std::span<const core::JobEvent> told) {
      const std::lock_guard lock(events_mutex_);
      events_.insert(events_.end(), told.begin(), told.end());
      if (std::exchange(keep_next_, false)) std::filesystem::copy(folder_, kept());
    });
    seen_ = 0;
    generation_ = 0;
  }

  /// What a host would leave that is killed after the next commit. Call between commits.
  void keepNextCommit() {
    std::filesystem::remove_all(kept());
    const std::lock_guard lock(events_mutex_);
    keep_next_ = true;
  }
  /// Opens that, in place of all that came after it.
  void reopenKept() {
    store.reset();
    std::filesystem::remove_all(folder_);
    std::filesystem::rename(kept(), folder_);
    reopen();
  }

  core::JobId submit(core::JobDraft draft) {
    auto made = store->submit({std::move(draft)}, {});
    EXPECT_TRUE(made.ok()) << made.error().message << made.error().detail;
    return made ? made->front().id : core::JobId{};
  }
  core::JobId submit(const std::string& type) {
    core::JobDraft draft;
    draft.type = type;
    return submit(std::move(draft));
  }
  core::JobId child(core::JobId parent, const std::string& type = "t") {
    core::JobDraft draft;
    draft.type = type;
    draft.parent = parent;
    return submit(std::move(draft));
  }

  /// Places a request and answers what it yields; nothing when the store has nothing for it (found out by a tick
  /// behind it, which the writer serves later).
  std::vector<ClaimedJob> claim(int total, std::vector<std::string> types = {"t"}, int max_per_key = 1) {
    ClaimRequest request;
    for (auto& type : types) request.quotas.push_back({std::move(type), total, 0, 1});
    request.total = total;
    request.max_per_key = max_per_key;
    return claim(std::move(request));
  }
  std::vector<ClaimedJob> claim(ClaimRequest request) {
    request.generation = ++generation_;
    request.seen = seen_;
    store->claim(std::move(request));
    settleDown();
    auto jobs = takeClaimed();
    // The next request replaces this one; an empty one makes sure nothing is claimed behind the test's back.
    ClaimRequest none;
    none.generation = ++generation_;
    none.seen = seen_;
    store->claim(none);
    return jobs;
  }
  std::vector<ClaimedJob> takeClaimed() {
    std::vector<ClaimedJob> jobs;
    while (batches_->size() > 0) {
      auto batch = batches_->pop(std::stop_token());
      seen_ = batch->generation;
      jobs.insert(jobs.end(), batch->jobs.begin(), batch->jobs.end());
    }
    return jobs;
  }
  void settleDown() { static_cast<void>(store->check()); }
  std::uint64_t seen() const { return seen_; }
  std::uint64_t nextGeneration() { return ++generation_; }

  Settled settle(const ClaimedJob& job, OutcomeKind kind, std::function<void(AttemptOutcome&)> more = {}) {
    AttemptOutcome outcome;
    outcome.id = job.id;
    outcome.lease = job.lease;
    outcome.kind = kind;
    outcome.finished_at = clock.now();
    outcome.retry_at = clock.now();
    if (kind == OutcomeKind::Succeeded) outcome.result_json = "{\"ok\":true}";
    if (kind == OutcomeKind::Failed || kind == OutcomeKind::Retry) {
      outcome.error = core::JobError{core::ErrorClass::Upstream, "boom", "it broke", {}};
    }
    if (more) more(outcome);
    auto answer = wait<std::vector<Settled>>([&](auto done) { store->settle({outcome}, std::move(done)); });
    EXPECT_TRUE(answer.ok()) << answer.error().message << answer.error().detail;
    return answer ? answer->front() : Settled{};
  }
  TickResult tick() {
    auto result = wait<TickResult>([&](auto done) { store->tick(std::move(done)); });
    EXPECT_TRUE(result.ok());
    return result ? *result : TickResult{};
  }
  template <class T>
  core::Result<T> wait(const std::function<void(JobStore::Done<T>)>& call) {
    auto promise = std::make_shared<std::promise<core::Result<T>>>();
    auto future = promise->get_future();
    call([promise](core::Result<T> result) { promise->set_value(std::move(result)); });
    return future.get();
  }

  core::Job job(core::JobId id) {
    auto found = store->get(id);
    EXPECT_TRUE(found.ok()) << found.error().message << found.error().detail;
    return found ? *found : core::Job{};
  }
  core::JobState state(core::JobId id) { return job(id).state; }
  std::vector<core::EventKind> kinds(core::JobId id) {
    std::vector<core::EventKind> kinds;
    const auto found = store->events(0, id, 1000);
    EXPECT_TRUE(found.ok());
    for (const auto& event : *found) kinds.push_back(event.kind);
    return kinds;
  }
  std::int64_t count(const std::string& type, core::JobState state) {
    const auto rows = store->counts();
    EXPECT_TRUE(rows.ok());
    for (const auto& row : *rows) {
      if (row.type == type) return row.by_state[static_cast<int>(state)];
    }
    return 0;
  }
  std::vector<core::JobEvent> told() {
    settleDown();
    const std::lock_guard lock(events_mutex_);
    return events_;
  }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

  core::ManualClock clock;
  std::unique_ptr<JobStore> store;

 private:
  static int& counter() {
    static int value = 0;
    return value;
  }
  [[nodiscard]] std::filesystem::path kept() const { return folder_.string() + "-kept"; }
  StoreFactory factory_;
  std::filesystem::path folder_;
  bool keep_next_ = false;
  std::unique_ptr<core::Mailbox<ClaimBatch>> batches_;
  std::mutex events_mutex_;
  std::vector<core::JobEvent> events_;
  std::uint64_t generation_ = 0;
  std::uint64_t seen_ = 0;
};

class StoreContract : public testing::TestWithParam<StoreFactory>, public StoreHarness {
 protected:
  StoreContract() : StoreHarness(GetParam()) {}
};

}  // namespace jobhost::store
