#include "store/sql_ledger.hpp"

#include <algorithm>

namespace jobhost::store {

namespace {
/// A lease found at start is believed for at most this long: the wall clock it was written with may have been wrong.
constexpr std::chrono::minutes kLongestFoundLease{10};
}  // namespace

void Ledger::load(Database& database, const core::Clock& clock) {
  const auto before = std::move(running);
  *this = Ledger();
  now = clock.now();
  steady_now = clock.steadyNow();

  addType("");  // ids start at 1
  Statement types(database, "SELECT id, name FROM types ORDER BY id");
  for (Query query(types); query.step();) {
    if (addType(query.view(1)) != query.integer(0)) throw SqlError(SQLITE_CORRUPT, "types are not numbered in order");
  }
  Statement counts(database, "SELECT type_id, state, n FROM counts");
  for (Query query(counts); query.step();) {
    counts_.at(static_cast<std::size_t>(query.integer(0))).at(static_cast<std::size_t>(query.integer(1))) =
        query.number(2);
  }
  Statement owners(database, "SELECT owner, n FROM owner_queued");
  for (Query query(owners); query.step();) owner_queued_[query.text(0)] = query.number(1);

  last_seq = database.number("SELECT max(seq) FROM events").value_or(0);
  last_job = std::max(database.number("SELECT max(id) FROM jobs").value_or(0),
                      database.number("SELECT value FROM meta WHERE name = 'last_job'").value_or(0));
  newest_block.first = last_job - last_job % kIdsPerMark;
  Statement made(database, "SELECT min(created_at), max(created_at) FROM jobs WHERE id >= $1");
  if (Query query(made, newest_block.first); query.step() && !query.isNull(0)) {
    newest_block.earliest = query.number(0);
    newest_block.latest = query.number(1);
  }
  max_per_key = static_cast<int>(database.number("SELECT value FROM meta WHERE name = 'max_per_key'").value_or(1));
  any_deps = database.number("SELECT 1 FROM job_deps LIMIT 1").has_value();
  Statement removals(database, "SELECT job FROM removals");
  for (Query query(removals); query.step();) {
    removing.insert({query.number(0)});
    removals_due.insert({query.number(0)});
  }
  Statement forsaken(database, "SELECT job, error FROM deserted");
  for (Query query(forsaken); query.step();) {
    const core::JobId id{query.number(0)};
    deserted[id] = {query.text(1), {id}, true};
  }
  Statement delayed(
      database, "SELECT run_at FROM jobs INDEXED BY jobs_delayed WHERE state = 0 AND hold = 1 ORDER BY run_at LIMIT 1");
  if (Query query(delayed); query.step()) next_delayed = query.number(0);

  Statement attempts(database, "SELECT " + std::string(kLiveSelect) + " FROM jobs WHERE state = 1");
  for (Query query(attempts); query.step();) {
    const LiveRow row = readLive(query);
    const auto known = before.find(row.id);
    const std::chrono::microseconds left(row.lease_until - core::toMicros(now));
    const auto until = known != before.end() && known->second.row.lease == row.lease
                           ? known->second.until
                           : steady_now + std::clamp<std::chrono::microseconds>(left, {}, kLongestFoundLease);
    started(row, until);
  }
}

std::optional<int> Ledger::findType(std::string_view name) const {
  const auto found = type_ids_.find(std::string(name));
  return found == type_ids_.end() ? std::nullopt : std::optional(found->second);
}

int Ledger::addType(std::string_view name) {
  const int id = static_cast<int>(type_names_.size());
  type_names_.emplace_back(name);
  if (id > 0) type_ids_.emplace(name, id);
  may_be_ready_.push_back(true);
  counts_.emplace_back();
  count_changed_.emplace_back();
  return id;
}

void Ledger::count(const LiveRow& row, std::optional<core::JobState> from, std::optional<core::JobState> to) {
  const auto type = static_cast<std::size_t>(row.type_id);
  const auto change = [&](core::JobState state, int by) {
    const auto cell = static_cast<std::size_t>(state);
    counts_[type][cell] += by;
    if (!count_changed_[type][cell]) {
      count_changed_[type][cell] = true;
      changed_counts_.emplace_back(row.type_id, static_cast<int>(state));
    }
    if (state == core::JobState::Queued && !row.owner.empty()) {
      owner_queued_[row.owner] += by;
      changed_owners_.insert(row.owner);
    }
    if (!row.batch.empty()) changed_batches_[{row.batch, row.owner}][cell] += by;
  };
  if (from) change(*from, -1);
  if (to) change(*to, +1);
}

std::int64_t Ledger::queuedOfType(int type_id) const {
  return counts_.at(static_cast<std::size_t>(type_id))[static_cast<std::size_t>(core::JobState::Queued)];
}

std::int64_t Ledger::queuedOfOwner(const std::string& owner) const {
  const auto found = owner_queued_.find(owner);
  return found == owner_queued_.end() ? 0 : found->second;
}

std::vector<Ledger::CountCell> Ledger::takeChangedCounts() {
  std::vector<CountCell> cells;
  for (const auto& [type_id, state] : changed_counts_) {
    count_changed_[static_cast<std::size_t>(type_id)][static_cast<std::size_t>(state)] = false;
    cells.push_back({type_id, state, counts_[static_cast<std::size_t>(type_id)][static_cast<std::size_t>(state)]});
  }
  changed_counts_.clear();
  return cells;
}

std::vector<std::pair<std::string, std::int64_t>> Ledger::takeChangedOwners() {
  std::vector<std::pair<std::string, std::int64_t>> owners;
  for (const std::string& owner : changed_owners_) {
    const auto found = owner_queued_.find(owner);
    owners.emplace_back(owner, found->second);
    if (found->second == 0) owner_queued_.erase(found);
  }
  changed_owners_.clear();
  return owners;
}

std::vector<Ledger::BatchChange> Ledger::takeChangedBatches() {
  std::vector<BatchChange> changes;
  changes.reserve(changed_batches_.size());
  for (const auto& [key, by_state] : changed_batches_) changes.push_back({key.first, key.second, by_state});
  changed_batches_.clear();
  return changes;
}

int Ledger::runningOfKey(const std::string& key) const {
  const auto found = key_running_.find(key);
  return found == key_running_.end() ? 0 : found->second;
}

void Ledger::started(const LiveRow& row, core::Clock::Steady until) {
  if (!row.queue_key.empty()) ++key_running_[row.queue_key];
  running[row.id] = {row, false, until};
}

void Ledger::stopped(core::JobId id) {
  const auto found = running.find(id);
  if (found == running.end()) return;
  const std::string& key = found->second.row.queue_key;
  if (!key.empty()) {
    dirty_keys.insert(key);
    if (const auto count = key_running_.find(key); --count->second == 0) key_running_.erase(count);
  }
  running.erase(found);
}

}  // namespace jobhost::store
