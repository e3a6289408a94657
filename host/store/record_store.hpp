#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "store/record.hpp"

namespace jobhost::store {

/// Where records live. What a running attempt writes goes through AttemptWrites and RecordView first and gets here with
/// the attempt's end (AttemptOutcome::writes); dialects and other readers ask here.
///
/// Thread-safety, blocking and errors as JobStore. A read sees every commit acknowledged before the call.
class RecordStore {
 public:
  template <class T>
  using Done = std::function<void(core::Result<T>)>;

  virtual ~RecordStore() = default;

  /// Makes the collections a plugin declares and notes which fields they index from now on; blocks until durable.
  /// Collections not named stay as they are: an older version of the plugin may come back. True: indexes have to be
  /// built or removed (reindex). Errors: InvalidArgument for names and numbers beyond the limits in record.hpp.
  virtual core::Result<bool> declareCollections(const std::string& plugin,
                                                const std::vector<CollectionSpec>& collections) = 0;
  /// Does a bounded part of that work, about `records` records; true: there is more. Work left undone by a stop goes on
  /// where it was. Until a new index is built, queries by it answer Unavailable.
  virtual core::Result<bool> reindex(int records) = 0;
  /// By name; of all its plugin declared. Empty for an unknown plugin.
  virtual core::Result<std::vector<CollectionInfo>> collections(const std::string& plugin) = 0;
  /// NotFound: not declared. A key-value space is always there.
  virtual core::Result<CollectionInfo> collection(const std::string& plugin, const std::string& name) = 0;

  /// All of the writes, each of another record, or none; answers their versions (0 of a deletion). Errors: Conflict
  /// (a record's version is not the expected one), Exhausted (quota), NotFound (collection, or the job of a space),
  /// InvalidArgument (the same record twice).
  virtual void writeRecords(std::vector<RecordWrite> writes, Done<std::vector<std::int64_t>> done) = 0;

  virtual core::Result<std::optional<Record>> record(const RecordRef& at, bool with_body = true) = 0;
  /// Errors: NotFound (collection, field without an index), Unavailable (index being built).
  virtual core::Result<RecordPage> records(const RecordQuery& query) = 0;
  /// How many the query is for, whatever its cursor and limit. Costs as much as there are, beyond By::Key without a
  /// prefix. Not for key-value spaces. Errors as records().
  virtual core::Result<std::int64_t> countRecords(const RecordQuery& query) = 0;
};

}  // namespace jobhost::store
