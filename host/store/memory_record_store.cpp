#include "store/memory_record_store.hpp"

#include <algorithm>
#include <set>
#include <string_view>

#include "store/record_errors.hpp"
#include "store/record_view.hpp"

namespace jobhost::store {

core::Result<bool> MemoryRecordStore::declareCollections(const std::string& plugin,
                                                         const std::vector<CollectionSpec>& collections) {
  if (auto good = checkCollections(plugin, collections); !good) return good.error();
  const std::lock_guard lock(mutex_);
  for (const auto& spec : collections) {
    auto& indexes = collections_[{plugin, spec.name}].indexes;
    indexes = spec.indexes;
    std::sort(indexes.begin(), indexes.end());
  }
  return false;
}

core::Result<bool> MemoryRecordStore::reindex(int) {
  return false;
}

core::Result<std::vector<CollectionInfo>> MemoryRecordStore::collections(const std::string& plugin) {
  std::vector<CollectionInfo> all;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, each] : collections_) {
    if (name.first != plugin || isKeySpace(name.second)) continue;
    all.push_back({name.second, each.indexes, static_cast<std::int64_t>(each.records.size())});
  }
  return all;
}

core::Result<CollectionInfo> MemoryRecordStore::collection(const std::string& plugin, const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = find(plugin, name);
  if (!found) return found.error();
  if (*found == nullptr) return CollectionInfo{name, {}, 0};
  return CollectionInfo{name, (*found)->indexes, static_cast<std::int64_t>((*found)->records.size())};
}

/// Null: a key-value space nobody has written to.
core::Result<const MemoryRecordStore::Collection*> MemoryRecordStore::find(const std::string& plugin,
                                                                           const std::string& name) const {
  const auto found = collections_.find({plugin, name});
  if (found != collections_.end()) return &found->second;
  if (isKeySpace(name)) return nullptr;
  return noCollection(plugin, name);
}

bool MemoryRecordStore::isThere(const Record& record) const {
  return !record.expires_at || *record.expires_at > clock_.now();
}

void MemoryRecordStore::writeRecords(std::vector<RecordWrite> writes, Done<std::vector<std::int64_t>> done) {
  std::vector<const RecordWrite*> pointers;
  pointers.reserve(writes.size());
  for (const auto& write : writes) pointers.push_back(&write);
  auto written = write(pointers);
  if (done) done(std::move(written));
}

core::Result<void> MemoryRecordStore::admit(const std::vector<const RecordWrite*>& writes) const {
  std::set<RecordRef> seen;
  std::map<std::string, RecordQuota> more;  // by plugin
  for (const RecordWrite* write : writes) {
    const auto collection = find(write->at.plugin, write->at.collection);
    if (!collection) return collection.error();
    if (!seen.insert(write->at).second) return twice(write->at.key);
    std::int64_t version = kNoVersion;
    auto& delta = more.try_emplace(write->at.plugin, RecordQuota{0, 0}).first->second;
    if (*collection != nullptr) {
      if (const auto found = (*collection)->records.find(write->at.key); found != (*collection)->records.end()) {
        if (isThere(found->second)) version = found->second.version;
        --delta.records;
        delta.bytes -= static_cast<std::int64_t>(found->first.size() + found->second.body.size());
      }
    }
    if (write->expected != kAnyVersion && write->expected != version) return notAsExpected(write->at.key, version);
    if (!write->body) continue;
    ++delta.records;
    delta.bytes += static_cast<std::int64_t>(write->at.key.size() + write->body->size());
  }
  for (const auto& [plugin, delta] : more) {
    RecordQuota now{0, 0};
    for (const auto& [name, collection] : collections_) {
      if (name.first != plugin) continue;
      now.records += static_cast<std::int64_t>(collection.records.size());
      for (const auto& [key, record] : collection.records) {
        now.bytes += static_cast<std::int64_t>(key.size() + record.body.size());
      }
    }
    if ((delta.records > 0 && now.records + delta.records > quota_.records) ||
        (delta.bytes > 0 && now.bytes + delta.bytes > quota_.bytes)) {
      return overQuota(plugin, quota_);
    }
  }
  return {};
}

core::Result<std::vector<std::int64_t>> MemoryRecordStore::write(const std::vector<const RecordWrite*>& writes) {
  const std::lock_guard lock(mutex_);
  if (auto admitted = admit(writes); !admitted) return admitted.error();
  std::vector<std::int64_t> versions;
  for (const RecordWrite* write : writes) {
    Collection& collection = collections_[{write->at.plugin, write->at.collection}];
    if (!write->body) {
      collection.records.erase(write->at.key);
      versions.push_back(0);
      continue;
    }
    const auto [at, made] = collection.records.try_emplace(write->at.key);
    Record& record = at->second;
    if (made) record.created_at = clock_.now();
    record.key = write->at.key;
    record.body = *write->body;
    record.body_bytes = record.body.size();
    record.parent = write->parent;
    record.sort = write->sort;
    record.expires_at = write->expires_at;
    record.updated_at = clock_.now();
    record.version = ++collection.last_version;
    versions.push_back(record.version);
  }
  return versions;
}

core::Result<std::optional<Record>> MemoryRecordStore::record(const RecordRef& at, bool with_body) {
  const std::lock_guard lock(mutex_);
  const auto collection = find(at.plugin, at.collection);
  if (!collection) return collection.error();
  if (*collection == nullptr) return std::optional<Record>();
  const auto found = (*collection)->records.find(at.key);
  if (found == (*collection)->records.end() || !isThere(found->second)) return std::optional<Record>();
  std::optional<Record> record(found->second);
  if (!with_body) record->body.clear();
  return record;
}

core::Result<RecordPage> MemoryRecordStore::records(const RecordQuery& query) {
  const std::lock_guard lock(mutex_);
  const auto collection = find(query.plugin, query.collection);
  if (!collection) return collection.error();
  RecordPage page;
  if (*collection == nullptr) return page;
  const auto& indexes = (*collection)->indexes;
  if (query.by == RecordQuery::By::Value && !std::binary_search(indexes.begin(), indexes.end(), query.field)) {
    return noIndex(query.collection, query.field);
  }
  std::vector<const Record*> found;
  const auto before = [&](std::string_view sort, std::string_view key, std::string_view other,
                          std::string_view other_key) {
    return query.descending ? recordBefore(query.by, other, other_key, sort, key)
                            : recordBefore(query.by, sort, key, other, other_key);
  };
  for (const auto& [key, record] : (*collection)->records) {
    if (!isThere(record) || !recordMatches(query, key, record.parent, record.body)) continue;
    if (query.after && !before(query.after->sort, query.after->key, record.sort, key)) continue;
    found.push_back(&record);
  }
  std::sort(found.begin(), found.end(),
            [&](const Record* a, const Record* b) { return before(a->sort, a->key, b->sort, b->key); });
  std::size_t bytes = 0;
  for (const Record* each : found) {
    if (page.records.size() >= static_cast<std::size_t>(query.limit) || bytes > kMaxRecordPageBytes) {
      page.more = true;
      break;
    }
    page.records.push_back(*each);
    if (!query.with_bodies) page.records.back().body.clear();
    bytes += each->key.size() + page.records.back().body.size();
  }
  return page;
}

core::Result<std::int64_t> MemoryRecordStore::countRecords(const RecordQuery& query) {
  const std::lock_guard lock(mutex_);
  const auto collection = find(query.plugin, query.collection);
  if (!collection) return collection.error();
  if (*collection == nullptr) return std::int64_t{0};
  const auto& indexes = (*collection)->indexes;
  if (query.by == RecordQuery::By::Value && !std::binary_search(indexes.begin(), indexes.end(), query.field)) {
    return noIndex(query.collection, query.field);
  }
  const auto& records = (*collection)->records;
  const std::set<std::string_view> among(query.among.begin(), query.among.end());
  return static_cast<std::int64_t>(std::count_if(records.begin(), records.end(), [&](const auto& each) {
    return (among.empty() || among.contains(each.first)) &&
           recordMatches(query, each.first, each.second.parent, each.second.body);
  }));
}

}  // namespace jobhost::store
