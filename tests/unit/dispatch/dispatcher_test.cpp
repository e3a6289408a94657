#include "dispatch/dispatcher.hpp"

#include <cstdlib>
#include <filesystem>
#include <future>
#include <set>

#include <gtest/gtest.h>

#include "dispatch/live_json.hpp"
#include "store/sqlite_store.hpp"

namespace jobhost::dispatch {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

TEST(LiveJson, SpellsProgressAsOneObject) {
  EXPECT_EQ(progressJson({0.5, 1, 2, "half \"way\"\n"}),
            R"({"progress":0.5,"done":1,"total":2,"message":"half \"way\"\u000a"})");
  EXPECT_EQ(progressJson({-1, 0, 0, ""}), R"({"progress":null,"message":""})");
}

/// Runs attempts on a thread of its own: those of type "noop" end at once, others when they are stopped.
class ThreadRunner final : public JobRunner {
 public:
  void setListener(RunnerListener* listener) override {
    listener_ = listener;
    listener_->capacityChanged("kit", 2);
  }
  void start(std::vector<Assignment> assignments) override { post({std::move(assignments), {}, {}}); }
  void stop(core::JobId id, StopReason) override { post({{}, id, {}}); }
  void recall(std::vector<core::JobId> ids) override { post({{}, {}, std::move(ids)}); }
  std::atomic<int> started{0};

 private:
  struct Order {
    std::vector<Assignment> start;
    core::JobId stop;
    std::vector<core::JobId> recall;
  };
  void post(Order order) { EXPECT_TRUE(orders_.push(std::move(order))); }

  void end(core::JobId id, store::LeaseToken lease, AttemptEnd::Kind kind) {
    AttemptEnd end;
    end.id = id;
    end.lease = lease;
    end.kind = kind;
    end.started_at = end.finished_at = core::SystemClock().now();
    end.result_json = "{}";
    listener_->attemptEnded(std::move(end));
  }

  void run(const std::stop_token& stop) {
    while (auto order = orders_.pop(stop)) {
      for (const auto& one : order->start) {
        ++started;
        if (one.job.type == "noop") {
          end(one.job.id, one.job.lease, AttemptEnd::Kind::Succeeded);
        } else {
          running_[one.job.id] = one.job.lease;
          listener_->attemptStarted(one.job.id, one.job.lease);
        }
      }
      if (const auto found = running_.find(order->stop); found != running_.end()) {
        end(found->first, found->second, AttemptEnd::Kind::Stopped);
        running_.erase(found);
      }
    }
  }

  RunnerListener* listener_ = nullptr;
  core::Mailbox<Order> orders_{1 << 20};
  std::map<core::JobId, store::LeaseToken> running_;
  std::jthread thread_{[this](const std::stop_token& stop) { run(stop); }};
};

/// The real store, bus and dispatcher; only the processes are missing.
struct DispatcherTest : ::testing::Test {
  DispatcherTest() {
    std::string pattern = (fs::temp_directory_path() / "jobhost-dispatch-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    store = std::move(*store::SqliteStore::open({.path = (folder / "jobhost.db").string()}, clock));
    for (const char* name : {"noop", "slow"}) {
      catalog::JobTypeInfo info;
      info.name = name;
      info.plugin_id = "kit";
      catalog.addTypeForTest(info);
    }
    runner.emplace();
    dispatcher.emplace(*store, catalog, bus, *runner, clock, Options{});
    store->setEventHook([this](std::span<const core::JobEvent> events) {
      dispatcher->committed(events);
      bus.publish(events);
    });
  }
  ~DispatcherTest() override {
    dispatcher.reset();
    runner.reset();
    store.reset();
    fs::remove_all(folder);
  }
  core::JobId submit(const std::string& type, int count = 1) {
    std::vector<core::JobDraft> drafts(static_cast<std::size_t>(count));
    for (auto& draft : drafts) draft.type = type;
    return store->submit(std::move(drafts), {})->back().id;
  }
  /// Waits until so many events of a kind were told.
  class Count {
   public:
    Count(events::EventBus& bus, core::EventKind kind, int wanted)
        : wanted_(wanted), watch_(bus.subscribe(std::nullopt, [this, kind](std::span<const core::JobEvent> events) {
            for (const auto& event : events) {
              if (event.kind == kind && ++seen_ == wanted_) reached_.set_value();
            }
          })) {}
    void wait() { reached_.get_future().wait(); }

   private:
    int seen_ = 0;
    const int wanted_;
    std::promise<void> reached_;
    std::unique_ptr<events::EventBus::Subscription> watch_;
  };

  core::SystemClock clock;
  fs::path folder;
  std::unique_ptr<store::SqliteStore> store;
  catalog::Catalog catalog;
  events::EventBus bus;
  std::optional<ThreadRunner> runner;
  std::optional<Dispatcher> dispatcher;
};

TEST_F(DispatcherTest, DrainsAFilledQueueOfShortJobs) {
  constexpr int kJobs = 20'000;
  submit("noop", kJobs);
  Count ended(bus, core::EventKind::Succeeded, kJobs);
  const auto from = std::chrono::steady_clock::now();
  dispatcher->start();
  ended.wait();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - from;
  RecordProperty("jobs_per_second", static_cast<int>(kJobs / took.count()));
  std::printf("drained %d jobs at %.0f jobs/s\n", kJobs, kJobs / took.count());
  EXPECT_TRUE(dispatcher->drain(0ms));
  EXPECT_EQ(runner->started, kJobs);
}

TEST_F(DispatcherTest, RunsAJobThatIsSubmittedLater) {
  dispatcher->start();
  Count ended(bus, core::EventKind::Succeeded, 1);
  const auto id = submit("noop");
  ended.wait();
  EXPECT_EQ(store->get(id)->state, core::JobState::Succeeded);
}

TEST_F(DispatcherTest, CancelsARunningJob) {
  dispatcher->start();
  Count started(bus, core::EventKind::Started, 1);
  Count canceled(bus, core::EventKind::Canceled, 1);
  const auto id = submit("slow");
  started.wait();
  EXPECT_EQ(*store->cancel(id, "enough"), store::CancelOutcome::Asked);
  canceled.wait();
  EXPECT_EQ(store->get(id)->state, core::JobState::Canceled);
}

TEST_F(DispatcherTest, RunsADelayedJobWhenItsTimeHasCome) {
  dispatcher->start();
  Count ended(bus, core::EventKind::Succeeded, 1);
  core::JobDraft draft;
  draft.type = "noop";
  draft.run_at = clock.now() + 200ms;
  const auto id = store->submit({draft}, {})->front().id;
  ended.wait();
  const auto job = store->get(id);
  EXPECT_EQ(job->state, core::JobState::Succeeded);
  EXPECT_GE(*job->finished_at, *draft.run_at);
}

TEST_F(DispatcherTest, BeginsNoJobOfATypeThatIsHeld) {
  dispatcher->hold({"slow"});
  dispatcher->start();
  Count ended(bus, core::EventKind::Succeeded, 1);
  Count started(bus, core::EventKind::Started, 2);
  const auto held = submit("slow");
  submit("noop");
  ended.wait();
  EXPECT_EQ(store->get(held)->state, core::JobState::Queued);
  EXPECT_EQ(runner->started, 1);
  dispatcher->hold({});
  started.wait();
  EXPECT_EQ(store->get(held)->state, core::JobState::Running);
}

TEST_F(DispatcherTest, RunsAnewWhatIsPutBack) {
  dispatcher->start();
  Count started(bus, core::EventKind::Started, 2);
  const auto last = submit("slow", 2);
  started.wait();
  Count again(bus, core::EventKind::Started, 2);
  dispatcher->putBack({"slow"});
  again.wait();
  for (const auto id : {last, core::JobId{last.value - 1}}) {
    const auto job = store->get(id);
    EXPECT_EQ(job->state, core::JobState::Running);
    EXPECT_EQ(job->attempt, 1) << "the one that was stopped is not counted";
    EXPECT_EQ(job->retries, 0);
  }
}

TEST_F(DispatcherTest, PutsBackNoOtherTypeAndBeginsNoneThatIsHeld) {
  catalog::JobTypeInfo info;
  info.name = "other";
  info.plugin_id = "kit";
  catalog.addTypeForTest(info);
  dispatcher->start();
  Count started(bus, core::EventKind::Started, 2);
  const auto slow = submit("slow");
  const auto other = submit("other");
  started.wait();
  std::map<core::JobId, std::string> queued;  // what the event of each says
  std::promise<void> first;
  auto watch = bus.subscribe(std::nullopt, [&](std::span<const core::JobEvent> events) {
    for (const auto& event : events) {
      if (event.kind != core::EventKind::Queued) continue;
      queued[event.job] += event.data_json;
      if (queued.size() == 1) first.set_value();
    }
  });
  dispatcher->hold({"slow", "other"});
  dispatcher->putBack({"slow"});
  first.get_future().wait();
  EXPECT_TRUE(dispatcher->drain(0ms));
  watch.reset();
  EXPECT_NE(queued[slow].find(R"("restarted")"), std::string::npos) << queued[slow];
  EXPECT_NE(queued[other].find(R"("shutdown")"), std::string::npos) << "it ran on: " << queued[other];
  EXPECT_EQ(store->get(slow)->state, core::JobState::Queued);
  EXPECT_EQ(store->get(slow)->attempt, 0);
  EXPECT_EQ(runner->started, 2);
}

TEST_F(DispatcherTest, CancelsAJobThatIsBeingPutBack) {
  dispatcher->start();
  Count started(bus, core::EventKind::Started, 1);
  Count canceled(bus, core::EventKind::Canceled, 1);
  const auto id = submit("slow");
  started.wait();
  dispatcher->putBack({"slow"});
  EXPECT_TRUE(store->cancel(id, "enough"));
  canceled.wait();
  EXPECT_EQ(store->get(id)->state, core::JobState::Canceled);
}

TEST_F(DispatcherTest, PutsRunningJobsBackWhenItDrains) {
  dispatcher->start();
  Count started(bus, core::EventKind::Started, 2);
  const auto id = submit("slow", 3);
  started.wait();
  EXPECT_TRUE(dispatcher->drain(0ms));
  for (std::int64_t i = 0; i < 3; ++i) {
    const auto job = store->get({id.value - i});
    EXPECT_EQ(job->state, core::JobState::Queued);
    EXPECT_EQ(job->attempt, 0);
  }
}

TEST_F(DispatcherTest, ASecondCallHurriesADrain) {
  dispatcher->start();
  Count started(bus, core::EventKind::Started, 1);
  submit("slow");
  started.wait();
  auto patient = std::async(std::launch::async, [&] { return dispatcher->drain(1h); });
  EXPECT_TRUE(dispatcher->drain(0ms));
  EXPECT_TRUE(patient.get());
}

}  // namespace
}  // namespace jobhost::dispatch
