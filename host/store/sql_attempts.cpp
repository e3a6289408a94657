#include "store/sql_attempts.hpp"

#include <algorithm>
#include <utility>

namespace jobhost::store {

using core::EventKind;
using core::JobState;

AttemptOps::AttemptOps(Database& db, Ledger& ledger, JobTable& table, Moves& moves, RecordOps& records)
    : ledger_(ledger),
      table_(table),
      moves_(moves),
      records_(records),
      set_progress_(db, "UPDATE jobs SET progress = $1, updated_at = $2 WHERE id = $3"),
      set_notes_(db, "UPDATE jobs SET docs = $1, event_seq = $2, updated_at = $3 WHERE id = $4"),
      set_lease_(db, "UPDATE jobs SET lease_until = $1 WHERE id = $2"),
      set_docs_(db, "UPDATE jobs SET docs = $1 WHERE id = $2") {}

std::optional<LiveRow> AttemptOps::held(core::JobId id, LeaseToken lease) {
  const auto found = ledger_.running.find(id);
  if (found == ledger_.running.end() || found->second.row.lease != lease) return std::nullopt;
  return table_.load(id);
}

namespace {

/// The outcome of an attempt whose writes cannot be stored: what it did has not happened.
AttemptOutcome refused(const AttemptOutcome& outcome, const core::Error& error) {
  AttemptOutcome failed;
  failed.id = outcome.id;
  failed.lease = outcome.lease;
  failed.kind = outcome.if_refused;
  failed.retry_at = outcome.refused_retry_at;
  const bool conflict = error.code == core::ErrorCode::Conflict;
  failed.error = core::JobError{conflict ? core::ErrorClass::Transient : core::ErrorClass::Resource,
                                conflict ? "records_conflict" : "records_refused",
                                "what the attempt wrote to records could not be stored: " + error.message,
                                {}};
  failed.started_at = outcome.started_at;
  failed.finished_at = outcome.finished_at;
  failed.usage = outcome.usage;
  failed.progress = outcome.progress;
  return failed;
}

}  // namespace

namespace {

bool childrenOutstanding(const LiveRow& row) {
  return row.children.done < row.children.total;
}

/// Whether the cancel that was asked for takes place. A success that raced it stays one, but not that of a job whose
/// children were canceled with it: it would be a canceled tree that has succeeded.
bool cancels(const LiveRow& row, OutcomeKind kind) {
  if (row.ask != Ask::Cancel) return false;
  return kind != OutcomeKind::Succeeded || childrenOutstanding(row) || row.children.failed > 0;
}

}  // namespace

/// Stores what the attempt wrote, where its outcome lets that count.
core::Result<void> AttemptOps::commitWrites(const LiveRow& row, const AttemptOutcome& outcome) {
  const bool counts = (outcome.kind == OutcomeKind::Succeeded || outcome.kind == OutcomeKind::AwaitChildren) &&
                      !cancels(row, outcome.kind);
  if (!counts || !outcome.writes) return {};
  const auto entries = outcome.writes->all();
  if (entries.empty()) return {};
  std::vector<const RecordWrite*> writes;
  writes.reserve(entries.size());
  for (const auto& entry : entries) writes.push_back(entry.get());
  if (auto written = records_.write(writes); !written) return written.error();
  return {};
}

std::vector<Settled> AttemptOps::settle(const std::vector<AttemptOutcome>& outcomes) {
  std::vector<Settled> answers;
  answers.reserve(outcomes.size());
  for (const AttemptOutcome& outcome : outcomes) {
    moves_.settleCounters(outcome.id);
    if (auto row = held(outcome.id, outcome.lease)) {
      if (auto kept = commitWrites(*row, outcome); !kept) {
        answers.push_back({outcome.id, true, settleOne(*std::move(row), refused(outcome, kept.error()))});
        continue;
      }
      answers.push_back({outcome.id, true, settleOne(*std::move(row), outcome)});
    } else {
      const auto now = table_.load(outcome.id);
      answers.push_back({outcome.id, false, now ? now->state : JobState::Canceled});
    }
  }
  return answers;
}

namespace {

/// What an attempt's end makes of its job.
struct Verdict {
  JobState to = JobState::Failed;
  EventKind kind = EventKind::Failed;
  std::string error;
  std::string reason;    ///< of going back to the queue
  bool counted = true;   ///< false: the attempt did not take place
  bool finished = true;  ///< finished_at tells when this attempt ended
};

/// The attempt did not take place. A continued one was not counted when it was claimed; it will be continued again.
void uncount(LiveRow& row) {
  if (row.resumed == Resume::Now) {
    row.resumed = Resume::Next;
  } else {
    row.attempt = std::max(0, row.attempt - 1);
  }
}

Verdict succeeded(const LiveRow& row) {
  if (childrenOutstanding(row)) {
    return {JobState::Waiting, EventKind::Waiting, {}, {}, true, false};
  }
  if (row.child_failure == core::ChildFailure::Fail && row.children.failed > 0) {
    return {JobState::Failed,
            EventKind::Failed,
            errorText({core::ErrorClass::Permanent,
                       "children_failed",
                       std::to_string(row.children.failed) + " of " + std::to_string(row.children.total) +
                           " child jobs failed",
                       {}}),
            {}};
  }
  return {JobState::Succeeded, EventKind::Succeeded, {}, {}};
}

/// Of going back to the queue by its own wish.
constexpr const char* kLater = "later";

/// How an outcome reads when nobody asked for anything: or was asked to suspend, `suspend`.
Verdict judge(LiveRow& row, const AttemptOutcome& outcome, bool suspend, core::Instant now) {
  const std::string error = outcome.error ? errorText(*outcome.error) : std::string();
  const Verdict suspended{JobState::Suspended, EventKind::Suspended, {}, {}, false, false};
  switch (outcome.kind) {
    case OutcomeKind::Succeeded:
      return succeeded(row);
    case OutcomeKind::Failed:
      return {JobState::Failed, EventKind::Failed, error, {}};
    case OutcomeKind::Canceled:
      if (suspend) return suspended;
      return {JobState::Canceled, EventKind::Canceled, error, {}};
    case OutcomeKind::Retry:
      ++row.retries;
      row.run_at = core::toMicros(outcome.retry_at);
      if (suspend) return {JobState::Suspended, EventKind::Suspended, error, {}};
      return {JobState::Queued, EventKind::Queued, error, "retry"};
    case OutcomeKind::AwaitChildren:
      row.resumed = Resume::Next;
      if (outcome.not_before) row.run_at = core::toMicros(*outcome.not_before);
      if (suspend) return {JobState::Suspended, EventKind::Suspended, {}, {}, true, false};
      if (childrenOutstanding(row)) {
        if (outcome.not_before) row.resumed = Resume::NextAtRunAt;
        return {JobState::Waiting, EventKind::Waiting, {}, {}, true, false};
      }
      return {JobState::Queued, EventKind::Queued, {}, outcome.not_before ? kLater : "resumed", true, false};
    case OutcomeKind::Requeue:
      if (suspend) return suspended;
      if (outcome.retry_at > now) row.run_at = core::toMicros(outcome.retry_at);  // else it keeps its place
      return {
          JobState::Queued, EventKind::Queued, {}, outcome.reason.empty() ? "requeued" : outcome.reason, false, false};
  }
  return {};
}

}  // namespace

/// The error a canceled job keeps: the reason given to cancel(); without one what the attempt's end says of it (that it
/// had to be killed).
std::string AttemptOps::cancelError(const LiveRow& row, const AttemptOutcome* outcome) {
  const std::string plain = errorText({core::ErrorClass::Permanent, "canceled", "canceled", {}});
  const bool said = outcome != nullptr && outcome->error;
  if (row.ask == Ask::Cancel) {
    std::string asked = table_.error(row.id);
    if (!asked.empty() && (asked != plain || !said || outcome->error->code != "canceled")) return asked;
  }
  return said ? errorText(*outcome->error) : plain;
}

JobState AttemptOps::settleOne(LiveRow row, const AttemptOutcome& outcome) {
  Verdict verdict;
  if (cancels(row, outcome.kind)) {
    verdict = {JobState::Canceled, EventKind::Canceled, {}, {}};
  } else {
    verdict = judge(row, outcome, row.ask == Ask::Suspend, ledger_.now);
  }
  if (verdict.to == JobState::Canceled) verdict.error = cancelError(row, &outcome);

  if (!verdict.counted) {
    uncount(row);
  } else if (outcome.kind != OutcomeKind::AwaitChildren) {
    row.resumed = Resume::None;
  }
  if (outcome.started_at) row.started_at = core::toMicros(*outcome.started_at);
  if (verdict.finished) row.finished_at = core::toMicros(outcome.finished_at);
  if (!outcome.outputs.empty()) {
    table_.putDoc(row.id, Doc::Outputs, outputsText(outcome.outputs));
    row.docs |= docBit(Doc::Outputs);
  }
  std::string data = verdict.error;
  const bool handed_back = outcome.kind == OutcomeKind::AwaitChildren && outcome.not_before;
  if (verdict.to == JobState::Queued) {
    data = "{\"reason\":" + jsonString(verdict.reason);
    if (!verdict.error.empty()) data += ",\"error\":" + verdict.error;
    if (handed_back && !outcome.reason.empty()) data += ",\"message\":" + jsonString(outcome.reason);
    data += "}";
    if (handed_back) table_.dropRepetition(row, kLater);
  }
  // What it left to its children, or what only they failed in, is not its own step.
  const bool own_step = outcome.kind == OutcomeKind::Succeeded && verdict.to != JobState::Canceled;
  if (own_step && verdict.to != JobState::Succeeded) moves_.ownStepDone(row);
  moves_.leaveAttempt(row, verdict.to, verdict.kind, std::move(data));
  const bool keeps_result = outcome.kind == OutcomeKind::Succeeded && verdict.to != JobState::Canceled;
  std::string progress = outcome.progress ? progressText(*outcome.progress) : std::string();
  if (handed_back && !outcome.reason.empty() && !core::isTerminal(verdict.to)) {
    core::Progress shown = outcome.progress ? *outcome.progress : readProgress(table_.progress(row.id));
    shown.message = outcome.reason;
    progress = progressText(shown);
  }
  table_.saveEnd(row, {keeps_result ? std::string_view(outcome.result_json) : std::string_view(), verdict.error,
                       usageText(outcome.usage), std::move(progress), outcome.exit});
  return row.state;
}

/// An attempt lost with its host or lease is not the job's doing: it is not counted, and the job keeps its place in the
/// queue. The limit is for jobs that take their host with them each time.
void AttemptOps::expireOne(LiveRow row, const char* reason) {
  JobTable::Ending ending;
  if (row.ask == Ask::Cancel) {
    row.finished_at = core::toMicros(ledger_.now);
    row.resumed = Resume::None;
    ending.error = cancelError(row, nullptr);
    moves_.leaveAttempt(row, JobState::Canceled, EventKind::Canceled, ending.error);
  } else if (row.ask == Ask::Suspend) {
    ++row.rescues;  // what is resumed was lost all the same
    table_.saveRescues(row);
    uncount(row);
    moves_.leaveAttempt(row, JobState::Suspended, EventKind::Suspended, {});
  } else if (row.rescues >= kMaxRescues) {
    row.finished_at = core::toMicros(ledger_.now);
    row.resumed = Resume::None;
    ending.error = errorText({core::ErrorClass::Internal,
                              "lease_expired",
                              "the host or runner that had this attempt went away; given up after " +
                                  std::to_string(kMaxRescues) + " rescues",
                              {}});
    moves_.leaveAttempt(row, JobState::Failed, EventKind::Failed, ending.error);
  } else {
    ++row.rescues;
    table_.saveRescues(row);
    uncount(row);
    moves_.leaveAttempt(row, JobState::Queued, EventKind::Queued, "{\"reason\":" + jsonString(reason) + "}");
  }
  table_.saveEnd(row, ending);
}

std::vector<core::JobId> AttemptOps::expire(bool every) {
  std::vector<core::JobId> ids;
  for (const auto& [id, attempt] : ledger_.running) {
    if (every || attempt.until <= ledger_.steady_now) ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end());
  for (const core::JobId id : ids) {
    moves_.settleCounters(id);
    // At the start of a host no lease has run out: it is the host before that is gone.
    if (auto row = table_.load(id)) expireOne(*std::move(row), every ? "host_died" : "lease_expired");
  }
  return ids;
}

std::optional<core::Instant> AttemptOps::nextLeaseEnd() const {
  if (ledger_.running.empty()) return std::nullopt;
  auto first = ledger_.running.begin()->second.until;
  for (const auto& [id, attempt] : ledger_.running) first = std::min(first, attempt.until);
  return ledger_.now + std::chrono::duration_cast<std::chrono::microseconds>(first - ledger_.steady_now);
}

void AttemptOps::update(const std::vector<AttemptUpdate>& updates) {
  const std::int64_t now = core::toMicros(ledger_.now);
  for (const AttemptUpdate& update : updates) {
    auto row = held(update.id, update.lease);
    if (!row) continue;
    if (update.progress) Query(set_progress_, TextOrNull{progressText(*update.progress)}, now, row->id.value).run();
    if (update.notes.empty()) continue;
    const std::string before =
        (row->docs & docBit(Doc::Notes)) != 0 ? table_.doc(row->id, Doc::Notes).value_or("") : "";
    table_.putDoc(row->id, Doc::Notes, mergeNotes(before, update.notes));
    row->docs |= docBit(Doc::Notes);
    table_.addEvent(*row, EventKind::Note, notesText(update.notes));
    Query(set_notes_, row->docs, row->event_seq, now, row->id.value).run();
    ledger_.touch(row->id);
  }
}

std::vector<LeaseRef> AttemptOps::renew(const std::vector<LeaseRef>& leases, core::Millis lease) {
  std::vector<LeaseRef> lost;
  for (const LeaseRef& each : leases) {
    const auto found = ledger_.running.find(each.id);
    if (found == ledger_.running.end() || found->second.row.lease != each.lease) {
      lost.push_back(each);
      continue;
    }
    found->second.until = ledger_.steady_now + lease;
    found->second.row.lease_until = core::toMicros(ledger_.now + lease);
    Query(set_lease_, found->second.row.lease_until, each.id.value).run();
  }
  return lost;
}

core::Result<void> AttemptOps::saveCheckpoint(const LeaseRef& lease, const std::string& bytes) {
  auto row = held(lease.id, lease.lease);
  if (!row) return core::Error{core::ErrorCode::Conflict, "the attempt no longer has its lease", {}, {}};
  table_.putDoc(row->id, Doc::Checkpoint, bytes);
  if ((row->docs & docBit(Doc::Checkpoint)) == 0) {
    Query(set_docs_, row->docs | docBit(Doc::Checkpoint), row->id.value).run();
    ledger_.touch(row->id);
  }
  return {};
}

}  // namespace jobhost::store
