// Reader::list: how the jobs a filter asks for are walked, and how far a page looks.
#include "store/sql_reader.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/sql_rows.hpp"

namespace jobhost::store {
namespace {

// What looking into a job's texts costs beside reading its row, as a number of rows.
constexpr int kTextRows = 3;
constexpr std::int64_t kBytesPerRow = 4096;

// Ids of one state and type that are read at once: first, and at most.
constexpr int kFirstStep = 32;
constexpr int kLongestStep = 1000;

// Documents a page takes with it before it ends short of its limit: a job may hold several MiB of them.
constexpr std::size_t kPageBytes = 16 << 20;

std::size_t documentBytes(const core::Job& job) {
  return job.params_json.size() + job.notes_json.size() + job.result_json.size();
}

}  // namespace

/// Walks the ids one index gives, in order, and keeps those that pass the rest of the filter.
class ListScan {
 public:
  ListScan(Reader& reader, const JobFilter& filter, const ListOptions& options)
      : reader_(reader),
        filter_(filter),
        options_(options),
        limit_(static_cast<std::size_t>(std::clamp(options.limit, 1, 1000))) {
    type_ids_ = reader_.typeIds(filter_);
    resolveTimes();
  }

  Page run();

 private:
  using Ids = std::vector<std::int64_t>;
  void resolveTimes();
  Ids candidates(std::int64_t beyond, int count);
  Ids byIndex(const char* from_where, const std::string* key, std::int64_t beyond, int count);
  /// The jobs of one state and type, read a few at a time.
  struct Stream {
    int state;
    int type_id;
    std::int64_t beyond;
    int step;  ///< how many the next read takes
    Ids ids = {};
    std::size_t at = 0;
  };
  void openStreams(std::int64_t beyond);
  bool refill(Stream& stream);
  [[nodiscard]] bool comesAfter(std::size_t a, std::size_t b) const;
  Ids byStates(int count);
  bool passes(std::int64_t id);
  bool hasWords(std::int64_t id);
  [[nodiscard]] const char* order() const { return options_.ascending ? "" : " DESC"; }
  [[nodiscard]] const char* than() const { return options_.ascending ? ">" : "<"; }

  Reader& reader_;
  const JobFilter& filter_;
  const ListOptions& options_;
  const std::size_t limit_;
  std::vector<Stream> streams_;
  std::optional<std::vector<std::size_t>> heads_;  ///< a heap of those of streams_ that have more; nullopt: not opened
  std::optional<Reader::Lead> lead_;
  int examined_ = 0;                                               ///< rows, and what reading their texts cost in rows
  std::vector<int> type_ids_;                                      ///< those asked for, or all
  std::int64_t from_ = std::numeric_limits<std::int64_t>::min();   ///< no id below it was made in the time asked for
  std::int64_t until_ = std::numeric_limits<std::int64_t>::max();  ///< nor one from here on
};

/// Leads the times asked for to ids, block by block, so that a page of last year's jobs starts there.
void ListScan::resolveTimes() {
  if (filter_.created_after) {
    Statement& first = reader_.prepared(
        "SELECT coalesce((SELECT first FROM created_marks WHERE latest >= $1 ORDER BY first LIMIT 1), "
        "(SELECT max(first) + $2 FROM created_marks), 0)");
    if (Query query(first, core::toMicros(*filter_.created_after), kIdsPerMark); query.step()) from_ = query.number(0);
  }
  if (filter_.created_before) {
    // The newest block is asked itself: it has no mark.
    Statement& end = reader_.prepared(
        "SELECT coalesce((SELECT first + $1 FROM created_marks WHERE earliest < $2 ORDER BY first DESC LIMIT 1), 0) "
        "WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE id >= (SELECT coalesce(max(first) + $1, 0) FROM created_marks) "
        "AND created_at < $2)");
    if (Query query(end, kIdsPerMark, core::toMicros(*filter_.created_before)); query.step()) until_ = query.number(0);
  }
}

ListScan::Ids ListScan::byIndex(const char* from_where, const std::string* key, std::int64_t beyond, int count) {
  const std::string id = std::string(from_where).find("job_tags") == 0 ? "job" : "id";
  const std::string sql = "SELECT " + id + " FROM " + from_where + id + " " + than() +
                          (key != nullptr ? " $2" : " $1") + " ORDER BY " + id + order() +
                          (key != nullptr ? " LIMIT $3" : " LIMIT $2");
  Statement& statement = reader_.prepared(sql);
  Ids ids;
  const auto collect = [&ids](Query&& query) {
    while (query.step()) ids.push_back(query.number(0));
  };
  key != nullptr ? collect(Query(statement, *key, beyond, count)) : collect(Query(statement, beyond, count));
  return ids;
}

void ListScan::openStreams(std::int64_t beyond) {
  heads_.emplace();
  for (int state = 0; state < core::kJobStateCount; ++state) {
    const bool wanted = filter_.states.empty() || std::find(filter_.states.begin(), filter_.states.end(),
                                                            static_cast<core::JobState>(state)) != filter_.states.end();
    if (!wanted) continue;
    for (const int type_id : type_ids_) streams_.push_back({state, type_id, beyond, kFirstStep});
  }
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    if (refill(streams_[i])) heads_->push_back(i);
  }
  std::make_heap(heads_->begin(), heads_->end(), [this](auto a, auto b) { return comesAfter(a, b); });
}

/// Its next few ids; false: there are no more.
bool ListScan::refill(Stream& stream) {
  Statement& statement =
      reader_.prepared(std::string("SELECT id FROM jobs INDEXED BY jobs_by_state WHERE state = $1 AND "
                                   "type_id = $2 AND id ") +
                       than() + " $3 ORDER BY id" + order() + " LIMIT $4");
  stream.ids.clear();
  stream.at = 0;
  for (Query query(statement, stream.state, stream.type_id, stream.beyond, stream.step); query.step();) {
    stream.ids.push_back(query.number(0));
  }
  if (stream.ids.empty()) return false;
  stream.beyond = stream.ids.back();
  stream.step = std::min(stream.step * 2, kLongestStep);
  return true;
}

bool ListScan::comesAfter(std::size_t a, std::size_t b) const {
  const auto first = streams_[a].ids[streams_[a].at];
  const auto second = streams_[b].ids[streams_[b].at];
  return options_.ascending ? first > second : first < second;
}

/// One stream per state and type, merged: every state's newest jobs are at hand without a sort. Goes on where the call
/// before ended. A stream is read on only when its ids are used up, so that many of them cost little more than one.
ListScan::Ids ListScan::byStates(int count) {
  const auto after = [this](auto a, auto b) { return comesAfter(a, b); };
  Ids ids;
  while (!heads_->empty() && ids.size() < static_cast<std::size_t>(count)) {
    std::pop_heap(heads_->begin(), heads_->end(), after);
    Stream& stream = streams_[heads_->back()];
    ids.push_back(stream.ids[stream.at++]);
    if (stream.at == stream.ids.size() && !refill(stream)) {
      heads_->pop_back();
    } else {
      std::push_heap(heads_->begin(), heads_->end(), after);
    }
  }
  return ids;
}

ListScan::Ids ListScan::candidates(std::int64_t beyond, int count) {
  using Lead = Reader::Lead;
  if (!lead_) lead_ = reader_.leadOf(filter_, type_ids_, Reader::kScanBudget);
  switch (*lead_) {
    case Lead::Parent: {
      const std::string sql =
          "jobs INDEXED BY jobs_by_parent WHERE parent = " + core::toString(*filter_.parent) + " AND ";
      Statement statement(reader_.database_,
                          "SELECT id FROM " + sql + "id " + than() + " $1 ORDER BY id" + order() + " LIMIT $2");
      Ids ids;
      for (Query query(statement, beyond, count); query.step();) ids.push_back(query.number(0));
      return ids;
    }
    case Lead::Input:
      return byIndex("jobs INDEXED BY jobs_by_input WHERE input_id = $1 AND ", &filter_.input_id, beyond, count);
    case Lead::Batch:
      return byIndex("jobs INDEXED BY jobs_by_batch WHERE batch = $1 AND ", &filter_.batch, beyond, count);
    case Lead::Key:
      return byIndex("jobs INDEXED BY jobs_by_key WHERE queue_key = $1 AND ", &filter_.queue_key, beyond, count);
    case Lead::Tag:
      return byIndex("job_tags WHERE tag = $1 AND ", &filter_.tag, beyond, count);
    case Lead::States:
      if (!heads_) openStreams(beyond);
      return byStates(count);
    case Lead::Owner:
      return byIndex("jobs INDEXED BY jobs_by_owner WHERE owner = $1 AND ", &filter_.owner, beyond, count);
    case Lead::All:
      break;
  }
  return byIndex("jobs WHERE ", nullptr, beyond, count);
}

/// Whether the job matches what the index did not already say. All of it is asked again: a row is read once.
bool ListScan::passes(std::int64_t id) {
  Query query(
      reader_.prepared("SELECT state, type_id, owner, batch, queue_key, parent, created_at, input_id, finished_at, "
                       "priority FROM jobs WHERE id = $1"),
      id);
  if (!query.step()) return false;
  const auto has = [](const auto& list, const auto& value) {
    return std::find(list.begin(), list.end(), value) != list.end();
  };
  if (!filter_.states.empty() && !has(filter_.states, static_cast<core::JobState>(query.integer(0)))) return false;
  if (!filter_.types.empty() && !has(type_ids_, query.integer(1))) return false;
  if (!filter_.owner.empty() && query.view(2) != filter_.owner) return false;
  if (!filter_.batch.empty() && query.view(3) != filter_.batch) return false;
  if (!filter_.queue_key.empty() && query.view(4) != filter_.queue_key) return false;
  if (filter_.parent && query.numberOrNull(5) != filter_.parent->value) return false;
  if (filter_.roots_only && query.isNull(5) != *filter_.roots_only) return false;
  if (filter_.min_priority && query.integer(9) < *filter_.min_priority) return false;
  if (filter_.max_priority && query.integer(9) > *filter_.max_priority) return false;
  const core::Instant created = core::fromMicros(query.number(6));
  if (filter_.created_after && created < *filter_.created_after) return false;
  if (filter_.created_before && created >= *filter_.created_before) return false;
  if (!filter_.input_id.empty() && query.view(7) != filter_.input_id) return false;
  if (filter_.finished_after || filter_.finished_before) {
    if (query.isNull(8)) return false;
    const core::Instant finished = core::fromMicros(query.number(8));
    if (filter_.finished_after && finished < *filter_.finished_after) return false;
    if (filter_.finished_before && finished >= *filter_.finished_before) return false;
  }
  if (!filter_.tag.empty()) {
    Query tag(reader_.prepared("SELECT 1 FROM job_tags WHERE tag = $1 AND job = $2"), filter_.tag, id);
    if (!tag.step()) return false;
  }
  return filter_.words.empty() || hasWords(id);
}

/// Looks for the words in what the job was made with and what it notes. There is no index of texts: it would cost every
/// submit, and a page looks at a bounded number of rows.
bool ListScan::hasWords(std::int64_t id) {
  Statement& sizes =
      reader_.prepared("SELECT coalesce(sum(length(body)), 0) FROM job_docs WHERE job = $1 AND kind IN (0, 2)");
  int cost = kTextRows;
  if (Query query(sizes, id); query.step()) cost += static_cast<int>(query.number(0) / kBytesPerRow);
  examined_ += cost * static_cast<int>(filter_.words.size());  // each word reads the texts anew
  // No LIKE: SQLite plans a statement anew for each pattern that is bound to one.
  Statement& match = reader_.prepared(
      "SELECT 1 FROM jobs j JOIN types t ON t.id = j.type_id WHERE j.id = $1 AND (has_word(t.name, $2) OR "
      "has_word(j.tags, $2) OR has_word(j.params, $2) OR EXISTS (SELECT 1 FROM job_docs d "
      "WHERE d.job = j.id AND d.kind IN (0, 2) AND has_word(d.body, $2)))");
  return std::all_of(filter_.words.begin(), filter_.words.end(), [&](const std::string& word) {
    Query query(match, id, word);
    return query.step();
  });
}

Page ListScan::run() {
  Page page;
  std::int64_t beyond = options_.ascending ? std::max(from_, std::numeric_limits<std::int64_t>::min() + 1) - 1 : until_;
  if (options_.cursor) {
    beyond = options_.ascending ? std::max(beyond, options_.cursor->value) : std::min(beyond, options_.cursor->value);
  }
  std::size_t bytes = 0;
  for (int count = static_cast<int>(limit_) + 1;; count = 1000) {
    const Ids ids = candidates(beyond, count);
    for (const std::int64_t id : ids) {
      if (id < from_ || id >= until_) return page;
      if (page.jobs.size() == limit_ || bytes >= kPageBytes || ++examined_ > Reader::kScanBudget) {
        page.next = core::JobId{beyond};
        return page;
      }
      beyond = id;
      if (!passes(id)) continue;
      if (page.passed < options_.offset) {
        ++page.passed;
        continue;
      }
      auto job = reader_.job({id}, options_.with_documents);
      if (!job) continue;
      bytes += documentBytes(*job);
      page.jobs.push_back(*std::move(job));
    }
    if (ids.size() < static_cast<std::size_t>(count)) return page;
  }
}

namespace {

/// One snapshot for all statements of a page. Each statement by itself would take and give back SQLite's locks, which
/// costs many times what finding a row does.
class Snapshot {
 public:
  explicit Snapshot(Reader& reader) : end_(reader.prepared("COMMIT")) { Query(reader.prepared("BEGIN")).run(); }
  ~Snapshot() {
    try {
      Query(end_).run();
    } catch (const SqlError&) {  // the connection is broken: the statement that found out has told
    }
  }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

 private:
  Statement& end_;
};

}  // namespace

Page Reader::list(const JobFilter& filter, const ListOptions& options) {
  const Snapshot snapshot(*this);
  return ListScan(*this, filter, options).run();
}

}  // namespace jobhost::store
