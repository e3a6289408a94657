#include "services/host_services.hpp"

#include <cstdlib>
#include <filesystem>
#include <future>

#include <gtest/gtest.h>

#include "core/queue_key.hpp"
#include "jobs/owned_key.hpp"
#include "services/child_request.hpp"
#include "store/sqlite_store.hpp"

namespace jobhost::services {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using core::ErrorCode;
using States = std::vector<pool::AttemptServices::ChildState>;

template <class T>
struct Answer {
  std::promise<core::Result<T>> promise;
  pool::AttemptServices::Done<T> done() {
    return [this](core::Result<T> result) { promise.set_value(std::move(result)); };
  }
  core::Result<T> get() { return promise.get_future().get(); }
};

struct HostServicesTest : ::testing::Test {
  HostServicesTest() {
    std::string pattern = (fs::temp_directory_path() / "jobhost-services-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    store = std::move(*store::SqliteStore::open({.path = (folder / "jobhost.db").string()}, clock));
    store->setEventHook([this](std::span<const core::JobEvent> events) { bus.publish(events); });
    catalog::JobTypeInfo info;
    info.name = "page";
    info.plugin_id = "kit";
    info.params_schema_json = R"({"type":"object","properties":{"n":{"type":"integer"}}})";
    catalog.addTypeForTest(info);
    jobs.emplace(*store, catalog, clock, jobs::JobService::Options{{}, folder});
    HostServices::Options options;
    options.secrets["kit"] = {{"TOKEN", "s3cret-token"}, {"PIN", "12"}};
    options.config = [](const std::string& plugin) { return "{\"of\":\"" + plugin + "\"}"; };
    services.emplace(*jobs, *store, bus, clock, std::move(options));
    core::JobDraft parent;
    parent.type = "page";
    caller.job = store->submit({parent}, {})->front().id;
    caller.plugin = "kit";
    caller.type = "page";
    caller.owner = "key_1";
  }
  ~HostServicesTest() override {
    services.reset();
    jobs.reset();
    store.reset();
    fs::remove_all(folder);
  }
  core::Result<core::JobId> submit(const std::string& request) {
    Answer<core::JobId> answer;
    services->submitChild(caller, request, answer.done());
    return answer.get();
  }
  core::JobId child() { return *submit(R"({"type":"page","params":{"n":1}})"); }

  core::SystemClock clock;
  fs::path folder;
  events::EventBus bus;
  catalog::Catalog catalog;
  std::unique_ptr<store::SqliteStore> store;
  std::optional<jobs::JobService> jobs;
  std::optional<HostServices> services;
  pool::AttemptServices::Caller caller;
};

TEST_F(HostServicesTest, MakesAChildOfTheCaller) {
  const auto id =
      submit(R"({"type":"page","params":{"n": 1.0e1},"priority":7,"tags":["a"],"on_child_failure":"fail"})");
  ASSERT_TRUE(id.ok());
  const auto job = store->get(*id);
  EXPECT_EQ(job->parent, caller.job);
  EXPECT_EQ(job->owner, "key_1");
  EXPECT_EQ(job->priority, 7);
  EXPECT_EQ(job->child_failure, core::ChildFailure::Fail);
  EXPECT_NE(job->params_json.find("1.0e1"), std::string::npos);
}

TEST_F(HostServicesTest, TakesEveryOptionThatTheAbiNames) {
  const auto before = clock.now();
  const auto id = submit(
      R"({"type":"page","params":{},"priority":1,"dedupe_key":"d","queue_key":"q","max_attempts":2,"timeout_ms":500,)"
      R"("delay_ms":60000,"tags":["a"],"on_child_failure":"ignore"})");
  ASSERT_TRUE(id.ok()) << id.error().message;
  const auto job = store->get(*id);
  EXPECT_EQ(job->queue_key, "q");
  EXPECT_EQ(job->max_attempts, 2);
  EXPECT_EQ(job->timeout, core::Millis(500));
  EXPECT_GE(job->run_at, before + core::Millis(60'000));
  EXPECT_EQ(submit(R"({"type":"page","delay_ms":-1})").error().fields.at(0).pointer, "/delay_ms");
  const auto second = submit(R"({"type":"page","after":[)" + std::to_string(id->value) + "]}");
  ASSERT_TRUE(second.ok()) << second.error().message;
  EXPECT_EQ(store->get(*second)->after, std::vector{*id});
  EXPECT_TRUE(store->get(*second)->depends_on.empty());
  EXPECT_EQ(submit(R"({"type":"page","after":7})").error().fields.at(0).pointer, "/after");
  EXPECT_EQ(submit(R"({"type":"page","after":[1,"x"]})").error().fields.at(0).pointer, "/after/1");
  EXPECT_EQ(submit(R"({"type":"page","after":[1,1]})").error().fields.at(0).pointer, "/after/1");
  EXPECT_EQ(submit(R"({"type":"page","after":[999]})").error().code, core::ErrorCode::NotFound);
}

TEST_F(HostServicesTest, GivesAChildThePriorityAndFairKeyOfItsParent) {
  jobs::JobRequest request;
  request.draft.type = "page";
  request.draft.owner = "key_1";
  request.draft.priority = 5;
  request.fair_queue = true;
  const auto parent = jobs->submit(request);
  ASSERT_TRUE(parent.ok()) << parent.error().message;
  EXPECT_EQ(store->get(parent->id)->queue_key, core::fairKey("key_1"));
  EXPECT_EQ(jobs::chosenKey(core::fairKey("key_1")), "") << "nobody chose it";
  caller.job = parent->id;
  const auto below = store->get(child());
  EXPECT_EQ(below->priority, 5);
  EXPECT_EQ(below->queue_key, core::fairKey("key_1"));
  EXPECT_EQ(store->get(*submit(R"({"type":"page","params":{"n":1},"priority":0})"))->priority, 0);
  const auto taken = submit(R"({"type":"page","queue_key":"\u001ekey_1"})");
  ASSERT_FALSE(taken.ok()) << "only the host gives it";
  EXPECT_EQ(taken.error().fields.at(0).pointer, "/queue_key");
}

TEST_F(HostServicesTest, WaitsForAllChildrenWhenNoneIsNamed) {
  const auto first = child();
  const auto second = child();
  Answer<void> ended;
  services->cancelChild(caller, first, ended.done());
  ASSERT_TRUE(ended.get().ok());
  Answer<States> open;
  services->awaitChildren(caller, {}, false, 0ms, open.done());
  const auto states = *open.get();
  ASSERT_EQ(states.size(), 1U) << "the one that has not ended";
  EXPECT_EQ(states[0].id, second);
  EXPECT_EQ(states[0].state, core::JobState::Queued);
  EXPECT_EQ(states[0].type, "page");
  Answer<States> any;
  services->awaitChildren(caller, {}, true, 1h, any.done());
  EXPECT_EQ(any.get()->size(), 2U) << "one has ended: answered at once";
  Answer<States> all;
  services->awaitChildren(caller, {}, false, 1h, all.done());
  Answer<void> other;
  services->cancelChild(caller, second, other.done());
  EXPECT_EQ(all.get()->at(0).state, core::JobState::Canceled);
}

TEST_F(HostServicesTest, AnswersAWaitAtOnceWhereThereAreNoChildren) {
  for (const bool any : {false, true}) {
    Answer<States> none;
    services->awaitChildren(caller, {}, any, 1h, none.done());
    const auto states = none.get();
    ASSERT_TRUE(states.ok()) << states.error().message;
    EXPECT_TRUE(states->empty());
  }
}

TEST_F(HostServicesTest, FindsAChildAgainByItsDedupeKey) {
  const auto first = submit(R"({"type":"page","dedupe_key":"p1","params":{}})");
  const auto again = submit(R"({"type":"page","dedupe_key":"p1","params":{}})");
  ASSERT_TRUE(first.ok() && again.ok());
  EXPECT_EQ(*first, *again);
}

TEST_F(HostServicesTest, RefusesARequestWithEveryReason) {
  EXPECT_EQ(submit("[]").error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(submit("{").error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(submit(R"({"type":"nothing"})").error().code, ErrorCode::NotFound);
  EXPECT_EQ(submit(R"({"type":"page","params":{"n":"x"}})").error().fields.at(0).pointer, "/params/n");
  const auto error = submit(R"({"type":1,"priority":1.5,"tags":"x","run_at_ms":-1,"owner":"root"})").error();
  EXPECT_EQ(error.fields.size(), 5U);
}

TEST_F(HostServicesTest, TellsStatesOfOwnChildrenOnly) {
  const auto id = child();
  Answer<States> own;
  services->childStates(caller, {id}, own.done());
  EXPECT_EQ(own.get()->at(0).state, core::JobState::Queued);
  Answer<States> foreign;
  services->childStates(caller, {caller.job}, foreign.done());
  EXPECT_EQ(foreign.get().error().code, ErrorCode::NotFound);
}

TEST_F(HostServicesTest, AnswersAWaitWhenAllChildrenHaveEnded) {
  const auto first = child();
  const auto second = child();
  Answer<States> all;
  services->awaitChildren(caller, {first, second}, false, 1h, all.done());
  ASSERT_TRUE(store->cancel(first, "").ok());
  ASSERT_TRUE(store->cancel(second, "").ok());
  const auto states = all.get();
  ASSERT_TRUE(states.ok());
  EXPECT_EQ(states->at(0).state, core::JobState::Canceled);
  EXPECT_EQ(states->at(1).state, core::JobState::Canceled);
}

TEST_F(HostServicesTest, AnswersAWaitForAnyWithTheFirst) {
  const auto first = child();
  const auto second = child();
  Answer<States> any;
  services->awaitChildren(caller, {first, second}, true, 1h, any.done());
  ASSERT_TRUE(store->cancel(second, "").ok());
  EXPECT_EQ(any.get()->at(0).state, core::JobState::Queued);
}

TEST_F(HostServicesTest, AnswersAWaitWhenItsTimeIsOver) {
  Answer<States> late;
  services->awaitChildren(caller, {child()}, false, 10ms, late.done());
  EXPECT_EQ(late.get()->at(0).state, core::JobState::Queued);
}

TEST_F(HostServicesTest, EndsAWaitWithTheAttemptThatWaited) {
  Answer<States> orphan;
  services->awaitChildren(caller, {child()}, false, 1h, orphan.done());
  ASSERT_TRUE(store->cancel(caller.job, "").ok());  // and its children with it: either may be heard first
  const auto answer = orphan.get();
  EXPECT_TRUE(answer.ok() || answer.error().code == ErrorCode::Canceled);
}

TEST_F(HostServicesTest, AnswersEveryWaitAtItsEnd) {
  Answer<States> open;
  services->awaitChildren(caller, {child()}, false, 1h, open.done());
  Answer<States> behind;  // taken after the wait, so the wait stands when this is answered
  services->childStates(caller, {}, behind.done());
  ASSERT_TRUE(behind.get().ok());
  services.reset();
  EXPECT_EQ(open.get().error().code, ErrorCode::Unavailable);
}

TEST_F(HostServicesTest, CancelsOwnChildrenOnly) {
  const auto id = child();
  Answer<void> own;
  services->cancelChild(caller, id, own.done());
  EXPECT_TRUE(own.get().ok());
  EXPECT_EQ(store->get(id)->state, core::JobState::Canceled);
  Answer<void> foreign;
  services->cancelChild(caller, caller.job, foreign.done());
  EXPECT_EQ(foreign.get().error().code, ErrorCode::NotFound);
}

TEST_F(HostServicesTest, RefusesACheckpointThatIsTooLong) {
  Answer<void> answer;
  services->saveCheckpoint(caller, std::string((16u << 20) + 1, 'x'), answer.done());
  EXPECT_EQ(answer.get().error().code, ErrorCode::TooLarge);
}

TEST_F(HostServicesTest, GivesAPluginItsOwnConfigAndSecrets) {
  Answer<std::string> config;
  services->config(caller, config.done());
  EXPECT_EQ(*config.get(), R"({"of":"kit"})");
  Answer<std::string> secret;
  services->secret(caller, "TOKEN", secret.done());
  EXPECT_EQ(*secret.get(), "s3cret-token");
  Answer<std::string> missing;
  services->secret(caller, "OTHER", missing.done());
  EXPECT_EQ(missing.get().error().code, ErrorCode::NotFound);
  EXPECT_EQ(services->redactions("kit"), std::vector<std::string>{"s3cret-token"});
  EXPECT_TRUE(services->redactions("other").empty());
}

}  // namespace
}  // namespace jobhost::services
