#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "catalog/catalog.hpp"
#include "core/clock.hpp"
#include "core/job.hpp"
#include "core/result.hpp"
#include "store/job_store.hpp"

namespace jobhost::jobs {

/// Limits checked before a draft is stored. Over one: InvalidArgument naming the field, TooLarge, or Exhausted.
struct SubmitLimits {
  std::size_t params_bytes = 1 << 20;
  std::size_t notes_bytes = 64 * 1024;
  std::size_t batch_jobs = 10'000;  ///< of one submitMany
  int tags = 32;
  std::size_t tag_bytes = 64;
  std::size_t key_bytes = 256;  ///< queue_key, unique_key, dedupe_key, batch
  int depends_on = 64;
  int max_attempts = 100;
  int priority_abs = 1'000'000;
  core::Millis timeout{7LL * 24 * 3600 * 1000};
  std::int64_t queued_per_type = 10'000'000;
  std::int64_t queued_per_owner = 10'000'000;
};

/// What a caller asks for; absent fields take the job type's or the host's default.
struct JobRequest {
  core::JobDraft draft;
  std::optional<int> max_attempts;
  std::optional<core::Backoff> backoff;
  /// Params as an array of arguments (minion): mapped to names by the type's positional order; draft.params_json
  /// unused.
  std::optional<std::string> args_json;
  /// The draft's owner reaches no job of others: see store::SubmitOptions::own_only.
  bool own_only = false;
  /// Its queue key is core::fairKey() of the owner, whatever the draft's is.
  bool fair_queue = false;
};

/// The use cases every dialect shares: validate, create, cancel, retry, read. Holds no state of its own.
/// Thread-safety: every method from any thread; those that change something return when the change is durable.
class JobService {
 public:
  struct Options {
    SubmitLimits limits;
    std::filesystem::path data_folder;
  };
  JobService(store::JobStore& store, catalog::Catalog& catalog, const core::Clock& clock, Options options);

  /// InvalidArgument lists every wrong field with its JSON Pointer ("/params/width"). NotFound: unknown type.
  core::Result<store::Submitted> submit(JobRequest request,
                                        std::optional<store::Idempotency> idempotency = std::nullopt);
  /// All or none; field pointers start with the index ("/3/params/width").
  core::Result<std::vector<store::Submitted>> submitMany(std::vector<JobRequest> requests,
                                                         std::optional<store::Idempotency> idempotency = std::nullopt);
  /// The same as a named batch, whose id they get; `owner` is the principal's id. Field pointers start with "/jobs"
  /// ("/jobs/3/params/width"). With an Idempotency-Key that was used the answer names the batch made then.
  core::Result<store::SubmittedBatch> submitBatch(std::string name, std::string owner, std::vector<JobRequest> requests,
                                                  std::optional<store::Idempotency> idempotency = std::nullopt);
  /// Every field submit() would refuse before it asks the store; none: the request may be stored.
  [[nodiscard]] std::vector<core::FieldError> faults(JobRequest request) const;
  /// The checked draft submit() would store: for services/ that store asynchronously.
  core::Result<core::JobDraft> check(JobRequest request) const;

  core::Result<core::Job> get(core::JobId id);
  /// Whose job it is: the principal's id. NotFound for an unknown job.
  core::Result<std::string> owner(core::JobId id);
  core::Result<store::Belonging> belonging(core::JobId id);
  core::Result<store::Page> list(const store::JobFilter& filter, const store::ListOptions& options);
  core::Result<store::Counted> count(const store::JobFilter& filter);  ///< see JobStore::count
  /// What is below it says `reason_below`; empty: the same.
  core::Result<store::CancelOutcome> cancel(core::JobId id, std::string reason, std::string reason_below = {});
  core::Result<void> retry(core::JobId id);
  core::Result<void> suspend(core::JobId id);
  core::Result<void> resume(core::JobId id);
  /// Sets what is given, or nothing when any of it is wrong. Conflict: the priority of a job that has ended.
  core::Result<void> change(core::JobId id, std::optional<int> priority, std::optional<std::vector<std::string>> tags);
  /// What of it change() would refuse for any job.
  [[nodiscard]] std::vector<core::FieldError> faults(const std::optional<int>& priority,
                                                     const std::optional<std::vector<std::string>>& tags) const;
  /// Removes the job with what is below it, and then their files (of a large tree some; retention takes the others, as
  /// it does those of jobs that go later because something of the tree still ran).
  core::Result<void> remove(core::JobId id, store::Removal how = store::Removal::Ended);
  /// What an action over the jobs of a filter did.
  struct BulkOutcome {
    std::int64_t matched = 0;         ///< jobs the filter found
    std::int64_t changed = 0;         ///< of those: canceled (or asked to), queued again, removed
    std::optional<core::JobId> next;  ///< pass as `cursor` to go on; nullopt: there are no more
  };
  /// Newest first, but oldest first to cancel; at most `limit` jobs (1..kBulkJobs; to remove at most kBulkRemoved,
  /// whatever the limit), and looks at a bounded number of rows: `next` says where to go on. Without states in the
  /// filter it takes those the action is for. The files of removed jobs go with them, as for remove(). Exhausted: not
  /// one can be queued again, since the queues are full; where some could, `next` says how far it came.
  core::Result<BulkOutcome> applyAll(store::BulkAction action, store::JobFilter filter,
                                     std::optional<core::JobId> cursor, int limit, std::string reason = {});
  static constexpr int kBulkJobs = 10'000;
  static constexpr int kBulkRemoved = 1'000;

  core::Result<store::Batch> batch(const std::string& id);
  core::Result<store::BatchPage> batches(const std::string& owner, std::optional<std::int64_t> cursor, int limit);
  /// The same for the jobs of a batch, at most kBulkJobs of them.
  core::Result<BulkOutcome> applyToBatch(store::BulkAction action, const store::Batch& batch,
                                         std::optional<core::JobId> cursor, std::string reason = {});
  /// Removes jobs of the batch with their files as applyAll() does, and once there are no more, the batch: it is gone
  /// when the answer has no `next`. Conflict: a job of it, or below one, has not ended; then nothing was removed,
  /// unless the job came back to life while others were: the message says how many went.
  core::Result<BulkOutcome> removeBatch(const store::Batch& batch, std::optional<core::JobId> cursor);
  /// See JobStore::eventsOfOwner.
  core::Result<store::EventPage> eventsOfOwner(const std::string& owner, std::int64_t after_seq, int limit);
  core::Result<std::vector<core::JobEvent>> events(std::int64_t after_seq, std::optional<core::JobId> job, int limit);
  core::Result<std::int64_t> lastSeq();  ///< the number of the newest event; 0: there was none
  core::Result<std::vector<store::StateCounts>> counts();

  /// Bytes [offset, offset+limit) of the job's log; `size` is the whole log's size. An absent log is empty.
  struct LogPart {
    std::string bytes;
    std::int64_t offset = 0;
    std::int64_t size = 0;
  };
  core::Result<LogPart> log(core::JobId id, std::int64_t offset, std::int64_t limit);
  /// A readable file of a succeeded job (NotFound for names the job does not list). The path lies in the job's folder.
  struct OutputFile {
    core::Output output;
    std::filesystem::path path;
  };
  core::Result<OutputFile> output(core::JobId id, const std::string& name);
  /// The same of a job that was read.
  core::Result<OutputFile> output(const core::Job& job, const std::string& name) const;

 private:
  core::Result<std::vector<core::JobDraft>> checkMany(std::vector<JobRequest> requests,
                                                      const std::string& pointer) const;
  core::Result<std::vector<store::Submitted>> storeAll(std::vector<core::JobDraft> drafts,
                                                       store::SubmitOptions options);
  void limitQueues(store::SubmitOptions& options) const;
  void removeFolders(const std::vector<core::JobId>& ids, std::size_t& left) const;

  store::JobStore& store_;
  catalog::Catalog& catalog_;
  const core::Clock& clock_;
  Options options_;
};

}  // namespace jobhost::jobs
