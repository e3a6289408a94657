#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/job_store.hpp"
#include "store/sql_database.hpp"
#include "store/sql_ledger.hpp"
#include "store/sql_rows.hpp"

namespace jobhost::store {

/// The statements that read and write jobs, their documents and events, inside the writer's transaction.
/// Writer thread only; methods throw SqlError. Database and Ledger must outlive it.
class JobTable {
 public:
  JobTable(Database& database, Ledger& ledger);

  /// The row as it is now, from the ledger where that is current.
  std::optional<LiveRow> load(core::JobId id);
  /// What end() writes beside the row.
  struct Ending {
    std::string_view result;
    std::string error;
    std::string usage;
    std::string progress;  ///< empty: stays as it is
    std::optional<core::ProcessExit> exit;
  };
  void save(const LiveRow& row);
  void saveEnd(LiveRow& row, const Ending& ending);
  void saveCounters(const LiveRow& row);
  void saveHold(core::JobId id, core::Hold hold);
  void saveRescues(const LiveRow& row);
  void setError(core::JobId id, const std::string& error);
  std::string error(core::JobId id);     ///< as stored; empty: none
  std::string progress(core::JobId id);  ///< as stored; empty: none
  void clearResult(LiveRow& row);        ///< the caller saves the row
  void insert(const LiveRow& row, const core::JobDraft& draft);

  /// Appends an event of the row as it now stands; the caller saves the row, which then names the event.
  void addEvent(LiveRow& row, core::EventKind kind, std::string data = {});
  /// Of a job that came back from the queue to leave for the same `reason` again, with nothing else told meanwhile:
  /// removes the events of that turn, so that however often it does so, its story stays short. Before addEvent().
  void dropRepetition(LiveRow& row, std::string_view reason);

  void putDoc(core::JobId id, Doc doc, std::string_view body);
  std::optional<std::string> doc(core::JobId id, Doc doc);
  void dropDoc(core::JobId id, Doc doc);
  void addTags(core::JobId id, const std::vector<std::string>& tags);
  void dropTags(core::JobId id, const std::vector<std::string>& tags);
  void setTagsColumn(const LiveRow& row, const std::string& text);
  std::string tagsColumn(core::JobId id);
  /// The job's row, documents, tags, dependencies and events.
  void erase(const LiveRow& row);

  /// Writes the counters that have changed. Last step before a commit.
  void flushCounts();
  /// The part of it that batches keep; for a command that reads them.
  void flushBatchCounts();

 private:
  Ledger& ledger_;
  Statement load_, save_, save_end_, save_counters_, save_hold_, save_rescues_, set_error_, error_, clear_result_,
      insert_, add_event_;
  Statement put_doc_, doc_, drop_doc_, drop_docs_, add_tag_, drop_tag_, set_tags_, tags_;
  Statement erase_job_, erase_deps_, event_prev_, event_, erase_event_, progress_;
  Statement put_count_, put_owner_, drop_owner_, count_batch_;
};

}  // namespace jobhost::store
