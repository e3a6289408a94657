#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "store/job_store.hpp"
#include "store/sql_moves.hpp"

namespace jobhost::store {

/// The standing claim: kept until ready jobs exist, served at the end of each batch inside its transaction.
/// Writer thread only; methods throw SqlError.
class ClaimOps {
 public:
  /// Delayed jobs looked at in one transaction; the rest follow in the next.
  static constexpr int kMaxPromoted = 1000;

  ClaimOps(Database& database, Ledger& ledger, Moves& moves);
  /// Replaces the request, unless it was computed without knowing the last batch delivered.
  void place(ClaimRequest request);
  /// Whether serve() could find something: so nothing is begun for nothing.
  [[nodiscard]] bool worthServing(core::Instant now) const;
  /// Claims what the request allows; nullopt when nothing is ready. The request is used up by delivered().
  std::optional<ClaimBatch> serve();
  void delivered(const ClaimBatch& batch);

 private:
  struct Candidate {
    core::JobId id;
    int priority;
    std::int64_t run_at;
    const TypeQuota* quota;
  };
  /// A ready job as its row has it, before its attempt begins.
  struct Ready {
    LiveRow row;
    ClaimedJob job;
  };
  const TypeQuota* onlyQuota() const;
  std::vector<Ready> firstOf(const TypeQuota& quota);
  std::vector<Candidate> choose();
  void keepWithinBudgets(std::vector<Candidate>& candidates) const;
  Ready read(core::JobId id);
  static Ready readReady(const Query& query);
  ClaimedJob take(Ready ready);

  Ledger& ledger_;
  Moves& moves_;
  std::optional<ClaimRequest> standing_;
  std::uint64_t last_delivered_ = 0;
  Statement ready_, ready_rows_, row_, params_;
};

}  // namespace jobhost::store
