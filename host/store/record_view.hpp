#pragma once

#include <cstdint>
#include <optional>

#include "core/clock.hpp"
#include "core/result.hpp"
#include "store/attempt_writes.hpp"
#include "store/record_store.hpp"

namespace jobhost::store {

/// Whether a write can be taken: names, sizes, JSON, what the collection indexes. InvalidArgument or TooLarge, naming
/// what is wrong.
core::Result<void> checkRecordWrite(const RecordWrite& write, const CollectionInfo& collection);

/// What a running attempt sees: the records of the store with its own writes over them.
///
/// Borrows both for its life. Thread-safe as far as they are; blocks as the store does.
class RecordView {
 public:
  /// `now`: what has expired by then is not there, and what is shown of own writes was written then.
  RecordView(RecordStore& store, AttemptWrites& own, core::Instant now) : store_(store), own_(own), now_(now) {}

  core::Result<std::optional<Record>> get(const RecordRef& at);
  core::Result<RecordPage> list(const RecordQuery& query);
  core::Result<std::int64_t> count(const RecordQuery& query);
  /// Checks a write and keeps it with the attempt. Errors as checkRecordWrite, AttemptWrites::stage and the store.
  core::Result<void> stage(RecordWrite write);
  /// Checks a write that is to be stored at once. Conflict: the attempt has one of the same record that is not.
  core::Result<void> checkAtOnce(const RecordWrite& write);

 private:
  [[nodiscard]] Record shown(const RecordWrite& write, bool with_body) const;
  [[nodiscard]] std::vector<AttemptWrites::Entry> matching(const RecordQuery& query) const;

  RecordStore& store_;
  AttemptWrites& own_;
  const core::Instant now_;
};

/// Whether a record with these is one the query is for, whatever its cursor. `body` is valid JSON where it is asked
/// for.
bool recordMatches(const RecordQuery& query, std::string_view key, std::string_view parent, std::string_view body);

}  // namespace jobhost::store
