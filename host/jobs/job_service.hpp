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
  /// The checked draft submit() would store: for services/ that store asynchronously.
  core::Result<core::JobDraft> check(JobRequest request) const;

  core::Result<core::Job> get(core::JobId id);
  /// Whose job it is: the principal's id. NotFound for an unknown job.
  core::Result<std::string> owner(core::JobId id);
  core::Result<store::Page> list(const store::JobFilter& filter, const store::ListOptions& options);
  core::Result<store::CancelOutcome> cancel(core::JobId id, std::string reason);
  core::Result<void> retry(core::JobId id);
  core::Result<void> suspend(core::JobId id);
  core::Result<void> resume(core::JobId id);
  /// Sets what is given, or nothing when any of it is wrong. Conflict: the priority of a job that has ended.
  core::Result<void> change(core::JobId id, std::optional<int> priority, std::optional<std::vector<std::string>> tags);
  /// Removes the job and then its files.
  core::Result<void> remove(core::JobId id);
  core::Result<std::vector<core::JobEvent>> events(std::int64_t after_seq, std::optional<core::JobId> job, int limit);
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

 private:
  store::JobStore& store_;
  catalog::Catalog& catalog_;
  const core::Clock& clock_;
  Options options_;
};

}  // namespace jobhost::jobs
