#include "unit/store/store_contract.hpp"

#include <algorithm>
#include <functional>
#include <latch>
#include <span>
#include <thread>

#include "store/sqlite_store.hpp"

namespace jobhost::store {

using core::EventKind;
using core::Hold;
using core::JobState;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using namespace std::chrono_literals;

INSTANTIATE_TEST_SUITE_P(Stores, StoreContract, testing::ValuesIn(storeFactories()),
                         [](const auto& each) { return each.param.name; });

namespace {
std::vector<core::JobId> idsOf(const std::vector<ClaimedJob>& jobs) {
  std::vector<core::JobId> ids;
  for (const auto& job : jobs) ids.push_back(job.id);
  return ids;
}
core::JobDraft draftOf(const std::string& type) {
  core::JobDraft draft;
  draft.type = type;
  return draft;
}
}  // namespace

TEST_P(StoreContract, KeepsEveryFieldOfADraftAcrossAReopen) {
  core::JobDraft draft = draftOf("pdf");
  draft.params_json = "{\"text\":\"" + std::string(5000, 'x') + "\"}";
  draft.priority = 7;
  draft.run_at = clock.now() + 1h;
  draft.queue_key = "k";
  draft.batch = "b";
  draft.owner = "me";
  draft.tags = {"one", "two \"quoted\" ü"};
  draft.notes_json = "{\"a\":1}";
  draft.max_attempts = 5;
  draft.backoff = {core::BackoffKind::Exponential, 2s, 60s, 0.25};
  draft.timeout = 90s;
  draft.unique_key = "u";
  draft.webhook_json = "{\"url\":\"http://x\"}";
  draft.input_id = "in";
  draft.args_json = "[5, null]";
  draft.child_failure = core::ChildFailure::Fail;
  SubmitOptions options;
  options.batch = BatchDraft{"b", "n", "me"};
  const auto made = store->submit({draft}, options);
  ASSERT_TRUE(made.ok()) << made.error().message;
  const auto id = made->front().id;
  reopen();
  const core::Job job = this->job(id);
  EXPECT_EQ(job.type, "pdf");
  EXPECT_EQ(job.params_json, draft.params_json);
  EXPECT_EQ(job.priority, 7);
  EXPECT_EQ(job.run_at, *draft.run_at);
  EXPECT_EQ(job.hold, Hold::Delayed);
  EXPECT_EQ(job.queue_key, "k");
  EXPECT_EQ(job.batch, "b");
  EXPECT_EQ(job.owner, "me");
  EXPECT_EQ(job.tags, draft.tags);
  EXPECT_EQ(job.notes_json, draft.notes_json);
  EXPECT_EQ(job.max_attempts, 5);
  EXPECT_EQ(job.backoff, draft.backoff);
  EXPECT_EQ(job.timeout, draft.timeout);
  EXPECT_EQ(job.unique_key, "u");
  EXPECT_EQ(job.webhook_json, draft.webhook_json);
  EXPECT_EQ(job.input_id, "in");
  EXPECT_EQ(job.args_json, "[5, null]");
  EXPECT_EQ(job.child_failure, core::ChildFailure::Fail);
  EXPECT_EQ(job.root, id);
  EXPECT_EQ(store->get({999}).error().code, core::ErrorCode::NotFound);
}

TEST_P(StoreContract, KeepsHowAnAttemptEnded) {
  const auto id = submit("t");
  const auto claimed = claim(1);
  ASSERT_THAT(claimed, SizeIs(1));
  EXPECT_EQ(claimed[0].attempt, 1);
  settle(claimed[0], OutcomeKind::Succeeded, [&](AttemptOutcome& outcome) {
    outcome.result_json = "\"" + std::string(3000, 'r') + "\"";
    outcome.usage = {1, 2, 3, 4};
    outcome.exit = core::ProcessExit{0, std::nullopt};
    outcome.outputs = {{"a/b.jpg", "image/jpeg", 12, "ab"}};
    outcome.progress = core::Progress{0.5, 1, 2, "half way"};
  });
  const core::Job job = this->job(id);
  EXPECT_EQ(job.state, JobState::Succeeded);
  EXPECT_EQ(job.result_json.size(), 3002u);
  EXPECT_EQ(job.usage, (core::Usage{1, 2, 3, 4}));
  EXPECT_EQ(job.exit, (core::ProcessExit{0, std::nullopt}));
  EXPECT_THAT(job.outputs, ElementsAre(core::Output{"a/b.jpg", "image/jpeg", 12, "ab"}));
  EXPECT_EQ(job.progress, (core::Progress{0.5, 1, 2, "half way"}));
  EXPECT_EQ(job.finished_at, clock.now());
  EXPECT_THAT(kinds(id), ElementsAre(EventKind::Queued, EventKind::Started, EventKind::Succeeded));
}

TEST_P(StoreContract, ClaimsByPriorityThenTimeThenIdAcrossTypes) {
  core::JobDraft low = draftOf("a");
  core::JobDraft high = draftOf("b");
  high.priority = 5;
  core::JobDraft early = draftOf("b");
  early.run_at = clock.now() - 1h;
  const auto first_low = submit(low);
  const auto second_low = submit(low);
  const auto high_id = submit(high);
  const auto early_id = submit(early);
  EXPECT_THAT(idsOf(claim(3, {"a", "b"})), ElementsAre(high_id, early_id, first_low));
  EXPECT_THAT(idsOf(claim(3, {"a", "b"})), ElementsAre(second_low));
}

TEST_P(StoreContract, HonoursQuotasGroupsAndTotal) {
  for (int i = 0; i < 6; ++i) submit(i % 2 == 0 ? "a" : "b");
  ClaimRequest request;
  request.quotas = {{"a", 1, 0, 1}, {"b", 5, 1, 2}};
  request.groups = {10, 3};  // two jobs of "b" at 2 each: the second overdraws
  request.total = 10;
  EXPECT_THAT(claim(request), SizeIs(3));
  request.groups = {0, 0};
  EXPECT_THAT(claim(request), IsEmpty());
  request.groups = {};
  request.total = 2;
  EXPECT_THAT(claim(request), SizeIs(2));
}

TEST_P(StoreContract, ServesAStandingClaimInTheCommitOfASubmit) {
  ClaimRequest request;
  request.generation = nextGeneration();
  request.quotas = {{"t", 1, 0, 1}};
  request.total = 1;
  store->claim(request);
  const auto id = submit("t");
  settleDown();
  EXPECT_THAT(idsOf(takeClaimed()), ElementsAre(id));
  submit("t");
  settleDown();
  EXPECT_THAT(takeClaimed(), IsEmpty()) << "a request is used up by the batch it yields";
  store->claim(request);  // computed before that batch was seen
  settleDown();
  EXPECT_THAT(takeClaimed(), IsEmpty());
}

TEST_P(StoreContract, RunsOneJobOfAKeyAtATimeInOrderOfDispatch) {
  std::vector<core::JobId> ids;
  for (int i = 0; i < 4; ++i) {
    core::JobDraft draft = draftOf("t");
    draft.queue_key = "k";
    draft.priority = i == 3 ? 9 : 0;
    ids.push_back(submit(draft));
  }
  EXPECT_EQ(job(ids[0]).hold, Hold::KeyBusy);
  EXPECT_EQ(job(ids[3]).hold, Hold::None);
  auto running = claim(10);
  ASSERT_THAT(idsOf(running), ElementsAre(ids[3]));
  EXPECT_THAT(claim(10), IsEmpty());
  settle(running[0], OutcomeKind::Succeeded);
  ASSERT_TRUE(store->cancel(ids[0], "no").ok());  // the head goes: the next moves up
  reopen();
  running = claim(10);
  ASSERT_THAT(idsOf(running), ElementsAre(ids[1]));
  settle(running[0], OutcomeKind::Failed);
  EXPECT_THAT(idsOf(claim(10)), ElementsAre(ids[2]));
}

TEST_P(StoreContract, LetsAsManyOfAKeyRunAsTheRequestSays) {
  for (int i = 0; i < 5; ++i) {
    core::JobDraft draft = draftOf("t");
    draft.queue_key = "k";
    submit(draft);
  }
  EXPECT_THAT(claim(10, {"t"}, 3), SizeIs(3));
  EXPECT_THAT(claim(10, {"t"}, 3), IsEmpty());
  EXPECT_THAT(claim(10, {"t"}, 4), SizeIs(1));
}

TEST_P(StoreContract, HoldsDelayedJobsUntilTheyAreDue) {
  std::vector<core::Instant> dues;
  store->setDueHook([&](core::Instant due) { dues.push_back(due); });
  core::JobDraft draft = draftOf("t");
  draft.run_at = clock.now() + 10s;
  const auto id = submit(draft);
  EXPECT_THAT(claim(1), IsEmpty());
  EXPECT_EQ(tick().next_due, *draft.run_at);
  clock.advance(10s);
  EXPECT_EQ(tick().promoted, 1);
  EXPECT_THAT(idsOf(claim(1)), ElementsAre(id));
  EXPECT_THAT(dues, testing::Contains(*draft.run_at));
}

TEST_P(StoreContract, IgnoresAReportUnderALeaseThatIsNoLongerTheJobs) {
  const auto id = submit("t");
  const auto first = claim(1);
  clock.advance(31s);
  EXPECT_THAT(tick().expired, ElementsAre(id));
  const auto second = claim(1);
  ASSERT_THAT(second, SizeIs(1));
  EXPECT_NE(first[0].lease, second[0].lease);
  EXPECT_FALSE(settle(first[0], OutcomeKind::Succeeded).applied);
  EXPECT_EQ(state(id), JobState::Running);
}

TEST_P(StoreContract, CountsNoAttemptThatWasLostWithItsLease) {
  const auto id = submit("t");  // one attempt allowed
  const auto behind = submit("t");
  for (int lost = 0; lost < kMaxRescues; ++lost) {
    const auto running = claim(1);
    ASSERT_THAT(idsOf(running), ElementsAre(id)) << "it keeps its place in the queue";
    EXPECT_EQ(running[0].attempt, 1);
    clock.advance(31s);
    EXPECT_THAT(tick().expired, ElementsAre(id));
    EXPECT_EQ(state(id), JobState::Queued);
    EXPECT_EQ(job(id).attempt, 0);
    EXPECT_EQ(job(id).retries, 0);
  }
  EXPECT_EQ(store->events(0, id, 1000)->back().data_json, "{\"reason\":\"lease_expired\"}");
  reopen();  // the count outlives the host, whose deaths it counts
  ASSERT_THAT(claim(1), SizeIs(1));
  EXPECT_THAT(store->rescueAll()->expired, ElementsAre(id));
  EXPECT_EQ(state(id), JobState::Failed);
  EXPECT_EQ(job(id).error->code, "lease_expired");
  EXPECT_THAT(job(id).error->message, testing::HasSubstr("after 10 rescues"));
  EXPECT_EQ(state(behind), JobState::Queued);

  ASSERT_TRUE(store->retry(id).ok());
  for (const auto& running : claim(2)) EXPECT_EQ(running.attempt, running.id == id ? 2 : 1);
  EXPECT_THAT(store->rescueAll()->expired, SizeIs(2));
  EXPECT_EQ(state(id), JobState::Queued) << "a retry starts the count anew";
}

TEST_P(StoreContract, TellsAnAttemptHowOftenOneWasLostBeforeIt) {
  const auto id = submit("t");
  auto running = claim(1);
  EXPECT_EQ(running.front().rescues, 0);
  EXPECT_EQ(job(id).rescues, 0);
  reopen();
  ASSERT_TRUE(store->rescueAll().ok());
  EXPECT_EQ(store->events(0, id, 1000)->back().data_json, "{\"reason\":\"host_died\"}");
  running = claim(1);
  EXPECT_EQ(running.front().attempt, 1);
  EXPECT_EQ(running.front().rescues, 1);
  ASSERT_TRUE(store->suspend(id).ok());
  EXPECT_TRUE(job(id).suspend_requested);
  clock.advance(31s);
  tick();
  EXPECT_EQ(state(id), JobState::Suspended);
  EXPECT_FALSE(job(id).suspend_requested);
  ASSERT_TRUE(store->resume(id).ok());
  running = claim(1);
  EXPECT_EQ(running.front().rescues, 2) << "it was lost while it was asked to suspend";
  EXPECT_EQ(job(id).rescues, 2);
  settle(running.front(), OutcomeKind::Failed);
  EXPECT_EQ(job(id).rescues, 2);
  ASSERT_TRUE(store->retry(id).ok());
  EXPECT_EQ(claim(1).front().rescues, 0);
}

TEST_P(StoreContract, TellsTheDeathOfAHostFromTheEndOfALease) {
  const auto id = submit("t");
  claim(1);
  reopen();
  ASSERT_TRUE(store->rescueAll().ok());
  EXPECT_EQ(store->events(0, id, 1000)->back().data_json, "{\"reason\":\"host_died\"}");
  claim(1);
  clock.advance(31s);
  tick();
  EXPECT_EQ(store->events(0, id, 1000)->back().data_json, "{\"reason\":\"lease_expired\"}");
}

TEST_P(StoreContract, HonoursWhatWasAskedOfAJobWhenItIsRescued) {
  const auto canceled = submit("t");
  const auto suspended = submit("t");
  ASSERT_THAT(claim(2), SizeIs(2));
  EXPECT_EQ(*store->cancel(canceled, "enough"), CancelOutcome::Asked);
  ASSERT_TRUE(store->suspend(suspended).ok());
  EXPECT_THAT(store->rescueAll()->expired, ElementsAre(canceled, suspended));
  EXPECT_EQ(state(canceled), JobState::Canceled);
  EXPECT_EQ(job(canceled).error->message, "enough");
  EXPECT_EQ(state(suspended), JobState::Suspended);
  EXPECT_EQ(job(suspended).attempt, 0);
  ASSERT_TRUE(store->resume(suspended).ok());
  EXPECT_THAT(idsOf(claim(2)), ElementsAre(suspended));
}

TEST_P(StoreContract, ContinuesARescuedAttemptThatHadAwaitedItsChildren) {
  const auto root = submit("root");
  settle(claim(1, {"root"})[0], OutcomeKind::AwaitChildren);
  auto running = claim(1, {"root"});
  ASSERT_THAT(running, SizeIs(1));
  EXPECT_THAT(store->rescueAll()->expired, ElementsAre(root));
  running = claim(1, {"root"});
  ASSERT_THAT(running, SizeIs(1));
  EXPECT_TRUE(running[0].resumed);
  EXPECT_EQ(running[0].attempt, 1);
}

TEST_P(StoreContract, KeepsRenewedLeasesThroughAJumpOfTheWallClock) {
  const auto id = submit("t");
  const auto claimed = claim(1);
  clock.jump(24h);
  EXPECT_THAT(tick().expired, IsEmpty()) << "a lease is steady time";
  clock.advance(20s);
  const LeaseRef lease{id, claimed[0].lease};
  const auto lost = wait<std::vector<LeaseRef>>([&](auto done) {
    store->renew({lease, {{77}, 1}}, 30s, std::move(done));
  });
  ASSERT_THAT(*lost, SizeIs(1));
  EXPECT_EQ(lost->front().id, core::JobId{77});
  clock.advance(20s);
  EXPECT_THAT(tick().expired, IsEmpty());
}

TEST_P(StoreContract, RescuesRunningJobsAtStart) {
  const auto first = submit("t");
  const auto second = submit("t");
  ASSERT_THAT(claim(2), SizeIs(2));
  reopen();
  EXPECT_THAT(store->rescueAll()->expired, ElementsAre(first, second));
  EXPECT_EQ(count("t", JobState::Queued), 2);
  EXPECT_EQ(count("t", JobState::Running), 0);
  EXPECT_THAT(idsOf(claim(2)), ElementsAre(first, second));
}

TEST_P(StoreContract, PutsARetryBackAndCountsARequeueNot) {
  core::JobDraft draft = draftOf("t");
  draft.max_attempts = 3;
  const auto id = submit(draft);
  auto running = claim(1);
  settle(running[0], OutcomeKind::Requeue, [](AttemptOutcome& o) { o.reason = "shutdown"; });
  EXPECT_EQ(job(id).attempt, 0);
  running = claim(1);
  EXPECT_EQ(running[0].attempt, 1);
  settle(running[0], OutcomeKind::Retry, [&](AttemptOutcome& o) { o.retry_at = clock.now() + 15s; });
  EXPECT_EQ(job(id).hold, Hold::Delayed);
  EXPECT_EQ(job(id).retries, 1);
  EXPECT_EQ(job(id).error->code, "boom");
  clock.advance(15s);
  running = claim(1);
  ASSERT_THAT(running, SizeIs(1));
  EXPECT_EQ(running[0].attempt, 2);
}

TEST_P(StoreContract, AsksARunningJobToStopAndEndsItCanceled) {
  const auto id = submit("t");
  const auto running = claim(1);
  EXPECT_EQ(*store->cancel(id, "enough"), CancelOutcome::Asked);
  EXPECT_EQ(*store->cancel(id, "enough"), CancelOutcome::Asked);
  EXPECT_TRUE(job(id).cancel_requested);
  EXPECT_EQ(settle(running[0], OutcomeKind::Retry).state, JobState::Canceled);
  EXPECT_EQ(job(id).error->message, "enough");
  EXPECT_THAT(kinds(id),
              ElementsAre(EventKind::Queued, EventKind::Started, EventKind::CancelRequested, EventKind::Canceled));
  EXPECT_EQ(*store->cancel(id, "again"), CancelOutcome::AlreadyEnded);
  const auto queued = submit("t");
  EXPECT_EQ(*store->cancel(queued, "no"), CancelOutcome::Canceled);
  EXPECT_THAT(claim(1), IsEmpty());
}

TEST_P(StoreContract, SaysOfACancelWithoutAReasonHowTheAttemptEnded) {
  const auto id = submit("t");
  const auto running = claim(1);
  EXPECT_EQ(*store->cancel(id, ""), CancelOutcome::Asked);
  settle(running[0], OutcomeKind::Canceled, [](AttemptOutcome& outcome) {
    outcome.error = core::JobError{core::ErrorClass::Permanent, "canceled", "canceled; it had to be killed", {}};
  });
  EXPECT_EQ(job(id).error->message, "canceled; it had to be killed");
}

TEST_P(StoreContract, LetsASuccessThatRacedACancelStand) {
  const auto id = submit("t");
  const auto running = claim(1);
  EXPECT_EQ(*store->cancel(id, "enough"), CancelOutcome::Asked);
  EXPECT_EQ(settle(running[0], OutcomeKind::Succeeded).state, JobState::Succeeded);
}

TEST_P(StoreContract, SuspendsAndResumes) {
  const auto id = submit("t");
  ASSERT_TRUE(store->suspend(id).ok());
  EXPECT_THAT(claim(1), IsEmpty());
  EXPECT_EQ(store->retry(id).error().code, core::ErrorCode::Conflict);
  ASSERT_TRUE(store->resume(id).ok());
  const auto running = claim(1);
  ASSERT_THAT(running, SizeIs(1));
  ASSERT_TRUE(store->suspend(id).ok());
  EXPECT_EQ(settle(running[0], OutcomeKind::Canceled).state, JobState::Suspended);
  EXPECT_EQ(job(id).attempt, 0) << "the attempt did not take place";
  ASSERT_TRUE(store->resume(id).ok());
  EXPECT_THAT(claim(1), SizeIs(1));
}

TEST_P(StoreContract, RetriesWhatFailedWithOneMoreAttempt) {
  const auto id = submit("t");
  auto running = claim(1);
  EXPECT_EQ(store->retry(id).error().code, core::ErrorCode::Conflict);
  settle(running[0], OutcomeKind::Failed);
  ASSERT_TRUE(store->retry(id).ok());
  running = claim(1);
  ASSERT_THAT(running, SizeIs(1));
  EXPECT_EQ(running[0].attempt, 2);
  EXPECT_EQ(running[0].max_attempts, 2);
  settle(running[0], OutcomeKind::Succeeded);
  EXPECT_FALSE(job(id).error);
  EXPECT_EQ(store->retry(id).error().code, core::ErrorCode::Conflict);
}

TEST_P(StoreContract, AnswersTheLiveJobThatHasAUniqueKey) {
  core::JobDraft draft = draftOf("t");
  draft.unique_key = "u";
  const auto both = *store->submit({draft, draft}, {});
  EXPECT_FALSE(both[0].existing);
  EXPECT_TRUE(both[1].existing);
  EXPECT_EQ(both[0].id, both[1].id);
  settle(claim(1)[0], OutcomeKind::Failed);
  const auto next = submit(draft);
  EXPECT_NE(next, both[0].id);
  EXPECT_EQ(store->retry(both[0].id).error().code, core::ErrorCode::Conflict) << "another live job has the key";
}

TEST_P(StoreContract, KeepsAnIdempotencyPromise) {
  SubmitOptions options;
  options.idempotency = Idempotency{"me", "key", "digest", 1h};
  const auto first = *store->submit({draftOf("t"), draftOf("t")}, options);
  reopen();
  const auto second = *store->submit({draftOf("t"), draftOf("t")}, options);
  EXPECT_EQ(second[1].id, first[1].id);
  EXPECT_TRUE(second[1].existing);
  options.idempotency->request_digest = "other";
  EXPECT_EQ(store->submit({draftOf("t")}, options).error().code, core::ErrorCode::Conflict);
  clock.advance(2h);
  EXPECT_NE(store->submit({draftOf("t")}, options)->front().id, first[0].id);
}

TEST_P(StoreContract, RefusesASubmitOverALimitAsAWhole) {
  SubmitOptions options;
  options.max_queued_per_type = 2;
  EXPECT_EQ(store->submit({draftOf("t"), draftOf("t"), draftOf("t")}, options).error().code,
            core::ErrorCode::Exhausted);
  EXPECT_EQ(count("t", JobState::Queued), 0);
  EXPECT_TRUE(store->submit({draftOf("t"), draftOf("t")}, options).ok());
  core::JobDraft mine = draftOf("other");
  mine.owner = "me";
  options.max_queued_per_owner = 1;
  EXPECT_TRUE(store->submit({mine}, options).ok());
  EXPECT_EQ(store->submit({mine}, options).error().code, core::ErrorCode::Exhausted);
}

TEST_P(StoreContract, TellsEveryCommittedEventOnceInOrder) {
  std::vector<std::jthread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([this] {
      for (int n = 0; n < 25; ++n) submit("t");
    });
  }
  callers.clear();
  for (const auto& running : claim(1000)) settle(running, OutcomeKind::Succeeded);
  const auto events = told();
  ASSERT_THAT(events, SizeIs(300));
  for (std::size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i].seq, static_cast<std::int64_t>(i + 1));
  EXPECT_EQ(*store->lastSeq(), 300);
  const auto stored = *store->events(290, std::nullopt, 100);
  ASSERT_THAT(stored, SizeIs(10));
  EXPECT_EQ(stored.back().kind, EventKind::Succeeded);
}

TEST_P(StoreContract, MergesNotesAndProgressOfARunningAttempt) {
  const auto id = submit("t");
  const auto running = claim(1);
  AttemptUpdate update{id, running[0].lease, core::Progress{0.25, 1, 4, "page 1"}, {{"1", "\"done\""}, {"gone", "1"}}};
  ASSERT_TRUE(wait<void>([&](auto done) { store->update({update}, std::move(done)); }).ok());
  update.notes = {{"2", "{\"x\":[1,2]}"}, {"gone", "null"}, {"bad", "{"}};
  ASSERT_TRUE(wait<void>([&](auto done) { store->update({update}, std::move(done)); }).ok());
  EXPECT_EQ(job(id).notes_json, "{\"1\":\"done\",\"2\":{\"x\":[1,2]}}");
  EXPECT_EQ(job(id).progress.message, "page 1");
  update.lease = 12345;
  update.progress->message = "stale";
  ASSERT_TRUE(wait<void>([&](auto done) { store->update({update}, std::move(done)); }).ok());
  EXPECT_EQ(job(id).progress.message, "page 1");
  EXPECT_EQ(settle(running[0], OutcomeKind::Succeeded).state, JobState::Succeeded);
}

TEST_P(StoreContract, KeepsACheckpointUnderTheLease) {
  const auto id = submit("t");
  const auto running = claim(1);
  const std::string bytes("a\0b", 3);
  ASSERT_TRUE(wait<void>([&](auto done) {
                store->saveCheckpoint({id, running[0].lease}, bytes, std::move(done));
              }).ok());
  EXPECT_EQ(**store->loadCheckpoint(id), bytes);
  EXPECT_EQ(wait<void>([&](auto done) {
              store->saveCheckpoint({id, 99}, "x", std::move(done));
            })
                .error()
                .code,
            core::ErrorCode::Conflict);
}

TEST_P(StoreContract, ListsByFilterNewestFirstPageByPage) {
  std::vector<core::JobId> ids;
  for (int i = 0; i < 25; ++i) {
    core::JobDraft draft = draftOf(i % 5 == 0 ? "rare" : "t");
    draft.owner = i % 2 == 0 ? "me" : "you";
    draft.tags = {i % 3 == 0 ? "third" : "other"};
    if (draft.owner == "me") draft.batch = "b";
    SubmitOptions options;
    if (i == 0) options.batch = BatchDraft{"b", "n", "me"};
    const auto made = store->submit({draft}, options);
    ASSERT_TRUE(made.ok()) << made.error().message;
    ids.push_back(made->front().id);
  }
  for (const auto& running : claim(3)) settle(running, OutcomeKind::Failed);
  const auto all = [&](JobFilter filter, bool ascending = false) {
    std::vector<core::JobId> found;
    ListOptions options;
    options.limit = 4;
    options.ascending = ascending;
    do {
      const auto page = *store->list(filter, options);
      for (const auto& each : page.jobs) found.push_back(each.id);
      options.cursor = page.next;
    } while (options.cursor);
    return found;
  };
  EXPECT_THAT(all({}), testing::ElementsAreArray(ids.rbegin(), ids.rend()));
  EXPECT_THAT(all({}, true), testing::ElementsAreArray(ids));
  JobFilter filter;
  filter.types = {"rare"};
  EXPECT_THAT(all(filter), ElementsAre(ids[20], ids[15], ids[10], ids[5], ids[0]));
  filter.states = {JobState::Failed};
  EXPECT_THAT(all(filter), IsEmpty());
  filter.types = {};
  EXPECT_THAT(all(filter, true), ElementsAre(ids[1], ids[2], ids[3]));
  filter = {};
  filter.tag = "third";
  filter.owner = "me";
  EXPECT_THAT(all(filter), ElementsAre(ids[24], ids[18], ids[12], ids[6], ids[0]));
  filter = {};
  filter.batch = "b";
  EXPECT_THAT(all(filter), SizeIs(13));
  filter.batch = "none";
  EXPECT_THAT(all(filter), IsEmpty());
}

TEST_P(StoreContract, FindsTheJobsOfATimeAmongManyOthers) {
  const auto begun = clock.now();
  constexpr int kBlock = 15'000;  // more than one page looks at
  for (int block = 0; block < 3; ++block) {
    ASSERT_TRUE(store->submit(std::vector<core::JobDraft>(kBlock, draftOf("t")), {}).ok());
    if (block == 1) reopen();
    clock.advance(1h);
  }
  clock.jump(-90min);  // the wall clock is set back: the last one is made before the third block
  const auto last = submit("t");
  const auto page = [&](std::optional<core::Instant> after, std::optional<core::Instant> before, bool ascending) {
    JobFilter filter;
    filter.created_after = after;
    filter.created_before = before;
    return *store->list(filter, {.cursor = {}, .ascending = ascending, .limit = 3, .with_documents = false});
  };
  const auto firstOf = [](const Page& got) { return got.jobs.empty() ? 0 : got.jobs.front().id.value; };
  EXPECT_EQ(firstOf(page(begun, begun + 1min, false)), kBlock);
  EXPECT_EQ(firstOf(page(begun + 1min, {}, true)), kBlock + 1);
  EXPECT_EQ(firstOf(page(begun + 1min, begun + 100min, false)), last.value);
  EXPECT_EQ(firstOf(page(begun + 119min, {}, true)), 2 * kBlock + 1);
  EXPECT_EQ(firstOf(page({}, begun + 1min, true)), 1);
  EXPECT_THAT(page(begun, begun + 1min, true).jobs, SizeIs(3));
  for (const bool ascending : {true, false}) {
    for (const auto& none : {page(begun + 24h, {}, ascending), page({}, begun, ascending)}) {
      EXPECT_THAT(none.jobs, IsEmpty());
      EXPECT_EQ(none.next, std::nullopt) << "it need not be asked page by page to learn that there are none";
    }
  }
}

TEST_P(StoreContract, ChangesPriorityAndTags) {
  const auto first = submit("t");
  const auto second = submit("t");
  ASSERT_TRUE(store->setPriority(second, 3).ok());
  ASSERT_TRUE(store->setTags(first, {"x"}).ok());
  JobFilter filter;
  filter.tag = "x";
  EXPECT_THAT(store->list(filter, {})->jobs, SizeIs(1));
  const auto running = claim(1);
  EXPECT_EQ(running[0].id, second);
  settle(running[0], OutcomeKind::Failed);
  EXPECT_EQ(store->setPriority(second, 1).error().code, core::ErrorCode::Conflict);
  EXPECT_EQ(store->setPriority({99}, 1).error().code, core::ErrorCode::NotFound);
}

TEST_P(StoreContract, RemovesEndedJobsAndNeverReusesANumber) {
  const auto id = submit("t");
  EXPECT_EQ(store->remove(id).error().code, core::ErrorCode::Conflict);
  settle(claim(1)[0], OutcomeKind::Succeeded);
  ASSERT_TRUE(store->remove(id).ok());
  EXPECT_EQ(store->get(id).error().code, core::ErrorCode::NotFound);
  EXPECT_EQ(count("t", JobState::Succeeded), 0);
  EXPECT_EQ(told().back().kind, EventKind::Deleted);
  reopen();
  EXPECT_GT(submit("t"), id);
}

TEST_P(StoreContract, PurgesWholeTreesThatEndedBeforeTheCutoff) {
  const auto root = submit("t");
  const auto running = claim(1);
  const auto below = child(root);
  settle(running[0], OutcomeKind::Succeeded);
  settle(claim(1)[0], OutcomeKind::Succeeded);
  const auto alone = submit("t");
  settle(claim(1)[0], OutcomeKind::Failed);
  const auto live = submit("t");
  clock.advance(1h);
  const auto later = submit("u");
  settle(claim(1, {"u"})[0], OutcomeKind::Succeeded);
  EXPECT_THAT(*store->purge(clock.now() - 1min, 100), testing::UnorderedElementsAre(root, below, alone));
  EXPECT_THAT(*store->purge(clock.now() - 1min, 100), IsEmpty());
  EXPECT_EQ(state(live), JobState::Queued);
  EXPECT_EQ(state(later), JobState::Succeeded);
}

TEST_P(StoreContract, TakesNoJobIntoABatchThatIsNotItsOwners) {
  core::JobDraft draft = draftOf("t");
  draft.owner = "me";
  draft.batch = "b_1";
  const auto refused = [&](const std::vector<core::JobDraft>& drafts, const std::string& pointer) {
    const auto made = store->submit(drafts, {});
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.error().code, core::ErrorCode::NotFound);
    ASSERT_THAT(made.error().fields, SizeIs(1));
    EXPECT_EQ(made.error().fields[0].pointer, pointer);
    EXPECT_EQ(made.error().fields[0].message, "does not exist");
  };
  refused({draft}, "/0/batch");
  SubmitOptions options;
  options.batch = BatchDraft{"b_1", "n", "me"};
  const auto first = store->submit({draft}, options);
  ASSERT_TRUE(first.ok());
  submit(draft);
  core::JobDraft strange = draft;
  strange.owner = "you";
  refused({draft, strange}, "/1/batch");
  EXPECT_EQ(store->batch("b_1")->total(), 2) << "all or none";

  for (const auto& running : claim(2)) settle(running, OutcomeKind::Succeeded);
  const auto ended = store->list({}, {});
  for (const auto& one : ended->jobs) ASSERT_TRUE(store->remove(one.id).ok());
  ASSERT_TRUE(store->removeBatch("b_1").ok());
  refused({draft}, "/0/batch");
  EXPECT_THAT(store->list({}, {})->jobs, IsEmpty()) << "no job names a batch that is gone";
}

TEST_P(StoreContract, KeepsABatchWithItsJobsAcrossAReopen) {
  core::JobDraft draft = draftOf("t");
  draft.batch = "b_1";
  draft.owner = "me";
  SubmitOptions options;
  options.batch = BatchDraft{"b_1", "night run", "me"};
  ASSERT_TRUE(store->submit({draft, draft}, options).ok());
  reopen();
  const auto batch = store->batch("b_1");
  ASSERT_TRUE(batch.ok()) << batch.error().message << batch.error().detail;
  EXPECT_EQ(batch->name, "night run");
  EXPECT_EQ(batch->owner, "me");
  EXPECT_EQ(batch->created_at, clock.now());
  EXPECT_EQ(batch->total(), 2);
  settle(claim(1).front(), OutcomeKind::Succeeded);
  EXPECT_EQ(store->batch("b_1")->by_state[static_cast<int>(JobState::Succeeded)], 1);
  EXPECT_EQ(store->batch("b_2").error().code, core::ErrorCode::NotFound);
}

TEST_P(StoreContract, CountsTheJobsOfABatchThroughEveryMove) {
  core::JobDraft draft = draftOf("t");
  draft.batch = "b_1";
  draft.owner = "me";
  SubmitOptions options;
  options.batch = BatchDraft{"b_1", "n", "me"};
  const auto made = store->submitBatch({draft, draft, draft, draft}, options);
  ASSERT_TRUE(made.ok()) << made.error().message << made.error().detail;
  EXPECT_EQ(made->id, "b_1");
  const auto id = [&](std::size_t i) { return made->jobs[i].id; };
  // In the order of JobState: queued, running, waiting, suspended, succeeded, failed, canceled.
  const auto counts = [&] {
    const auto batch = store->batch("b_1");
    EXPECT_TRUE(batch.ok());
    return batch ? std::vector<std::int64_t>(std::begin(batch->by_state), std::end(batch->by_state))
                 : std::vector<std::int64_t>();
  };
  EXPECT_THAT(counts(), ElementsAre(4, 0, 0, 0, 0, 0, 0));
  const auto running = claim(2);
  EXPECT_THAT(counts(), ElementsAre(2, 2, 0, 0, 0, 0, 0));
  const auto below = child(id(0));
  settle(running[0], OutcomeKind::Succeeded);
  settle(running[1], OutcomeKind::Failed);
  EXPECT_THAT(counts(), ElementsAre(2, 0, 1, 0, 0, 1, 0)) << "the first awaits its child, which is none of the batch";
  ASSERT_TRUE(store->suspend(id(2)).ok());
  ASSERT_TRUE(store->cancel(id(3), "").ok());
  EXPECT_THAT(counts(), ElementsAre(0, 0, 1, 1, 0, 1, 1));
  reopen();
  ASSERT_TRUE(store->retry(id(1)).ok());
  ASSERT_TRUE(store->resume(id(2)).ok());
  ASSERT_TRUE(store->cancel(below, "").ok());
  EXPECT_THAT(counts(), ElementsAre(2, 0, 0, 0, 1, 0, 1));
  ASSERT_TRUE(store->remove(id(3)).ok());
  submit(draft);
  EXPECT_THAT(counts(), ElementsAre(3, 0, 0, 0, 1, 0, 0)) << "a later job of the same owner joins";
  const auto listed = store->batches("me", std::nullopt, 10);
  ASSERT_TRUE(listed.ok());
  EXPECT_EQ(listed->batches.front().total(), 4);
}

TEST_P(StoreContract, AnswersTheBatchThatAnIdempotencyKeyMade) {
  core::JobDraft taken = draftOf("t");
  taken.unique_key = "one";
  const auto earlier = submit(taken);
  core::JobDraft draft = draftOf("t");
  draft.unique_key = "one";
  SubmitOptions options;
  options.idempotency = Idempotency{"me", "key", "digest"};
  const auto ask = [&](const std::string& id) {
    options.batch = BatchDraft{id, "n", ""};
    draft.batch = id;
    return store->submitBatch({draft}, options);
  };
  const auto made = ask("b_1");
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_EQ(made->id, "b_1");
  EXPECT_FALSE(made->replayed) << "a batch was made, though its only job was there already";
  EXPECT_TRUE(made->jobs.front().existing);
  const auto again = ask("b_2");
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_TRUE(again->replayed);
  EXPECT_EQ(again->id, "b_1") << "though its job is of none";
  EXPECT_EQ(again->jobs.front().id, earlier);
  EXPECT_EQ(store->batch("b_2").error().code, core::ErrorCode::NotFound);
  SubmitOptions alone;
  alone.idempotency = options.idempotency;
  EXPECT_EQ(store->submit({draft}, alone).error().code, core::ErrorCode::Conflict) << "the key made a batch";
  ASSERT_TRUE(store->removeBatch("b_1").ok());
  EXPECT_EQ(ask("b_3").error().code, core::ErrorCode::Conflict) << "the batch it made is gone";
}

TEST_P(StoreContract, MakesNoBatchWhenItsJobsAreRefused) {
  core::JobDraft draft = draftOf("t");
  draft.batch = "b_1";
  draft.parent = core::JobId{99};
  SubmitOptions options;
  options.batch = BatchDraft{"b_1", "n", ""};
  EXPECT_FALSE(store->submit({draft}, options).ok());
  EXPECT_EQ(store->batch("b_1").error().code, core::ErrorCode::NotFound);
}

TEST_P(StoreContract, ListsBatchesOfAnOwnerNewestFirst) {
  for (const auto& [id, owner] :
       {std::pair("b_1", "me"), std::pair("b_2", "you"), std::pair("b_3", "me"), std::pair("b_4", "me")}) {
    core::JobDraft draft = draftOf("t");
    draft.batch = id;
    draft.owner = owner;
    SubmitOptions options;
    options.batch = BatchDraft{id, "n", owner};
    ASSERT_TRUE(store->submit({draft}, options).ok());
  }
  const auto ids = [](const core::Result<BatchPage>& page) {
    std::vector<std::string> list;
    for (const auto& batch : page->batches) list.push_back(batch.id);
    return list;
  };
  const auto first = store->batches("me", std::nullopt, 2);
  EXPECT_THAT(ids(first), ElementsAre("b_4", "b_3"));
  EXPECT_EQ(first->batches[0].total(), 1);
  EXPECT_THAT(ids(store->batches("me", first->next, 2)), ElementsAre("b_1"));
  EXPECT_FALSE(store->batches("me", first->next, 2)->next);
  EXPECT_THAT(ids(store->batches("", std::nullopt, 10)), ElementsAre("b_4", "b_3", "b_2", "b_1"));
}

TEST_P(StoreContract, ForgetsABatchWithoutJobs) {
  core::JobDraft draft = draftOf("t");
  draft.batch = "b_1";
  SubmitOptions options;
  options.batch = BatchDraft{"b_1", "n", ""};
  const auto made = store->submit({draft}, options);
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(store->removeBatch("b_1").error().code, core::ErrorCode::Conflict);
  settle(claim(1).front(), OutcomeKind::Succeeded);
  clock.advance(24h);
  ASSERT_TRUE(store->purge(clock.now() - 48h, 100).ok());
  EXPECT_TRUE(store->batch("b_1").ok()) << "it has a job yet";
  const auto purged = store->purge(clock.now() - 1h, 100);
  EXPECT_THAT(*purged, ElementsAre(made->front().id));
  EXPECT_EQ(store->batch("b_1").error().code, core::ErrorCode::NotFound) << "retention takes it with its last job";
  EXPECT_EQ(store->removeBatch("b_1").error().code, core::ErrorCode::NotFound);
}

TEST_P(StoreContract, AppliesACommandToManyJobsEachByItsState) {
  std::vector<core::JobId> ids;
  for (int i = 0; i < 250; ++i) ids.push_back(submit("t"));
  const auto running = claim(1).front();
  ids.push_back({99'999});
  const auto canceled = store->applyAll(BulkAction::Cancel, ids, {.reason = "why"});
  ASSERT_TRUE(canceled.ok()) << canceled.error().message;
  ASSERT_THAT(canceled->changed, SizeIs(ids.size()));
  EXPECT_EQ(std::count(canceled->changed.begin(), canceled->changed.end(), true), 250) << "asked, or ended at once";
  EXPECT_FALSE(canceled->changed.back()) << "a job that is not there";
  EXPECT_EQ(state(running.id), JobState::Running);
  EXPECT_EQ(job(ids[200]).error->message, "why");
  const auto again = store->applyAll(BulkAction::Cancel, std::span(ids).subspan(1, 3), {});
  EXPECT_THAT(again->changed, ElementsAre(false, false, false));
  const auto retried = store->applyAll(BulkAction::Retry, std::span(ids).first(2), {});
  EXPECT_THAT(retried->changed, ElementsAre(false, true)) << "the first one runs yet";
  const auto removed = store->applyAll(BulkAction::Remove, std::span(ids).first(3), {});
  EXPECT_THAT(removed->changed, ElementsAre(false, false, true));
  EXPECT_FALSE(store->get(ids[2]).ok());
  EXPECT_THAT(removed->removed, ElementsAre(ids[2]));
}

TEST_P(StoreContract, TellsAllThatWentWithADeletedJob) {
  const auto root = submit("t");
  const auto parent = claim(1).front();
  const auto below = child(root);
  ASSERT_TRUE(store->cancel(below, "").ok());
  settle(parent, OutcomeKind::Succeeded);
  const auto alone = submit("u");
  ASSERT_TRUE(store->cancel(alone, "").ok());
  const std::vector<core::JobId> ids{root, alone};
  const auto removed = store->applyAll(BulkAction::Remove, ids, {});
  ASSERT_TRUE(removed.ok()) << removed.error().message;
  EXPECT_THAT(removed->removed, testing::UnorderedElementsAre(root, below, alone));
  const auto last = submit("t");
  ASSERT_TRUE(store->cancel(last, "").ok());
  EXPECT_THAT(*store->remove(last), ElementsAre(last));
}

TEST_P(StoreContract, RetriesNoMoreJobsThanTheQueuesTake) {
  std::vector<core::JobId> ids;
  for (int i = 0; i < 4; ++i) {
    core::JobDraft draft = draftOf("t");
    draft.owner = "me";
    ids.push_back(submit(draft));
    ASSERT_TRUE(store->cancel(ids.back(), "").ok());
  }
  BulkOptions options;
  options.max_queued_per_type = 2;
  const auto some = store->applyAll(BulkAction::Retry, ids, options);
  ASSERT_TRUE(some.ok()) << some.error().message;
  EXPECT_THAT(some->changed, ElementsAre(true, true));
  ASSERT_TRUE(some->stopped.has_value());
  EXPECT_EQ(some->stopped->code, core::ErrorCode::Exhausted);
  options = {};
  options.max_queued_per_owner = 3;
  const auto more = store->applyAll(BulkAction::Retry, std::span(ids).subspan(2), options);
  ASSERT_TRUE(more.ok()) << more.error().message;
  EXPECT_THAT(more->changed, ElementsAre(true));
  EXPECT_TRUE(more->stopped.has_value());
  const auto rest = store->applyAll(BulkAction::Retry, std::span(ids).subspan(3), {});
  EXPECT_THAT(rest->changed, ElementsAre(true));
  EXPECT_FALSE(rest->stopped.has_value());
}

TEST_P(StoreContract, FindsTheJobOfABatchBelowWhichOneLives) {
  core::JobDraft draft = draftOf("t");
  draft.batch = "b_1";
  SubmitOptions options;
  options.batch = BatchDraft{"b_1", "n", ""};
  const auto made = store->submitBatch({draft, draft}, options);
  ASSERT_TRUE(made.ok());
  const auto parent = claim(1).front();
  const auto batch = [&] { return *store->batch("b_1"); };
  EXPECT_FALSE(store->liveBelow(batch())->has_value());
  const auto below = child(parent.id, "u");
  EXPECT_EQ(*store->liveBelow(batch()), parent.id);
  ASSERT_TRUE(store->cancel(below, "").ok());
  EXPECT_FALSE(store->liveBelow(batch())->has_value());
  ASSERT_TRUE(store->retry(below).ok());
  EXPECT_EQ(*store->liveBelow(batch()), parent.id);
}

TEST_P(StoreContract, AppliesACommandToTreesLargerThanAStep) {
  const auto root = submit("t");
  const auto parent = claim(1).front();
  std::vector<core::JobDraft> drafts(2500, draftOf("t"));
  for (auto& draft : drafts) draft.parent = root;
  ASSERT_TRUE(store->submit(drafts, {}).ok());
  const std::vector<core::JobId> ids{root};
  EXPECT_THAT(store->applyAll(BulkAction::Cancel, ids, {})->changed, ElementsAre(true));
  EXPECT_EQ(count("t", JobState::Canceled), 2500);
  settle(parent, OutcomeKind::Canceled);
  EXPECT_THAT(store->applyAll(BulkAction::Remove, ids, {})->changed, ElementsAre(true));
  EXPECT_EQ(count("t", JobState::Canceled), 0);
}

TEST_P(StoreContract, SearchesTextsWithinABoundedPage) {
  core::JobDraft draft = draftOf("t");
  draft.params_json = R"({"title":"Needle"})";
  const auto needle = submit(draft);
  std::vector<core::JobDraft> hay(9000, draftOf("t"));
  ASSERT_TRUE(store->submit(hay, {}).ok());
  JobFilter filter;
  filter.words = {"needle"};
  ListOptions options;
  std::vector<core::JobId> found;
  int pages = 0;
  do {
    const auto page = store->list(filter, options);
    ASSERT_TRUE(page.ok());
    for (const auto& job : page->jobs) found.push_back(job.id);
    options.cursor = page->next;
    ++pages;
  } while (options.cursor && pages < 100);
  EXPECT_THAT(found, ElementsAre(needle));
  EXPECT_GT(pages, 2) << "a page looks at so many rows and no more";
  EXPECT_LT(pages, 10);
}

TEST_P(StoreContract, FindsAUsersFewJobsAmongManyOfOthers) {
  core::JobDraft mine = draftOf("t"), theirs = draftOf("t");
  mine.owner = "me";
  theirs.owner = "you";
  const auto oldest = submit(mine);
  ASSERT_TRUE(store->submit(std::vector<core::JobDraft>(12'000, theirs), {}).ok());
  const auto newest = submit(mine);
  JobFilter filter;
  filter.owner = "me";
  filter.states = {JobState::Queued};
  const auto ids = [&](const JobFilter& asked, bool ascending = false) {
    ListOptions options;
    options.ascending = ascending;
    const auto page = store->list(asked, options);
    EXPECT_TRUE(page.ok());
    EXPECT_FALSE(page->next) << "one page looked at all there is";
    std::vector<core::JobId> found;
    for (const auto& job : page->jobs) found.push_back(job.id);
    return found;
  };
  EXPECT_THAT(ids(filter), ElementsAre(newest, oldest));
  EXPECT_THAT(ids(filter, true), ElementsAre(oldest, newest));
  filter.types = {"t"};
  EXPECT_THAT(ids(filter), ElementsAre(newest, oldest));
  filter.types = {"u"};
  EXPECT_THAT(ids(filter), IsEmpty());
  // And the other way round: few of that state among the user's many.
  ASSERT_TRUE(store->cancel(core::JobId{oldest.value + 1}, "").ok());
  filter = {};
  filter.owner = "you";
  filter.states = {JobState::Canceled};
  EXPECT_THAT(ids(filter), ElementsAre(core::JobId{oldest.value + 1}));
}

TEST_P(StoreContract, ListsJobsOfSeveralStatesAndTypesInOneOrder) {
  std::vector<core::JobId> all;
  for (int i = 0; i < 60; ++i) {
    for (const char* type : {"t", "u", "v"}) all.push_back(submit(type));
    if (i % 3 == 0) {
      ASSERT_TRUE(store->cancel(all.back(), "").ok());
    }
  }
  submit("w");
  JobFilter filter;
  filter.types = {"t", "u", "v"};
  filter.states = {JobState::Queued, JobState::Canceled};
  for (const bool ascending : {true, false}) {
    std::vector<core::JobId> listed;
    ListOptions options;
    options.ascending = ascending;
    options.limit = 47;
    do {
      const auto page = store->list(filter, options);
      ASSERT_TRUE(page.ok());
      for (const auto& job : page->jobs) listed.push_back(job.id);
      options.cursor = page->next;
    } while (options.cursor);
    if (!ascending) std::reverse(listed.begin(), listed.end());
    EXPECT_EQ(listed, all);
  }
}

TEST_P(StoreContract, EndsAPageWhenItsDocumentsAreMany) {
  core::JobDraft draft = draftOf("t");
  draft.params_json = R"({"text":")" + std::string(3 << 20, 'x') + R"("})";
  for (int i = 0; i < 8; ++i) submit(draft);
  ListOptions options;
  const auto first = store->list({}, options);
  ASSERT_TRUE(first.ok());
  EXPECT_THAT(first->jobs, SizeIs(6)) << "16 MiB, and what the last one brings";
  ASSERT_TRUE(first->next.has_value());
  options.cursor = first->next;
  const auto rest = store->list({}, options);
  ASSERT_TRUE(rest.ok());
  EXPECT_THAT(rest->jobs, SizeIs(2));
  EXPECT_FALSE(rest->next.has_value());
  options.cursor.reset();
  options.with_documents = false;
  const auto small = store->list({}, options);
  ASSERT_TRUE(small.ok());
  EXPECT_THAT(small->jobs, SizeIs(8));
}

TEST_P(StoreContract, CountsWhatAListShows) {
  const char* const types[] = {"a", "b", "c"};
  core::JobId parent;
  for (int i = 0; i < 120; ++i) {
    core::JobDraft draft = draftOf(types[i % 3]);
    draft.owner = i % 4 == 0 ? "" : i % 4 == 1 ? "few" : "many";
    if (i % 5 < 3) draft.tags = {"x", i % 2 == 0 ? "even" : "odd"};
    if (i % 7 == 1) draft.queue_key = "k";
    if (i == 60) draft.input_id = "upload";
    if (i > 3 && i % 6 == 0) draft.parent = parent;
    draft.priority = i % 5 - 2;
    const auto id = submit(draft);
    if (i == 3) parent = id;
    clock.advance(std::chrono::seconds(1));
  }
  for (const auto& one : claim(20, {"a"}, 100)) settle(one, OutcomeKind::Succeeded);
  for (const auto& one : claim(9, {"b"}, 100)) settle(one, OutcomeKind::Failed);
  const auto middle = clock.now() - std::chrono::seconds(50);
  using Change = std::function<void(JobFilter&)>;
  const std::vector<Change> changes{
      [](JobFilter& filter) {
        filter.states = {JobState::Succeeded, JobState::Failed};
      },
      [](JobFilter& filter) {
        filter.types = {"b", "c", "unknown"};
      },
      [](JobFilter& filter) { filter.owner = "few"; },
      [](JobFilter& filter) { filter.tag = "x"; },
      [](JobFilter& filter) { filter.queue_key = "k"; },
      [](JobFilter& filter) { filter.roots_only = true; },
      [](JobFilter& filter) { filter.min_priority = 0; },
      [](JobFilter& filter) { filter.max_priority = 0; },
      [&](JobFilter& filter) { filter.parent = parent; },
      [&](JobFilter& filter) { filter.created_after = middle; },
      [&](JobFilter& filter) { filter.created_before = middle; },
      [&](JobFilter& filter) { filter.finished_before = clock.now() + std::chrono::seconds(1); },
      [](JobFilter& filter) { filter.input_id = "upload"; },
      [](JobFilter& filter) { filter.roots_only = false; },
      [](JobFilter& filter) { filter.types = {"unknown"}; },
  };
  ListOptions options;
  options.limit = 1000;
  std::size_t found = 0;
  const auto check = [&](const JobFilter& filter, const std::string& which) {
    const auto listed = store->list(filter, options);
    const auto counted = store->count(filter);
    ASSERT_TRUE(listed.ok() && counted.ok()) << which;
    EXPECT_EQ(counted->jobs, static_cast<std::int64_t>(listed->jobs.size())) << which;
    EXPECT_TRUE(counted->all);
    found += listed->jobs.size();
    // A page that begins later has the rest.
    ListOptions later = options;
    later.offset = 3;
    const auto rest = store->list(filter, later);
    const auto passed = std::min<std::size_t>(3, listed->jobs.size());
    EXPECT_EQ(rest->passed, static_cast<std::int64_t>(passed)) << which;
    ASSERT_EQ(rest->jobs.size(), listed->jobs.size() - passed) << which;
    if (!rest->jobs.empty()) {
      EXPECT_EQ(rest->jobs[0].id, listed->jobs[3].id) << which;
    }
  };
  check({}, "all");
  for (std::size_t i = 0; i < changes.size(); ++i) {
    for (std::size_t k = i; k < changes.size(); ++k) {
      for (std::size_t l = k; l < changes.size(); ++l) {
        JobFilter filter;
        for (const auto n : {i, k, l}) changes[n](filter);
        check(filter, std::to_string(i) + "," + std::to_string(k) + "," + std::to_string(l));
      }
    }
  }
  EXPECT_GT(found, 1000U);
  JobFilter words;
  words.words = {"a"};
  EXPECT_EQ(store->count(words).error().code, core::ErrorCode::InvalidArgument);
}

TEST_P(StoreContract, CountsToABoundWhereEachRowMustBeLookedAt) {
  core::JobDraft draft = draftOf("t");
  draft.tags = {"x"};
  draft.owner = "me";
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(store->submit(std::vector<core::JobDraft>(5'001, draft), {}).ok());
  constexpr std::int64_t kAll = 20 * 5'001;
  draft.owner = "other";
  submit(draft);
  JobFilter filter;
  filter.types = {"t"};
  EXPECT_EQ(store->count(filter)->jobs, kAll + 1);
  filter.types.clear();
  filter.tag = "x";
  EXPECT_EQ(store->count(filter)->jobs, kAll + 1) << "no row is looked at";
  filter.roots_only = true;
  EXPECT_EQ(store->count(filter)->jobs, kMostCounted);
  EXPECT_FALSE(store->count(filter)->all);
  filter.owner = "other";
  EXPECT_EQ(store->count(filter)->jobs, 1) << "the index of owners leads to few";
  EXPECT_TRUE(store->count(filter)->all);
  filter.owner = "me";
  filter.states = {JobState::Running};
  EXPECT_TRUE(store->count(filter)->all) << "no job runs";
}

TEST_P(StoreContract, AppliesACommandToManyTrees) {
  std::vector<core::JobId> roots;
  for (int i = 0; i < 3; ++i) roots.push_back(submit("t"));
  for (const auto root : roots) {
    std::vector<core::JobDraft> drafts(800, draftOf("t"));
    for (auto& draft : drafts) draft.parent = root;
    ASSERT_TRUE(store->submit(drafts, {}).ok());
  }
  EXPECT_THAT(store->applyAll(BulkAction::Cancel, roots, {})->changed, ElementsAre(true, true, true));
  EXPECT_EQ(count("t", JobState::Canceled), 2403);
  EXPECT_THAT(store->applyAll(BulkAction::Remove, roots, {})->changed, ElementsAre(true, true, true));
  EXPECT_EQ(count("t", JobState::Canceled), 0);
}

}  // namespace jobhost::store
