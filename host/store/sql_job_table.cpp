#include "store/sql_job_table.hpp"

#include <numeric>
#include <utility>

namespace jobhost::store {

JobTable::JobTable(Database& db, Ledger& ledger)
    : ledger_(ledger),
      load_(db, "SELECT " + std::string(kLiveSelect) + " FROM jobs WHERE id = $1"),
      save_(db,
            "UPDATE jobs SET state = $1, hold = $2, priority = $3, run_at = $4, attempt = $5, retries = $6, "
            "max_attempts = $7, ask = $8, resumed = $9, own_done = $10, lease = $11, lease_until = $12, "
            "event_seq = $13, deps_pending = $14, docs = $15, started_at = $16, finished_at = $17, "
            "updated_at = $18 WHERE id = $19"),
      save_end_(db,
                "UPDATE jobs SET state = $1, hold = $2, run_at = $3, attempt = $4, retries = $5, ask = $6, "
                "resumed = $7, own_done = $8, lease = 0, event_seq = $9, docs = $10, started_at = $11, "
                "finished_at = $12, updated_at = $13, result = $14, error = $15, usage = $16, exit_code = $17, "
                "exit_signal = $18, progress = coalesce($19, progress) WHERE id = $20"),
      save_counters_(db,
                     "UPDATE jobs SET child_total = $1, child_done = $2, child_failed = $3, desc_total = $4, "
                     "desc_done = $5, desc_failed = $6, below_total = $7, below_done = $8, below_failed = $9, "
                     "event_seq = $10, updated_at = $11 WHERE id = $12"),
      save_hold_(db, "UPDATE jobs SET hold = $1 WHERE id = $2"),
      save_rescues_(db, "UPDATE jobs SET rescues = $1 WHERE id = $2"),
      set_error_(db, "UPDATE jobs SET error = $1 WHERE id = $2"),
      error_(db, "SELECT error FROM jobs WHERE id = $1"),
      clear_result_(db, "UPDATE jobs SET result = NULL WHERE id = $1"),
      insert_(
          db,
          "INSERT INTO jobs (id, type_id, state, hold, priority, run_at, max_attempts, event_seq, deps_pending, "
          "docs, child_failure, created_at, updated_at, parent, root, depth, timeout_ms, queue_key, owner, batch, "
          "unique_key, dedupe_key, input_id, backoff, webhook, tags, params) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, "
          "$9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27)"),
      add_event_(db,
                 "INSERT INTO events (seq, prev, job, kind, at, state, attempt, data) VALUES ($1, $2, $3, $4, $5, "
                 "$6, $7, $8)"),
      put_doc_(db,
               "INSERT INTO job_docs (job, kind, body) VALUES ($1, $2, $3) "
               "ON CONFLICT (job, kind) DO UPDATE SET body = excluded.body"),
      doc_(db, "SELECT body FROM job_docs WHERE job = $1 AND kind = $2"),
      drop_doc_(db, "DELETE FROM job_docs WHERE job = $1 AND kind = $2"),
      drop_docs_(db, "DELETE FROM job_docs WHERE job = $1"),
      add_tag_(db, "INSERT INTO job_tags (tag, job) VALUES ($1, $2) ON CONFLICT DO NOTHING"),
      drop_tag_(db, "DELETE FROM job_tags WHERE tag = $1 AND job = $2"),
      set_tags_(db, "UPDATE jobs SET tags = $1, event_seq = $2, updated_at = $3 WHERE id = $4"),
      tags_(db, "SELECT tags FROM jobs WHERE id = $1"),
      erase_job_(db, "DELETE FROM jobs WHERE id = $1"),
      erase_deps_(db, "DELETE FROM job_deps WHERE job = $1"),
      event_prev_(db, "SELECT prev FROM events WHERE seq = $1 AND job = $2"),
      event_(db, "SELECT prev, kind, coalesce(data, '') FROM events WHERE seq = $1 AND job = $2"),
      erase_event_(db, "DELETE FROM events WHERE seq = $1"),
      progress_(db, "SELECT progress FROM jobs WHERE id = $1"),
      put_count_(db,
                 "INSERT INTO counts (type_id, state, n) VALUES ($1, $2, $3) "
                 "ON CONFLICT (type_id, state) DO UPDATE SET n = excluded.n"),
      put_owner_(
          db, "INSERT INTO owner_queued (owner, n) VALUES ($1, $2) ON CONFLICT (owner) DO UPDATE SET n = excluded.n"),
      drop_owner_(db, "DELETE FROM owner_queued WHERE owner = $1"),
      count_batch_(db,
                   "UPDATE batches SET jobs = jobs + $1, queued = queued + $2, running = running + $3, "
                   "waiting = waiting + $4, suspended = suspended + $5, succeeded = succeeded + $6, "
                   "failed = failed + $7, canceled = canceled + $8 WHERE id = $9 AND owner IS $10") {}

std::optional<LiveRow> JobTable::load(core::JobId id) {
  const auto found = ledger_.running.find(id);
  if (found != ledger_.running.end() && !found->second.stale) return found->second.row;
  Query query(load_, id.value);
  if (!query.step()) return std::nullopt;
  LiveRow row = readLive(query);
  if (found != ledger_.running.end()) {
    found->second.row = row;
    found->second.stale = false;
  }
  return row;
}

void JobTable::save(const LiveRow& row) {
  ledger_.touch(row.id);
  Query(save_, row.state, row.hold, row.priority, row.run_at, row.attempt, row.retries, row.max_attempts, row.ask,
        row.resumed, row.own_done, row.lease, row.lease_until, row.event_seq, row.deps_pending, row.docs,
        row.started_at, row.finished_at, core::toMicros(ledger_.now), row.id.value)
      .run();
}

void JobTable::saveEnd(LiveRow& row, const Ending& ending) {
  const bool aside = ending.result.size() > kInlineBytes;
  if (aside) {
    putDoc(row.id, Doc::Result, ending.result);
    row.docs |= docBit(Doc::Result);
  } else if ((row.docs & docBit(Doc::Result)) != 0) {
    dropDoc(row.id, Doc::Result);
    row.docs &= ~docBit(Doc::Result);
  }
  const auto part = [](const std::optional<int>& value) {
    return value ? std::optional<std::int64_t>(*value) : std::nullopt;
  };
  ledger_.touch(row.id);
  Query(save_end_, row.state, row.hold, row.run_at, row.attempt, row.retries, row.ask, row.resumed, row.own_done,
        row.event_seq, row.docs, row.started_at, row.finished_at, core::toMicros(ledger_.now),
        TextOrNull{aside ? std::string_view() : ending.result}, TextOrNull{ending.error}, TextOrNull{ending.usage},
        ending.exit ? part(ending.exit->code) : std::nullopt, ending.exit ? part(ending.exit->signal) : std::nullopt,
        TextOrNull{ending.progress}, row.id.value)
      .run();
}

void JobTable::saveCounters(const LiveRow& row) {
  ledger_.touch(row.id);
  Query(save_counters_, row.children.total, row.children.done, row.children.failed, row.descendants.total,
        row.descendants.done, row.descendants.failed, row.units.total, row.units.done, row.units.failed, row.event_seq,
        core::toMicros(ledger_.now), row.id.value)
      .run();
}

void JobTable::saveHold(core::JobId id, core::Hold hold) {
  Query(save_hold_, hold, id.value).run();
}

void JobTable::saveRescues(const LiveRow& row) {
  Query(save_rescues_, row.rescues, row.id.value).run();
}

void JobTable::setError(core::JobId id, const std::string& error) {
  Query(set_error_, TextOrNull{error}, id.value).run();
}

std::string JobTable::error(core::JobId id) {
  Query query(error_, id.value);
  return query.step() ? query.text(0) : std::string();
}

std::string JobTable::progress(core::JobId id) {
  Query query(progress_, id.value);
  return query.step() ? query.text(0) : std::string();
}

void JobTable::clearResult(LiveRow& row) {
  Query(clear_result_, row.id.value).run();
  if ((row.docs & docBit(Doc::Result)) != 0) dropDoc(row.id, Doc::Result);
  row.docs &= ~docBit(Doc::Result);
}

void JobTable::insert(const LiveRow& row, const core::JobDraft& draft) {
  const std::string backoff = backoffText(draft.backoff);
  const std::string tags = tagsText(draft.tags);
  const bool aside = (row.docs & docBit(Doc::Params)) != 0;
  Query(insert_, row.id.value, row.type_id, row.state, row.hold, row.priority, row.run_at, row.max_attempts,
        row.event_seq, row.deps_pending, row.docs, row.child_failure, core::toMicros(ledger_.now),
        core::toMicros(ledger_.now), row.parent, row.root, row.depth, draft.timeout.count(), TextOrNull{row.queue_key},
        TextOrNull{row.owner}, TextOrNull{draft.batch}, TextOrNull{draft.unique_key}, TextOrNull{draft.dedupe_key},
        TextOrNull{draft.input_id}, TextOrNull{backoff}, TextOrNull{draft.webhook_json}, TextOrNull{tags},
        TextOrNull{aside ? std::string_view() : std::string_view(draft.params_json)})
      .run();
  if (aside) putDoc(row.id, Doc::Params, draft.params_json);
  if ((row.docs & docBit(Doc::Notes)) != 0) putDoc(row.id, Doc::Notes, draft.notes_json);
  if ((row.docs & docBit(Doc::Args)) != 0) putDoc(row.id, Doc::Args, draft.args_json);
  addTags(row.id, draft.tags);
}

void JobTable::addEvent(LiveRow& row, core::EventKind kind, std::string data) {
  const std::int64_t seq = ++ledger_.last_seq;
  Query(add_event_, seq, row.event_seq, row.id.value, kind, core::toMicros(ledger_.now), row.state, row.attempt,
        TextOrNull{data})
      .run();
  row.event_seq = seq;
  ledger_.events.push_back({seq, kind, row.id, ledger_.now, row.state, row.attempt, std::move(data)});
}

void JobTable::dropRepetition(LiveRow& row, std::string_view reason) {
  const auto eventOf = [&](std::int64_t seq, core::EventKind kind,
                           std::string_view data) -> std::optional<std::int64_t> {
    Query query(event_, seq, row.id.value);
    const bool is = query.step() && query.integer(1) == static_cast<int>(kind) && query.view(2).starts_with(data);
    return is ? std::optional(query.number(0)) : std::nullopt;
  };
  const std::int64_t started = row.event_seq;
  const auto queued = eventOf(started, core::EventKind::Started, {});
  if (!queued) return;
  const auto before = eventOf(*queued, core::EventKind::Queued, "{\"reason\":" + jsonString(reason));
  if (!before) return;
  for (const std::int64_t seq : {started, *queued}) Query(erase_event_, seq).run();
  row.event_seq = *before;
}

void JobTable::putDoc(core::JobId id, Doc doc, std::string_view body) {
  Query(put_doc_, id.value, doc, Blob{body}).run();
}

std::optional<std::string> JobTable::doc(core::JobId id, Doc doc) {
  Query query(doc_, id.value, doc);
  return query.step() ? std::optional(query.text(0)) : std::nullopt;
}

void JobTable::dropDoc(core::JobId id, Doc doc) {
  Query(drop_doc_, id.value, doc).run();
}

void JobTable::addTags(core::JobId id, const std::vector<std::string>& tags) {
  for (const std::string& tag : tags) Query(add_tag_, tag, id.value).run();
}

void JobTable::dropTags(core::JobId id, const std::vector<std::string>& tags) {
  for (const std::string& tag : tags) Query(drop_tag_, tag, id.value).run();
}

void JobTable::setTagsColumn(const LiveRow& row, const std::string& text) {
  ledger_.touch(row.id);
  Query(set_tags_, TextOrNull{text}, row.event_seq, core::toMicros(ledger_.now), row.id.value).run();
}

std::string JobTable::tagsColumn(core::JobId id) {
  Query query(tags_, id.value);
  return query.step() ? query.text(0) : std::string();
}

void JobTable::erase(const LiveRow& row) {
  dropTags(row.id, readTags(tagsColumn(row.id)));
  if (row.docs != 0) Query(drop_docs_, row.id.value).run();
  if ((row.docs & kHasDeps) != 0) Query(erase_deps_, row.id.value).run();
  for (std::int64_t seq = row.event_seq; seq != 0;) {
    std::int64_t prev = 0;
    if (Query query(event_prev_, seq, row.id.value); query.step()) prev = query.number(0);
    Query(erase_event_, seq).run();
    seq = prev;
  }
  Query(erase_job_, row.id.value).run();
}

void JobTable::flushCounts() {
  for (const auto& cell : ledger_.takeChangedCounts()) Query(put_count_, cell.type_id, cell.state, cell.n).run();
  for (const auto& [owner, n] : ledger_.takeChangedOwners()) {
    n == 0 ? Query(drop_owner_, owner).run() : Query(put_owner_, owner, n).run();
  }
  flushBatchCounts();
}

void JobTable::flushBatchCounts() {
  static_assert(core::kJobStateCount == 7, "a column of batches for each");
  for (const auto& [id, owner, by] : ledger_.takeChangedBatches()) {
    const std::int64_t all = std::accumulate(by.begin(), by.end(), std::int64_t{0});
    Query(count_batch_, all, by[0], by[1], by[2], by[3], by[4], by[5], by[6], id, TextOrNull{owner}).run();
  }
}

}  // namespace jobhost::store
