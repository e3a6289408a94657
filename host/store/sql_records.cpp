#include "store/sql_records.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <utility>

#include "store/record_errors.hpp"
#include "store/record_value.hpp"

namespace jobhost::store {

using core::Error;
using core::ErrorCode;

namespace {

constexpr std::size_t kMaxKnown = 10'000;          // collections in memory; beyond it they are read again
constexpr std::size_t kIndexStepBytes = 4u << 20;  // of documents read in one step of building
constexpr int kEraseStep = 1000;

std::optional<std::int64_t> jobOf(std::string_view space) {
  if (!space.starts_with(kJobSpace)) return std::nullopt;
  space.remove_prefix(kJobSpace.size());
  std::int64_t job = 0;
  const auto [end, failed] = std::from_chars(space.data(), space.data() + space.size(), job);
  return failed == std::errc{} && end == space.data() + space.size() ? std::optional(job) : std::nullopt;
}

}  // namespace

RecordOps::RecordOps(Database& db, Ledger& ledger, RecordQuota quota)
    : database_(db),
      ledger_(ledger),
      quota_(quota),
      find_collection_(
          db, "SELECT id, records, bytes, last_version FROM record_collections WHERE plugin = $1 AND name = $2"),
      insert_collection_(db, "INSERT INTO record_collections (plugin, name, job) VALUES ($1, $2, $3) RETURNING id"),
      save_collection_(db, "UPDATE record_collections SET records = $1, bytes = $2, last_version = $3 WHERE id = $4"),
      plugin_totals_(db,
                     "SELECT coalesce(sum(records), 0), coalesce(sum(bytes), 0) FROM record_collections "
                     "WHERE plugin = $1"),
      fields_(db, "SELECT id, name, state FROM record_fields WHERE collection = $1 AND state < 2 ORDER BY id"),
      insert_field_(db, "INSERT INTO record_fields (collection, name, state) VALUES ($1, $2, $3)"),
      leave_field_(db, "UPDATE record_fields SET state = 2 WHERE id = $1"),
      drop_field_(db, "DELETE FROM record_fields WHERE id = $1"),
      open_field_(db, "SELECT id, state FROM record_fields WHERE state <> 1 ORDER BY state, id LIMIT 1"),
      save_field_(db, "UPDATE record_fields SET state = $1, done = $2 WHERE id = $3"),
      find_(db, "SELECT version, expires_at, length(body) FROM records WHERE collection = $1 AND key = $2"),
      body_(db, "SELECT body, sort FROM records WHERE collection = $1 AND key = $2"),
      put_(db,
           "INSERT INTO records (collection, key, version, created_at, updated_at, expires_at, parent, sort, body) "
           "VALUES ($1, $2, $3, $4, $4, $5, $6, $7, $8) ON CONFLICT (collection, key) DO UPDATE SET "
           "version = excluded.version, updated_at = excluded.updated_at, expires_at = excluded.expires_at, "
           "parent = excluded.parent, sort = excluded.sort, body = excluded.body"),
      erase_(db, "DELETE FROM records WHERE collection = $1 AND key = $2"),
      add_value_(db, "INSERT OR IGNORE INTO record_values (field, value, sort, key) VALUES ($1, $2, $3, $4)"),
      drop_value_(db, "DELETE FROM record_values WHERE field = $1 AND value = $2 AND sort = $3 AND key = $4"),
      field_values_(db, "SELECT value, sort, key FROM record_values WHERE field = $1 LIMIT $2"),
      unindexed_(
          db,
          "SELECT r.key, r.sort, r.body, f.name FROM record_fields f JOIN records r ON r.collection = f.collection "
          "AND r.key > f.done WHERE f.id = $1 ORDER BY r.key LIMIT $2"),
      expired_(db,
               "SELECT r.collection, r.key, c.plugin, c.name FROM records r JOIN record_collections c ON c.id = "
               "r.collection WHERE r.expires_at <= $1 ORDER BY r.expires_at LIMIT $2"),
      of_job_(db, "SELECT id, plugin, name FROM record_collections WHERE job = $1"),
      job_exists_(db, "SELECT 1 FROM jobs WHERE id = $1"),
      first_keys_(db, "SELECT key FROM records WHERE collection = $1 ORDER BY key LIMIT $2"),
      drop_collection_(db, "DELETE FROM record_collections WHERE id = $1") {}

void RecordOps::reset() {
  collections_.clear();
  totals_.clear();
}

RecordOps::Collection& RecordOps::loaded(const Name& name, std::int64_t id, const std::string& plugin) {
  Collection& known = collections_[name];
  known.id = id;
  known.plugin = plugin;
  for (Query query(fields_, id); query.step();) known.fields.push_back({query.number(0), query.text(1)});
  return known;
}

RecordOps::Collection& RecordOps::make(const Name& name) {
  Query query(insert_collection_, name.first, name.second, jobOf(name.second));
  query.step();
  return loaded(name, query.number(0), name.first);
}

core::Result<RecordOps::Collection*> RecordOps::collection(const std::string& plugin, const std::string& name) {
  const Name key{plugin, name};
  if (const auto known = collections_.find(key); known != collections_.end()) return &known->second;
  {
    Query query(find_collection_, plugin, name);
    if (query.step()) {
      Collection& found = loaded(key, query.number(0), plugin);
      found.records = query.number(1);
      found.bytes = query.number(2);
      found.last_version = query.number(3);
      return &found;
    }
  }
  if (!isKeySpace(name)) return noCollection(plugin, name);
  if (const auto job = jobOf(name)) {
    if (!Query(job_exists_, *job).step()) {
      return Error{ErrorCode::NotFound, "job " + std::to_string(*job) + " does not exist", {}, {}};
    }
  }
  return &make(key);
}

RecordOps::Totals& RecordOps::totals(const std::string& plugin) {
  const auto [at, unknown] = totals_.try_emplace(plugin);
  if (unknown) {
    Query query(plugin_totals_, plugin);
    if (query.step()) at->second = {query.number(0), query.number(1)};
  }
  return at->second;
}

void RecordOps::add(Collection& to, std::int64_t records, std::int64_t bytes) {
  Totals& all = totals(to.plugin);  // read before what is not saved yet changes
  all.records += records;
  all.bytes += bytes;
  to.records += records;
  to.bytes += bytes;
  to.changed = true;
}

/// Looks at everything before anything is changed, so that a refusal leaves nothing behind.
core::Result<std::vector<RecordOps::Found>> RecordOps::admit(std::span<const RecordWrite* const> writes) {
  std::vector<Found> all;
  all.reserve(writes.size());
  std::set<std::pair<const Collection*, std::string_view>> seen;
  std::map<std::string, Totals> more;
  for (const RecordWrite* write : writes) {
    auto found = collection(write->at.plugin, write->at.collection);
    if (!found) return found.error();
    if (writes.size() > 1 && !seen.insert({*found, write->at.key}).second) return twice(write->at.key);
    Found meets{*found};
    std::int64_t version = kNoVersion;
    {
      Query query(find_, (*found)->id, write->at.key);
      if (query.step()) {
        meets.exists = true;
        meets.bytes = static_cast<std::int64_t>(write->at.key.size()) + query.number(2);
        const auto expires = query.numberOrNull(1);
        if (!expires || *expires > core::toMicros(ledger_.now)) version = query.number(0);
      }
    }
    if (write->expected != kAnyVersion && write->expected != version) return notAsExpected(write->at.key, version);
    Totals& delta = more[write->at.plugin];
    delta.records += (write->body ? 1 : 0) - (meets.exists ? 1 : 0);
    delta.bytes +=
        (write->body ? static_cast<std::int64_t>(write->at.key.size() + write->body->size()) : 0) - meets.bytes;
    all.push_back(meets);
  }
  for (const auto& [plugin, delta] : more) {
    const Totals& now = totals(plugin);
    if ((delta.records > 0 && now.records + delta.records > quota_.records) ||
        (delta.bytes > 0 && now.bytes + delta.bytes > quota_.bytes)) {
      return overQuota(plugin, quota_);
    }
  }
  return all;
}

core::Result<std::vector<std::int64_t>> RecordOps::write(std::span<const RecordWrite* const> writes) {
  if (collections_.size() > kMaxKnown) reset();
  auto met = admit(writes);
  if (!met) return met.error();
  std::vector<std::int64_t> versions;
  versions.reserve(writes.size());
  for (std::size_t i = 0; i < writes.size(); ++i) {
    Found& found = (*met)[i];
    if (writes[i]->body) {
      put(found, *writes[i]);
      versions.push_back(found.collection->last_version);
    } else {
      erase(found, writes[i]->at.key);
      versions.push_back(0);
    }
  }
  flush();
  return versions;
}

void RecordOps::put(Found& found, const RecordWrite& write) {
  Collection& to = *found.collection;
  if (found.exists) dropValues(to, write.at.key);
  const bool key_space = isKeySpace(write.at.collection);
  ++to.last_version;
  const auto expires = write.expires_at ? std::optional(core::toMicros(*write.expires_at)) : std::nullopt;
  const std::int64_t now = core::toMicros(ledger_.now);
  // NULL, not '': the index by parent leaves key-value spaces out.
  if (key_space) {
    Query(put_, to.id, write.at.key, to.last_version, now, expires, std::optional<std::int64_t>(), Blob{write.sort},
          Blob{*write.body})
        .run();
  } else {
    Query(put_, to.id, write.at.key, to.last_version, now, expires, write.parent, Blob{write.sort}, Blob{*write.body})
        .run();
  }
  for (const Field& field : to.fields) addValues(field.id, field.name, *write.body, write.sort, write.at.key);
  add(to, found.exists ? 0 : 1, static_cast<std::int64_t>(write.at.key.size() + write.body->size()) - found.bytes);
}

void RecordOps::erase(Found& found, const std::string& key) {
  if (!found.exists) return;
  dropValues(*found.collection, key);
  Query(erase_, found.collection->id, key).run();
  add(*found.collection, -1, -found.bytes);
}

void RecordOps::dropValues(const Collection& collection, const std::string& key) {
  if (collection.fields.empty()) return;
  Query query(body_, collection.id, key);
  if (!query.step()) return;
  for (const Field& field : collection.fields) {
    const auto values = indexedValues(query.view(0), field.name);
    if (!values) continue;
    for (const auto& value : *values) Query(drop_value_, field.id, Blob{value}, Blob{query.view(1)}, key).run();
  }
}

/// A document that was stored before the field was declared may hold what cannot be indexed: it is not found by it.
void RecordOps::addValues(std::int64_t field, const std::string& name, std::string_view body, std::string_view sort,
                          std::string_view key) {
  const auto values = indexedValues(body, name);
  if (!values) return;
  for (const auto& value : *values) Query(add_value_, field, Blob{value}, Blob{sort}, key).run();
}

void RecordOps::flush() {
  for (auto& [name, each] : collections_) {
    if (!std::exchange(each.changed, false)) continue;
    Query(save_collection_, each.records, each.bytes, each.last_version, each.id).run();
  }
}

bool RecordOps::declare(const std::string& plugin, const std::vector<CollectionSpec>& collections) {
  bool work = false;
  for (const CollectionSpec& spec : collections) {
    const auto known = collection(plugin, spec.name);
    Collection& one = known ? **known : make({plugin, spec.name});
    for (const Field& field : one.fields) {
      if (std::find(spec.indexes.begin(), spec.indexes.end(), field.name) != spec.indexes.end()) continue;
      Query(leave_field_, field.id).run();
      work = true;
    }
    for (const std::string& name : std::set<std::string>(spec.indexes.begin(), spec.indexes.end())) {
      const auto same = [&](const Field& field) { return field.name == name; };
      if (std::any_of(one.fields.begin(), one.fields.end(), same)) continue;
      const FieldState state = one.records == 0 ? FieldState::Ready : FieldState::Building;
      Query(insert_field_, one.id, name, state).run();
      work = work || state == FieldState::Building;
    }
    one.fields.clear();
    for (Query query(fields_, one.id); query.step();) one.fields.push_back({query.number(0), query.text(1)});
  }
  return work || Query(open_field_).step();
}

bool RecordOps::reindex(int records) {
  std::int64_t field = 0;
  FieldState state{};
  {
    Query query(open_field_);
    if (!query.step()) return false;
    field = query.number(0);
    state = static_cast<FieldState>(query.integer(1));
  }
  const bool over = state == FieldState::Building ? build(field, records) : removeField(field, records);
  return !over || Query(open_field_).step();
}

/// The next records of a field that is being built; true: it is ready.
bool RecordOps::build(std::int64_t field, int records) {
  std::string last;
  int seen = 0;
  std::size_t bytes = 0;
  bool all = true;
  for (Query query(unindexed_, field, records); query.step();) {
    if (bytes > kIndexStepBytes) {
      all = false;
      break;
    }
    addValues(field, query.text(3), query.view(2), query.view(1), query.view(0));
    last = query.text(0);
    bytes += query.view(2).size();
    ++seen;
  }
  all = all && seen < records;
  Query(save_field_, all ? FieldState::Ready : FieldState::Building, last, field).run();
  return all;
}

/// The next values of a field that is going; true: it is gone.
bool RecordOps::removeField(std::int64_t field, int values) {
  struct Value {
    std::string value, sort, key;
  };
  std::vector<Value> found;
  for (Query query(field_values_, field, values); query.step();) {
    found.push_back({query.text(0), query.text(1), query.text(2)});
  }
  for (const Value& each : found) Query(drop_value_, field, Blob{each.value}, Blob{each.sort}, each.key).run();
  if (found.size() >= static_cast<std::size_t>(values)) return false;
  Query(drop_field_, field).run();
  return true;
}

int RecordOps::forgetExpired(int limit) {
  std::vector<RecordRef> over;
  for (Query query(expired_, core::toMicros(ledger_.now), limit); query.step();) {
    over.push_back({query.text(2), query.text(3), query.text(1)});
  }
  std::vector<RecordWrite> writes;
  std::vector<const RecordWrite*> pointers;
  writes.reserve(over.size());
  for (auto& at : over) {
    RecordWrite& erasing = writes.emplace_back();
    erasing.at = std::move(at);
  }
  for (const auto& write : writes) pointers.push_back(&write);
  if (!pointers.empty()) static_cast<void>(write(pointers));
  return static_cast<int>(over.size());
}

void RecordOps::eraseOfJob(core::JobId job) {
  std::vector<std::pair<std::int64_t, Name>> spaces;
  for (Query query(of_job_, job.value); query.step();) {
    spaces.push_back({query.number(0), {query.text(1), query.text(2)}});
  }
  for (const auto& [id, name] : spaces) {
    for (;;) {
      std::vector<RecordWrite> writes;
      for (Query query(first_keys_, id, kEraseStep); query.step();) {
        RecordWrite& erasing = writes.emplace_back();
        erasing.at = {name.first, name.second, query.text(0)};
      }
      if (writes.empty()) break;
      std::vector<const RecordWrite*> pointers;
      for (const auto& each : writes) pointers.push_back(&each);
      if (!write(pointers)) break;
    }
    collections_.erase(name);
    Query(drop_collection_, id).run();
  }
}

}  // namespace jobhost::store
