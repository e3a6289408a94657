#pragma once

#include <string>
#include <vector>

#include "store/job_store.hpp"
#include "store/sql_moves.hpp"
#include "store/sql_records.hpp"

namespace jobhost::store {

/// What happens to attempts: they report, end, and lose their leases. Writer thread only; methods throw SqlError.
class AttemptOps {
 public:
  AttemptOps(Database& database, Ledger& ledger, JobTable& table, Moves& moves, RecordOps& records);

  std::vector<Settled> settle(const std::vector<AttemptOutcome>& outcomes);
  void update(const std::vector<AttemptUpdate>& updates);
  std::vector<LeaseRef> renew(const std::vector<LeaseRef>& leases, core::Millis lease);
  /// Every running job whose lease ends at or before the batch's steady time, or every one.
  std::vector<core::JobId> expire(bool every);
  core::Result<void> saveCheckpoint(const LeaseRef& lease, const std::string& bytes);
  /// When the first lease ends, in wall time; nullopt: nothing runs.
  [[nodiscard]] std::optional<core::Instant> nextLeaseEnd() const;

 private:
  std::optional<LiveRow> held(core::JobId id, LeaseToken lease);
  core::JobState settleOne(LiveRow row, const AttemptOutcome& outcome);
  core::Result<void> commitWrites(const LiveRow& row, const AttemptOutcome& outcome);
  void expireOne(LiveRow row, const char* reason);
  std::string cancelError(const LiveRow& row, const AttemptOutcome* outcome);

  Ledger& ledger_;
  JobTable& table_;
  Moves& moves_;
  RecordOps& records_;
  Statement set_progress_, set_notes_, set_lease_, set_docs_;
};

}  // namespace jobhost::store
