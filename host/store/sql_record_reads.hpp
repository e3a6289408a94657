#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/result.hpp"
#include "store/record.hpp"
#include "store/sql_reader.hpp"

namespace jobhost::store {

/// The reading side of RecordStore over one reader, lent for one call. Methods throw SqlError.
class RecordReads {
 public:
  /// What has expired by `now` is not there.
  RecordReads(Reader& reader, core::Instant now) : reader_(reader), now_(core::toMicros(now)) {}

  std::vector<CollectionInfo> collections(const std::string& plugin);
  core::Result<CollectionInfo> collection(const std::string& plugin, const std::string& name);
  core::Result<std::optional<Record>> record(const RecordRef& at, bool with_body);
  core::Result<RecordPage> records(const RecordQuery& query);
  core::Result<std::int64_t> count(const RecordQuery& query);

 private:
  struct Place {
    std::int64_t id = 0;  ///< 0: a key-value space nobody has written to
    std::int64_t records = 0;
  };
  core::Result<Place> find(const std::string& plugin, const std::string& name);
  core::Result<std::int64_t> fieldFor(const Place& place, const RecordQuery& query);
  std::vector<std::string> indexes(std::int64_t collection);

  Reader& reader_;
  const std::int64_t now_;
};

}  // namespace jobhost::store
