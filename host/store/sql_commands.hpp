#pragma once

#include <string>
#include <vector>

#include "store/job_store.hpp"
#include "store/sql_moves.hpp"

namespace jobhost::store {

/// What callers ask for jobs that exist. Everything that can be refused is refused before the first write.
/// Writer thread only; methods throw SqlError.
class CommandOps {
 public:
  CommandOps(Database& database, Ledger& ledger, JobTable& table, Moves& moves);

  core::Result<CancelOutcome> cancel(core::JobId id, const std::string& reason);
  core::Result<void> retry(core::JobId id);
  core::Result<void> suspend(core::JobId id);
  core::Result<void> resume(core::JobId id);
  core::Result<void> setPriority(core::JobId id, int priority);
  core::Result<void> setTags(core::JobId id, const std::vector<std::string>& tags);
  core::Result<void> remove(core::JobId id);
  /// Removes those of the trees that are still wholly ended before `cutoff`, at most `limit` jobs; a tree is removed
  /// whole, so the last may go over. Answers the ids removed.
  std::vector<core::JobId> removeTrees(const std::vector<core::JobId>& roots, core::Instant cutoff, int limit);

 private:
  core::Result<LiveRow> find(core::JobId id);
  bool cancelOne(LiveRow& row, const std::string& error);
  std::vector<core::JobId> subtree(core::JobId id);
  void erase(const std::vector<core::JobId>& ids);

  Ledger& ledger_;
  JobTable& table_;
  Moves& moves_;
  Statement children_, unique_taken_, unique_key_, keep_last_job_, forget_deleted_;
};

}  // namespace jobhost::store
