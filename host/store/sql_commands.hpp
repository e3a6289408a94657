#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "store/job_store.hpp"
#include "store/sql_moves.hpp"
#include "store/sql_records.hpp"

namespace jobhost::store {

/// What callers ask for jobs that exist. Everything that can be refused is refused before the first write.
/// Writer thread only; methods throw SqlError.
///
/// A tree is canceled or removed in one transaction up to kTreeStep jobs; a larger one step by step, so that the writer
/// is never held for long. Until the last step others see a part of the tree done.
class CommandOps {
 public:
  static constexpr std::size_t kTreeStep = Moves::kTreeStep;

  CommandOps(Database& database, Ledger& ledger, JobTable& table, Moves& moves, RecordOps& records);

  struct CancelStep {
    CancelOutcome outcome = CancelOutcome::Canceled;
    bool more = false;  ///< there was no room for all of it: the rest comes with the next transactions
  };
  core::Result<CancelStep> cancel(core::JobId id, const std::string& reason, const std::string& reason_below);
  /// Whether something below these jobs is still to be canceled, after as much of it as there is room for.
  bool cancelMore(std::span<const core::JobId> ids);
  /// `limits` as for a submit: Exhausted when the queue it would go back to is full.
  core::Result<void> retry(core::JobId id, const BulkOptions& limits = {});
  core::Result<void> suspend(core::JobId id);
  core::Result<void> resume(core::JobId id);
  core::Result<void> setPriority(core::JobId id, int priority);
  core::Result<void> setTags(core::JobId id, const std::vector<std::string>& tags);
  /// What went; nullopt: the tree is too large for one step, the caller gathers it and hands it to removeLeaves().
  using Removed = std::optional<std::vector<core::JobId>>;
  core::Result<Removed> remove(core::JobId id);
  /// Cancels the tree (some of it, as cancel()) and has it removed by removeDue() when all of it has ended.
  core::Result<CancelStep> removeLater(core::JobId id);
  /// Removes what removeLater() left, as far as it has ended and at most kTreeStep jobs; answers whether there is more.
  bool removeDue();
  /// Removes these jobs, children before their parents. Conflict when one is not ended or has children again.
  core::Result<void> removeLeaves(std::span<const core::JobId> ids);
  struct RemovedTrees {
    std::vector<core::JobId> ids;
    std::vector<core::JobId> too_large;  ///< roots for the caller to remove step by step
  };
  /// Removes those of the trees that are still wholly ended before `cutoff`, at most `limit` jobs; a tree is removed
  /// whole, so the last may go over.
  RemovedTrees removeTrees(const std::vector<core::JobId>& roots, core::Instant cutoff, int limit);

 private:
  core::Result<LiveRow> find(core::JobId id);
  /// The same once all that ended before in this batch is known to it and its parent, whom that may have ended.
  core::Result<LiveRow> findSettled(core::JobId id);
  core::Result<void> checkRoom(const LiveRow& row, const BulkOptions& limits) const;
  std::optional<std::vector<core::JobId>> smallTree(core::JobId id);
  bool beingRemoved(const LiveRow& row);
  bool eraseUpwards(core::JobId root, std::size_t& room);
  void eraseOne(const LiveRow& row);
  void forgetRemoval(core::JobId id);
  void erase(std::span<const core::JobId> ids);

  Ledger& ledger_;
  JobTable& table_;
  Moves& moves_;
  RecordOps& records_;
  Statement children_, keep_last_job_, forget_deleted_;
  Statement last_child_, mark_removal_, drop_removal_;
};

}  // namespace jobhost::store
