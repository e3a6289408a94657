#include "store/sql_submit.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "core/queue_key.hpp"

namespace jobhost::store {

using core::Error;
using core::ErrorCode;
using core::JobState;

SubmitOps::SubmitOps(Database& db, Ledger& ledger, JobTable& table, Moves& moves)
    : ledger_(ledger),
      table_(table),
      moves_(moves),
      find_promise_(
          db, "SELECT digest, jobs, batch FROM idempotency WHERE principal = $1 AND key = $2 AND expires_at > $3"),
      put_promise_(db,
                   "INSERT INTO idempotency (principal, key, digest, expires_at, jobs, batch) "
                   "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (principal, key) DO UPDATE SET "
                   "digest = excluded.digest, expires_at = excluded.expires_at, jobs = excluded.jobs, "
                   "batch = excluded.batch"),
      forget_promises_(db,
                       "DELETE FROM idempotency WHERE (principal, key) IN "
                       "(SELECT principal, key FROM idempotency WHERE expires_at <= $1 LIMIT $2)"),
      find_unique_(db, "SELECT id, state FROM jobs WHERE type_id = $1 AND unique_key = $2 AND state < 4"),
      find_dedupe_(db, "SELECT id, state FROM jobs WHERE parent = $1 AND dedupe_key = $2"),
      add_type_(db, "INSERT INTO types (id, name) VALUES ($1, $2)"),
      add_dep_(db, "INSERT INTO job_deps (job, dep, done, any_outcome) VALUES ($1, $2, $3, $4)"),
      add_mark_(db, "INSERT INTO created_marks (first, earliest, latest) VALUES ($1, $2, $3)"),
      add_batch_(db, "INSERT INTO batches (id, name, owner, created_at) VALUES ($1, $2, $3, $4)"),
      find_batch_(db, "SELECT jobs, owner FROM batches WHERE id = $1"),
      drop_batch_(db, "DELETE FROM batches WHERE id = $1"),
      forget_batches_(db,
                      "DELETE FROM batches WHERE number IN (SELECT number FROM batches INDEXED BY batches_empty "
                      "WHERE jobs = 0 AND created_at < $1 ORDER BY created_at, number LIMIT $2)") {}

core::Result<SubmittedBatch> SubmitOps::submit(const std::vector<core::JobDraft>& drafts,
                                               const SubmitOptions& options) {
  if (options.idempotency) {
    auto promised = findPromise(*options.idempotency, options.batch.has_value());
    if (!promised) return promised.error();
    if (*promised) return **std::move(promised);
  }
  if (auto checked = check(drafts, options); !checked) return checked.error();

  if (const auto& batch = options.batch) {
    Query(add_batch_, batch->id, batch->name, TextOrNull{batch->owner}, core::toMicros(ledger_.now)).run();
  }
  SubmittedBatch made;
  if (options.batch) made.id = options.batch->id;
  made.jobs.reserve(drafts.size());
  for (const core::JobDraft& draft : drafts) {
    auto existing = findExisting(draft);
    made.jobs.push_back(existing ? takeUp(*existing, draft) : add(draft));
  }
  if (options.idempotency) {
    std::string ids;
    for (const Submitted& job : made.jobs) ids += (ids.empty() ? "" : ",") + core::toString(job.id);
    Query(put_promise_, options.idempotency->principal, options.idempotency->key, options.idempotency->request_digest,
          core::toMicros(ledger_.now + options.idempotency->keep), ids, TextOrNull{made.id})
        .run();
  }
  return made;
}

void SubmitOps::forgetExpiredKeys(int limit) {
  Query(forget_promises_, core::toMicros(ledger_.now), limit).run();
}

core::Result<void> SubmitOps::removeBatch(const std::string& id) {
  table_.flushBatchCounts();  // of what others did in this transaction
  {
    Query found(find_batch_, id);
    if (!found.step()) return Error{ErrorCode::NotFound, "batch " + id + " does not exist", {}, {}};
    if (found.number(0) != 0) return Error{ErrorCode::Conflict, "batch " + id + " has jobs", {}, {}};
  }
  Query(drop_batch_, id).run();
  return {};
}

void SubmitOps::forgetEmptyBatches(core::Instant cutoff, int limit) {
  table_.flushBatchCounts();
  Query(forget_batches_, core::toMicros(cutoff), limit).run();
}

core::Result<std::optional<SubmittedBatch>> SubmitOps::findPromise(const Idempotency& promise, bool of_batch) {
  SubmittedBatch made;
  made.replayed = true;
  std::string ids;
  {
    Query query(find_promise_, promise.principal, promise.key, core::toMicros(ledger_.now));
    if (!query.step()) return std::optional<SubmittedBatch>();
    ids = query.text(1);
    made.id = query.text(2);
    if (query.view(0) != promise.request_digest || made.id.empty() == of_batch) {
      return Error{ErrorCode::Conflict, "this Idempotency-Key was used with another request", {}, {}};
    }
  }
  if (of_batch && !Query(find_batch_, made.id).step()) {
    return Error{ErrorCode::Conflict, "batch " + made.id + ", made with this Idempotency-Key, was deleted", {}, {}};
  }
  for (const char *at = ids.data(), *end = at + ids.size(); at < end;) {
    core::JobId id;
    at = std::from_chars(at, end, id.value).ptr + 1;
    const auto row = table_.load(id);
    if (!row) {
      return Error{
          ErrorCode::Conflict, "job " + core::toString(id) + ", made with this Idempotency-Key, was deleted", {}, {}};
    }
    made.jobs.push_back({id, row->state, true});
  }
  return std::optional(std::move(made));
}

core::Result<void> SubmitOps::check(const std::vector<core::JobDraft>& drafts, const SubmitOptions& options) {
  std::map<std::string_view, std::int64_t> of_type;
  std::map<std::string_view, std::int64_t> of_owner;
  const bool limited = options.max_queued_per_type > 0 || options.max_queued_per_owner > 0;
  for (std::size_t i = 0; i < drafts.size(); ++i) {
    const core::JobDraft& draft = drafts[i];
    if (!draft.batch.empty() && !(options.batch && options.batch->id == draft.batch)) {
      if (Query found(find_batch_, draft.batch); !found.step() || found.view(1) != draft.owner) {
        // Somebody else's is none of the caller's, whoever asks: a batch is its owner's jobs.
        return Error{ErrorCode::NotFound,
                     "batch: " + draft.batch + " does not exist",
                     {},
                     {{"/" + std::to_string(i) + "/batch", "does not exist"}}};
      }
    }
    const bool refers = draft.parent || !draft.depends_on.empty() || !draft.after.empty();
    if (refers) {
      if (auto checked = checkReferences(draft, options.own_only); !checked) {
        Error wrong = checked.error();
        for (auto& field : wrong.fields) field.pointer.insert(0, "/" + std::to_string(i));
        return wrong;
      }
    }
    if (options.own_only) {
      if (auto checked = checkTaken(draft); !checked) {
        Error taken = checked.error();
        for (auto& field : taken.fields) field.pointer.insert(0, "/" + std::to_string(i));
        return taken;
      }
    }
    const auto existing = limited ? findExisting(draft) : std::nullopt;
    if (limited && (!existing || wasDeserted(*existing))) {
      ++of_type[draft.type];
      ++of_owner[draft.owner];
    }
  }
  if (options.max_queued_per_type > 0) {
    for (const auto& [type, n] : of_type) {
      const auto id = ledger_.findType(type);
      if ((id ? ledger_.queuedOfType(*id) : 0) + n > options.max_queued_per_type) {
        return Error{ErrorCode::Exhausted, "the queue of job type \"" + std::string(type) + "\" is full", {}, {}};
      }
    }
  }
  if (options.max_queued_per_owner > 0) {
    for (const auto& [owner, n] : of_owner) {
      if (owner.empty() || ledger_.queuedOfOwner(std::string(owner)) + n <= options.max_queued_per_owner) continue;
      return Error{ErrorCode::Exhausted, "you have too many queued jobs", {}, {}};
    }
  }
  return {};
}

/// The job that has the key is not shown to others than its owner, nor is a second one made.
core::Result<void> SubmitOps::checkTaken(const core::JobDraft& draft) {
  const auto existing = findExisting(draft);
  const auto row = existing ? table_.load(existing->id) : std::nullopt;
  if (!row || row->owner == draft.owner) return {};
  const std::string name = draft.unique_key.empty() ? "dedupe_key" : "unique_key";
  return Error{ErrorCode::Conflict, name + ": a job of somebody else has it", {}, {{"/" + name, "is taken"}}};
}

core::Result<void> SubmitOps::checkReferences(const core::JobDraft& draft, bool own_only) {
  const auto reaches = [&](const auto& row) { return row && (!own_only || row->owner == draft.owner); };
  if (draft.parent) {
    const auto parent = table_.load(*draft.parent);
    const std::string name = "job " + core::toString(*draft.parent);
    if (!reaches(parent))
      return Error{ErrorCode::NotFound, "parent: " + name + " does not exist", {}, {{"/parent", "does not exist"}}};
    if (core::isTerminal(parent->state)) {
      return Error{ErrorCode::InvalidArgument, "parent: " + name + " has ended", {}, {{"/parent", "has ended"}}};
    }
    if (parent->ask == Ask::Cancel) {
      return Error{
          ErrorCode::Canceled, "parent: " + name + " is being canceled", {}, {{"/parent", "is being canceled"}}};
    }
    if (parent->depth + 1 > kMaxDepth) {
      const std::string reason = "jobs nest at most " + std::to_string(kMaxDepth) + " deep";
      return Error{ErrorCode::InvalidArgument, "parent: " + reason, {}, {{"/parent", reason}}};
    }
  }
  const auto missing = [](const std::string& list, std::size_t i, core::JobId id) {
    return Error{ErrorCode::NotFound,
                 list + ": job " + core::toString(id) + " does not exist",
                 {},
                 {{"/" + list + "/" + std::to_string(i), "does not exist"}}};
  };
  for (std::size_t i = 0; i < draft.depends_on.size(); ++i) {
    if (!reaches(table_.load(draft.depends_on[i]))) return missing("depends_on", i, draft.depends_on[i]);
  }
  for (std::size_t i = 0; i < draft.after.size(); ++i) {
    const auto row = table_.load(draft.after[i]);
    // A job that was removed has ended; a number that was never given is a mistake.
    if (row ? !reaches(row) : draft.after[i].value > ledger_.last_job) return missing("after", i, draft.after[i]);
  }
  return {};
}

std::optional<Submitted> SubmitOps::findExisting(const core::JobDraft& draft) {
  if (!draft.unique_key.empty()) {
    if (const auto type_id = ledger_.findType(draft.type)) {
      Query query(find_unique_, *type_id, draft.unique_key);
      if (query.step()) return Submitted{{query.number(0)}, static_cast<JobState>(query.integer(1)), true};
    }
  }
  if (!draft.dedupe_key.empty() && draft.parent) {
    Query query(find_dedupe_, draft.parent->value, draft.dedupe_key);
    if (query.step()) return Submitted{{query.number(0)}, static_cast<JobState>(query.integer(1)), true};
  }
  return std::nullopt;
}

bool SubmitOps::wasDeserted(const Submitted& existing) {
  return existing.state == JobState::Canceled && moves_.wasDeserted(existing.id);
}

/// A child that went with an attempt of its parent which failed is run again for a later one: who asks for it means to
/// have it. One that was canceled by itself, or with its parent by a caller, stays canceled.
Submitted SubmitOps::takeUp(const Submitted& existing, const core::JobDraft& draft) {
  if (!wasDeserted(existing)) return existing;
  moves_.settleCounters(existing.id);
  auto row = table_.load(existing.id);
  if (!row || ledger_.removing.contains(row->id) || moves_.whyNotAgain(*row)) return existing;
  moves_.runAgain(*row, draft.run_at.value_or(ledger_.now));
  return {row->id, row->state, true};
}

void SubmitOps::markCreated(const LiveRow& row) {
  auto& block = ledger_.newest_block;
  if (const std::int64_t first = row.id.value - row.id.value % kIdsPerMark; first != block.first) {
    if (block.earliest <= block.latest) Query(add_mark_, block.first, block.earliest, block.latest).run();
    block = {first, row.created_at, row.created_at};
  } else {
    block.earliest = std::min(block.earliest, row.created_at);
    block.latest = std::max(block.latest, row.created_at);
  }
}

Submitted SubmitOps::add(const core::JobDraft& draft) {
  LiveRow row;
  if (const auto known = ledger_.findType(draft.type)) {
    row.type_id = *known;
  } else {
    row.type_id = ledger_.addType(draft.type);
    Query(add_type_, row.type_id, draft.type).run();
  }
  row.id = {++ledger_.last_job};
  row.created_at = core::toMicros(ledger_.now);
  markCreated(row);
  row.priority = draft.priority;
  row.run_at = core::toMicros(draft.run_at.value_or(ledger_.now));
  row.max_attempts = std::max(1, draft.max_attempts);
  row.child_failure = draft.child_failure;
  row.queue_key = draft.queue_key;
  row.owner = draft.owner;
  row.batch = draft.batch;
  row.root = row.id.value;
  if (draft.parent) {
    const auto parent = table_.load(*draft.parent);
    row.parent = parent->id.value;
    row.root = parent->root;
    row.depth = parent->depth + 1;
    if (draft.inherit_priority) row.priority = parent->priority;
    if (row.queue_key.empty() && core::isFairKey(parent->queue_key)) row.queue_key = parent->queue_key;
    moves_.childMade(parent->id);
  }
  if (draft.params_json.size() > kInlineBytes) row.docs |= docBit(Doc::Params);
  if (!draft.notes_json.empty() && draft.notes_json != "{}") row.docs |= docBit(Doc::Notes);
  if (!draft.args_json.empty()) row.docs |= docBit(Doc::Args);
  bool failed = false;
  if (!draft.depends_on.empty() || !draft.after.empty()) row.deps_pending = addDependencies(row, draft, failed);

  moves_.enqueue(row);
  ledger_.count(row, std::nullopt, JobState::Queued);
  table_.addEvent(row, core::EventKind::Queued, "{\"reason\":\"submitted\"}");
  table_.insert(row, draft);
  if (failed) {
    moves_.end(
        row, JobState::Failed,
        errorText({core::ErrorClass::Permanent, "dependency_failed", "a job this one depends on did not succeed", {}}));
  }
  return {row.id, row.state, false};
}

/// Stores them and answers how many are outstanding; `failed`: one has ended otherwise than well.
int SubmitOps::addDependencies(LiveRow& row, const core::JobDraft& draft, bool& failed) {
  std::map<core::JobId, bool> any_outcome;
  for (const core::JobId id : draft.after) any_outcome[id] = true;
  for (const core::JobId id : draft.depends_on) any_outcome[id] = false;  // named in both: it must succeed
  int pending = 0;
  for (const auto& [id, any] : any_outcome) {
    const auto dependency = table_.load(id);
    const bool ended = !dependency || core::isTerminal(dependency->state);
    const bool done = any ? ended : dependency->state == JobState::Succeeded;
    if (!done) ++pending;
    if (!done && ended) failed = true;
    Query(add_dep_, row.id.value, id.value, done, any).run();
  }
  row.docs |= kHasDeps;
  ledger_.any_deps = true;
  return pending;
}

}  // namespace jobhost::store
