#include "dispatch/scheduler.hpp"

#include <gtest/gtest.h>

#include "unit/dispatch/desk.hpp"

namespace jobhost::dispatch {
namespace {

using namespace std::chrono_literals;
using core::ErrorClass;
using core::JobState;
using test::Desk;

struct SchedulerTest : ::testing::Test {
  SchedulerTest() {
    desk.type("pdf", "docs");
    desk.type("noop", "kit");
    desk.slots("docs", 2);
    desk.slots("kit", 2);
  }
  Desk desk;
};

TEST_F(SchedulerTest, RunsAsManyJobsAsAPluginHasSlots) {
  const auto first = desk.submit("pdf");
  const auto second = desk.submit("pdf");
  const auto third = desk.submit("pdf");
  EXPECT_TRUE(desk.runs(first) && desk.runs(second));
  EXPECT_FALSE(desk.runs(third));
  desk.succeed(first);
  EXPECT_EQ(desk.state(first), JobState::Succeeded);
  EXPECT_TRUE(desk.runs(third));
}

TEST_F(SchedulerTest, SettlesAndClaimsTheNextInOneCommit) {
  desk.submit("pdf");
  const auto second = desk.submit("pdf");
  const auto third = desk.submit("pdf");
  AttemptEnd end;
  end.id = second;
  end.lease = desk.attempt(second).job.lease;
  end.kind = AttemptEnd::Kind::Succeeded;
  std::erase_if(desk.runner.attempts, [&](const auto& a) { return a.job.id == second; });
  desk.scheduler->handle(msg::AttemptEnded{std::move(end)});
  desk.scheduler->turn();
  desk.store.commit();
  EXPECT_EQ(desk.state(second), JobState::Succeeded);
  EXPECT_EQ(desk.state(third), JobState::Running);
}

TEST_F(SchedulerTest, TypesOfOnePluginShareItsSlots) {
  desk.type("ocr", "docs");
  for (int i = 0; i < 4; ++i) {
    desk.submit("pdf");
    desk.submit("ocr");
  }
  EXPECT_EQ(desk.runner.attempts.size(), 2U);
}

TEST_F(SchedulerTest, AnUnavailableTypeWaits) {
  desk.type("gone", "lost", [](auto& info) { info.available = false; });
  desk.slots("lost", 2);
  EXPECT_FALSE(desk.runs(desk.submit("gone")));
}

TEST_F(SchedulerTest, KeepsTheLimitOfAType) {
  desk.type("single", "docs", [](auto& info) { info.concurrency = 1; });
  const auto first = desk.submit("single");
  const auto second = desk.submit("single");
  EXPECT_TRUE(desk.runs(first));
  EXPECT_FALSE(desk.runs(second));
  desk.succeed(first);
  EXPECT_TRUE(desk.runs(second));
}

TEST(Scheduler, KeepsTheGlobalAndThePluginLimit) {
  Options options;
  options.max_running = 3;
  options.max_running_by_plugin["docs"] = 1;
  Desk desk(options);
  desk.type("pdf", "docs");
  desk.type("noop", "kit");
  desk.slots("docs", 4);
  desk.slots("kit", 8);
  for (int i = 0; i < 5; ++i) {
    desk.submit("pdf");
    desk.submit("noop");
  }
  EXPECT_EQ(desk.runner.attempts.size(), 3U);
  EXPECT_EQ(std::count_if(desk.runner.attempts.begin(), desk.runner.attempts.end(),
                          [](const auto& a) { return a.plugin == "docs"; }),
            1);
}

TEST_F(SchedulerTest, APluginThatGetsSlotsLaterTakesItsWaitingJobs) {
  desk.type("video", "media");
  const auto job = desk.submit("video");
  EXPECT_FALSE(desk.runs(job));
  desk.slots("media", 1);
  EXPECT_TRUE(desk.runs(job));
}

TEST_F(SchedulerTest, RetriesATransientFailureAfterItsBackoff) {
  const auto job = desk.submit("pdf", [](auto& draft) { draft.max_attempts = 2; });
  desk.fail(job, ErrorClass::Transient, "flaky");
  EXPECT_EQ(desk.state(job), JobState::Queued);
  desk.advance(14s);
  EXPECT_FALSE(desk.runs(job));
  desk.advance(1s);
  EXPECT_TRUE(desk.runs(job));
  EXPECT_EQ(desk.attempt(job).job.attempt, 2);
  desk.fail(job, ErrorClass::Transient, "flaky");
  EXPECT_EQ(desk.state(job), JobState::Failed);
  EXPECT_EQ(desk.row(job).error->code, "flaky");
}

TEST_F(SchedulerTest, StopsAnAttemptThatRunsPastItsTimeout) {
  const auto job = desk.submit("pdf", [](auto& draft) { draft.timeout = 30s; });
  desk.advance(20s);
  desk.begin(job);
  desk.advance(29s);
  EXPECT_TRUE(desk.runner.stops.empty());  // the timeout counts from the start, not from the claim
  desk.advance(2s);
  ASSERT_EQ(desk.runner.stops.size(), 1U);
  EXPECT_EQ(desk.runner.stops[0].second, StopReason::TimedOut);
  desk.end(job, AttemptEnd::Kind::Stopped, [](auto& end) { end.forced = true; });
  EXPECT_EQ(desk.state(job), JobState::Failed);
  EXPECT_EQ(desk.row(job).error->code, "timeout");
}

TEST_F(SchedulerTest, PassesACancelOnAndStoresItOnce) {
  const auto job = desk.submit("pdf");
  desk.begin(job);
  ASSERT_TRUE(desk.store.cancel(job, "no longer wanted").ok());
  ASSERT_TRUE(desk.store.cancel(job, "really").ok());
  desk.settle();
  ASSERT_EQ(desk.runner.stops.size(), 1U);
  EXPECT_EQ(desk.runner.stops[0].second, StopReason::Canceled);
  desk.end(job, AttemptEnd::Kind::Stopped);
  EXPECT_EQ(desk.state(job), JobState::Canceled);
}

TEST_F(SchedulerTest, ASuspendedJobIsPutAsideNotFailed) {
  const auto job = desk.submit("pdf");
  desk.begin(job);
  ASSERT_TRUE(desk.store.suspend(job).ok());
  desk.settle();
  EXPECT_EQ(desk.runner.stops.at(0).second, StopReason::Suspended);
  desk.end(job, AttemptEnd::Kind::Stopped);
  EXPECT_EQ(desk.state(job), JobState::Suspended);
}

TEST_F(SchedulerTest, RenewsTheLeasesOfWhatRuns) {
  const auto job = desk.submit("pdf");
  desk.begin(job);
  for (int i = 0; i < 20; ++i) desk.advance(11s);
  EXPECT_EQ(desk.state(job), JobState::Running);
  EXPECT_EQ(desk.row(job).claims, 1);
  EXPECT_GE(desk.store.renewals, 10);
}

TEST_F(SchedulerTest, SurvivesAWallClockJumpOfADay) {
  const auto job = desk.submit("pdf");
  desk.begin(job);
  for (const auto by : {24h, -24h, 1h, -1h}) {
    desk.store.order.clear();
    desk.clock.jump(by);
    desk.advance(1s);
    ASSERT_FALSE(desk.store.order.empty());
    EXPECT_EQ(desk.store.order.front(), "renew");  // before any tick could rescue the job
    EXPECT_EQ(desk.state(job), JobState::Running);
  }
  EXPECT_EQ(desk.row(job).claims, 1);
}

TEST_F(SchedulerTest, SleepsWhenNothingIsToBeDone) {
  desk.succeed(desk.submit("pdf"));
  desk.advance(60s);
  EXPECT_EQ(desk.scheduler->wakeAt(), std::nullopt);
}

TEST_F(SchedulerTest, WakesForADelayedJob) {
  const auto job = desk.submit("pdf", [&](auto& draft) { draft.run_at = desk.clock.now() + 3s; });
  ASSERT_TRUE(desk.scheduler->wakeAt().has_value());
  EXPECT_EQ(*desk.scheduler->wakeAt() - desk.clock.steadyNow(), 3s);
  desk.advance(3s);
  EXPECT_TRUE(desk.runs(job));
}

TEST_F(SchedulerTest, FindsADelayedJobDueAfterTheClockJumpedToIt) {
  const auto job = desk.submit("pdf", [&](auto& draft) { draft.run_at = desk.clock.now() + 10h; });
  EXPECT_LE(*desk.scheduler->wakeAt() - desk.clock.steadyNow(), desk.options.poll);
  desk.clock.jump(10h);
  desk.advance(desk.options.poll);
  EXPECT_TRUE(desk.runs(job));
}

TEST_F(SchedulerTest, HandsShortAttemptsOverAhead) {
  desk.warmUp("noop");
  for (int i = 0; i < 100; ++i) desk.submit("noop");
  EXPECT_GT(desk.runner.attempts.size(), 50U);
}

TEST_F(SchedulerTest, ALongAttemptGivesBackThoseBehindIt) {
  desk.warmUp("noop");
  std::vector<core::JobId> jobs;
  for (int i = 0; i < 20; ++i) jobs.push_back(desk.submit("noop"));
  ASSERT_EQ(desk.runner.attempts.size(), 20U);
  desk.begin(jobs[0]);
  desk.begin(jobs[1]);
  desk.advance(desk.options.stall);
  ASSERT_EQ(desk.runner.recalls.size(), 18U);
  for (const auto id : std::vector(desk.runner.recalls)) desk.end(id, AttemptEnd::Kind::NotStarted);
  EXPECT_EQ(desk.runner.attempts.size(), 2U);  // back to one per slot
  EXPECT_EQ(desk.state(jobs[5]), JobState::Queued);
  EXPECT_EQ(desk.row(jobs[5]).requeue_reason, "recalled");
  EXPECT_EQ(desk.row(jobs[5]).attempt, 0);
}

TEST_F(SchedulerTest, AShortTypesBurstDoesNotStarveAnother) {
  desk.type("slow", "kit");
  desk.warmUp("noop");
  for (int i = 0; i < 600; ++i) desk.submit("noop");
  const auto slow = desk.submit("slow");
  for (int i = 0; i < 600 && !desk.runs(slow); ++i) desk.succeed(desk.runner.attempts.front().job.id, 0ms);
  EXPECT_TRUE(desk.runs(slow));
}

TEST_F(SchedulerTest, StoresProgressAFewTimesASecondAndTheLastValueWithTheEnd) {
  const auto job = desk.submit("pdf");
  desk.begin(job);
  desk.store.order.clear();
  for (int i = 1; i <= 100; ++i) {
    desk.progress(job, i / 200.0);
    desk.advance(10ms);
  }
  EXPECT_LE(std::count(desk.store.order.begin(), desk.store.order.end(), "update"), 5);
  desk.progress(job, 0.99);
  desk.succeed(job);
  EXPECT_DOUBLE_EQ(desk.row(job).progress->fraction, 0.99);
}

TEST_F(SchedulerTest, TellsProgressAtOnceToWhoListens) {
  const auto job = desk.submit("pdf");
  desk.begin(job);
  std::vector<std::string> told;
  const auto watch = desk.bus.subscribe(job, [&](std::span<const core::JobEvent> events) {
    for (const auto& event : events) told.push_back(event.data_json);
  });
  desk.progress(job, 0.25);
  desk.progress(job, 0.5);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[1], R"({"progress":0.5,"message":""})");
}

TEST_F(SchedulerTest, StoresNotesInOrderBeforeTheEnd) {
  const auto job = desk.submit("pdf");
  desk.note(job, "1", "\"a\"");
  desk.note(job, "2", "\"b\"");
  desk.succeed(job);
  ASSERT_EQ(desk.row(job).notes.size(), 2U);
  EXPECT_EQ(desk.row(job).notes[1].first, "2");
}

TEST_F(SchedulerTest, KeepsOutcomesAndNotesUntilTheStoreTakesThem) {
  const auto job = desk.submit("pdf");
  desk.store.failing = true;
  desk.note(job, "page", "1");
  desk.succeed(job);
  EXPECT_EQ(desk.state(job), JobState::Running);
  EXPECT_FALSE(desk.scheduler->idle());
  desk.store.failing = false;
  for (int i = 0; i < 4; ++i) desk.advance(5s);
  EXPECT_EQ(desk.state(job), JobState::Succeeded);
  EXPECT_EQ(desk.row(job).notes.size(), 1U);
  EXPECT_TRUE(desk.scheduler->idle());
}

TEST_F(SchedulerTest, TriesAFullStoreAgainAFewTimesAMinuteAndSleepsBetween) {
  const auto job = desk.submit("pdf");
  desk.submit("pdf", [&](auto& draft) { draft.run_at = desk.clock.now() + 1s; });  // due while nothing can be written
  desk.store.failing = true;
  desk.succeed(job);
  desk.store.order.clear();
  int turns = 0;
  for (const auto end = desk.clock.steadyNow() + 60s; desk.clock.steadyNow() < end; ++turns) {
    const auto wake = desk.scheduler->wakeAt();
    ASSERT_TRUE(wake);
    ASSERT_GT(*wake, desk.clock.steadyNow()) << "it would spin";
    desk.advance(std::chrono::ceil<std::chrono::microseconds>(*wake - desk.clock.steadyNow()));
  }
  EXPECT_LT(turns, 150);
  EXPECT_LT(std::count(desk.store.order.begin(), desk.store.order.end(), "settle"), 20);
  EXPECT_EQ(desk.state(job), JobState::Running);
  desk.store.failing = false;
  desk.advance(5s);
  EXPECT_EQ(desk.state(job), JobState::Succeeded);
}

TEST_F(SchedulerTest, AnOutcomeTheStoreRefusesKeepsNoOtherBack) {
  const auto first = desk.submit("pdf");
  const auto second = desk.submit("pdf");
  desk.store.failing = true;
  desk.succeed(first);
  desk.succeed(second);  // both wait for the next try
  desk.store.failing = false;
  desk.store.refused[first] = core::ErrorCode::Unavailable;  // too large for what the disk has left
  desk.advance(5s);
  EXPECT_EQ(desk.state(second), JobState::Succeeded);
  EXPECT_EQ(desk.state(first), JobState::Running);
  desk.store.refused.clear();
  desk.advance(5s);
  EXPECT_EQ(desk.state(first), JobState::Succeeded);
}

TEST_F(SchedulerTest, RenewsBeforeItRescuesWhenTheStoreTakesWritesAgain) {
  const auto job = desk.submit("pdf");
  desk.begin(job);
  desk.store.failing = true;
  for (int i = 0; i < 45; ++i) desk.advance(990ms);
  desk.store.failing = false;
  desk.store.order.clear();
  for (int i = 0; i < 20; ++i) desk.advance(100ms);
  ASSERT_FALSE(desk.store.order.empty());
  EXPECT_EQ(desk.store.order.front(), "renew");
  EXPECT_EQ(desk.state(job), JobState::Running);
  EXPECT_EQ(desk.row(job).claims, 1);
  EXPECT_TRUE(desk.runner.stops.empty());
}

TEST_F(SchedulerTest, APluginWithoutRunnersIsAskedLessOften) {
  const auto job = desk.submit("pdf");
  const auto cannotStart = [](auto& end) { end.error = core::JobError{ErrorClass::Internal, "load_failed", "no", ""}; };
  desk.end(job, AttemptEnd::Kind::NotStarted, cannotStart);
  EXPECT_FALSE(desk.runs(job));
  EXPECT_EQ(desk.row(job).requeue_reason, "plugin_unavailable");
  desk.advance(300ms);
  ASSERT_TRUE(desk.runs(job));
  desk.end(job, AttemptEnd::Kind::NotStarted, cannotStart);
  desk.advance(300ms);
  EXPECT_FALSE(desk.runs(job));
  desk.advance(300ms);
  EXPECT_TRUE(desk.runs(job));
}

TEST_F(SchedulerTest, AnAttemptWhoseLeaseWasLostIsStoppedAndNotStored) {
  const auto job = desk.submit("pdf");
  desk.begin(job);
  desk.row(job).lease = 999;  // another host has it
  desk.advance(11s);
  EXPECT_EQ(desk.runner.stops.size(), 1U);
  desk.end(job, AttemptEnd::Kind::Stopped);
  EXPECT_EQ(desk.state(job), JobState::Running);
  EXPECT_EQ(desk.row(job).terminal_moves, 0);
}

TEST_F(SchedulerTest, DrainLetsAttemptsFinishThenStopsAndRequeuesThem) {
  const auto quick = desk.submit("pdf");
  const auto slow = desk.submit("pdf");
  desk.begin(quick);
  desk.begin(slow);
  desk.scheduler->handle(msg::Drain{desk.clock.steadyNow() + 10s});
  desk.settle();
  const auto late = desk.submit("pdf");
  desk.succeed(quick);
  EXPECT_FALSE(desk.runs(late));
  EXPECT_TRUE(desk.runner.stops.empty());
  desk.advance(10s);
  ASSERT_EQ(desk.runner.stops.size(), 1U);
  EXPECT_EQ(desk.runner.stops[0].second, StopReason::Shutdown);
  EXPECT_FALSE(desk.scheduler->idle());
  desk.end(slow, AttemptEnd::Kind::Stopped);
  EXPECT_EQ(desk.state(slow), JobState::Queued);
  EXPECT_EQ(desk.row(slow).requeue_reason, "shutdown");
  EXPECT_TRUE(desk.scheduler->idle());
}

TEST_F(SchedulerTest, ASecondDrainHurries) {
  desk.begin(desk.submit("pdf"));
  desk.scheduler->handle(msg::Drain{desk.clock.steadyNow() + 1h});
  desk.settle();
  EXPECT_TRUE(desk.runner.stops.empty());
  desk.scheduler->handle(msg::Drain{desk.clock.steadyNow()});
  desk.settle();
  EXPECT_EQ(desk.runner.stops.size(), 1U);
}

TEST_F(SchedulerTest, AnAttemptThatAwaitsItsChildrenHoldsNoSlot) {
  const auto parent = desk.submit("pdf");
  desk.submit("pdf");
  const auto next = desk.submit("pdf");
  desk.end(parent, AttemptEnd::Kind::Suspended);
  EXPECT_EQ(desk.state(parent), JobState::Waiting);
  EXPECT_TRUE(desk.runs(next));
}

TEST_F(SchedulerTest, AJobThatWantsToRunLaterHoldsNoSlotAndComesBack) {
  const auto later = desk.submit("pdf");
  const auto second = desk.submit("pdf");
  const auto third = desk.submit("pdf");
  desk.end(later, AttemptEnd::Kind::Suspended, [](auto& end) { end.retry_after = 2s; });
  EXPECT_EQ(desk.state(later), JobState::Queued);
  EXPECT_TRUE(desk.runs(third));
  desk.succeed(second);
  EXPECT_FALSE(desk.runs(later));
  desk.advance(2s);
  ASSERT_TRUE(desk.runs(later));
  EXPECT_EQ(desk.attempt(later).job.attempt, 1);
  desk.succeed(later);
  EXPECT_EQ(desk.state(later), JobState::Succeeded);
  EXPECT_EQ(desk.row(later).retries, 0);
}

}  // namespace
}  // namespace jobhost::dispatch
