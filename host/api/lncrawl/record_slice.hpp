#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "store/record_store.hpp"

namespace jobhost::api::lncrawl {

/// Part of a list, as this surface pages: by offset, with the number of all.
struct Slice {
  std::int64_t total = 0;
  std::vector<store::Record> records;
};

/// Records [offset, offset + limit) of what the query is for, in its order (its cursor, limit and with_bodies do not
/// count). Those before are skipped by their keys, from the nearer end: a page in the middle of 100 000 costs 50 reads
/// of keys and no body. A collection nobody declared is empty. Errors as RecordStore::records.
core::Result<Slice> sliceOf(store::RecordStore& records, store::RecordQuery query, std::int64_t offset, int limit);

/// How far a list looks whose filter no index knows. Beyond it `total` is of what was looked at.
inline constexpr int kMostScanned = 50'000;
/// The same of those that match, which may be read to the end or to kMostScanned.
core::Result<Slice> sliceOf(store::RecordStore& records, store::RecordQuery query, std::int64_t offset, int limit,
                            const std::function<bool(const store::Record&)>& matches);

/// Without regard to case.
std::string folded(std::string text);
/// Whether a text member of a record's document has `part`, which is folded, without regard to case.
bool hasPart(const store::Record& record, std::string_view member, const std::string& part);
/// Whether a member of a record's document is this scalar.
bool isMember(const store::Record& record, std::string_view member, std::string_view json);

/// Shows all the query is for in its order, page by page, until `take` answers false. At most `most` of them.
core::Result<void> eachRecord(store::RecordStore& records, store::RecordQuery query, int most,
                              const std::function<bool(const store::Record&)>& take);

/// The record without its body; nullopt where there is none, nor a collection.
core::Result<std::optional<store::Record>> peekRecord(store::RecordStore& records, const store::RecordRef& at);

/// Returns when the writes are durable. Errors as RecordStore::writeRecords.
core::Result<void> writeNow(store::RecordStore& records, std::vector<store::RecordWrite> writes);

}  // namespace jobhost::api::lncrawl
