#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/job.hpp"

namespace jobhost::store {

/// What plugins keep in the host's database: values, records of the plain types below. A collection belongs to a
/// plugin. One whose name begins with '#' is a key-value space: any bytes, no parent, no fields, perhaps an end of
/// life.

// Versions are positive, grow within a collection and are never given twice there. What a write may expect beside one:
inline constexpr std::int64_t kAnyVersion = -1;  ///< nothing
inline constexpr std::int64_t kNoVersion = 0;    ///< that there is no such record
inline constexpr std::int64_t kOwnVersion = -2;  ///< that this attempt wrote it and has not committed yet

inline constexpr std::size_t kMaxRecordKey = 512;  ///< bytes
inline constexpr std::size_t kMaxRecordBody = 1 << 20;
inline constexpr std::size_t kMaxCollectionName = 64;
inline constexpr int kMaxCollectionIndexes = 8;
inline constexpr int kMaxRecordPage = 1000;
inline constexpr std::size_t kMaxRecordPageBytes = 4 << 20;  ///< of keys and bodies; a page ends with the first beyond

struct RecordRef {
  std::string plugin;
  std::string collection;
  std::string key;
  auto operator<=>(const RecordRef&) const = default;
};

struct Record {
  std::string key;
  std::string body;          ///< a JSON document; in a key-value space any bytes
  std::string parent;        ///< empty: none
  std::string sort;          ///< an order key (record_value.hpp); empty: none
  std::int64_t version = 0;  ///< kOwnVersion: the asking attempt's own, not committed
  core::Instant created_at;
  core::Instant updated_at;
  std::optional<core::Instant> expires_at;
  std::size_t body_bytes = 0;  ///< also where the body was not asked for
};

/// A put or (no body) a deletion, of a record that may be absent.
struct RecordWrite {
  RecordRef at;
  std::optional<std::string> body;
  std::string parent;
  std::string sort;
  std::optional<core::Instant> expires_at;
  std::int64_t expected = kAnyVersion;
  /// What it counts against limits.
  [[nodiscard]] std::size_t bytes() const {
    return at.key.size() + (body ? body->size() : 0) + parent.size() + sort.size();
  }
};

/// Which records, and in which order.
struct RecordQuery {
  enum class By {
    Key,     ///< all, or those whose key begins with `prefix`, by key
    Parent,  ///< the children of `parent` ("": those without one), by sort key, then key
    Value,   ///< those that have `value` in `field`, by sort key, then key
  };
  struct Cursor {
    std::string sort;  ///< of no meaning by key
    std::string key;
  };
  std::string plugin;
  std::string collection;
  By by = By::Key;
  std::string prefix;
  std::string parent;
  std::string field;
  std::string value;  ///< an order key
  bool descending = false;
  std::optional<Cursor> after;  ///< the last record of the page before
  int limit = 100;              ///< 1 to kMaxRecordPage
  bool with_bodies = true;
  std::vector<std::string> among;  ///< counts only: of the records with these keys; empty: of all
};

struct RecordPage {
  std::vector<Record> records;
  bool more = false;  ///< there are more behind the last one
};

/// A collection as a manifest declares it.
struct CollectionSpec {
  std::string name;
  std::vector<std::string> indexes;  ///< fields (isFieldName), at most kMaxCollectionIndexes
  bool operator==(const CollectionSpec&) const = default;
};

struct CollectionInfo {
  std::string name;
  std::vector<std::string> indexes;  ///< sorted; also those still being built
  std::int64_t records = 0;
};

/// What one plugin may keep, over all its collections and spaces.
struct RecordQuota {
  std::int64_t records = 1'000'000;
  std::int64_t bytes = std::int64_t{4} << 30;  ///< of keys and bodies
};

/// The names of the key-value spaces: of the plugin, of one of its job types, of one job. The last goes with its job.
inline std::string keySpace() {
  return "#";
}
inline std::string keySpaceOfType(std::string_view type) {
  return "#type:" + std::string(type);
}
inline constexpr std::string_view kJobSpace = "#job:";
inline std::string keySpaceOfJob(core::JobId job) {
  return std::string(kJobSpace) + core::toString(job);
}
inline bool isKeySpace(std::string_view collection) {
  return collection.starts_with('#');
}

/// The one order of records in a page: by key alone, or by sort key, then key.
inline bool recordBefore(RecordQuery::By by, std::string_view sort, std::string_view key, std::string_view other_sort,
                         std::string_view other_key) {
  if (by != RecordQuery::By::Key && sort != other_sort) return sort < other_sort;
  return key < other_key;
}

}  // namespace jobhost::store
