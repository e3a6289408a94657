// Reader::count, and which index leads to the jobs a filter asks for.
#include "store/sql_reader.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "store/sql_rows.hpp"

namespace jobhost::store {
namespace {

constexpr int kMostInIndex = 10 * kMostCounted;

bool filtersState(const JobFilter& filter) {
  return !filter.states.empty() || !filter.types.empty();
}

bool isState(const JobFilter& filter, core::JobState state) {
  return filter.states.empty() || std::find(filter.states.begin(), filter.states.end(), state) != filter.states.end();
}

template <class Numbers>
std::string listed(const Numbers& numbers) {
  std::string text;
  for (const auto number : numbers) text += (text.empty() ? "" : ",") + std::to_string(static_cast<int>(number));
  return "(" + text + ")";
}

/// Where the jobs of a lead are, with the texts of the filter as `f`.
std::string placeOf(Reader::Lead lead, const JobFilter& filter, const std::vector<int>& type_ids) {
  using Lead = Reader::Lead;
  switch (lead) {
    case Lead::Parent:
      return "jobs INDEXED BY jobs_by_parent WHERE parent = " + core::toString(*filter.parent);
    case Lead::Input:
      return "jobs INDEXED BY jobs_by_input WHERE input_id = (SELECT input_id FROM f)";
    case Lead::Batch:
      return "jobs INDEXED BY jobs_by_batch WHERE batch = (SELECT batch FROM f)";
    case Lead::Key:
      return "jobs INDEXED BY jobs_by_key WHERE queue_key = (SELECT queue_key FROM f)";
    case Lead::Tag:
      return "job_tags WHERE tag = (SELECT tag FROM f)";
    case Lead::States:
      return "jobs INDEXED BY jobs_by_state WHERE state IN " +
             (filter.states.empty() ? "(0,1,2,3,4,5,6)" : listed(filter.states)) + " AND type_id IN " +
             listed(type_ids);
    case Lead::Owner:
      return "jobs INDEXED BY jobs_by_owner WHERE owner = (SELECT owner FROM f)";
    case Lead::All:
      break;
  }
  return "jobs";
}

/// What the lead does not say already, of the row `j`; empty: nothing.
std::string restOf(Reader::Lead lead, const JobFilter& filter, const std::vector<int>& type_ids) {
  using Lead = Reader::Lead;
  std::string all;
  const auto add = [&all](bool wanted, const std::string& condition) {
    if (wanted) all += (all.empty() ? "" : " AND ") + condition;
  };
  const auto number = [&add](const std::string& before, const auto& value) {
    if (value) add(true, before + std::to_string(*value));
  };
  const auto time = [&add](const std::string& before, const std::optional<core::Instant>& value) {
    if (value) add(true, before + std::to_string(core::toMicros(*value)));
  };
  add(lead != Lead::States && !filter.states.empty(), "j.state IN " + listed(filter.states));
  add(lead != Lead::States && !filter.types.empty(), "j.type_id IN " + listed(type_ids));
  add(lead != Lead::Batch && !filter.batch.empty(), "j.batch = (SELECT batch FROM f)");
  add(lead != Lead::Key && !filter.queue_key.empty(), "j.queue_key = (SELECT queue_key FROM f)");
  add(lead != Lead::Input && !filter.input_id.empty(), "j.input_id = (SELECT input_id FROM f)");
  add(lead != Lead::Owner && !filter.owner.empty(), "j.owner = (SELECT owner FROM f)");
  add(lead != Lead::Tag && !filter.tag.empty(),
      "EXISTS (SELECT 1 FROM job_tags WHERE tag = (SELECT tag FROM f) AND job = j.id)");
  if (filter.roots_only) add(true, *filter.roots_only ? "j.parent IS NULL" : "j.parent IS NOT NULL");
  number("j.priority >= ", filter.min_priority);
  number("j.priority <= ", filter.max_priority);
  time("j.created_at >= ", filter.created_after);
  time("j.created_at < ", filter.created_before);
  time("j.finished_at >= ", filter.finished_after);
  time("j.finished_at < ", filter.finished_before);
  return all;
}

}  // namespace

std::vector<int> Reader::typeIds(const JobFilter& filter) {
  std::vector<int> ids;
  for (Query query(types_); query.step();) {
    const bool wanted = filter.types.empty() ||
                        std::find(filter.types.begin(), filter.types.end(), query.view(1)) != filter.types.end();
    if (wanted) ids.push_back(query.integer(0));
  }
  return ids;
}

/// Jobs in the states and of the types asked for.
std::int64_t Reader::inStates(const JobFilter& filter, const std::vector<int>& type_ids) {
  std::int64_t jobs = 0;
  for (Query query(prepared("SELECT type_id, state, n FROM counts")); query.step();) {
    const bool type_fits = std::find(type_ids.begin(), type_ids.end(), query.integer(0)) != type_ids.end();
    if (type_fits && isState(filter, static_cast<core::JobState>(query.integer(1)))) jobs += query.number(2);
  }
  return jobs;
}

/// A user's few jobs are not looked for among everybody's millions, nor the few that failed among a user's millions.
Reader::Lead Reader::leadOf(const JobFilter& filter, const std::vector<int>& type_ids, int most) {
  if (filter.parent) return Lead::Parent;
  if (!filter.input_id.empty()) return Lead::Input;
  if (!filter.batch.empty()) return Lead::Batch;
  if (!filter.queue_key.empty()) return Lead::Key;
  const bool states = filtersState(filter);
  if (static_cast<int>(!filter.tag.empty()) + static_cast<int>(!filter.owner.empty()) + static_cast<int>(states) < 2) {
    return !filter.tag.empty() ? Lead::Tag : !filter.owner.empty() ? Lead::Owner : states ? Lead::States : Lead::All;
  }
  const auto first = [&](const char* sql, const std::string& key) {
    Query query(prepared(sql), key, most);
    return query.step() ? query.number(0) : 0;
  };
  Lead best = Lead::All;
  std::int64_t fewest = 0;
  const auto offer = [&](Lead lead, std::int64_t jobs) {
    if (best != Lead::All && jobs >= fewest) return;
    best = lead;
    fewest = jobs;
  };
  // Of those with too many to tell the first is taken, the one that costs least to follow.
  if (!filter.tag.empty()) {
    offer(Lead::Tag, first("SELECT count(*) FROM (SELECT 1 FROM job_tags WHERE tag = $1 LIMIT $2)", filter.tag));
  }
  if (!filter.owner.empty()) {
    offer(Lead::Owner,
          first("SELECT count(*) FROM (SELECT 1 FROM jobs INDEXED BY jobs_by_owner WHERE owner = $1 LIMIT $2)",
                filter.owner));
  }
  if (states) offer(Lead::States, std::min<std::int64_t>(inStates(filter, type_ids), most));
  return best;
}

Counted Reader::count(const JobFilter& filter) {
  const auto type_ids = typeIds(filter);
  const auto lead = leadOf(filter, type_ids, kMostCounted);
  const auto rest = restOf(lead, filter, type_ids);
  // States and types alone, or nothing at all, are counted with each change.
  if (rest.empty() && (lead == Lead::States || lead == Lead::All)) return {inStates(filter, type_ids), true};
  const int most = rest.empty() ? kMostInIndex : kMostCounted;
  const std::string id = lead == Lead::Tag ? "job" : "id";
  // One more than is counted tells whether that is all.
  const std::string led =
      "(SELECT " + id + " AS id FROM " + placeOf(lead, filter, type_ids) + " LIMIT " + std::to_string(most + 1) + ")";
  Statement statement(
      database_,
      "WITH f (owner, batch, queue_key, input_id, tag) AS (VALUES ($1, $2, $3, $4, $5)) SELECT count(*), " +
          (rest.empty() ? "count(*) FROM " + led
                        : "coalesce(sum(" + rest + "), 0) FROM " + led + " c CROSS JOIN jobs j ON j.id = c.id"));
  Query query(statement, filter.owner, filter.batch, filter.queue_key, filter.input_id, filter.tag);
  if (!query.step()) return {};
  return {std::min<std::int64_t>(query.number(1), most), query.number(0) <= most};
}

}  // namespace jobhost::store
