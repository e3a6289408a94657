#include "dispatch/outcome.hpp"

#include <gtest/gtest.h>

namespace jobhost::dispatch {
namespace {

using core::ErrorClass;
using store::OutcomeKind;
using End = AttemptEnd::Kind;

struct Case {
  const char* name;
  End end;
  std::optional<StopReason> stop;
  bool forced;
  std::optional<core::JobError> error;
  int attempts_left;
  OutcomeKind kind;
  const char* code_or_reason;
};

core::JobError error(ErrorClass error_class, const char* code) {
  return {error_class, code, "text", ""};
}

class Outcome : public ::testing::TestWithParam<Case> {};

TEST_P(Outcome, IsDecided) {
  const Case& expected = GetParam();
  AttemptEnd end;
  end.id = {7};
  end.lease = 3;
  end.kind = expected.end;
  end.forced = expected.forced;
  end.error = expected.error;
  AttemptFacts facts;
  facts.now = core::fromMicros(1'000'000'000);
  facts.run_at = core::fromMicros(5'000'000);
  facts.max_attempts = 1 + expected.attempts_left;
  facts.timeout = core::Millis(30'000);
  facts.stop = expected.stop;
  const auto outcome = decideOutcome(std::move(end), facts);
  EXPECT_EQ(outcome.kind, expected.kind);
  EXPECT_EQ(outcome.error ? outcome.error->code : outcome.reason, expected.code_or_reason);
  EXPECT_EQ(outcome.lease, 3);
  if (outcome.kind == OutcomeKind::Requeue) {
    EXPECT_EQ(outcome.retry_at, facts.run_at) << "keeps its place";
  }
  if (outcome.kind == OutcomeKind::Retry) {
    EXPECT_EQ(outcome.retry_at, facts.now + core::Millis(15'000));
  }
}

TEST(OutcomeLater, IsATimeAndAReasonAndNoError) {
  AttemptFacts facts;
  facts.now = core::fromMicros(1'000'000'000);
  AttemptEnd end;
  end.kind = End::Suspended;
  EXPECT_EQ(decideOutcome(end, facts).not_before, std::nullopt) << "it waits for its children alone";
  end.retry_after = core::Millis(2'000);
  end.reason = "waiting for its turn";
  for (const auto stop : {std::optional<StopReason>(), std::optional(StopReason::Shutdown)}) {
    facts.stop = stop;
    const auto outcome = decideOutcome(end, facts);
    EXPECT_EQ(outcome.kind, OutcomeKind::AwaitChildren);
    EXPECT_EQ(outcome.not_before, facts.now + core::Millis(2'000));
    EXPECT_EQ(outcome.reason, "waiting for its turn");
    EXPECT_FALSE(outcome.error);
  }
}

TEST(OutcomeTimes, CountFromTheEndOfTheAttemptHoweverLateItIsDecided) {
  AttemptFacts facts;
  facts.now = core::fromMicros(1'000'000'000);
  facts.max_attempts = 2;
  AttemptEnd end;
  end.finished_at = facts.now - core::Millis(4'000);
  end.kind = End::Failed;
  end.error = error(ErrorClass::Transient, "net");
  const auto failed = decideOutcome(end, facts);
  EXPECT_EQ(failed.finished_at, end.finished_at);
  EXPECT_EQ(failed.retry_at, end.finished_at + core::Millis(15'000));
  end.kind = End::Suspended;
  end.retry_after = core::Millis(2'000);
  end.writes = std::make_shared<const store::AttemptWrites>();
  const auto later = decideOutcome(end, facts);
  EXPECT_EQ(later.not_before, end.finished_at + core::Millis(2'000));
  EXPECT_EQ(later.refused_retry_at, end.finished_at + core::Millis(15'000));
}

TEST(OutcomeWrites, GoWithASuccessAndSayWhatARefusalOfThemMeans) {
  const auto writes = std::make_shared<const store::AttemptWrites>();
  AttemptFacts facts;
  facts.now = core::fromMicros(1'000'000'000);
  for (const auto kind : {End::Succeeded, End::Suspended, End::Failed, End::Stopped}) {
    for (const int left : {0, 1}) {
      AttemptEnd end;
      end.kind = kind;
      end.writes = writes;
      facts.max_attempts = 1 + left;
      const auto outcome = decideOutcome(std::move(end), facts);
      const bool counts = kind == End::Succeeded || kind == End::Suspended;
      EXPECT_EQ(outcome.writes != nullptr, counts);
      EXPECT_EQ(outcome.if_refused, counts && left > 0 ? OutcomeKind::Retry : OutcomeKind::Failed);
      if (outcome.if_refused != OutcomeKind::Retry) continue;
      EXPECT_EQ(outcome.refused_retry_at, facts.now + core::Millis(15'000));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    OfEachEnd, Outcome,
    ::testing::Values(
        Case{"Success", End::Succeeded, {}, false, {}, 0, OutcomeKind::Succeeded, ""},
        Case{"SuccessThoughCanceled", End::Succeeded, StopReason::Canceled, false, {}, 0, OutcomeKind::Succeeded, ""},
        Case{"SuccessThoughTimedOut", End::Succeeded, StopReason::TimedOut, false, {}, 0, OutcomeKind::Succeeded, ""},
        Case{"Waits", End::Suspended, {}, false, {}, 0, OutcomeKind::AwaitChildren, ""},
        Case{"BadInput", End::Failed, {}, false, error(ErrorClass::BadInput, "bad"), 5, OutcomeKind::Failed, "bad"},
        Case{"Transient", End::Failed, {}, false, error(ErrorClass::Transient, "net"), 1, OutcomeKind::Retry, "net"},
        Case{"TransientLast",
             End::Failed,
             {},
             false,
             error(ErrorClass::Transient, "net"),
             0,
             OutcomeKind::Failed,
             "net"},
        Case{"FailedWithoutAWord", End::Failed, {}, false, {}, 0, OutcomeKind::Failed, "failed"},
        Case{"Canceled", End::Stopped, StopReason::Canceled, false, {}, 3, OutcomeKind::Canceled, "canceled"},
        Case{"KilledAfterCancel", End::Stopped, StopReason::Canceled, true, {}, 3, OutcomeKind::Canceled, "canceled"},
        Case{"FailedAfterCancel", End::Failed, StopReason::Canceled, false, error(ErrorClass::Transient, "x"), 3,
             OutcomeKind::Canceled, "canceled"},
        Case{"TimedOut", End::Stopped, StopReason::TimedOut, true, {}, 0, OutcomeKind::Failed, "timeout"},
        Case{"TimedOutRetry", End::Stopped, StopReason::TimedOut, false, {}, 1, OutcomeKind::Retry, "timeout"},
        Case{"OwnErrorAtTimeout", End::Failed, StopReason::TimedOut, false, error(ErrorClass::Permanent, "own"), 1,
             OutcomeKind::Failed, "own"},
        Case{"Shutdown", End::Stopped, StopReason::Shutdown, true, {}, 0, OutcomeKind::Requeue, "shutdown"},
        Case{"StoppedByTheRunnerSide", End::Stopped, {}, false, {}, 0, OutcomeKind::Requeue, "shutdown"},
        Case{"KilledAtShutdown", End::Failed, StopReason::Shutdown, true, error(ErrorClass::Internal, "plugin_crashed"),
             0, OutcomeKind::Requeue, "shutdown"},
        Case{"PutAside", End::Stopped, StopReason::Suspended, false, {}, 0, OutcomeKind::Requeue, "suspended"},
        Case{"Recalled", End::NotStarted, {}, false, {}, 0, OutcomeKind::Requeue, "recalled"},
        Case{"NoRunner",
             End::NotStarted,
             {},
             false,
             error(ErrorClass::Internal, "load_failed"),
             0,
             OutcomeKind::Requeue,
             "plugin_unavailable"},
        Case{"CanceledBeforeItBegan",
             End::NotStarted,
             StopReason::Canceled,
             false,
             {},
             0,
             OutcomeKind::Canceled,
             "canceled"}),
    [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace jobhost::dispatch
