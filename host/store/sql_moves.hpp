#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/sql_database.hpp"
#include "store/sql_job_table.hpp"
#include "store/sql_ledger.hpp"

namespace jobhost::store {

/// The moves of a job's life, and what each brings about for others: the counters of ancestors, parents that were
/// waiting, jobs that depend on it, jobs behind it in its queue key. Every change of state goes through here and is
/// checked against core::isLegalMove.
///
/// Moves note their consequences; settleAll() works them off, once, at the end of a batch and in its transaction.
/// Writer thread only; methods throw SqlError.
class Moves {
 public:
  /// Jobs of a tree in one transaction; of a larger one the rest is left to the next.
  static constexpr std::size_t kTreeStep = 1000;

  Moves(Database& database, Ledger& ledger, JobTable& table);

  /// Sets state and hold of a row that is (back) in the queue; `at_once` overlooks run_at. The caller saves it.
  void enqueue(LiveRow& row, bool at_once = false);
  /// A job not in an attempt back to the queue, with its event; saves it.
  void toQueue(LiveRow& row, std::string_view reason, bool at_once = false);
  /// A job not in an attempt to its end, with its event; saves it. An empty error leaves the row's as it is.
  void end(LiveRow& row, core::JobState to, const std::string& error = {});
  void toSuspended(LiveRow& row);
  /// Takes a row out of an attempt into `to` (anything but Running) and tells it; the caller saves it with its ending.
  void leaveAttempt(LiveRow& row, core::JobState to, core::EventKind kind, std::string data);
  /// The row of a claimed job; the lease is the number of its Started event. Saves it.
  void startAttempt(LiveRow& row, core::Millis lease);

  void childMade(core::JobId parent);
  /// A job's own step has succeeded while its children are outstanding.
  void ownStepDone(LiveRow& row);
  /// A terminal job is about to be put back in the queue: takes it out of its ancestors' counters, and counts its units
  /// anew from its children, what they did since it ended with them.
  void revive(LiveRow& row);
  /// A job is marked for removal (Ledger::removing), with all below it: takes it out of its ancestors' units, and a
  /// live one out of what its parent waits for. What happens to it from then on is told to them as descendants alone.
  void takeOut(const LiveRow& row);
  /// A terminal job, with all below it, is about to be removed.
  void removed(const LiveRow& row);
  /// Brings the counters of this job, should it have any, up to date with what others did in this batch. Before its row
  /// is read for a move that stops its units (an end, a cancel) or sets them going (a retry).
  void settleCounters(core::JobId id);
  void keyChanged(const LiveRow& row) {
    if (!row.queue_key.empty()) ledger_.dirty_keys.insert(row.queue_key);
  }
  /// How many of the job's dependencies are outstanding; NotFound-like answer -1: one can never succeed.
  int outstandingDependencies(core::JobId id);

  /// Delayed jobs that are due, at most `limit`, become ready. Answers how many.
  int promoteDue(int limit);
  /// Another number of jobs may run per key: every key's queue is looked at again.
  void setMaxPerKey(int max);
  /// A job that has not ended is canceled, or asked to be when it runs.
  void cancelOne(LiveRow& row, const std::string& error);
  /// Cancels what is below a job that has ended or was asked to, as much as one transaction may; what is left comes
  /// with the next batches, those of another host too.
  void cancelBelow(core::JobId id, const std::string& error);
  /// Whether something below the job is left by cancelBelow(), or by its failure.
  [[nodiscard]] bool cancelsBelow(core::JobId id) const { return ledger_.deserted.contains(id); }
  /// Cancels what is below jobs that failed in this batch, before a command that would find it otherwise than in the
  /// next one.
  void settleDeserted();
  /// Whether jobs below this one, or below one above it, are still to be canceled with that one.
  bool isDeserted(const LiveRow& row);
  /// Whether the job was canceled because one above it did not succeed.
  bool wasDeserted(core::JobId id);
  /// Why a job that did not succeed cannot be run again now; the caller has refused other states. Sets what it depends
  /// on anew.
  std::optional<std::string> whyNotAgain(LiveRow& row);
  /// A job that did not succeed back to the queue, with one more attempt at least; saves it.
  void runAgain(LiveRow& row, core::Instant at);

  /// A new batch: what it may cancel of deserted trees is counted from here.
  void begin() { room_ = kTreeStep; }
  /// Works off every consequence noted so far; of deserted trees as much as the batch has room for.
  void settleAll();
  /// Forgets them (the transaction was rolled back).
  void reset();

 private:
  /// Units of jobs that are taken out, for those above them.
  struct Gone {
    core::ChildCounters units;  ///< as a job has them that still counts
    std::int64_t left = 0;      ///< of them: what one that stands still may never have counted as done
  };
  struct Delta {
    core::ChildCounters children;
    core::ChildCounters descendants;
    core::ChildCounters units;
    Gone gone;
  };
  void noteGone(const LiveRow& row);
  static void takeAway(LiveRow& row, Gone& gone);
  void settleCounters();
  /// Whether it is out of its ancestors already.
  [[nodiscard]] bool isOut(core::JobId id) const { return ledger_.removing.contains(id); }
  void ended(const LiveRow& row);
  void desert(const LiveRow& row);
  std::vector<core::JobId> childrenOf(core::JobId id);
  /// Cancels the first jobs of these trees, as many as there is `room` for, which it uses up. Parents first: a parent
  /// that is canceled is no longer woken by the end of its children, which is worked off afterwards. Answers what is
  /// left.
  std::vector<core::JobId> cancelTrees(std::vector<core::JobId> ids, const std::string& error, std::size_t& room);
  bool cancelDeserted();
  void keepDeserted();
  void applyDelta(core::JobId id, const Delta& delta);
  void releaseDependents(core::JobId dependency, bool succeeded);
  void rebalance(const std::string& key);

  Ledger& ledger_;
  JobTable& table_;
  std::map<core::JobId, Delta> deltas_;  ///< parents have smaller ids than their children: worked off from the end
  std::vector<std::pair<core::JobId, bool>> ended_;
  std::size_t room_ = kTreeStep;
  Statement children_, unique_taken_, unique_key_, keep_deserted_, drop_deserted_;
  Statement dependents_, dep_done_, deps_open_, due_, first_delayed_, units_below_, key_ready_, key_parked_, next_key_,
      set_meta_;
};

/// Throws SqlError (SQLITE_MISUSE, read as Internal) for a move the table in core/job_state.hpp does not have.
void requireMove(core::JobState from, core::JobState to);

}  // namespace jobhost::store
