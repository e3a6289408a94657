#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/job.hpp"
#include "store/sql_database.hpp"

namespace jobhost::store {

/// Kinds of job_docs rows; the bit 1 << kind in jobs.docs says that the row exists.
enum class Doc : int { Params = 0, Result = 1, Notes = 2, Outputs = 3, Checkpoint = 4, Args = 5 };
constexpr int docBit(Doc doc) {
  return 1 << static_cast<int>(doc);
}
/// What a job is shown with; a checkpoint is the plugin's alone.
inline constexpr int kShownDocs =
    docBit(Doc::Params) | docBit(Doc::Result) | docBit(Doc::Notes) | docBit(Doc::Outputs) | docBit(Doc::Args);
/// More bits of jobs.docs: the job has rows in job_deps.
inline constexpr int kHasDeps = 1 << 8;
/// Params and results up to this size lie in the job's row: one B-tree entry less to write and to find. A larger one
/// would be rewritten with each move of the job.
inline constexpr std::size_t kInlineBytes = 1024;
/// Ids a row of created_marks stands for.
inline constexpr std::int64_t kIdsPerMark = 1024;

/// What a caller wants of a running job (jobs.ask).
enum class Ask : int { None = 0, Cancel = 1, Suspend = 2 };
/// Whether a claim continues an attempt that awaited its children (jobs.resumed). NextAtRunAt, of a waiting job: it
/// does, and not before run_at.
enum class Resume : int { None = 0, Next = 1, Now = 2, NextAtRunAt = 3 };

/// The part of a job's row that moves need: everything they read or write.
struct LiveRow {
  core::JobId id;
  int type_id = 0;
  core::JobState state = core::JobState::Queued;
  core::Hold hold = core::Hold::None;
  int priority = 0;
  std::int64_t run_at = 0;
  int attempt = 0;
  int retries = 0;
  int max_attempts = 1;
  int rescues = 0;
  Ask ask = Ask::None;
  Resume resumed = Resume::None;
  bool own_done = false;
  std::int64_t lease = 0;
  std::int64_t lease_until = 0;
  std::int64_t event_seq = 0;
  int deps_pending = 0;
  int docs = 0;
  core::ChildCounters children;
  core::ChildCounters descendants;
  core::ChildCounters units;  ///< what those below have brought it (core/units.hpp)
  core::ChildFailure child_failure = core::ChildFailure::Ignore;
  std::optional<std::int64_t> started_at;
  std::optional<std::int64_t> finished_at;
  std::optional<std::int64_t> parent;
  std::int64_t root = 0;
  int depth = 0;
  std::int64_t created_at = 0;
  std::string queue_key;
  std::string owner;
  std::string batch;
};

/// The columns readLive() reads, in its order; `kLiveColumns` of them.
extern const char* const kLiveSelect;
inline constexpr int kLiveColumns = 37;
LiveRow readLive(const Query& query);

/// The columns readJob() reads (with jobs as j and types as t).
extern const char* const kJobSelect;
/// Everything of a job that lies in its row; `docs` is its docs column.
core::Job readJob(const Query& query, int& docs);

// Texts of columns. Readers take what writers wrote; anything else reads as the default.
std::string backoffText(const core::Backoff& backoff);  ///< empty for the default
core::Backoff readBackoff(std::string_view text);
std::string usageText(const core::Usage& usage);  ///< empty when nothing was used
core::Usage readUsage(std::string_view text);
std::string progressText(const core::Progress& progress);
core::Progress readProgress(std::string_view text);
std::string errorText(const core::JobError& error);
std::optional<core::JobError> readError(std::string_view text);
std::string tagsText(const std::vector<std::string>& tags);  ///< a JSON array; empty when there are none
std::vector<std::string> readTags(std::string_view text);
std::string outputsText(const std::vector<core::Output>& outputs);
std::vector<core::Output> readOutputs(std::string_view text);
/// `notes` with each key set to its JSON value, or removed by "null". Values that are not JSON are left out.
std::string mergeNotes(std::string_view notes, const std::vector<std::pair<std::string, std::string>>& changes);
/// {"key": value, …} of the same.
std::string notesText(const std::vector<std::pair<std::string, std::string>>& changes);
/// The text as a JSON string, with quotes.
std::string jsonString(std::string_view text);

}  // namespace jobhost::store
