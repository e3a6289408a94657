#include "dispatch/outcome.hpp"

#include <string>
#include <utility>

#include "core/retry.hpp"

namespace jobhost::dispatch {
namespace {

using store::AttemptOutcome;
using store::OutcomeKind;

void requeue(AttemptOutcome& outcome, const AttemptFacts& facts, const char* reason) {
  outcome.kind = OutcomeKind::Requeue;
  outcome.retry_at = facts.run_at;
  outcome.reason = reason;
  outcome.error.reset();
}

void cancel(AttemptOutcome& outcome, bool forced) {
  outcome.kind = OutcomeKind::Canceled;
  const char* message = forced ? "canceled; the attempt did not stop in time and was killed" : "canceled";
  outcome.error = core::JobError{core::ErrorClass::Permanent, "canceled", message, ""};
}

void fail(AttemptOutcome& outcome, core::JobError error, core::Millis retry_after, const AttemptFacts& facts) {
  const auto wait = core::decideRetry(error, retry_after, facts.backoff, facts.attempt, facts.retries,
                                      facts.max_attempts, facts.random);
  outcome.kind = wait ? OutcomeKind::Retry : OutcomeKind::Failed;
  if (wait) outcome.retry_at = outcome.finished_at + *wait;  // not from when the dispatcher came to it
  outcome.error = std::move(error);
}

// What becomes of the job should the store find that the writes cannot be kept: a failed attempt that may be tried
// again.
void keepWrites(AttemptOutcome& outcome, std::shared_ptr<const store::AttemptWrites> writes,
                const AttemptFacts& facts) {
  if (!writes) return;
  const core::JobError refused{core::ErrorClass::Transient, "records_conflict", {}, {}};
  const auto wait = core::decideRetry(refused, core::Millis(-1), facts.backoff, facts.attempt, facts.retries,
                                      facts.max_attempts, facts.random);
  outcome.if_refused = wait ? OutcomeKind::Retry : OutcomeKind::Failed;
  if (wait) outcome.refused_retry_at = outcome.finished_at + *wait;
  outcome.writes = std::move(writes);
}

core::JobError timeoutError(core::Millis timeout, bool forced) {
  std::string message = "the attempt ran longer than its timeout of " + std::to_string(timeout.count()) + " ms";
  if (forced) message += " and had to be killed";
  return {core::ErrorClass::Transient, "timeout", std::move(message), ""};
}

// The attempt ended because it was asked to, or because the runner side closed it down by itself (no reason: shutdown).
void stopped(AttemptOutcome& outcome, bool forced, const AttemptFacts& facts) {
  switch (facts.stop.value_or(StopReason::Shutdown)) {
    case StopReason::Canceled:
      return cancel(outcome, forced);
    case StopReason::TimedOut:
      return fail(outcome, timeoutError(facts.timeout, forced), core::Millis(-1), facts);
    case StopReason::Suspended:
      return requeue(outcome, facts, "suspended");
    case StopReason::Shutdown:
      return requeue(outcome, facts, "shutdown");
  }
}

void notStarted(AttemptOutcome& outcome, const AttemptFacts& facts) {
  if (facts.stop == StopReason::Canceled) return cancel(outcome, false);
  if (facts.stop == StopReason::Suspended) return requeue(outcome, facts, "suspended");
  if (facts.stop == StopReason::Shutdown) return requeue(outcome, facts, "shutdown");
  const bool unavailable = outcome.error && outcome.error->code != "recalled";
  requeue(outcome, facts, unavailable ? "plugin_unavailable" : "recalled");
}

}  // namespace

store::AttemptOutcome decideOutcome(AttemptEnd end, const AttemptFacts& facts) {
  AttemptOutcome outcome;
  outcome.id = end.id;
  outcome.lease = end.lease;
  outcome.error = std::move(end.error);
  outcome.started_at = end.started_at;
  outcome.finished_at = end.finished_at == core::Instant{} ? facts.now : end.finished_at;
  outcome.usage = end.usage;
  outcome.exit = end.exit;
  switch (end.kind) {
    case AttemptEnd::Kind::Succeeded:
      outcome.kind = OutcomeKind::Succeeded;
      outcome.result_json = std::move(end.result_json);
      outcome.outputs = std::move(end.outputs);
      outcome.error.reset();
      keepWrites(outcome, std::move(end.writes), facts);
      break;
    case AttemptEnd::Kind::Suspended:
      outcome.kind = OutcomeKind::AwaitChildren;
      outcome.error.reset();
      if (end.retry_after.count() >= 0) {
        outcome.not_before = outcome.finished_at + end.retry_after;
        outcome.reason = std::move(end.reason);
      }
      keepWrites(outcome, std::move(end.writes), facts);
      break;
    case AttemptEnd::Kind::Stopped:
      stopped(outcome, end.forced, facts);
      break;
    case AttemptEnd::Kind::NotStarted:
      notStarted(outcome, facts);
      break;
    case AttemptEnd::Kind::Failed:
      // What the plugin says of itself counts, unless its end was our doing.
      if (facts.stop == StopReason::Canceled || (facts.stop && end.forced)) {
        stopped(outcome, end.forced, facts);
        break;
      }
      fail(outcome,
           std::move(outcome.error)
               .value_or(core::JobError{core::ErrorClass::Internal, "failed", "the attempt failed", ""}),
           end.retry_after, facts);
      break;
  }
  return outcome;
}

}  // namespace jobhost::dispatch
