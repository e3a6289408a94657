#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/lncrawl/collections.hpp"
#include "store/record_store.hpp"

namespace jobhost::api::lncrawl {

/// The records this surface keeps itself: read marks, libraries, reports. Their collections are made with the first
/// write. Thread-safety, blocking and errors as RecordStore.
class OwnRecords {
 public:
  /// Borrowed until destroyed.
  explicit OwnRecords(store::RecordStore& store) : store_(store) {}

  [[nodiscard]] store::RecordStore& store() const { return store_; }
  /// All of them or none; returns when they are durable.
  core::Result<void> write(std::vector<store::RecordWrite> writes);

 private:
  store::RecordStore& store_;
  std::atomic<bool> declared_{false};
};

/// A put, or without a body a deletion. `sort_micros`: where it stands among those with the same parent or value.
store::RecordWrite writeOf(const Shelf& shelf, std::string key, std::optional<std::string> body = std::nullopt,
                           std::string parent = {}, std::int64_t sort_micros = 0);

/// Removes all records the query is for, some at a time. Stops with an error where they come faster than they go.
core::Result<void> removeAll(store::RecordStore& records, store::RecordQuery query);

}  // namespace jobhost::api::lncrawl
