#include "api/lncrawl/own_records.hpp"

#include <utility>

#include "api/lncrawl/record_slice.hpp"

namespace jobhost::api::lncrawl {
namespace {

constexpr int kRemovedAtOnce = 500;
constexpr int kMostRounds = 4'000;  ///< 2 000 000 records

store::CollectionSpec specOf(const Shelf& shelf, std::vector<std::string> indexes) {
  return {std::string(shelf.collection), std::move(indexes)};
}

}  // namespace

core::Result<void> OwnRecords::write(std::vector<store::RecordWrite> writes) {
  if (!declared_) {
    const auto declared = store_.declareCollections(
        std::string(kOwn), {specOf(kReadMarks, {"novel_id"}), specOf(kLibraries, {"user_id", "is_public"}),
                            specOf(kLibraryNovels, {"novel_id"}), specOf(kReports, {"user_id", "status", "type"})});
    if (!declared) return declared.error();
    declared_ = true;
  }
  return writeNow(store_, std::move(writes));
}

store::RecordWrite writeOf(const Shelf& shelf, std::string key, std::optional<std::string> body, std::string parent,
                           std::int64_t sort_micros) {
  store::RecordWrite write;
  write.at = shelf.at(std::move(key));
  write.body = std::move(body);
  write.parent = std::move(parent);
  if (sort_micros != 0) write.sort = *store::orderKey(std::to_string(sort_micros));
  return write;
}

core::Result<void> removeAll(store::RecordStore& records, store::RecordQuery query) {
  query.with_bodies = false;
  for (int round = 0; round < kMostRounds; ++round) {
    std::vector<store::RecordWrite> writes;
    const auto read = eachRecord(records, query, kRemovedAtOnce, [&](const store::Record& record) {
      store::RecordWrite write;
      write.at = {query.plugin, query.collection, record.key};
      writes.push_back(std::move(write));
      return true;
    });
    if (!read) return read.error();
    if (writes.empty()) return {};
    if (auto removed = writeNow(records, std::move(writes)); !removed) return removed;
  }
  return core::Error{core::ErrorCode::Conflict, "it is still being written to; cancel its jobs first", "", {}};
}

}  // namespace jobhost::api::lncrawl
