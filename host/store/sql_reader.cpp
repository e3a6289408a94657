#include "store/sql_reader.hpp"

#include <algorithm>
#include <utility>

#include "store/sql_rows.hpp"
#include "store/word_search.hpp"

namespace jobhost::store {

namespace {

core::JobEvent readEvent(const Query& query) {
  core::JobEvent event;
  event.seq = query.number(0);
  event.job = {query.number(1)};
  event.kind = static_cast<core::EventKind>(query.integer(2));
  event.at = core::fromMicros(query.number(3));
  event.state = static_cast<core::JobState>(query.integer(4));
  event.attempt = query.integer(5);
  event.data_json = query.view(6);
  return event;
}

}  // namespace

Reader::Reader(const Database::Options& options)
    : database_(options),
      job_(database_,
           std::string("SELECT ") + kJobSelect + " FROM jobs j JOIN types t ON t.id = j.type_id WHERE j.id = $1"),
      belonging_(database_, "SELECT owner, batch FROM jobs WHERE id = $1"),
      docs_(database_, "SELECT kind, body FROM job_docs WHERE job = $1 AND kind <> 4"),
      events_(database_,
              "SELECT seq, job, kind, at, state, attempt, data FROM events WHERE seq > $1 ORDER BY seq LIMIT $2"),
      job_events_(database_,
                  "WITH RECURSIVE chain (seq, job, kind, at, state, attempt, data, prev) AS ("
                  "SELECT seq, job, kind, at, state, attempt, data, prev FROM events "
                  "WHERE seq = (SELECT event_seq FROM jobs WHERE id = $1) AND seq > $2 "
                  "UNION ALL SELECT e.seq, e.job, e.kind, e.at, e.state, e.attempt, e.data, e.prev FROM chain c "
                  "JOIN events e ON e.seq = c.prev WHERE c.prev > $2) "
                  "SELECT seq, job, kind, at, state, attempt, data FROM chain"),
      last_seq_(database_, "SELECT max(seq) FROM events"),
      counts_(database_,
              "SELECT t.name, c.state, c.n FROM counts c JOIN types t ON t.id = c.type_id ORDER BY c.type_id, c.state"),
      checkpoint_(
          database_,
          "SELECT d.body, j.id FROM jobs j LEFT JOIN job_docs d ON d.job = j.id AND d.kind = 4 WHERE j.id = $1"),
      ended_(database_,
             "SELECT e.seq, e.kind, e.at, j.root FROM events e LEFT JOIN jobs j ON j.id = e.job "
             "WHERE e.seq > $1 ORDER BY e.seq"),
      children_(database_,
                "SELECT id, state, finished_at FROM jobs INDEXED BY jobs_by_parent WHERE parent = $1 ORDER BY id"),
      types_(database_, "SELECT id, name FROM types") {
  if (const int code = addWordSearch(database_.handle()); code != SQLITE_OK) database_.fail(code);
}

std::optional<Belonging> Reader::belonging(core::JobId id) {
  Query query(belonging_, id.value);
  return query.step() ? std::optional(Belonging{query.text(0), query.text(1)}) : std::nullopt;
}

Statement& Reader::prepared(const std::string& sql) {
  auto& statement = lists_[sql];
  if (!statement) statement = std::make_unique<Statement>(database_, sql);
  return *statement;
}

std::optional<core::Job> Reader::job(core::JobId id, bool with_documents) {
  core::Job job;
  int docs = 0;
  {
    Query query(job_, id.value);
    if (!query.step()) return std::nullopt;
    job = readJob(query, docs);
  }
  if (!with_documents) {
    job.params_json.clear();
    job.result_json.clear();
  }
  if (with_documents && (docs & kShownDocs) != 0) {
    for (Query query(docs_, id.value); query.step();) {
      switch (static_cast<Doc>(query.integer(0))) {
        case Doc::Params:
          job.params_json = query.view(1);
          break;
        case Doc::Result:
          job.result_json = query.view(1);
          break;
        case Doc::Notes:
          job.notes_json = query.view(1);
          break;
        case Doc::Outputs:
          job.outputs = readOutputs(query.view(1));
          break;
        case Doc::Args:
          job.args_json = query.view(1);
          break;
        case Doc::Checkpoint:
          break;
      }
    }
  }
  if ((docs & kHasDeps) != 0) {
    for (Query query(prepared("SELECT dep, any_outcome FROM job_deps WHERE job = $1 ORDER BY dep"), id.value);
         query.step();) {
      (query.integer(1) != 0 ? job.after : job.depends_on).push_back({query.number(0)});
    }
  }
  return job;
}

std::vector<core::JobEvent> Reader::events(std::int64_t after_seq, int limit) {
  std::vector<core::JobEvent> events;
  for (Query query(events_, after_seq, std::max(0, limit)); query.step();) events.push_back(readEvent(query));
  return events;
}

/// Follows the chain from the job's newest event back to `after_seq`.
std::vector<core::JobEvent> Reader::eventsOf(core::JobId job, std::int64_t after_seq, int limit) {
  std::vector<core::JobEvent> events;
  for (Query query(job_events_, job.value, std::max<std::int64_t>(0, after_seq)); query.step();)
    events.push_back(readEvent(query));
  std::reverse(events.begin(), events.end());
  if (events.size() > static_cast<std::size_t>(std::max(0, limit)))
    events.resize(static_cast<std::size_t>(std::max(0, limit)));
  return events;
}

/// No index of events by owner: each event of everybody's would pay for it. The numbers are walked in windows, whose
/// rows find their owner by the job's id.
EventPage Reader::eventsOfOwner(const std::string& owner, std::int64_t after_seq, int limit) {
  EventPage page;
  page.next = after_seq;
  const auto last = lastSeq();
  std::int64_t first = 0;  // numbers have gaps where jobs were removed
  {
    Query query(prepared("SELECT min(seq) FROM events WHERE seq > $1"), after_seq);
    if (query.step()) first = query.numberOrNull(0).value_or(0);
  }
  if (first == 0) {
    page.end = true;
    return page;
  }
  const auto to = std::min(last, first + kScanBudget - 1);
  const auto most = static_cast<std::size_t>(std::max(1, limit));
  for (Query query(prepared("SELECT e.seq, e.job, e.kind, e.at, e.state, e.attempt, e.data FROM events e CROSS JOIN "
                            "jobs j ON j.id = e.job WHERE e.seq > $1 AND e.seq <= $2 AND j.owner = $3 "
                            "ORDER BY e.seq LIMIT $4"),
                   after_seq, to, owner, static_cast<std::int64_t>(most));
       query.step();) {
    page.events.push_back(readEvent(query));
  }
  page.next = page.events.size() == most ? page.events.back().seq : to;
  if (page.events.empty() && page.next < last) page.next = skipToOwner(owner, page.next, last);
  page.end = page.next >= last;
  return page;
}

/// Past what was told before the owner's oldest job that is left was made; `last` when there is none.
std::int64_t Reader::skipToOwner(const std::string& owner, std::int64_t after_seq, std::int64_t last) {
  std::optional<core::JobId> oldest;
  {
    Query query(prepared("SELECT min(id) FROM jobs WHERE owner = $1"), owner);
    if (const auto id = query.step() ? query.numberOrNull(0) : std::nullopt) oldest = core::JobId{*id};
  }
  if (!oldest) return last;
  const auto story = eventsOf(*oldest, 0, 1);
  // A window back: jobs made together need not be told in the order of their ids.
  return story.empty() ? after_seq : std::max(after_seq, story.front().seq - kScanBudget);
}

std::int64_t Reader::lastSeq() {
  Query query(last_seq_);
  return query.step() ? query.number(0) : 0;
}

std::vector<StateCounts> Reader::counts() {
  std::vector<StateCounts> all;
  for (Query query(counts_); query.step();) {
    if (all.empty() || all.back().type != query.view(0)) all.push_back({query.text(0), {}});
    if (const auto state = query.number(1); state >= 0 && state < core::kJobStateCount)
      all.back().by_state[state] = query.number(2);
  }
  return all;
}

std::optional<std::string> Reader::checkpoint(core::JobId id) {
  Query query(checkpoint_, id.value);
  return query.step() && !query.isNull(0) ? std::optional(query.text(0)) : std::nullopt;
}

/// Terminal events are in the order in which jobs ended, so the log of events is the index by age. A tree that was not
/// wholly ended when one of its jobs was passed is met again at its last job's event.
std::vector<core::JobId> Reader::endedRoots(std::int64_t& after_seq, core::Instant cutoff, int limit) {
  std::vector<core::JobId> roots;
  for (Query query(ended_, after_seq); query.step();) {
    if (query.number(2) >= core::toMicros(cutoff)) break;
    const auto kind = static_cast<core::EventKind>(query.integer(1));
    const bool terminal =
        kind == core::EventKind::Succeeded || kind == core::EventKind::Failed || kind == core::EventKind::Canceled;
    if (terminal && !query.isNull(3)) {
      const core::JobId root{query.number(3)};
      if (std::find(roots.begin(), roots.end(), root) == roots.end()) {
        if (roots.size() >= static_cast<std::size_t>(limit)) break;
        roots.push_back(root);
      }
    }
    after_seq = query.number(0);
  }
  return roots;
}

Reader::Tree Reader::tree(core::JobId root) {
  Tree tree;
  const auto add = [&tree](core::JobId id, core::JobState state, core::Instant finished) {
    tree.ids.push_back(id);
    if (!core::isTerminal(state)) tree.live = id;
    tree.last_ended = std::max(tree.last_ended.value_or(finished), finished);
  };
  if (const auto found = job(root, false)) add(root, found->state, found->finished_at.value_or(core::Instant{}));
  for (std::size_t i = 0; i < tree.ids.size(); ++i) {
    for (Query query(children_, tree.ids[i].value); query.step();) {
      add({query.number(0)}, static_cast<core::JobState>(query.integer(1)), core::fromMicros(query.number(2)));
    }
  }
  return tree;
}

ReaderPool::ReaderPool(const Database::Options& options, int count) {
  for (int i = 0; i < std::max(1, count); ++i) idle_.push_back(std::make_unique<Reader>(options));
}

std::unique_ptr<Reader> ReaderPool::take() {
  std::unique_lock lock(mutex_);
  free_.wait(lock, [this] { return !idle_.empty(); });
  auto reader = std::move(idle_.back());
  idle_.pop_back();
  return reader;
}

void ReaderPool::give(std::unique_ptr<Reader> reader) {
  {
    std::lock_guard lock(mutex_);
    idle_.push_back(std::move(reader));
  }
  free_.notify_one();
}

}  // namespace jobhost::store
