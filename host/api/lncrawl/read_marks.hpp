#pragma once

#include <string>

#include "api/lncrawl/own_records.hpp"
#include "core/result.hpp"

namespace jobhost::api::lncrawl {

/// Which chapters somebody has read: records of this surface's own.
/// Thread-safety, blocking and errors as RecordStore.
class ReadMarks {
 public:
  /// Borrowed until destroyed.
  explicit ReadMarks(store::RecordStore& store) : records_(store) {}

  /// Nothing is written when the mark is there already.
  core::Result<void> mark(const std::string& user, const std::string& novel, const std::string& chapter);
  /// The chapters of a novel that a user has read, at most kMostScanned of them, as the object
  /// {"<chapter>": true, …} in JSON.
  core::Result<std::string> ofNovel(const std::string& user, const std::string& novel);
  /// Everybody's marks of a novel go.
  core::Result<void> forgetNovel(const std::string& novel);

 private:
  OwnRecords records_;
};

}  // namespace jobhost::api::lncrawl
