#include "store/sql_commands.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace jobhost::store {

using core::Error;
using core::ErrorCode;
using core::EventKind;
using core::JobState;

CommandOps::CommandOps(Database& db, Ledger& ledger, JobTable& table, Moves& moves, RecordOps& records)
    : ledger_(ledger),
      table_(table),
      moves_(moves),
      records_(records),
      children_(db, "SELECT id FROM jobs INDEXED BY jobs_by_parent WHERE parent = $1 ORDER BY id"),
      keep_last_job_(db,
                     "INSERT INTO meta (name, value) VALUES ('last_job', $1) "
                     "ON CONFLICT (name) DO UPDATE SET value = excluded.value"),
      forget_deleted_(db,
                      "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE kind = 10 AND at < $1 AND "
                      "seq < $2 ORDER BY at, seq LIMIT $3)"),
      last_child_(db, "SELECT max(id) FROM jobs INDEXED BY jobs_by_parent WHERE parent = $1"),
      mark_removal_(db, "INSERT INTO removals (job) VALUES ($1)"),
      drop_removal_(db, "DELETE FROM removals WHERE job = $1") {}

core::Result<LiveRow> CommandOps::find(core::JobId id) {
  auto row = table_.load(id);
  if (!row) return Error{ErrorCode::NotFound, "job " + core::toString(id) + " does not exist", {}, {}};
  return *std::move(row);
}

core::Result<LiveRow> CommandOps::findSettled(core::JobId id) {
  moves_.settleDeserted();
  const auto row = find(id);
  if (!row) return row;
  moves_.settleCounters(row->parent ? core::JobId{*row->parent} : id);
  return find(id);
}

namespace {
Error conflict(const LiveRow& row, const std::string& what) {
  return {ErrorCode::Conflict,
          "job " + core::toString(row.id) + " is " + std::string(core::toString(row.state)) + ": " + what,
          {},
          {}};
}

std::string canceledText(const std::string& reason) {
  return errorText({core::ErrorClass::Permanent, "canceled", reason.empty() ? "canceled" : reason, {}});
}
}  // namespace

/// The job and everything below it, parents first; nullopt when it is larger than a step.
std::optional<std::vector<core::JobId>> CommandOps::smallTree(core::JobId id) {
  std::vector<core::JobId> ids{id};
  for (std::size_t i = 0; i < ids.size(); ++i) {
    for (Query query(children_, ids[i].value); query.step();) {
      if (ids.size() == kTreeStep) return std::nullopt;
      ids.push_back({query.number(0)});
    }
  }
  return ids;
}

core::Result<CommandOps::CancelStep> CommandOps::cancel(core::JobId id, const std::string& reason,
                                                        const std::string& reason_below) {
  moves_.settleDeserted();
  moves_.settleCounters(id);
  auto found = find(id);
  if (!found) return found.error();
  const auto outcome = core::isTerminal(found->state)      ? CancelOutcome::AlreadyEnded
                       : found->state == JobState::Running ? CancelOutcome::Asked
                                                           : CancelOutcome::Canceled;
  if (outcome != CancelOutcome::AlreadyEnded) moves_.cancelOne(*found, canceledText(reason));
  moves_.cancelBelow(id, canceledText(reason_below.empty() ? reason : reason_below));
  return CancelStep{outcome, moves_.cancelsBelow(id)};
}

bool CommandOps::cancelMore(std::span<const core::JobId> ids) {
  moves_.settleDeserted();
  return std::any_of(ids.begin(), ids.end(), [this](core::JobId id) { return moves_.cancelsBelow(id); });
}

core::Result<void> CommandOps::checkRoom(const LiveRow& row, const BulkOptions& limits) const {
  if (limits.max_queued_per_type > 0 && ledger_.queuedOfType(row.type_id) >= limits.max_queued_per_type) {
    return Error{
        ErrorCode::Exhausted, "the queue of job type \"" + ledger_.typeName(row.type_id) + "\" is full", {}, {}};
  }
  if (limits.max_queued_per_owner > 0 && !row.owner.empty() &&
      ledger_.queuedOfOwner(row.owner) >= limits.max_queued_per_owner) {
    return Error{
        ErrorCode::Exhausted, "the owner of job " + core::toString(row.id) + " has too many queued jobs", {}, {}};
  }
  return {};
}

core::Result<void> CommandOps::retry(core::JobId id, const BulkOptions& limits) {
  moves_.settleDeserted();
  moves_.settleCounters(id);
  auto row = find(id);
  if (!row) return row.error();
  if (row->state != JobState::Failed && row->state != JobState::Canceled) {
    return conflict(*row, "only failed and canceled jobs can be retried");
  }
  if (beingRemoved(*row)) return conflict(*row, "it is being deleted");
  if (moves_.isDeserted(*row)) return conflict(*row, "the jobs below it are still being canceled");
  if (const auto why = moves_.whyNotAgain(*row)) return conflict(*row, *why);
  if (auto room = checkRoom(*row, limits); !room) return room;
  moves_.runAgain(*row, ledger_.now);
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

core::Result<CommandOps::Removed> CommandOps::remove(core::JobId id) {
  auto row = findSettled(id);
  if (!row) return row.error();
  if (!core::isTerminal(row->state)) return conflict(*row, "only jobs that have ended can be deleted");
  auto ids = smallTree(id);
  if (!ids) return ids;
  for (const core::JobId each : *ids) {
    const auto below = table_.load(each);
    if (below && !core::isTerminal(below->state)) {
      return conflict(*row, "job " + core::toString(each) + " below it has not ended");
    }
  }
  erase(*ids);
  return ids;
}

core::Result<void> CommandOps::removeLeaves(std::span<const core::JobId> ids) {
  for (const core::JobId id : ids) moves_.settleCounters(id);
  const std::set<core::JobId> going(ids.begin(), ids.end());
  for (const core::JobId id : ids) {
    const auto row = table_.load(id);
    if (!row) continue;
    if (!core::isTerminal(row->state)) return conflict(*row, "only jobs that have ended can be deleted");
    for (Query query(children_, id.value); query.step();) {
      if (!going.contains({query.number(0)})) return conflict(*row, "it has children again");
    }
  }
  erase(ids);
  return {};
}

CommandOps::RemovedTrees CommandOps::removeTrees(const std::vector<core::JobId>& roots, core::Instant cutoff,
                                                 int limit) {
  RemovedTrees removed;
  for (const core::JobId root : roots) {
    if (removed.ids.size() >= static_cast<std::size_t>(limit)) break;
    const auto ids = smallTree(root);
    if (!ids) {
      removed.too_large.push_back(root);
      continue;
    }
    const bool ended = std::all_of(ids->begin(), ids->end(), [&](core::JobId id) {
      const auto row = table_.load(id);
      return row && core::isTerminal(row->state) && row->finished_at.value_or(0) < core::toMicros(cutoff);
    });
    if (!ended) continue;
    erase(*ids);
    removed.ids.insert(removed.ids.end(), ids->begin(), ids->end());
  }
  Query(forget_deleted_, core::toMicros(cutoff), ledger_.last_seq, limit).run();
  return removed;
}

core::Result<CommandOps::CancelStep> CommandOps::removeLater(core::JobId id) {
  auto found = findSettled(id);
  if (!found) return found.error();
  if (ledger_.removing.insert(id).second) {
    Query(mark_removal_, id.value).run();
    moves_.takeOut(*found);
  }
  auto step = cancel(id, "deleted", {});
  ledger_.noteRemovalDue(id);  // it may have ended before
  return step;
}

bool CommandOps::beingRemoved(const LiveRow& row) {
  if (ledger_.removing.empty()) return false;
  std::optional<LiveRow> at = row;
  while (at && !ledger_.removing.contains(at->id)) {
    at = at->parent ? table_.load({*at->parent}) : std::nullopt;
  }
  return at.has_value();
}

bool CommandOps::removeDue() {
  if (ledger_.removals_due.empty()) return false;
  moves_.settleAll();
  std::size_t room = kTreeStep;
  for (const auto& due = ledger_.removals_due; !due.empty();) {
    const core::JobId id = *due.begin();
    const auto row = table_.load(id);
    if (!row) forgetRemoval(id);
    const bool ended = row && core::isTerminal(row->state) && row->descendants.done >= row->descendants.total;
    if (ended && !eraseUpwards(id, room)) return true;
    ledger_.removals_due.erase(id);  // when something has not ended, its end brings it here again
  }
  return false;
}

/// Leaves first, so that what is left is a whole tree whenever it stops; false: there was no more room.
bool CommandOps::eraseUpwards(core::JobId root, std::size_t& room) {
  std::vector<core::JobId> path{root};
  for (; !path.empty() && room > 0;) {
    {
      Query query(last_child_, path.back().value);
      if (query.step() && !query.isNull(0)) {
        path.push_back({query.number(0)});
        continue;
      }
    }
    const auto row = table_.load(path.back());
    if (!row || !core::isTerminal(row->state)) return true;
    eraseOne(*row);
    --room;
    path.pop_back();
  }
  Query(keep_last_job_, ledger_.last_job).run();
  return path.empty();
}

void CommandOps::forgetRemoval(core::JobId id) {
  if (ledger_.removing.erase(id) == 0) return;
  ledger_.removals_due.erase(id);
  Query(drop_removal_, id.value).run();
}

/// Counters of children and descendants stay as they are in what is above: they tell what was made and how it ended,
/// not what is still kept. Units do not.
void CommandOps::erase(std::span<const core::JobId> ids) {
  const std::set<core::JobId> going(ids.begin(), ids.end());
  for (const core::JobId id : ids) {
    auto row = table_.load(id);
    if (!row) continue;
    if (row->parent && !going.contains({*row->parent})) moves_.removed(*row);
    eraseOne(*row);
  }
  Query(keep_last_job_, ledger_.last_job).run();  // no number is given twice
}

void CommandOps::eraseOne(const LiveRow& row) {
  LiveRow last = row;
  table_.erase(row);
  records_.eraseOfJob(row.id);
  ledger_.count(row, row.state, std::nullopt);
  last.event_seq = 0;  // the job's other events went with it
  table_.addEvent(last, EventKind::Deleted);
  forgetRemoval(row.id);
}

}  // namespace jobhost::store
