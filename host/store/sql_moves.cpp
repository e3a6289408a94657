#include "store/sql_moves.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "core/job_codes.hpp"
#include "core/queue_key.hpp"

namespace jobhost::store {

using core::JobState;

void requireMove(JobState from, JobState to) {
  if (core::isLegalMove(from, to)) return;
  throw SqlError(SQLITE_MISUSE,
                 "illegal move " + std::string(core::toString(from)) + " -> " + std::string(core::toString(to)));
}

Moves::Moves(Database& db, Ledger& ledger, JobTable& table)
    : ledger_(ledger),
      table_(table),
      children_(db, "SELECT id FROM jobs INDEXED BY jobs_by_parent WHERE parent = $1 ORDER BY id"),
      unique_taken_(db, "SELECT id FROM jobs WHERE type_id = $1 AND unique_key = $2 AND state < 4"),
      unique_key_(db, "SELECT unique_key FROM jobs WHERE id = $1 AND unique_key IS NOT NULL"),
      keep_deserted_(db, "INSERT INTO deserted (job, error) VALUES ($1, $2)"),
      drop_deserted_(db, "DELETE FROM deserted WHERE job = $1"),
      dependents_(db, "SELECT job, any_outcome FROM job_deps WHERE dep = $1 AND done = 0"),
      dep_done_(db, "UPDATE job_deps SET done = 1 WHERE job = $1 AND dep = $2"),
      deps_open_(db,
                 "SELECT coalesce(j.state, -1), d.any_outcome FROM job_deps d LEFT JOIN jobs j ON j.id = d.dep "
                 "WHERE d.job = $1 AND d.done = 0"),
      due_(db,
           "SELECT id FROM jobs INDEXED BY jobs_delayed WHERE state = 0 AND hold = 1 AND run_at <= $1 ORDER BY run_at, "
           "id LIMIT $2"),
      first_delayed_(
          db, "SELECT run_at FROM jobs INDEXED BY jobs_delayed WHERE state = 0 AND hold = 1 ORDER BY run_at LIMIT 1"),
      units_below_(db,
                   "SELECT total(1 + below_total), "
                   "total(CASE WHEN state >= 4 THEN 1 + below_total ELSE own_done + below_done END), "
                   "total(below_failed + CASE WHEN state > 4 THEN 1 + below_total - own_done - below_done ELSE 0 END) "
                   "FROM jobs INDEXED BY jobs_by_parent WHERE parent = $1 AND id NOT IN (SELECT job FROM removals)"),
      key_ready_(db,
                 "SELECT id, type_id, priority, run_at FROM jobs INDEXED BY jobs_keyed WHERE queue_key = $1 AND state "
                 "= 0 AND hold = 0 "
                 "ORDER BY priority DESC, run_at, id"),
      key_parked_(db,
                  "SELECT id, type_id, priority, run_at FROM jobs INDEXED BY jobs_keyed WHERE queue_key = $1 AND state "
                  "= 0 AND hold = 2 "
                  "ORDER BY priority DESC, run_at, id LIMIT $2"),
      next_key_(db,
                "SELECT queue_key FROM jobs INDEXED BY jobs_keyed WHERE state = 0 AND queue_key > $1 ORDER BY "
                "queue_key LIMIT 1"),
      set_meta_(
          db,
          "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value") {}

void Moves::enqueue(LiveRow& row, bool at_once) {
  row.state = JobState::Queued;
  if (row.deps_pending > 0) {
    row.hold = core::Hold::Dependency;
  } else if (!at_once && row.run_at > std::max(row.created_at, core::toMicros(ledger_.now))) {
    // A job that was never delayed does not become so by a clock set back.
    row.hold = core::Hold::Delayed;
    if (!ledger_.next_delayed || *ledger_.next_delayed > row.run_at) ledger_.next_delayed = row.run_at;
    ledger_.noteDue(core::fromMicros(row.run_at));
  } else if (!row.queue_key.empty()) {
    row.hold = core::Hold::KeyBusy;  // rebalance() lets the best of the key through
    keyChanged(row);
  } else {
    row.hold = core::Hold::None;
    ledger_.setMayBeReady(row.type_id, true);
  }
}

void Moves::toQueue(LiveRow& row, std::string_view reason, bool at_once) {
  requireMove(row.state, JobState::Queued);
  ledger_.count(row, row.state, JobState::Queued);
  enqueue(row, at_once);
  table_.addEvent(row, core::EventKind::Queued, "{\"reason\":" + jsonString(reason) + "}");
  table_.save(row);
}

void Moves::end(LiveRow& row, JobState to, const std::string& error) {
  requireMove(row.state, to);
  ledger_.count(row, row.state, to);
  if (row.state == JobState::Queued) keyChanged(row);
  row.state = to;
  row.hold = core::Hold::None;
  row.finished_at = core::toMicros(ledger_.now);
  row.ask = Ask::None;
  const auto kind = to == JobState::Succeeded ? core::EventKind::Succeeded
                    : to == JobState::Failed  ? core::EventKind::Failed
                                              : core::EventKind::Canceled;
  table_.addEvent(row, kind, error);
  table_.save(row);
  if (!error.empty()) table_.setError(row.id, error);
  ended(row);
  if (to == JobState::Failed) desert(row);
}

void Moves::toSuspended(LiveRow& row) {
  requireMove(row.state, JobState::Suspended);
  ledger_.count(row, row.state, JobState::Suspended);
  keyChanged(row);
  row.state = JobState::Suspended;
  row.hold = core::Hold::None;
  table_.addEvent(row, core::EventKind::Suspended);
  table_.save(row);
}

void Moves::leaveAttempt(LiveRow& row, JobState to, core::EventKind kind, std::string data) {
  requireMove(row.state, to);
  ledger_.count(row, row.state, to);
  ledger_.stopped(row.id);
  const bool asked = row.ask == Ask::Cancel;  // then what is below it was canceled with it
  row.ask = Ask::None;
  row.lease = 0;
  row.hold = core::Hold::None;
  if (to == JobState::Queued) {
    enqueue(row);
  } else {
    row.state = to;
  }
  table_.addEvent(row, kind, std::move(data));
  if (core::isTerminal(to)) ended(row);
  if (to == JobState::Failed || (to == JobState::Canceled && !asked)) desert(row);
}

void Moves::startAttempt(LiveRow& row, core::Millis lease) {
  requireMove(row.state, JobState::Running);
  ledger_.count(row, row.state, JobState::Running);
  row.state = JobState::Running;
  row.hold = core::Hold::None;
  row.ask = Ask::None;
  row.own_done = false;
  if (row.resumed == Resume::Next) {
    row.resumed = Resume::Now;
  } else {
    row.resumed = Resume::None;
    ++row.attempt;
  }
  row.started_at = core::toMicros(ledger_.now);
  row.lease_until = core::toMicros(ledger_.now + lease);
  table_.addEvent(row, core::EventKind::Started);
  row.lease = row.event_seq;
  table_.save(row);
  ledger_.started(row, ledger_.steady_now + lease);
  ledger_.noteDue(ledger_.now + lease);
}

namespace {

void add(core::ChildCounters& to, const core::ChildCounters& delta, int sign = 1) {
  to.total += sign * delta.total;
  to.done += sign * delta.done;
  to.failed += sign * delta.failed;
}

/// Whether its units stand still. A job that is asked to cancel is as good as canceled: whatever still ends below it
/// counts as not done.
bool unitsStopped(const LiveRow& row) {
  return core::isTerminal(row.state) || row.ask == Ask::Cancel;
}

/// What is not done of a job and all below it.
std::int64_t unitsLeft(const LiveRow& row) {
  return 1 + row.units.total - row.units.done - (row.own_done ? 1 : 0);
}

/// What a job counts in its ancestors.
core::ChildCounters unitsGiven(const LiveRow& row) {
  const std::int64_t total = 1 + row.units.total;
  if (!core::isTerminal(row.state)) return {total, total - unitsLeft(row), row.units.failed};
  return {total, total, row.units.failed + (row.state == JobState::Succeeded ? 0 : unitsLeft(row))};
}

}  // namespace

void Moves::childMade(core::JobId parent) {
  Delta& delta = deltas_[parent];
  ++delta.children.total;
  ++delta.descendants.total;
  ++delta.units.total;
}

void Moves::ownStepDone(LiveRow& row) {
  if (row.own_done) return;
  row.own_done = true;
  if (row.parent && !isOut(row.id)) ++deltas_[{*row.parent}].units.done;
}

void Moves::revive(LiveRow& row) {
  const core::ChildCounters given = unitsGiven(row);
  row.own_done = false;
  if (row.children.total > 0) {
    Query query(units_below_, row.id.value);
    query.step();
    row.units = {query.number(0), query.number(1), query.number(2)};
  }
  if (row.children.total > 0) table_.saveCounters(row);
  if (!row.parent) return;
  const int failed = row.state == JobState::Succeeded ? 0 : 1;
  Delta& delta = deltas_[{*row.parent}];
  for (core::ChildCounters* counters : {&delta.children, &delta.descendants}) {
    --counters->done;
    counters->failed -= failed;
  }
  add(delta.units, given, -1);
  add(delta.units, {1 + row.units.total, row.units.done, row.units.failed});
}

void Moves::takeOut(const LiveRow& row) {
  if (!row.parent) return;
  if (!core::isTerminal(row.state)) ++deltas_[{*row.parent}].children.done;
  noteGone(row);
}

void Moves::removed(const LiveRow& row) {
  if (row.parent && !isOut(row.id)) noteGone(row);
}

void Moves::noteGone(const LiveRow& row) {
  Gone& gone = deltas_[{*row.parent}].gone;
  add(gone.units, unitsGiven(row));
  // One that failed did so before what is above it stood still; one that was canceled, with it.
  if (!core::isTerminal(row.state) || row.state == JobState::Canceled) gone.left += unitsLeft(row);
}

/// A job that stands still gives up what was deleted below it too: what it counts in its ancestors, which may go on, is
/// made of its own units. How much of `gone` it had counted before it stood still is nowhere written; of what is
/// possible that is taken which leaves its numbers, and theirs, the ones of a tree without the deleted jobs. On return
/// `gone` is what the jobs above have of it.
void Moves::takeAway(LiveRow& row, Gone& gone) {
  core::ChildCounters& units = row.units;
  if (!unitsStopped(row)) {
    add(units, gone.units, -1);
    return;
  }
  const core::ChildCounters given = unitsGiven(row);
  // What was made below it since, by a job that was retried, it never had.
  const std::int64_t total = std::min(gone.units.total, units.total);
  // As its ancestors have them: what is left undone has failed.
  std::int64_t failed = std::max<std::int64_t>(0, gone.units.failed - gone.units.done + total);
  // Successes that it cannot have counted came after its end, when they had been counted as left undone.
  const std::int64_t late = std::max<std::int64_t>(0, total - failed - (units.done - units.failed));
  failed += late;
  const std::int64_t least = std::max({std::int64_t{0}, total - units.done, failed - units.failed});
  const std::int64_t uncounted = std::min({std::max(gone.left + late, least), units.total - units.done, total});
  units.total -= total;
  units.done -= total - uncounted;
  units.failed = std::max<std::int64_t>(0, units.failed - (failed - uncounted));
  gone.units = given;
  add(gone.units, unitsGiven(row), -1);
  gone.left = row.state == JobState::Failed || row.state == JobState::Succeeded ? 0 : uncounted;
}

void Moves::ended(const LiveRow& row) {
  if (ledger_.any_deps) ended_.emplace_back(row.id, row.state == JobState::Succeeded);
  ledger_.noteRemovalDue(row.id);
  if (!row.parent) return;
  const int failed = row.state == JobState::Succeeded ? 0 : 1;
  Delta& delta = deltas_[{*row.parent}];
  if (isOut(row.id)) {
    ++delta.descendants.done;
    return;
  }
  for (core::ChildCounters* counters : {&delta.children, &delta.descendants}) {
    ++counters->done;
    counters->failed += failed;
  }
  const std::int64_t left = unitsLeft(row);
  delta.units.done += left;
  delta.units.failed += failed * left;
}

void Moves::settleCounters(core::JobId id) {
  if (deltas_.lower_bound(id) == deltas_.end()) return;  // what is below a job has a greater number
  if (!deltas_.contains(id)) {
    const auto row = table_.load(id);
    if (!row || row->children.total == 0) return;
  }
  settleCounters();
}

void Moves::settleCounters() {
  while (!deltas_.empty()) {
    const auto last = std::prev(deltas_.end());
    const auto [id, delta] = *last;
    deltas_.erase(last);
    applyDelta(id, delta);
  }
}

namespace {

/// The error of what is canceled because a job above it did not succeed.
const std::string& desertedText() {
  static const std::string text =
      errorText({core::ErrorClass::Permanent, core::kParentFailed, "a job above it did not succeed", {}});
  return text;
}

}  // namespace

std::vector<core::JobId> Moves::childrenOf(core::JobId id) {
  std::vector<core::JobId> ids;
  for (Query query(children_, id.value); query.step();) ids.push_back({query.number(0)});
  return ids;
}

std::vector<core::JobId> Moves::cancelTrees(std::vector<core::JobId> ids, const std::string& error, std::size_t& room) {
  std::size_t done = 0;
  for (; done < ids.size() && room > 0; ++done, --room) {
    const core::JobId id = ids[done];
    const auto below = childrenOf(id);
    ids.insert(ids.end(), below.begin(), below.end());
    settleCounters(id);
    auto row = table_.load(id);
    if (row && !core::isTerminal(row->state)) cancelOne(*row, error);
  }
  ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(done));
  return ids;
}

void Moves::cancelOne(LiveRow& row, const std::string& error) {
  if (row.state != JobState::Running) {
    end(row, JobState::Canceled, error);
  } else if (row.ask != Ask::Cancel) {
    row.ask = Ask::Cancel;
    table_.addEvent(row, core::EventKind::CancelRequested, "{\"reason\":\"cancel\"}");
    table_.save(row);
    table_.setError(row.id, error);
  }
}

void Moves::cancelBelow(core::JobId id, const std::string& error) {
  if (cancelsBelow(id)) return;  // it is under way
  std::size_t room = kTreeStep;  // its own: a small tree does not wait for large ones
  auto left = cancelTrees(childrenOf(id), error, room);
  room_ -= std::min(room_, kTreeStep - room);
  if (!left.empty()) ledger_.deserted.try_emplace(id, Ledger::Deserted{error, std::move(left), false});
}

/// Nobody waits for what is below a job that did not succeed.
void Moves::desert(const LiveRow& row) {
  if (row.children.done >= row.children.total) return;
  ledger_.deserted.try_emplace(row.id, Ledger::Deserted{{}, {row.id}, false});
}

/// Answers whether there was anything to do, and room for it.
bool Moves::cancelDeserted() {
  bool any = false;
  for (auto& [id, tree] : ledger_.deserted) {
    if (room_ == 0) break;
    if (tree.to_walk.empty()) continue;
    // The jobs that have brought this about have ended, or were asked to, and are passed over.
    tree.to_walk = cancelTrees(std::move(tree.to_walk), tree.error.empty() ? desertedText() : tree.error, room_);
    any = true;
  }
  return any;
}

/// What there was no room for must be found again by the host after this one.
void Moves::keepDeserted() {
  for (auto at = ledger_.deserted.begin(); at != ledger_.deserted.end();) {
    auto& [id, tree] = *at;
    if (tree.to_walk.empty()) {
      if (tree.kept) Query(drop_deserted_, id.value).run();
      at = ledger_.deserted.erase(at);
      continue;
    }
    if (!std::exchange(tree.kept, true)) Query(keep_deserted_, id.value, TextOrNull{tree.error}).run();
    ledger_.noteDue(ledger_.now);
    ++at;
  }
}

void Moves::settleDeserted() {
  if (ledger_.deserted.empty()) return;
  settleCounters();
  cancelDeserted();
  keepDeserted();
}

bool Moves::isDeserted(const LiveRow& row) {
  if (ledger_.deserted.empty()) return false;
  std::optional<LiveRow> at = row;
  while (at && !ledger_.deserted.contains(at->id)) at = at->parent ? table_.load({*at->parent}) : std::nullopt;
  return at.has_value();
}

bool Moves::wasDeserted(core::JobId id) {
  return table_.error(id) == desertedText();
}

std::optional<std::string> Moves::whyNotAgain(LiveRow& row) {
  if ((row.docs & kHasDeps) != 0) {
    const int open = outstandingDependencies(row.id);
    if (open < 0) return "a job it depends on did not succeed";
    row.deps_pending = open;
  }
  if (Query key(unique_key_, row.id.value); key.step()) {
    if (Query taken(unique_taken_, row.type_id, key.view(0)); taken.step()) {
      return "job " + std::to_string(taken.number(0)) + " has its unique key now";
    }
  }
  return std::nullopt;
}

void Moves::runAgain(LiveRow& row, core::Instant at) {
  revive(row);
  row.max_attempts = std::max(row.max_attempts, row.attempt + 1);
  ++row.retries;
  row.rescues = 0;
  table_.saveRescues(row);
  row.resumed = Resume::None;
  row.run_at = core::toMicros(at);
  table_.clearResult(row);
  toQueue(row, "retry");
}

void Moves::settleAll() {
  // Each can feed the others. The counters come first: one that ends because of what it depends on ends with them
  // right. Then all that fails by what it depends on, so that it does not matter which of those trees is canceled
  // first.
  for (;;) {
    settleCounters();
    if (ended_.empty()) {
      if (!cancelDeserted()) break;
      continue;
    }
    const auto [id, succeeded] = ended_.back();
    ended_.pop_back();
    releaseDependents(id, succeeded);
  }
  keepDeserted();
  while (!ledger_.dirty_keys.empty()) {
    const std::string key = *ledger_.dirty_keys.begin();
    ledger_.dirty_keys.erase(ledger_.dirty_keys.begin());
    rebalance(key);
  }
}

void Moves::reset() {
  deltas_.clear();
  ended_.clear();
}

namespace {

std::string countersText(const core::ChildCounters& counters) {
  return "{\"total\":" + std::to_string(counters.total) + ",\"done\":" + std::to_string(counters.done) +
         ",\"failed\":" + std::to_string(counters.failed) + "}";
}

}  // namespace

void Moves::applyDelta(core::JobId id, const Delta& delta) {
  auto row = table_.load(id);
  if (!row) return;  // removed: its children went with it
  const core::ChildCounters none;
  const bool counted = delta.children != none || delta.descendants != none;
  const bool stopped = unitsStopped(*row);
  const bool taken = delta.gone.units.total != 0;
  if (!counted && !taken && (stopped || delta.units == none)) return;
  add(row->children, delta.children);
  add(row->descendants, delta.descendants);
  if (!stopped) add(row->units, delta.units);
  Gone gone = delta.gone;
  if (taken) takeAway(*row, gone);
  if (counted) {
    table_.addEvent(
        *row, core::EventKind::ChildrenChanged,
        "{\"children\":" + countersText(row->children) + ",\"descendants\":" + countersText(row->descendants) + "}");
  }
  table_.saveCounters(*row);
  ledger_.noteRemovalDue(row->id);
  if (row->parent) {
    Delta& above = deltas_[{*row->parent}];
    const bool out = isOut(id);
    above.descendants.total += delta.descendants.total;
    above.descendants.done += delta.descendants.done;
    if (!out) above.descendants.failed += delta.descendants.failed;  // what fails below it now was canceled with it
    if (!out && !stopped) add(above.units, delta.units);
    if (!out && taken) {
      add(above.gone.units, gone.units);
      above.gone.left += gone.left;
    }
  }
  if (row->state != JobState::Waiting || row->children.done < row->children.total) return;
  if (!row->own_done) {
    const bool at_once = row->resumed != Resume::NextAtRunAt;
    row->resumed = Resume::Next;
    toQueue(*row, "resumed", at_once);
  } else if (row->child_failure == core::ChildFailure::Fail && row->children.failed > 0) {
    end(*row, JobState::Failed,
        errorText(
            {core::ErrorClass::Permanent,
             "children_failed",
             std::to_string(row->children.failed) + " of " + std::to_string(row->children.total) + " child jobs failed",
             {}}));
  } else {
    end(*row, JobState::Succeeded);
  }
}

void Moves::releaseDependents(core::JobId dependency, bool succeeded) {
  std::vector<std::pair<core::JobId, bool>> dependents;
  for (Query query(dependents_, dependency.value); query.step();) {
    dependents.emplace_back(core::JobId{query.number(0)}, query.integer(1) != 0);
  }
  for (const auto& [id, any_outcome] : dependents) {
    settleCounters(id);
    auto row = table_.load(id);
    if (!row) continue;
    if (succeeded || any_outcome) {
      Query(dep_done_, id.value, dependency.value).run();
      row->deps_pending = std::max(0, row->deps_pending - 1);
      if (row->state == JobState::Queued && row->deps_pending == 0) enqueue(*row);
      table_.save(*row);
    } else if (row->state == JobState::Queued || row->state == JobState::Suspended) {
      const std::string message = "job " + core::toString(dependency) + ", which this one depends on, did not succeed";
      if (row->state == JobState::Suspended) toQueue(*row, "dependency_failed");
      end(*row, JobState::Failed, errorText({core::ErrorClass::Permanent, "dependency_failed", message, {}}));
    }
  }
}

int Moves::outstandingDependencies(core::JobId id) {
  int open = 0;
  for (Query query(deps_open_, id.value); query.step();) {
    const int state = query.integer(0);
    // Rows of an outcome that does not matter are done once the dependency has ended, so it has not.
    if (query.integer(1) == 0 && (state < 0 || core::isTerminal(static_cast<JobState>(state)))) return -1;
    ++open;
  }
  return open;
}

int Moves::promoteDue(int limit) {
  const std::int64_t now = core::toMicros(ledger_.now);
  if (!ledger_.next_delayed || *ledger_.next_delayed > now) return 0;
  std::vector<core::JobId> ids;
  for (Query query(due_, now, limit); query.step();) ids.push_back({query.number(0)});
  for (const core::JobId id : ids) {
    auto row = table_.load(id);
    enqueue(*row);
    table_.saveHold(id, row->hold);
  }
  Query first(first_delayed_);
  ledger_.next_delayed = first.step() ? std::optional(first.number(0)) : std::nullopt;
  return static_cast<int>(ids.size());
}

void Moves::setMaxPerKey(int max) {
  if (max == ledger_.max_per_key) return;
  ledger_.max_per_key = max;
  Query(set_meta_, "max_per_key", max).run();
  for (std::string key;;) {
    {
      Query query(next_key_, key);
      if (!query.step()) return;
      key = query.text(0);
    }
    rebalance(key);
  }
}

/// Lets the best of a key's queue through, as many as may still run, and holds back the others. So a claim never meets
/// a job that its key keeps from running, however many there are.
void Moves::rebalance(const std::string& key) {
  struct Candidate {
    core::JobId id;
    int type_id;
    int priority;
    std::int64_t run_at;
    bool ready;
  };
  const int most = core::isFairKey(key) ? 1 : ledger_.max_per_key;
  const int room = std::max(0, most - ledger_.runningOfKey(key));
  std::vector<Candidate> candidates;
  for (Query query(key_ready_, key); query.step();) {
    candidates.push_back({{query.number(0)}, query.integer(1), query.integer(2), query.number(3), true});
  }
  for (Query query(key_parked_, key, room); query.step();) {
    candidates.push_back({{query.number(0)}, query.integer(1), query.integer(2), query.number(3), false});
  }
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return std::tuple(-static_cast<std::int64_t>(a.priority), a.run_at, a.id) <
           std::tuple(-static_cast<std::int64_t>(b.priority), b.run_at, b.id);
  });
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const bool ready = i < static_cast<std::size_t>(room);
    if (ready != candidates[i].ready) table_.saveHold(candidates[i].id, ready ? core::Hold::None : core::Hold::KeyBusy);
    if (ready) ledger_.setMayBeReady(candidates[i].type_id, true);
  }
}

}  // namespace jobhost::store
