#include "store/sql_claim.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace jobhost::store {

namespace {
const std::string kReadySelect = std::string(kLiveSelect) + ", params, backoff, timeout_ms, tags, input_id";
}  // namespace

ClaimOps::ClaimOps(Database& db, Ledger& ledger, Moves& moves)
    : ledger_(ledger),
      moves_(moves),
      ready_(db,
             "SELECT id, priority, run_at FROM jobs WHERE state = 0 AND hold = 0 AND type_id = $1 "
             "ORDER BY priority DESC, run_at, id LIMIT $2"),
      ready_rows_(db, "SELECT " + kReadySelect +
                          " FROM jobs WHERE state = 0 AND hold = 0 AND type_id = $1 "
                          "ORDER BY priority DESC, run_at, id LIMIT $2"),
      row_(db, "SELECT " + kReadySelect + " FROM jobs WHERE id = $1"),
      params_(db, "SELECT body FROM job_docs WHERE job = $1 AND kind = 0") {}

void ClaimOps::place(ClaimRequest request) {
  if (request.seen < last_delivered_) return;
  if (standing_ && request.generation < standing_->generation) return;
  standing_ = std::move(request);
}

bool ClaimOps::worthServing(core::Instant now) const {
  if (!standing_ || standing_->total <= 0) return false;
  if (standing_->max_per_key != ledger_.max_per_key) return true;
  if (ledger_.next_delayed && *ledger_.next_delayed <= core::toMicros(now)) return true;
  return std::any_of(standing_->quotas.begin(), standing_->quotas.end(), [this](const TypeQuota& quota) {
    const auto type_id = quota.max > 0 ? ledger_.findType(quota.type) : std::nullopt;
    return type_id && ledger_.mayBeReady(*type_id);
  });
}

std::optional<ClaimBatch> ClaimOps::serve() {
  moves_.promoteDue(kMaxPromoted);
  moves_.setMaxPerKey(std::max(1, standing_->max_per_key));
  moves_.settleAll();
  ClaimBatch batch;
  batch.generation = standing_->generation;
  if (const TypeQuota* only = onlyQuota()) {
    for (Ready& ready : firstOf(*only)) batch.jobs.push_back(take(std::move(ready)));
  } else {
    for (const Candidate& candidate : choose()) batch.jobs.push_back(take(read(candidate.id)));
  }
  if (batch.jobs.empty()) return std::nullopt;
  return batch;
}

void ClaimOps::delivered(const ClaimBatch& batch) {
  last_delivered_ = batch.generation;
  standing_.reset();
}

/// The quota that alone can be served, so that nothing has to be compared with other types' jobs; else null.
const TypeQuota* ClaimOps::onlyQuota() const {
  const TypeQuota* only = nullptr;
  for (const TypeQuota& quota : standing_->quotas) {
    const auto type_id = quota.max > 0 ? ledger_.findType(quota.type) : std::nullopt;
    if (!type_id || !ledger_.mayBeReady(*type_id)) continue;
    if (only != nullptr) return nullptr;
    only = &quota;
  }
  return only;
}

/// The first ready jobs of one type, with their rows from the same scan: the usual case, and a third less to look up.
std::vector<ClaimOps::Ready> ClaimOps::firstOf(const TypeQuota& quota) {
  int limit = std::min(quota.max, standing_->total);
  const auto group = static_cast<std::size_t>(std::max(0, quota.group));
  if (group < standing_->groups.size() && quota.cost > 0) {
    // The last one may overdraw what its group has left.
    limit = std::min(limit, (std::max(0, standing_->groups[group]) + quota.cost - 1) / quota.cost);
  }
  std::vector<Ready> all;
  if (limit <= 0) return all;
  const int type_id = *ledger_.findType(quota.type);
  for (Query query(ready_rows_, type_id, limit); query.step();) all.push_back(readReady(query));
  if (all.size() < static_cast<std::size_t>(limit)) ledger_.setMayBeReady(type_id, false);
  return all;
}

/// The first `total` ready jobs over all types with a quota, in the order of dispatch.
std::vector<ClaimOps::Candidate> ClaimOps::choose() {
  std::vector<Candidate> all;
  std::vector<std::pair<int, std::size_t>> exhausted;  // types whose every ready job is in `all`
  for (const TypeQuota& quota : standing_->quotas) {
    const auto type_id = ledger_.findType(quota.type);
    const int limit = std::min(quota.max, standing_->total);
    if (!type_id || limit <= 0 || !ledger_.mayBeReady(*type_id)) continue;
    const std::size_t before = all.size();
    for (Query query(ready_, *type_id, limit); query.step();) {
      all.push_back({{query.number(0)}, query.integer(1), query.number(2), &quota});
    }
    if (all.size() - before < static_cast<std::size_t>(limit)) exhausted.emplace_back(*type_id, all.size() - before);
  }
  std::sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) {
    return std::tuple(-static_cast<std::int64_t>(a.priority), a.run_at, a.id) <
           std::tuple(-static_cast<std::int64_t>(b.priority), b.run_at, b.id);
  });
  const std::size_t found_jobs = all.size();
  keepWithinBudgets(all);
  for (const auto& [type_id, found] : exhausted) {
    if (all.size() == found_jobs || found == 0) ledger_.setMayBeReady(type_id, false);
  }
  return all;
}

/// The first `total` of them, passing over types whose group has nothing left.
void ClaimOps::keepWithinBudgets(std::vector<Candidate>& candidates) const {
  std::vector<int> left = standing_->groups;
  int room = standing_->total;
  std::erase_if(candidates, [&](const Candidate& candidate) {
    if (room <= 0) return true;
    const auto group = static_cast<std::size_t>(std::max(0, candidate.quota->group));
    if (group < left.size()) {
      if (left[group] <= 0) return true;
      left[group] -= candidate.quota->cost;
    }
    --room;
    return false;
  });
}

ClaimOps::Ready ClaimOps::read(core::JobId id) {
  Query query(row_, id.value);
  if (!query.step())
    throw SqlError(SQLITE_CORRUPT, "an index names job " + core::toString(id) + ", which is not there");
  return readReady(query);
}

ClaimOps::Ready ClaimOps::readReady(const Query& query) {
  Ready ready{readLive(query), {}};
  ready.job.params_json = query.view(kLiveColumns);
  ready.job.backoff = readBackoff(query.view(kLiveColumns + 1));
  ready.job.timeout = core::Millis(query.number(kLiveColumns + 2));
  ready.job.tags = readTags(query.view(kLiveColumns + 3));
  ready.job.input_id = query.view(kLiveColumns + 4);
  return ready;
}

ClaimedJob ClaimOps::take(Ready ready) {
  LiveRow& row = ready.row;
  ClaimedJob& job = ready.job;
  if ((row.docs & docBit(Doc::Params)) != 0) {
    if (Query query(params_, row.id.value); query.step()) job.params_json = query.view(0);
  }
  moves_.startAttempt(row, standing_->lease);
  job.id = row.id;
  job.created_at = core::fromMicros(row.created_at);
  job.lease = row.lease;
  job.type = ledger_.typeName(row.type_id);
  job.priority = row.priority;
  job.attempt = row.attempt;
  job.retries = row.retries;
  job.max_attempts = row.max_attempts;
  job.rescues = row.rescues;
  if (row.parent) job.parent = core::JobId{*row.parent};
  job.depth = row.depth;
  job.owner = row.owner;
  job.resumed = row.resumed == Resume::Now;
  job.run_at = core::fromMicros(row.run_at);
  return std::move(job);
}

}  // namespace jobhost::store
