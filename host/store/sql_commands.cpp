#include "store/sql_commands.hpp"

#include <algorithm>
#include <utility>

namespace jobhost::store {

using core::Error;
using core::ErrorCode;
using core::EventKind;
using core::JobState;

CommandOps::CommandOps(Database& db, Ledger& ledger, JobTable& table, Moves& moves)
    : ledger_(ledger),
      table_(table),
      moves_(moves),
      children_(db, "SELECT id FROM jobs INDEXED BY jobs_by_parent WHERE parent = $1 ORDER BY id"),
      unique_taken_(db, "SELECT id FROM jobs WHERE type_id = $1 AND unique_key = $2 AND state < 4"),
      unique_key_(db, "SELECT unique_key FROM jobs WHERE id = $1 AND unique_key IS NOT NULL"),
      keep_last_job_(db,
                     "INSERT INTO meta (name, value) VALUES ('last_job', $1) "
                     "ON CONFLICT (name) DO UPDATE SET value = excluded.value"),
      forget_deleted_(db,
                      "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE kind = 10 AND at < $1 AND "
                      "seq < $2 ORDER BY at, seq LIMIT $3)") {}

core::Result<LiveRow> CommandOps::find(core::JobId id) {
  auto row = table_.load(id);
  if (!row) return Error{ErrorCode::NotFound, "job " + core::toString(id) + " does not exist", {}, {}};
  return *std::move(row);
}

namespace {
Error conflict(const LiveRow& row, const std::string& what) {
  return {ErrorCode::Conflict,
          "job " + core::toString(row.id) + " is " + std::string(core::toString(row.state)) + ": " + what,
          {},
          {}};
}
}  // namespace

/// The job and everything below it, parents first.
std::vector<core::JobId> CommandOps::subtree(core::JobId id) {
  std::vector<core::JobId> ids{id};
  for (std::size_t i = 0; i < ids.size(); ++i) {
    for (Query query(children_, ids[i].value); query.step();) ids.push_back({query.number(0)});
  }
  return ids;
}

core::Result<CancelOutcome> CommandOps::cancel(core::JobId id, const std::string& reason) {
  auto found = find(id);
  if (!found) return found.error();
  const bool had_ended = core::isTerminal(found->state);
  const std::string error =
      errorText({core::ErrorClass::Permanent, "canceled", reason.empty() ? "canceled" : reason, {}});
  bool asked = false;
  // Parents first: consequences are worked off afterwards, when no waiting parent is left to be woken by its children.
  const auto ids = found->children.total > 0 ? subtree(id) : std::vector{id};
  for (const core::JobId each : ids) {
    auto row = table_.load(each);
    if (!row || core::isTerminal(row->state)) continue;
    const bool ended = cancelOne(*row, error);
    if (each == id) asked = !ended;
  }
  return had_ended ? CancelOutcome::AlreadyEnded : asked ? CancelOutcome::Asked : CancelOutcome::Canceled;
}

/// True when the job ended at once, false when its attempt was asked.
bool CommandOps::cancelOne(LiveRow& row, const std::string& error) {
  if (row.state != JobState::Running) {
    moves_.end(row, JobState::Canceled, error);
    return true;
  }
  if (row.ask != Ask::Cancel) {
    row.ask = Ask::Cancel;
    table_.addEvent(row, EventKind::CancelRequested, "{\"reason\":\"cancel\"}");
    table_.save(row);
    table_.setError(row.id, error);
  }
  return false;
}

core::Result<void> CommandOps::retry(core::JobId id) {
  auto row = find(id);
  if (!row) return row.error();
  if (row->state != JobState::Failed && row->state != JobState::Canceled) {
    return conflict(*row, "only failed and canceled jobs can be retried");
  }
  if ((row->docs & kHasDeps) != 0) {
    const int open = moves_.outstandingDependencies(id);
    if (open < 0) return conflict(*row, "a job it depends on did not succeed");
    row->deps_pending = open;
  }
  if (Query key(unique_key_, id.value); key.step()) {
    if (Query taken(unique_taken_, row->type_id, key.view(0)); taken.step()) {
      return conflict(*row, "job " + std::to_string(taken.number(0)) + " has its unique key now");
    }
  }
  moves_.childRevived(*row);
  row->max_attempts = std::max(row->max_attempts, row->attempt + 1);
  ++row->retries;
  row->rescues = 0;
  table_.saveRescues(*row);
  row->own_done = false;
  row->resumed = Resume::None;
  row->run_at = core::toMicros(ledger_.now);
  table_.clearResult(*row);
  moves_.toQueue(*row, "retry");
  return {};
}

core::Result<void> CommandOps::suspend(core::JobId id) {
  auto row = find(id);
  if (!row) return row.error();
  if (row->state == JobState::Suspended) return {};
  if (row->state == JobState::Queued) {
    moves_.toSuspended(*row);
    return {};
  }
  if (row->state != JobState::Running) return conflict(*row, "only queued and running jobs can be suspended");
  if (row->ask == Ask::Cancel) return conflict(*row, "it is being canceled");
  if (row->ask == Ask::Suspend) return {};
  row->ask = Ask::Suspend;
  table_.addEvent(*row, EventKind::CancelRequested, "{\"reason\":\"suspend\"}");
  table_.save(*row);
  return {};
}

core::Result<void> CommandOps::resume(core::JobId id) {
  auto row = find(id);
  if (!row) return row.error();
  if (row->state != JobState::Suspended) return conflict(*row, "only suspended jobs can be resumed");
  moves_.toQueue(*row, "resumed");
  return {};
}

core::Result<void> CommandOps::setPriority(core::JobId id, int priority) {
  auto row = find(id);
  if (!row) return row.error();
  if (core::isTerminal(row->state)) return conflict(*row, "its priority no longer matters");
  if (row->priority == priority) return {};
  row->priority = priority;
  if (row->state == JobState::Queued) moves_.keyChanged(*row);
  table_.addEvent(*row, EventKind::Changed, "{\"priority\":" + std::to_string(priority) + "}");
  table_.save(*row);
  return {};
}

core::Result<void> CommandOps::setTags(core::JobId id, const std::vector<std::string>& tags) {
  auto row = find(id);
  if (!row) return row.error();
  const std::string text = tagsText(tags);
  const std::string before = table_.tagsColumn(id);
  if (text == before) return {};
  table_.dropTags(id, readTags(before));
  table_.addTags(id, tags);
  table_.addEvent(*row, EventKind::Changed, "{\"tags\":" + (text.empty() ? "[]" : text) + "}");
  table_.setTagsColumn(*row, text);
  return {};
}

core::Result<void> CommandOps::remove(core::JobId id) {
  auto row = find(id);
  if (!row) return row.error();
  if (!core::isTerminal(row->state)) return conflict(*row, "only jobs that have ended can be deleted");
  const auto ids = subtree(id);
  for (const core::JobId each : ids) {
    const auto below = table_.load(each);
    if (below && !core::isTerminal(below->state)) {
      return conflict(*row, "job " + core::toString(each) + " below it has not ended");
    }
  }
  erase(ids);
  return {};
}

std::vector<core::JobId> CommandOps::removeTrees(const std::vector<core::JobId>& roots, core::Instant cutoff,
                                                 int limit) {
  std::vector<core::JobId> removed;
  for (const core::JobId root : roots) {
    if (removed.size() >= static_cast<std::size_t>(limit)) break;
    const auto ids = subtree(root);
    const bool ended = std::all_of(ids.begin(), ids.end(), [&](core::JobId id) {
      const auto row = table_.load(id);
      return row && core::isTerminal(row->state) && row->finished_at.value_or(0) < core::toMicros(cutoff);
    });
    if (!ended) continue;
    erase(ids);
    removed.insert(removed.end(), ids.begin(), ids.end());
  }
  Query(forget_deleted_, core::toMicros(cutoff), ledger_.last_seq, limit).run();
  return removed;
}

/// Counters of ancestors stay as they are: they tell what was made and how it ended, not what is still kept.
void CommandOps::erase(const std::vector<core::JobId>& ids) {
  for (const core::JobId id : ids) {
    auto row = table_.load(id);
    if (!row) continue;
    table_.erase(*row);
    ledger_.count(*row, row->state, std::nullopt);
    row->event_seq = 0;  // the job's other events went with it
    table_.addEvent(*row, EventKind::Deleted);
  }
  Query(keep_last_job_, ledger_.last_job).run();  // no number is given twice
}

}  // namespace jobhost::store
