// SqliteStore as a RecordStore.
#include <utility>

#include "store/record_errors.hpp"
#include "store/sql_reader.hpp"
#include "store/sql_record_reads.hpp"
#include "store/sqlite_change.hpp"

namespace jobhost::store {

using core::Result;

namespace {

constexpr std::size_t kMaxKnownCollections = 10'000;

}  // namespace

/// Runs `read` with the reading side; what it refuses and what SQLite refuses are answered alike.
template <class T, class Read>
Result<T> SqliteStore::readRecords(Read read) {
  auto answer = readers_->with<Result<T>>([&](Reader& reader) -> Result<T> {
    RecordReads reads(reader, clock_.now());
    return read(reads);
  });
  if (!answer) return answer.error();
  return *std::move(answer);
}

Result<bool> SqliteStore::declareCollections(const std::string& plugin,
                                             const std::vector<CollectionSpec>& collections) {
  if (auto good = checkCollections(plugin, collections); !good) return good.error();
  auto work = change<bool>([&](WriteSide& side) { return Result(side.records.declare(plugin, collections)); });
  const std::lock_guard lock(collections_mutex_);
  ++declared_;
  known_collections_.clear();
  return work;
}

Result<bool> SqliteStore::reindex(int records) {
  return change<bool>([records](WriteSide& side) { return Result(side.records.reindex(records)); });
}

Result<std::vector<CollectionInfo>> SqliteStore::collections(const std::string& plugin) {
  return readRecords<std::vector<CollectionInfo>>([&](RecordReads& reads) { return reads.collections(plugin); });
}

/// Asked with every write of an attempt, so it is kept.
Result<CollectionInfo> SqliteStore::collection(const std::string& plugin, const std::string& name) {
  if (isKeySpace(name)) return CollectionInfo{name, {}, 0};
  std::uint64_t declared = 0;
  {
    const std::lock_guard lock(collections_mutex_);
    const auto known = known_collections_.find({plugin, name});
    if (known != known_collections_.end()) return known->second;
    declared = declared_;
  }
  auto found = readRecords<CollectionInfo>([&](RecordReads& reads) { return reads.collection(plugin, name); });
  if (!found) return found;
  const std::lock_guard lock(collections_mutex_);
  if (declared == declared_ && known_collections_.size() < kMaxKnownCollections) {
    known_collections_[{plugin, name}] = *found;
  }
  return found;
}

void SqliteStore::writeRecords(std::vector<RecordWrite> writes, RecordStore::Done<std::vector<std::int64_t>> done) {
  changeAsync<std::vector<std::int64_t>>(
      [writes = std::move(writes)](WriteSide& side) {
        std::vector<const RecordWrite*> pointers;
        pointers.reserve(writes.size());
        for (const RecordWrite& write : writes) pointers.push_back(&write);
        return side.records.write(pointers);
      },
      std::move(done));
}

Result<std::optional<Record>> SqliteStore::record(const RecordRef& at, bool with_body) {
  return readRecords<std::optional<Record>>([&](RecordReads& reads) { return reads.record(at, with_body); });
}

Result<RecordPage> SqliteStore::records(const RecordQuery& query) {
  return readRecords<RecordPage>([&](RecordReads& reads) { return reads.records(query); });
}

Result<std::int64_t> SqliteStore::countRecords(const RecordQuery& query) {
  return readRecords<std::int64_t>([&](RecordReads& reads) { return reads.count(query); });
}

}  // namespace jobhost::store
