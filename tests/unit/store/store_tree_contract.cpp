// The contract's part about jobs that wait for other jobs: parents, children, dependencies.
#include "core/queue_key.hpp"
#include "core/units.hpp"
#include "unit/store/store_contract.hpp"

namespace jobhost::store {

using core::EventKind;
using core::Hold;
using core::JobState;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST_P(StoreContract, CountsChildrenAndDescendantsInTheirAncestors) {
  const auto root = submit("root");
  const auto running = claim(1, {"root"});
  const auto middle = child(root, "middle");
  const auto leaf = child(middle, "leaf");
  settle(running[0], OutcomeKind::Succeeded);
  EXPECT_EQ(state(root), JobState::Waiting);
  EXPECT_EQ(job(root).children, (core::ChildCounters{1, 0, 0}));
  EXPECT_EQ(job(root).descendants, (core::ChildCounters{2, 0, 0}));
  EXPECT_EQ(job(leaf).root, root);
  EXPECT_EQ(job(leaf).depth, 2);
  settle(claim(1, {"middle"})[0], OutcomeKind::Succeeded);
  EXPECT_EQ(state(middle), JobState::Waiting);
  settle(claim(1, {"leaf"})[0], OutcomeKind::Failed);
  settleDown();
  EXPECT_EQ(state(middle), JobState::Succeeded) << "failed children are ignored unless told otherwise";
  EXPECT_EQ(state(root), JobState::Succeeded);
  EXPECT_EQ(job(root).result_json, "{\"ok\":true}");
  EXPECT_EQ(job(root).children, (core::ChildCounters{1, 1, 0}));
  EXPECT_EQ(job(root).descendants, (core::ChildCounters{2, 2, 1}));
}

TEST_P(StoreContract, GivesNoChildToAParentThatIsBeingCanceled) {
  const auto root = submit("root");
  const auto running = claim(1, {"root"});
  const auto before = child(root);
  ASSERT_EQ(*store->cancel(root, "enough"), CancelOutcome::Asked);
  EXPECT_EQ(state(before), JobState::Canceled);
  core::JobDraft draft;
  draft.type = "t";
  draft.parent = root;
  const auto refused = store->submit({draft}, {});
  ASSERT_FALSE(refused.ok()) << "it would outlive the cancel";
  EXPECT_EQ(refused.error().code, core::ErrorCode::Canceled);
  EXPECT_EQ(job(root).children.total, 1);
}

TEST_P(StoreContract, FailsAParentWhoseChildrenFailedWhenToldTo) {
  core::JobDraft draft;
  draft.type = "root";
  draft.child_failure = core::ChildFailure::Fail;
  const auto root = submit(draft);
  const auto running = claim(1, {"root"});
  child(root, "c");
  settle(running[0], OutcomeKind::Succeeded);
  settle(claim(1, {"c"})[0], OutcomeKind::Failed);
  EXPECT_EQ(state(root), JobState::Failed);
  EXPECT_EQ(job(root).error->code, "children_failed");
}

TEST_P(StoreContract, RunsAParentAgainWhenTheChildrenItAwaitsHaveEnded) {
  const auto root = submit("root");
  auto running = claim(1, {"root"});
  const auto below = child(root, "c");
  EXPECT_EQ(settle(running[0], OutcomeKind::AwaitChildren).state, JobState::Waiting);
  EXPECT_THAT(claim(1, {"root"}), IsEmpty());
  ASSERT_TRUE(store->cancel(below, "no").ok());
  running = claim(1, {"root"});
  ASSERT_THAT(running, SizeIs(1));
  EXPECT_TRUE(running[0].resumed);
  EXPECT_EQ(running[0].attempt, 1);
  EXPECT_EQ(settle(running[0], OutcomeKind::AwaitChildren).state, JobState::Queued) << "they have ended already";
  running = claim(1, {"root"});
  ASSERT_THAT(running, SizeIs(1));
  settle(running[0], OutcomeKind::Requeue);
  running = claim(1, {"root"});
  EXPECT_TRUE(running[0].resumed);
  EXPECT_EQ(running[0].attempt, 1);
  EXPECT_EQ(settle(running[0], OutcomeKind::Succeeded).state, JobState::Succeeded);
}

namespace {

std::vector<core::JobId> idsOf(const std::vector<ClaimedJob>& jobs) {
  std::vector<core::JobId> ids;
  for (const auto& job : jobs) ids.push_back(job.id);
  return ids;
}

/// What an attempt leaves that wants to run again `in` that time from now.
std::function<void(AttemptOutcome&)> again(core::Instant at, std::string reason = "busy") {
  return [at, reason = std::move(reason)](AttemptOutcome& outcome) {
    outcome.not_before = at;
    outcome.reason = reason;
  };
}

}  // namespace

TEST_P(StoreContract, RunsAJobAgainAtTheTimeItAskedFor) {
  const auto id = submit("t");
  const auto other = submit("t");
  auto running = claim(1);
  ASSERT_THAT(idsOf(running), ElementsAre(id));
  settle(running[0], OutcomeKind::AwaitChildren, again(clock.now() + 2s));
  EXPECT_EQ(state(id), JobState::Queued);
  EXPECT_EQ(job(id).hold, core::Hold::Delayed);
  EXPECT_EQ(job(id).run_at, clock.now() + 2s);
  EXPECT_EQ(job(id).progress.message, "busy");
  EXPECT_FALSE(job(id).error);
  EXPECT_THAT(idsOf(claim(2)), ElementsAre(other)) << "it holds nothing up";
  clock.advance(1999ms);
  EXPECT_THAT(claim(1), IsEmpty());
  clock.advance(1ms);
  running = claim(1);
  ASSERT_THAT(idsOf(running), ElementsAre(id));
  EXPECT_TRUE(running[0].resumed);
  EXPECT_EQ(running[0].attempt, 1);
  EXPECT_EQ(running[0].retries, 0);
  EXPECT_EQ(settle(running[0], OutcomeKind::Succeeded).state, JobState::Succeeded);
  EXPECT_EQ(job(id).attempt, 1);
}

TEST_P(StoreContract, KeepsTheProgressOfAJobThatComesBackAndSaysWhyItWaits) {
  const auto id = submit("t");
  const auto running = claim(1);
  settle(running[0], OutcomeKind::AwaitChildren, [&](AttemptOutcome& outcome) {
    outcome.progress = core::Progress{0.25, 1, 4, "page 1"};
    again(clock.now() + 1s)(outcome);
  });
  EXPECT_EQ(job(id).progress.done, 1);
  EXPECT_EQ(job(id).progress.message, "busy");
  clock.advance(1s);
  settle(claim(1)[0], OutcomeKind::AwaitChildren, again(clock.now() + 1s, "still busy"));
  EXPECT_EQ(job(id).progress.done, 1);
  EXPECT_EQ(job(id).progress.message, "still busy");
}

TEST_P(StoreContract, TellsOfAJobThatComesBackAgainAndAgainOnce) {
  const auto id = submit("t");
  const auto events = [&] {
    std::vector<std::string> all;
    const auto told = store->events(0, id, 1000);
    for (const auto& event : *told) {
      all.push_back(std::string(toString(event.kind)) + event.data_json);
    }
    return all;
  };
  for (int i = 0; i < 50; ++i) {
    const auto running = claim(1);
    ASSERT_THAT(running, SizeIs(1)) << i;
    settle(running[0], OutcomeKind::AwaitChildren, again(clock.now() + 1s, "turn " + std::to_string(i)));
    clock.advance(1s);
  }
  EXPECT_THAT(events(),
              ElementsAre(testing::StartsWith("queued"), "started", R"(queued{"reason":"later","message":"turn 49"})"));
  const auto running = claim(1);
  AttemptUpdate update{id, running[0].lease, {}, {{"page", "1"}}};
  static_cast<void>(wait<void>([&](auto done) { store->update({update}, std::move(done)); }));
  settle(running[0], OutcomeKind::AwaitChildren, again(clock.now() + 1s));
  EXPECT_THAT(events(), SizeIs(6)) << "a turn in which something happened stays";
  EXPECT_EQ(*store->cancel(id, "enough"), CancelOutcome::Canceled);
  EXPECT_THAT(events(), SizeIs(7));
  EXPECT_TRUE(store->remove(id).ok());
  EXPECT_THAT(*store->events(0, std::nullopt, 1000), SizeIs(1)) << "that it was deleted";
}

TEST_P(StoreContract, AJobThatWantsToRunLaterWaitsForItsChildrenToo) {
  for (const bool late_child : {false, true}) {
    const auto root = submit("root");
    const auto below = child(root, "c");
    settle(claim(1, {"root"})[0], OutcomeKind::AwaitChildren, again(clock.now() + 5s));
    EXPECT_EQ(state(root), JobState::Waiting);
    if (late_child) clock.advance(5s);
    EXPECT_THAT(claim(1, {"root"}), IsEmpty());
    settle(claim(1, {"c"})[0], OutcomeKind::Succeeded);
    EXPECT_EQ(state(below), JobState::Succeeded);
    EXPECT_EQ(state(root), JobState::Queued);
    if (!late_child) {
      EXPECT_THAT(claim(1, {"root"}), IsEmpty()) << "not before its time";
      clock.advance(5s);
    }
    const auto running = claim(1, {"root"});
    ASSERT_THAT(running, SizeIs(1));
    EXPECT_TRUE(running[0].resumed);
    settle(running[0], OutcomeKind::Succeeded);
  }
}

TEST_P(StoreContract, SuspendsAndCancelsAJobThatWantsToRunLater) {
  const auto suspended = submit("t");
  settle(claim(1)[0], OutcomeKind::AwaitChildren, again(clock.now() + 5s));
  ASSERT_TRUE(store->suspend(suspended).ok());
  ASSERT_TRUE(store->resume(suspended).ok());
  EXPECT_THAT(claim(1), IsEmpty()) << "resume does not take its wait away";
  clock.advance(5s);
  EXPECT_TRUE(claim(1)[0].resumed);

  const auto asked = submit("t");
  auto running = claim(1);
  ASSERT_TRUE(store->suspend(asked).ok());
  EXPECT_EQ(settle(running[0], OutcomeKind::AwaitChildren, again(clock.now() + 5s)).state, JobState::Suspended);
  ASSERT_TRUE(store->resume(asked).ok());
  EXPECT_THAT(claim(1), IsEmpty());

  const auto canceled = submit("t");
  running = claim(1);
  EXPECT_EQ(*store->cancel(canceled, "enough"), CancelOutcome::Asked);
  EXPECT_EQ(settle(running[0], OutcomeKind::AwaitChildren, again(clock.now() + 5s)).state, JobState::Canceled);
  EXPECT_EQ(job(canceled).error->message, "enough");
}

TEST_P(StoreContract, FreesTheQueueKeyOfAJobThatWantsToRunLater) {
  core::JobDraft draft;
  draft.type = "t";
  draft.queue_key = "k";
  const auto first = submit(draft);
  const auto second = submit(draft);
  auto running = claim(2);
  ASSERT_THAT(idsOf(running), ElementsAre(first));
  settle(running[0], OutcomeKind::AwaitChildren, again(clock.now() + 5s));
  running = claim(2);
  EXPECT_THAT(idsOf(running), ElementsAre(second));
  clock.advance(5s);
  EXPECT_THAT(claim(2), IsEmpty()) << "one of a key at once";
  settle(running[0], OutcomeKind::Succeeded);
  EXPECT_THAT(idsOf(claim(2)), ElementsAre(first));
}

TEST_P(StoreContract, FindsTheChildOfARerunAttemptByItsDedupeKey) {
  const auto root = submit("root");
  core::JobDraft draft;
  draft.type = "c";
  draft.parent = root;
  draft.dedupe_key = "page 1";
  const auto first = submit(draft);
  EXPECT_EQ(submit(draft), first);
  EXPECT_EQ(job(root).children.total, 1);
  settle(claim(1, {"c"})[0], OutcomeKind::Succeeded);
  EXPECT_EQ(submit(draft), first);
}

TEST_P(StoreContract, RefusesChildrenOfWhatEndedOrLiesTooDeep) {
  core::JobDraft draft;
  draft.type = "c";
  draft.parent = core::JobId{99};
  EXPECT_EQ(store->submit({draft}, {}).error().code, core::ErrorCode::NotFound);
  core::JobId at = submit("root");
  for (int depth = 1; depth <= 32; ++depth) at = child(at, "c");
  draft.parent = at;
  EXPECT_EQ(store->submit({draft}, {}).error().code, core::ErrorCode::InvalidArgument);
  const auto ended = submit("e");
  ASSERT_TRUE(store->cancel(ended, "no").ok());
  draft.parent = ended;
  EXPECT_EQ(store->submit({draft}, {}).error().code, core::ErrorCode::InvalidArgument);
}

TEST_P(StoreContract, CancelsATreeAndAsksWhatRuns) {
  const auto root = submit("root");
  const auto running = claim(1, {"root"});
  const auto queued = child(root, "q");
  const auto busy = child(root, "b");
  const auto attempt = claim(1, {"b"});
  settle(running[0], OutcomeKind::Succeeded);
  EXPECT_EQ(*store->cancel(root, "stop"), CancelOutcome::Canceled);
  EXPECT_EQ(state(root), JobState::Canceled);
  EXPECT_EQ(state(queued), JobState::Canceled);
  EXPECT_EQ(state(busy), JobState::Running);
  EXPECT_TRUE(job(busy).cancel_requested);
  settle(attempt[0], OutcomeKind::Canceled);
  EXPECT_EQ(job(root).children, (core::ChildCounters{2, 2, 2}));
  EXPECT_EQ(job(busy).error->message, "stop");
}

TEST_P(StoreContract, CancelsAndRemovesATreeThatIsTooLargeForOneStep) {
  const auto root = submit("root");
  core::JobDraft draft;
  draft.type = "m";
  draft.parent = root;
  const auto middle = *store->submit(std::vector<core::JobDraft>(50, draft), {});
  std::vector<core::JobDraft> leaves;
  for (int i = 0; i < 2500; ++i) {
    draft.type = i % 100 == 0 ? "busy" : "leaf";
    draft.parent = middle[static_cast<std::size_t>(i % 50)].id;
    leaves.push_back(draft);
  }
  ASSERT_TRUE(store->submit(leaves, {}).ok());
  const auto running = claim(1000, {"busy"});
  ASSERT_THAT(running, SizeIs(25));
  EXPECT_EQ(*store->cancel(root, "stop"), CancelOutcome::Canceled);
  EXPECT_EQ(count("leaf", JobState::Canceled), 2475);
  EXPECT_EQ(count("m", JobState::Canceled), 50);
  EXPECT_EQ(job(root).descendants, (core::ChildCounters{2550, 2525, 2525}));
  EXPECT_EQ(store->remove(root).error().code, core::ErrorCode::Conflict);
  EXPECT_EQ(count("leaf", JobState::Canceled), 2475) << "nothing goes while something below runs";
  for (const auto& each : running) {
    EXPECT_TRUE(job(each.id).cancel_requested);
    settle(each, OutcomeKind::Canceled);
  }
  EXPECT_EQ(job(root).descendants, (core::ChildCounters{2550, 2550, 2550}));
  ASSERT_TRUE(store->remove(root).ok());
  EXPECT_THAT(store->list({}, {})->jobs, IsEmpty());
  EXPECT_EQ(count("leaf", JobState::Canceled), 0);
}

TEST_P(StoreContract, PurgesATreeThatIsTooLargeForOneStep) {
  const auto root = submit("root");
  core::JobDraft draft;
  draft.type = "leaf";
  draft.parent = root;
  ASSERT_TRUE(store->submit(std::vector<core::JobDraft>(1500, draft), {}).ok());
  const auto live = submit("root");
  ASSERT_TRUE(store->cancel(root, "stop").ok());
  clock.advance(std::chrono::hours(1));
  EXPECT_THAT(*store->purge(clock.now() - std::chrono::hours(2), 100), IsEmpty());
  EXPECT_THAT(*store->purge(clock.now(), 100), SizeIs(1501));
  EXPECT_THAT(store->list({}, {})->jobs, SizeIs(1));
  EXPECT_EQ(state(live), JobState::Queued);
}

TEST_P(StoreContract, TakesARetriedChildBackIntoTheCount) {
  const auto root = submit("root");
  const auto running = claim(1, {"root"});
  const auto below = child(root, "c");
  child(root, "other");
  settle(claim(1, {"c"})[0], OutcomeKind::Failed);
  settle(running[0], OutcomeKind::Succeeded);
  ASSERT_TRUE(store->retry(below).ok());
  EXPECT_EQ(job(root).children, (core::ChildCounters{2, 0, 0}));
  settle(claim(1, {"other"})[0], OutcomeKind::Succeeded);
  EXPECT_EQ(state(root), JobState::Waiting);
  settle(claim(1, {"c"})[0], OutcomeKind::Succeeded);
  EXPECT_EQ(state(root), JobState::Succeeded);
  EXPECT_EQ(job(root).children, (core::ChildCounters{2, 2, 0}));
}

TEST_P(StoreContract, HoldsAJobUntilItsDependenciesSucceed) {
  const auto a = submit("a");
  const auto b = submit("b");
  core::JobDraft draft;
  draft.type = "t";
  draft.depends_on = {b, a, b};
  const auto id = submit(draft);
  EXPECT_EQ(job(id).hold, Hold::Dependency);
  EXPECT_THAT(job(id).depends_on, testing::ElementsAre(a, b));
  settle(claim(1, {"a"})[0], OutcomeKind::Succeeded);
  EXPECT_THAT(claim(1), IsEmpty());
  settle(claim(1, {"b"})[0], OutcomeKind::Succeeded);
  EXPECT_THAT(claim(1), SizeIs(1));
}

TEST_P(StoreContract, FailsTheChainBehindAFailedDependency) {
  const auto first = submit("a");
  core::JobDraft draft;
  draft.type = "t";
  draft.depends_on = {first};
  const auto second = submit(draft);
  draft.depends_on = {second};
  const auto third = submit(draft);
  settle(claim(1, {"a"})[0], OutcomeKind::Failed);
  settleDown();
  EXPECT_EQ(state(second), JobState::Failed);
  EXPECT_EQ(state(third), JobState::Failed);
  EXPECT_EQ(job(third).error->code, "dependency_failed");
  EXPECT_EQ(store->retry(third).error().code, core::ErrorCode::Conflict);
  EXPECT_EQ(state(submit(draft)), JobState::Failed) << "it had failed before the submit";
  draft.depends_on = {{12345}};
  EXPECT_EQ(store->submit({draft}, {}).error().code, core::ErrorCode::NotFound);
}

TEST_P(StoreContract, RunsAJobAfterOthersWhateverTheirOutcome) {
  const auto good = submit("good");
  const auto bad = submit("bad");
  const auto stopped = submit("stopped");
  core::JobDraft draft;
  draft.type = "t";
  draft.after = {stopped, good, bad};
  const auto id = submit(draft);
  EXPECT_EQ(job(id).hold, Hold::Dependency);
  EXPECT_THAT(job(id).after, testing::ElementsAre(good, bad, stopped));
  EXPECT_THAT(job(id).depends_on, IsEmpty());
  settle(claim(1, {"good"})[0], OutcomeKind::Succeeded);
  settle(claim(1, {"bad"})[0], OutcomeKind::Failed);
  reopen();
  EXPECT_THAT(claim(1), IsEmpty()) << "one has not ended";
  ASSERT_TRUE(store->cancel(stopped, "no").ok());
  const auto running = claim(1);
  ASSERT_THAT(running, SizeIs(1));
  EXPECT_EQ(running[0].id, id);
  settle(running[0], OutcomeKind::Failed);
  ASSERT_TRUE(store->retry(id).ok());
  EXPECT_THAT(claim(1), SizeIs(1));
}

TEST_P(StoreContract, NeverLeavesAJobBehindOneThatIsGone) {
  const auto gone = submit("gone");
  core::JobDraft draft;
  draft.type = "t";
  draft.after = {gone};
  const auto waits = submit(draft);
  draft.type = "strict";
  draft.after = {};
  draft.depends_on = {gone};
  const auto strict = submit(draft);
  ASSERT_TRUE(store->remove(gone, Removal::CancelFirst).ok());
  EXPECT_EQ(state(strict), JobState::Failed);
  EXPECT_THAT(claim(1), SizeIs(1));
  EXPECT_EQ(state(waits), JobState::Running);
  draft.type = "t";
  draft.depends_on = {};
  draft.after = {gone};
  const auto later = submit(draft);
  EXPECT_EQ(job(later).hold, Hold::None) << "it was removed before the submit";
  draft.after = {{12345}};
  const auto refused = store->submit({draft}, {});
  ASSERT_FALSE(refused.ok()) << "there never was such a job";
  EXPECT_EQ(refused.error().fields.at(0).pointer, "/0/after/0");
  draft.after = {later};
  draft.depends_on = {later};
  const auto both = submit(draft);
  EXPECT_THAT(job(both).depends_on, testing::ElementsAre(later)) << "named in both lists it must succeed";
  settle(claim(1)[0], OutcomeKind::Failed);
  EXPECT_EQ(state(both), JobState::Failed);
}

TEST_P(StoreContract, GivesAChildItsParentsPriorityAndFairKey) {
  core::JobDraft draft;
  draft.type = "t";
  draft.owner = "u1";
  draft.priority = 7;
  draft.queue_key = core::fairKey("u1");
  const auto parent = submit(draft);
  core::JobDraft below;
  below.type = "c";
  below.parent = parent;
  below.inherit_priority = true;
  const auto child_id = submit(below);
  EXPECT_EQ(job(child_id).priority, 7);
  EXPECT_EQ(job(child_id).queue_key, core::fairKey("u1"));
  below.inherit_priority = false;
  below.queue_key = "own";
  EXPECT_EQ(job(submit(below)).priority, 0);
  EXPECT_EQ(job(submit(below)).queue_key, "own");
  draft.queue_key = "plain";
  below.parent = submit(draft);
  below.queue_key = "";
  EXPECT_EQ(job(submit(below)).queue_key, "") << "a key that somebody chose is not handed down";
}

TEST_P(StoreContract, RunsOneJobOfAFairKeyHoweverManyOfOthersMay) {
  core::JobDraft draft;
  draft.type = "t";
  draft.queue_key = core::fairKey("u1");
  for (int i = 0; i < 3; ++i) submit(draft);
  draft.queue_key = core::fairKey("u2");
  submit(draft);
  draft.queue_key = "plain";
  for (int i = 0; i < 3; ++i) submit(draft);
  EXPECT_THAT(claim(10, {"t"}, 3), SizeIs(5));
}

TEST_P(StoreContract, SaysBelowACanceledJobWhyInOtherWords) {
  const auto root = submit("root");
  const auto middle = child(root, "m");
  const auto leaf = child(middle, "leaf");
  const auto busy = child(middle, "busy");
  const auto running = claim(1, {"busy"});
  ASSERT_EQ(*store->cancel(root, "by user", "by a parent"), CancelOutcome::Canceled);
  EXPECT_EQ(job(root).error->message, "by user");
  EXPECT_EQ(job(middle).error->message, "by a parent");
  EXPECT_EQ(job(leaf).error->message, "by a parent");
  settle(running[0], OutcomeKind::Canceled);
  EXPECT_EQ(job(busy).error->message, "by a parent");
}

TEST_P(StoreContract, CancelsAJobThatSucceededOverWhatWasCanceledWithIt) {
  const auto root = submit("root");
  const auto running = claim(1, {"root"});
  child(root, "c");
  ASSERT_EQ(*store->cancel(root, "by user"), CancelOutcome::Asked);
  EXPECT_EQ(settle(running[0], OutcomeKind::Succeeded).state, JobState::Canceled);
  EXPECT_EQ(job(root).error->message, "by user");
  EXPECT_EQ(job(root).result_json, "");
}

TEST_P(StoreContract, RemovesATreeAsSoonAsTheLastOfItHasEnded) {
  const auto root = submit("root");
  const auto waits = claim(1, {"root"});
  child(root, "c");
  child(root, "busy");
  settle(waits[0], OutcomeKind::Succeeded);
  const auto running = claim(1, {"busy"});
  const auto answer = store->remove(root, Removal::CancelFirst);
  ASSERT_TRUE(answer.ok());
  EXPECT_THAT(*answer, IsEmpty());
  EXPECT_EQ(state(root), JobState::Canceled);
  tick();
  EXPECT_EQ(state(running[0].id), JobState::Running) << "its attempt has not ended";
  EXPECT_EQ(store->retry(root).error().code, core::ErrorCode::Conflict) << "it is being deleted";
  settle(running[0], OutcomeKind::Canceled);
  EXPECT_EQ(store->retry(running[0].id).error().code, core::ErrorCode::Conflict);
  tick();
  EXPECT_THAT(store->list({}, {})->jobs, IsEmpty());
  EXPECT_EQ(store->remove(root, Removal::CancelFirst).error().code, core::ErrorCode::NotFound);
}

TEST_P(StoreContract, TakesADeletedJobOutOfItsAncestorsAtOnce) {
  core::JobDraft draft;
  draft.type = "root";
  draft.child_failure = core::ChildFailure::Fail;
  const auto root = submit(draft);
  draft.type = "middle";
  draft.parent = root;
  const auto middle = submit(draft);
  child(middle, "leaf");
  const auto busy = child(middle, "busy");
  const auto below = child(busy, "below");
  for (const char* type : {"root", "middle", "leaf"}) settle(claim(1, {type})[0], OutcomeKind::Succeeded);
  const auto running = claim(1, {"busy"});
  EXPECT_EQ(core::unitsOf(job(root)), (core::Units{3, 0, 5}));
  ASSERT_TRUE(store->remove(busy, Removal::CancelFirst).ok());
  EXPECT_EQ(state(busy), JobState::Running) << "its attempt has not ended";
  EXPECT_EQ(state(below), JobState::Canceled);
  for (const auto id : {root, middle}) {
    EXPECT_EQ(state(id), JobState::Succeeded) << "it waited for that job alone, which has not failed";
  }
  EXPECT_EQ(core::unitsOf(job(middle)), (core::Units{2, 0, 2}));
  EXPECT_EQ(core::unitsOf(job(root)), (core::Units{3, 0, 3}));
  core::JobDraft late;
  late.type = "late";
  late.parent = busy;
  EXPECT_EQ(store->submit({late}, {}).error().code, core::ErrorCode::Canceled);
  settle(running[0], OutcomeKind::Succeeded);
  tick();
  EXPECT_FALSE(store->get(busy).ok());
  EXPECT_EQ(core::unitsOf(job(root)), (core::Units{3, 0, 3}));
  EXPECT_EQ(job(root).children, (core::ChildCounters{1, 1, 0}));
  EXPECT_EQ(job(root).descendants, (core::ChildCounters{4, 4, 0})) << "none of it failed by itself";
}

TEST_P(StoreContract, TakesADeletedJobOutOfItsAncestorsOnceWhateverComesBetween) {
  const auto root = submit("root");
  const auto middle = child(root, "middle");
  const auto busy = child(middle, "busy");
  child(root, "other");
  for (const char* type : {"root", "middle", "busy"}) {
    const auto claimed = claim(1, {type});
    if (claimed[0].id != busy) settle(claimed[0], OutcomeKind::Succeeded);
  }
  EXPECT_EQ(core::unitsOf(job(root)), (core::Units{2, 0, 4}));
  ASSERT_TRUE(store->remove(busy, Removal::CancelFirst).ok());
  EXPECT_EQ(core::unitsOf(job(root)), (core::Units{2, 0, 3}));
  ASSERT_TRUE(store->remove(busy, Removal::CancelFirst).ok()) << "asked twice";
  ASSERT_TRUE(store->remove(middle, Removal::CancelFirst).ok()) << "its parent after it";
  EXPECT_EQ(core::unitsOf(job(root)), (core::Units{1, 0, 2}));
  reopen();
  tick();
  EXPECT_EQ(state(middle), JobState::Succeeded) << "something below it runs";
  ASSERT_TRUE(store->rescueAll().ok());
  tick();
  for (const auto id : {middle, busy}) EXPECT_FALSE(store->get(id).ok());
  EXPECT_EQ(core::unitsOf(job(root)), (core::Units{1, 0, 2}));
  EXPECT_EQ(state(root), JobState::Waiting);
  settle(claim(1, {"other"})[0], OutcomeKind::Succeeded);
  EXPECT_EQ(state(root), JobState::Succeeded);
  EXPECT_EQ(core::unitsOf(job(root)), (core::Units{2, 0, 2}));
}

TEST_P(StoreContract, TakesADeletedJobOutOfWhatGoesOnAboveOneThatHasEnded) {
  const auto root = submit("root");
  const auto middle = child(root, "middle");
  const auto lower = child(middle, "lower");
  const auto leaf = child(lower, "leaf");
  const auto failed = child(lower, "leaf");
  child(root, "other");
  for (const char* type : {"root", "middle", "lower"}) settle(claim(1, {type})[0], OutcomeKind::Succeeded);
  const auto leaves = claim(2, {"leaf"});
  settle(leaves[0], OutcomeKind::Succeeded);
  settle(leaves[1], OutcomeKind::Failed);
  for (const auto id : {middle, lower}) EXPECT_EQ(state(id), JobState::Succeeded);
  EXPECT_EQ(core::unitsOf(job(root)), (core::Units{5, 1, 6}));
  ASSERT_TRUE(store->remove(failed).ok());
  EXPECT_EQ(core::unitsOf(job(lower)), (core::Units{2, 0, 2}));
  EXPECT_EQ(core::unitsOf(job(middle)), (core::Units{3, 0, 3}));
  EXPECT_EQ(core::unitsOf(job(root)), (core::Units{4, 0, 5}));
  ASSERT_TRUE(store->remove(lower, Removal::CancelFirst).ok());
  tick();
  EXPECT_FALSE(store->get(leaf).ok());
  EXPECT_EQ(core::unitsOf(job(root)), (core::Units{2, 0, 3}));
  ASSERT_TRUE(store->remove(middle).ok());
  EXPECT_EQ(core::unitsOf(job(root)), (core::Units{1, 0, 2}));
  settle(claim(1, {"other"})[0], OutcomeKind::Succeeded);
  EXPECT_EQ(core::unitsOf(job(root)), (core::Units{2, 0, 2}));
}

TEST_P(StoreContract, TakesADeletedJobOutOfWhatGoesOnAboveOneThatWasCanceled) {
  const auto root = submit("root");
  const auto middle = child(root, "middle");
  const auto done = child(middle, "leaf");
  const auto left = child(middle, "leaf");
  child(root, "other");
  for (const char* type : {"root", "middle", "leaf"}) settle(claim(1, {type})[0], OutcomeKind::Succeeded);
  ASSERT_TRUE(store->cancel(middle, "", "").ok());
  EXPECT_EQ(core::unitsOf(job(middle)), (core::Units{2, 0, 3})) << "as when it was canceled";
  EXPECT_EQ(core::unitsOf(job(root)), (core::Units{4, 1, 5}));
  ASSERT_TRUE(store->remove(left).ok());
  EXPECT_EQ(core::unitsOf(job(middle)), (core::Units{2, 0, 2}));
  EXPECT_EQ(core::unitsOf(job(root)), (core::Units{3, 0, 4}));
  ASSERT_TRUE(store->remove(done).ok());
  EXPECT_EQ(core::unitsOf(job(middle)), (core::Units{1, 0, 1}));
  EXPECT_EQ(core::unitsOf(job(root)), (core::Units{2, 0, 3}));
}

TEST_P(StoreContract, RemovesALargeTreeAcrossARestart) {
  const auto root = submit("root");
  core::JobDraft draft;
  draft.type = "busy";
  draft.parent = root;
  ASSERT_TRUE(store->submit({draft}, {}).ok());
  draft.type = "leaf";
  ASSERT_TRUE(store->submit(std::vector<core::JobDraft>(2500, draft), {}).ok());
  const auto running = claim(1, {"busy"});
  const auto other = submit("other");
  ASSERT_TRUE(store->remove(root, Removal::CancelFirst).ok());
  reopen();
  auto swept = store->rescueAll();
  ASSERT_TRUE(swept.ok());
  for (int i = 0; i < 5 && swept->next_due; ++i) swept = tick();
  EXPECT_FALSE(swept->next_due) << "nothing is left to do";
  EXPECT_THAT(store->list({}, {})->jobs, SizeIs(1));
  EXPECT_EQ(state(other), JobState::Queued);
  EXPECT_EQ(count("leaf", JobState::Canceled), 0);
}

TEST_P(StoreContract, CancelsWhatIsBelowAJobThatFailed) {
  const auto top = submit("top");
  const auto above = claim(1, {"top"});
  const auto root = child(top, "root");
  const auto running = claim(1, {"root"});
  const auto over = child(root, "over");
  settle(claim(1, {"over"})[0], OutcomeKind::Succeeded);
  const auto middle = child(root, "middle");
  const auto attempt = claim(1, {"middle"});
  const auto leaf = child(middle, "leaf");
  const auto busy = child(root, "busy");
  const auto busy_attempt = claim(1, {"busy"});
  const auto suspended = child(root, "suspended");
  ASSERT_TRUE(store->suspend(suspended).ok());
  settle(attempt[0], OutcomeKind::Succeeded);
  ASSERT_EQ(state(middle), JobState::Waiting);
  settle(above[0], OutcomeKind::Succeeded);

  EXPECT_EQ(settle(running[0], OutcomeKind::Failed).state, JobState::Failed);
  EXPECT_EQ(job(root).error->code, "boom");
  EXPECT_EQ(state(over), JobState::Succeeded);
  for (const auto id : {middle, leaf, suspended}) {
    EXPECT_EQ(state(id), JobState::Canceled);
    EXPECT_EQ(job(id).error->code, "parent_failed");
  }
  EXPECT_EQ(state(busy), JobState::Running);
  EXPECT_TRUE(job(busy).cancel_requested);
  EXPECT_EQ(state(top), JobState::Succeeded) << "its one child has ended";
  EXPECT_EQ(core::unitsOf(job(root)), (core::Units{6, 4, 6})) << "as when it failed";
  EXPECT_EQ(core::unitsOf(job(top)), (core::Units{7, 4, 7}));
  settle(busy_attempt[0], OutcomeKind::Failed);
  EXPECT_EQ(state(busy), JobState::Canceled);
  EXPECT_EQ(job(busy).error->code, "parent_failed");
  EXPECT_EQ(job(root).children, (core::ChildCounters{4, 4, 3}));
  EXPECT_EQ(job(root).descendants, (core::ChildCounters{5, 5, 4}));
  EXPECT_EQ(core::unitsOf(job(root)), (core::Units{6, 4, 6}));
  EXPECT_EQ(core::unitsOf(job(top)), (core::Units{7, 4, 7}));
}

TEST_P(StoreContract, LeavesTheChildrenOfAJobThatIsTriedAgain) {
  const auto root = submit("root");
  const auto below = [&] {
    const auto running = claim(1, {"root"});
    const auto made = child(root, "c");
    settle(running[0], OutcomeKind::Retry);
    return made;
  }();
  EXPECT_EQ(state(below), JobState::Queued);
  for (int i = 0; i <= kMaxRescues; ++i) {
    EXPECT_EQ(state(below), JobState::Queued);
    ASSERT_THAT(claim(1, {"root"}), SizeIs(1));
    ASSERT_TRUE(store->rescueAll().ok());
  }
  EXPECT_EQ(job(root).error->code, "lease_expired");
  EXPECT_EQ(state(below), JobState::Canceled) << "given up, and its children with it";
}

TEST_P(StoreContract, CancelsWhatIsBelowAJobWhoseDependencyFailed) {
  core::JobDraft draft;
  draft.type = "late";
  draft.depends_on = {submit("first")};
  const auto late = submit(draft);
  const auto below = child(late, "c");
  settle(claim(1, {"first"})[0], OutcomeKind::Failed);
  EXPECT_EQ(job(late).error->code, "dependency_failed");
  EXPECT_EQ(state(below), JobState::Canceled);
}

TEST_P(StoreContract, RunsTheChildrenOfAFailedAttemptAgainWhenTheNextOneAsksForThem) {
  const auto root = submit("root");
  auto running = claim(1, {"root"});
  core::JobDraft draft;
  draft.parent = root;
  const auto keyed = [&](const std::string& type) {
    draft.type = type;
    draft.dedupe_key = type;
    return submit(draft);
  };
  const auto first = keyed("first");
  const auto unwanted = keyed("unwanted");
  ASSERT_TRUE(store->cancel(unwanted, "not this one").ok());
  draft.depends_on = {first};
  const auto second = keyed("second");
  settle(running[0], OutcomeKind::Failed);
  ASSERT_EQ(state(second), JobState::Canceled);
  ASSERT_TRUE(store->retry(root).ok());
  running = claim(1, {"root"});
  ASSERT_THAT(running, SizeIs(1));
  draft.depends_on.clear();
  SubmitOptions full;
  full.max_queued_per_type = 1;
  submit("first");
  draft.type = draft.dedupe_key = "first";
  EXPECT_EQ(store->submit({draft}, full).error().code, core::ErrorCode::Exhausted) << "it would be one queued job more";
  EXPECT_EQ(keyed("first"), first);
  EXPECT_EQ(keyed("unwanted"), unwanted);
  draft.depends_on = {first};
  EXPECT_EQ(keyed("second"), second);
  EXPECT_EQ(state(first), JobState::Queued);
  EXPECT_EQ(state(unwanted), JobState::Canceled) << "that one was canceled for itself";
  EXPECT_EQ(job(second).hold, Hold::Dependency);
  settle(running[0], OutcomeKind::Succeeded);
  EXPECT_EQ(job(root).children, (core::ChildCounters{3, 1, 1}));
  settle(claim(1, {"first"})[0], OutcomeKind::Succeeded);
  settle(claim(1, {"second"}).at(0), OutcomeKind::Succeeded);
  EXPECT_EQ(state(root), JobState::Succeeded);
  EXPECT_EQ(core::unitsOf(job(root)), (core::Units{4, 1, 4}));
}

TEST_P(StoreContract, CancelsALargeTreeBelowAFailedJobAcrossARestart) {
  const auto root = submit("root");
  const auto running = claim(1, {"root"});
  core::JobDraft draft;
  draft.type = "leaf";
  draft.parent = root;
  ASSERT_TRUE(store->submit(std::vector<core::JobDraft>(2500, draft), {}).ok());
  settle(running[0], OutcomeKind::Failed);
  const auto canceled = count("leaf", JobState::Canceled);
  EXPECT_GT(canceled, 0);
  EXPECT_LE(canceled, 1000) << "the writer is not held for more";
  EXPECT_EQ(store->retry(root).error().code, core::ErrorCode::Conflict) << "its children are being canceled";
  reopen();
  auto swept = store->rescueAll();
  ASSERT_TRUE(swept.ok());
  for (int i = 0; i < 5 && swept->next_due; ++i) swept = tick();
  EXPECT_FALSE(swept->next_due) << "nothing is left to do";
  EXPECT_EQ(count("leaf", JobState::Canceled), 2500);
  EXPECT_EQ(job(root).children, (core::ChildCounters{2500, 2500, 2500}));
  EXPECT_EQ(core::unitsOf(job(root)), (core::Units{2501, 2501, 2501}));
  ASSERT_TRUE(store->retry(root).ok());
  EXPECT_THAT(claim(1, {"root"}), SizeIs(1));
  reopen();
  ASSERT_TRUE(store->rescueAll().ok());
  EXPECT_EQ(state(root), JobState::Queued) << "and it is no longer looked at below it";
}

TEST_P(StoreContract, CancelsALargeTreeAcrossACrash) {
  for (const std::string how : {"cancel", "cancel of several", "delete"}) {
    SCOPED_TRACE(how);
    const auto above = submit("above");
    settle(
        [&] {
          const auto claimed = claim(1, {"above"});
          child(above, "root");
          return claimed[0];
        }(),
        OutcomeKind::Succeeded);
    const auto root = claim(1, {"root"}).at(0);
    core::JobDraft draft;
    draft.type = "busy";
    draft.parent = root.id;
    const auto busy = submit(draft);
    draft.type = "leaf";
    ASSERT_TRUE(store->submit(std::vector<core::JobDraft>(2500, draft), {}).ok());
    ASSERT_THAT(claim(1, {"busy"}), SizeIs(1));
    settle(root, OutcomeKind::Succeeded);
    const auto before = count("leaf", JobState::Canceled);
    keepNextCommit();
    if (how == "cancel") {
      ASSERT_TRUE(store->cancel(root.id, "by user", "by a parent").ok());
    } else if (how == "delete") {
      ASSERT_TRUE(store->remove(root.id, Removal::CancelFirst).ok());
    } else {
      ASSERT_TRUE(store->applyAll(BulkAction::Cancel, {{root.id}}, {"by user"}).ok());
    }
    reopenKept();
    EXPECT_EQ(state(root.id), JobState::Canceled) << "what was acknowledged to nobody is half done";
    EXPECT_GT(count("leaf", JobState::Canceled), before);
    EXPECT_LE(count("leaf", JobState::Canceled), before + 1000) << "the writer is not held for more";
    EXPECT_EQ(store->retry(root.id).error().code, core::ErrorCode::Conflict) << "its children are being canceled";
    auto swept = store->rescueAll();
    ASSERT_TRUE(swept.ok());
    for (int i = 0; i < 8 && swept->next_due; ++i) swept = tick();
    EXPECT_FALSE(swept->next_due) << "nothing is left to do";
    EXPECT_EQ(count("leaf", JobState::Queued), 0);
    EXPECT_EQ(state(above), JobState::Succeeded);
    if (how == "delete") {
      EXPECT_FALSE(store->get(root.id).ok());
      EXPECT_EQ(core::unitsOf(job(above)), (core::Units{1, 0, 1}));
      continue;
    }
    EXPECT_EQ(count("leaf", JobState::Canceled), before + 2500);
    EXPECT_EQ(state(busy), JobState::Canceled);
    EXPECT_EQ(job(root.id).error->message, "by user");
    for (const auto id : {busy, core::JobId{busy.value + 1}, core::JobId{busy.value + 2500}}) {
      EXPECT_EQ(job(id).error->message, how == "cancel" ? "by a parent" : "by user") << id.value;
    }
    EXPECT_EQ(job(root.id).children, (core::ChildCounters{2501, 2501, 2501}));
    EXPECT_EQ(core::unitsOf(job(root.id)), (core::Units{1, 0, 2502})) << "as when it was canceled";
    EXPECT_EQ(core::unitsOf(job(above)), (core::Units{2503, 2501, 2503}));
    ASSERT_TRUE(store->retry(root.id).ok());
    ASSERT_THAT(claim(1, {"root"}), SizeIs(1));
    ASSERT_TRUE(store->rescueAll().ok());
    EXPECT_EQ(state(root.id), JobState::Queued) << "and it is no longer looked at below it";
    ASSERT_TRUE(store->cancel(root.id, "enough").ok());
  }
}

}  // namespace jobhost::store
