#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "core/event.hpp"
#include "store/job_store.hpp"
#include "store/sql_database.hpp"
#include "store/sql_rows.hpp"

namespace jobhost::store {

/// What the writer keeps in memory so that hot moves need no reads: everything in it can be read back from the
/// database, and is (load()) when a transaction was rolled back. Owned by the writer thread.
class Ledger {
 public:
  struct Running {
    LiveRow row;
    bool stale = false;  ///< the row has changed in the database since: read it before use
    core::Clock::Steady until;
  };

  /// Everything anew from the database. Leases of attempts that were known before keep their steady time.
  void load(Database& database, const core::Clock& clock);

  // ---- types
  [[nodiscard]] std::optional<int> findType(std::string_view name) const;
  [[nodiscard]] const std::string& typeName(int type_id) const {
    return type_names_.at(static_cast<std::size_t>(type_id));
  }
  int addType(std::string_view name);  ///< ids count from 1; the caller stores it
  /// Whether ready jobs of the type may exist: set with each, cleared by a claim that found none.
  void setMayBeReady(int type_id, bool ready) { may_be_ready_.at(static_cast<std::size_t>(type_id)) = ready; }
  [[nodiscard]] bool mayBeReady(int type_id) const { return may_be_ready_.at(static_cast<std::size_t>(type_id)); }

  // ---- counters
  void count(const LiveRow& row, std::optional<core::JobState> from, std::optional<core::JobState> to);
  [[nodiscard]] std::int64_t queuedOfType(int type_id) const;
  [[nodiscard]] std::int64_t queuedOfOwner(const std::string& owner) const;
  struct CountCell {
    int type_id;
    int state;
    std::int64_t n;
  };
  std::vector<CountCell> takeChangedCounts();
  std::vector<std::pair<std::string, std::int64_t>> takeChangedOwners();
  /// By how much the counts of a batch's jobs have changed. Only the changes are kept here: there may be any number of
  /// batches. The label may be nobody's batch.
  struct BatchChange {
    std::string id;
    std::string owner;
    std::array<std::int64_t, core::kJobStateCount> by_state{};
  };
  std::vector<BatchChange> takeChangedBatches();

  // ---- running attempts
  std::unordered_map<core::JobId, Running> running;
  [[nodiscard]] int runningOfKey(const std::string& key) const;
  void noteDue(core::Instant at) {
    if (!due || at < *due) due = at;
  }
  void started(const LiveRow& row, core::Clock::Steady until);
  void stopped(core::JobId id);
  void touch(core::JobId id) {
    if (const auto found = running.find(id); found != running.end()) found->second.stale = true;
  }

  // ---- numbers
  std::int64_t last_seq = 0;
  std::int64_t last_job = 0;
  int max_per_key = 1;
  bool any_deps = false;                     ///< whether job_deps may hold rows
  std::optional<std::int64_t> next_delayed;  ///< the first run_at among delayed jobs

  /// The newest block of ids and when its jobs were made; a full one is kept in created_marks (by the caller).
  struct CreatedBlock {
    std::int64_t first = 0;
    std::int64_t earliest = std::numeric_limits<std::int64_t>::max();  ///< later than `latest`: it has no jobs
    std::int64_t latest = std::numeric_limits<std::int64_t>::min();
  } newest_block;

  // ---- removals that wait for the end of something
  std::set<core::JobId> removing;      ///< out of their ancestors' units already (Moves::takeOut)
  std::set<core::JobId> removals_due;  ///< of those: what may have ended
  /// Where this one or something below it has ended, and that was waited for.
  void noteRemovalDue(core::JobId id) {
    if (removing.empty() || !removing.contains(id)) return;
    removals_due.insert(id);
    noteDue(now);
  }

  // ---- jobs below one that did not succeed or was canceled, which are still to be canceled (Moves)
  struct Deserted {
    std::string error;                 ///< what they get; empty: that of a job above them that did not succeed
    std::vector<core::JobId> to_walk;  ///< it, or what is below it, parents first; empty: all is done
    bool kept = false;                 ///< it is in the table `deserted`
  };
  std::map<core::JobId, Deserted> deserted;

  // ---- of the batch at hand
  core::Instant now;
  core::Clock::Steady steady_now;
  std::vector<core::JobEvent> events;
  std::optional<core::Instant> due;  ///< the earliest run_at or lease end that the batch brought
  std::set<std::string> dirty_keys;

 private:
  std::vector<std::string> type_names_;
  std::unordered_map<std::string, int> type_ids_;
  std::vector<bool> may_be_ready_;
  std::vector<std::array<std::int64_t, core::kJobStateCount>> counts_;
  std::vector<std::pair<int, int>> changed_counts_;
  std::vector<std::array<bool, core::kJobStateCount>> count_changed_;
  std::unordered_map<std::string, std::int64_t> owner_queued_;
  std::unordered_set<std::string> changed_owners_;
  std::map<std::pair<std::string, std::string>, std::array<std::int64_t, core::kJobStateCount>> changed_batches_;
  std::unordered_map<std::string, int> key_running_;
};

}  // namespace jobhost::store
