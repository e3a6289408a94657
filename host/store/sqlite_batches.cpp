// SqliteStore: batches, and commands over many jobs.
#include <algorithm>
#include <limits>
#include <utility>

#include "store/sql_reader.hpp"
#include "store/sqlite_change.hpp"

namespace jobhost::store {

using core::Error;
using core::ErrorCode;
using core::Result;

namespace {

/// Commands in one transaction: enough to share its cost, few enough not to hold up the writer.
constexpr std::size_t kBulkStep = 100;

Error noBatch(const std::string& id) {
  return {ErrorCode::NotFound, "batch " + id + " does not exist", {}, {}};
}

/// What became of the jobs of one step, and what of them is too large for it.
struct BulkStep {
  BulkApplied applied;
  std::vector<core::JobId> cancel_more;
  std::vector<std::size_t> remove_large;  ///< places in `changed`
};

/// Whether a command did something; an error that only this job's state is the reason of is none.
Result<bool> did(const Result<void>& done) {
  if (done) return true;
  if (done.error().code == ErrorCode::Conflict || done.error().code == ErrorCode::NotFound) return false;
  return done.error();
}

Result<bool> applyOne(WriteSide& side, BulkAction action, core::JobId id, const BulkOptions& options, BulkStep& step) {
  if (action == BulkAction::Retry) return did(side.commands.retry(id, options));
  if (action == BulkAction::Cancel) {
    auto canceled = side.commands.cancel(id, options.reason, {});
    if (!canceled) return did(canceled.error());
    if (canceled->more) step.cancel_more.push_back(id);
    return canceled->outcome != CancelOutcome::AlreadyEnded;
  }
  const auto removed = side.commands.remove(id);
  if (!removed) return did(removed.error());
  if (!*removed) {
    step.remove_large.push_back(step.applied.changed.size());
    return false;
  }
  step.applied.removed.insert(step.applied.removed.end(), (*removed)->begin(), (*removed)->end());
  return true;
}

}  // namespace

Result<BulkApplied> SqliteStore::applyAll(BulkAction action, std::span<const core::JobId> ids, BulkOptions options) {
  BulkApplied all;
  all.changed.reserve(ids.size());
  while (all.changed.size() < ids.size() && !all.stopped) {
    const auto some = ids.subspan(all.changed.size(), std::min(kBulkStep, ids.size() - all.changed.size()));
    auto step = change<BulkStep>([&](WriteSide& side) -> Result<BulkStep> {
      BulkStep made;  // a new one each time: the writer may run it again
      const std::size_t before = side.ledger.events.size();
      for (const core::JobId id : some) {
        // Each of a hundred jobs may bring a tree of a thousand along: the rest is left to the next step.
        if (side.ledger.events.size() - before >= CommandOps::kTreeStep) break;
        const auto moved = applyOne(side, action, id, options, made);
        if (!moved && moved.error().code == ErrorCode::Exhausted) {
          made.applied.stopped = moved.error();
          break;
        }
        if (!moved) return moved.error();
        made.applied.changed.push_back(*moved);
      }
      return made;
    });
    if (!step) return step.error();
    if (auto rest = cancelRest(step->cancel_more, !step->cancel_more.empty()); !rest) return rest.error();
    for (const std::size_t place : step->remove_large) {
      const auto removed = removeLarge(some[place], core::Instant::max());
      if (!removed && removed.error().code != ErrorCode::Conflict) return removed.error();
      auto& applied = step->applied;
      applied.changed[place] = removed.ok();
      if (removed) applied.removed.insert(applied.removed.end(), removed->begin(), removed->end());
    }
    all.changed.insert(all.changed.end(), step->applied.changed.begin(), step->applied.changed.end());
    all.removed.insert(all.removed.end(), step->applied.removed.begin(), step->applied.removed.end());
    all.stopped = std::move(step->applied.stopped);
  }
  return all;
}

namespace {

constexpr const char* kBatchSelect =
    "SELECT number, id, name, owner, created_at, queued, running, waiting, suspended, succeeded, failed, canceled FROM "
    "batches ";

Batch readBatch(const Query& query) {
  Batch batch;
  batch.number = query.number(0);
  batch.id = query.text(1);
  batch.name = query.text(2);
  batch.owner = query.text(3);
  batch.created_at = core::fromMicros(query.number(4));
  for (int state = 0; state < core::kJobStateCount; ++state) batch.by_state[state] = query.number(5 + state);
  return batch;
}

}  // namespace

Result<Batch> SqliteStore::batch(const std::string& id) {
  auto found = readers_->with<std::optional<Batch>>([&](Reader& reader) -> std::optional<Batch> {
    Query query(reader.prepared(std::string(kBatchSelect) + "WHERE id = $1"), id);
    return query.step() ? std::optional(readBatch(query)) : std::nullopt;
  });
  if (!found) return found.error();
  if (!*found) return noBatch(id);
  return **std::move(found);
}

Result<BatchPage> SqliteStore::batches(const std::string& owner, std::optional<std::int64_t> cursor, int limit) {
  const auto wanted = static_cast<std::size_t>(std::max(1, limit));
  return readers_->with<BatchPage>([&](Reader& reader) {
    BatchPage page;
    const std::int64_t below = cursor.value_or(std::numeric_limits<std::int64_t>::max());
    const auto count = static_cast<std::int64_t>(wanted) + 1;
    const auto collect = [&page](Query&& query) {
      while (query.step()) page.batches.push_back(readBatch(query));
    };
    if (owner.empty()) {
      collect(Query(reader.prepared(std::string(kBatchSelect) + "WHERE number < $1 ORDER BY number DESC LIMIT $2"),
                    below, count));
    } else {
      collect(Query(
          reader.prepared(std::string(kBatchSelect) + "INDEXED BY batches_by_owner WHERE owner = $1 AND number < $2 "
                                                      "ORDER BY number DESC LIMIT $3"),
          owner, below, count));
    }
    if (page.batches.size() > wanted) {
      page.batches.resize(wanted);
      page.next = page.batches.back().number;
    }
    return page;
  });
}

Result<SubmittedBatch> SqliteStore::submitBatch(std::vector<core::JobDraft> drafts, SubmitOptions options) {
  return change<SubmittedBatch>([&](WriteSide& side) { return side.submits.submit(drafts, options); });
}

Result<std::optional<core::JobId>> SqliteStore::liveBelow(const Batch& batch) {
  return readers_->with<std::optional<core::JobId>>([&](Reader& reader) -> std::optional<core::JobId> {
    // The counters of what is below a job stay when some of it is deleted, all of which had ended.
    Query query(reader.prepared("SELECT id FROM jobs INDEXED BY jobs_by_batch WHERE batch = $1 AND owner IS $2 AND "
                                "desc_done < desc_total LIMIT 1"),
                batch.id, TextOrNull{batch.owner});
    return query.step() ? std::optional(core::JobId{query.number(0)}) : std::nullopt;
  });
}

Result<void> SqliteStore::removeBatch(const std::string& id) {
  return change<void>([&](WriteSide& side) { return side.submits.removeBatch(id); });
}

}  // namespace jobhost::store
