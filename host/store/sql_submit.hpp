#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/job_store.hpp"
#include "store/sql_moves.hpp"

namespace jobhost::store {

/// Stores drafts. Writer thread only; throws SqlError.
class SubmitOps {
 public:
  static constexpr int kMaxDepth = 32;

  SubmitOps(Database& database, Ledger& ledger, JobTable& table, Moves& moves);
  /// All drafts or none: everything that can be refused is refused before the first write.
  /// The batch's id is empty when the options ask for none.
  core::Result<SubmittedBatch> submit(const std::vector<core::JobDraft>& drafts, const SubmitOptions& options);
  /// Forgets promises whose time is over, at most `limit`.
  void forgetExpiredKeys(int limit);
  /// Conflict while it has jobs; NotFound.
  core::Result<void> removeBatch(const std::string& id);
  /// Forgets batches made before `cutoff` that have no job, at most `limit`.
  void forgetEmptyBatches(core::Instant cutoff, int limit);

 private:
  core::Result<std::optional<SubmittedBatch>> findPromise(const Idempotency& promise, bool of_batch);
  core::Result<void> check(const std::vector<core::JobDraft>& drafts, const SubmitOptions& options);
  core::Result<void> checkReferences(const core::JobDraft& draft, bool own_only);
  core::Result<void> checkTaken(const core::JobDraft& draft);
  std::optional<Submitted> findExisting(const core::JobDraft& draft);
  bool wasDeserted(const Submitted& existing);
  Submitted takeUp(const Submitted& existing, const core::JobDraft& draft);
  void markCreated(const LiveRow& row);
  Submitted add(const core::JobDraft& draft);
  int addDependencies(LiveRow& row, const core::JobDraft& draft, bool& failed);

  Ledger& ledger_;
  JobTable& table_;
  Moves& moves_;
  Statement find_promise_, put_promise_, forget_promises_, find_unique_, find_dedupe_, add_type_, add_dep_, add_mark_;
  Statement add_batch_, find_batch_, drop_batch_, forget_batches_;
};

}  // namespace jobhost::store
