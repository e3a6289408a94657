#pragma once

#include <atomic>
#include <string>

#include "core/result.hpp"
#include "store/record_store.hpp"

namespace jobhost::api::lncrawl {

/// Which chapters somebody has read: records of this dialect's own, whose collection is made with the first.
/// Thread-safety, blocking and errors as RecordStore.
class ReadMarks {
 public:
  /// Borrowed until destroyed.
  explicit ReadMarks(store::RecordStore& records) : records_(records) {}

  /// Nothing is written when the mark is there already.
  core::Result<void> mark(const std::string& user, const std::string& novel, const std::string& chapter);
  /// The chapters of a novel that a user has read, at most kMostScanned of them, as the object
  /// {"<chapter>": true, …} in JSON.
  core::Result<std::string> ofNovel(const std::string& user, const std::string& novel);
  /// Everybody's marks of a novel go.
  core::Result<void> forgetNovel(const std::string& novel);

 private:
  core::Result<void> declare();

  store::RecordStore& records_;
  std::atomic<bool> declared_{false};
};

/// Removes all records the query is for, some at a time. Stops with an error where they come faster than they go.
core::Result<void> removeAll(store::RecordStore& records, store::RecordQuery query);

}  // namespace jobhost::api::lncrawl
