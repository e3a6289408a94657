#include "jobs/job_service.hpp"

#include <algorithm>
#include <random>
#include <system_error>
#include <utility>

#include "catalog/params_schema.hpp"
#include "core/job_paths.hpp"
#include "core/queue_key.hpp"
#include "jobs/draft_check.hpp"
#include "jobs/job_files.hpp"
#include "jobs/owned_key.hpp"
#include "telemetry/metrics.hpp"

namespace jobhost::jobs {
namespace {

using core::Error;
using core::ErrorCode;

constexpr std::size_t kTypeBytes = 200;
constexpr std::size_t kReasonBytes = 1'000;
constexpr std::size_t kIdempotencyKeyBytes = 256;
constexpr std::size_t kFieldErrors = 100;
constexpr std::int64_t kLogPartBytes = 8 << 20;
constexpr int kPageJobs = 1'000;
constexpr int kPageEvents = 10'000;
constexpr int kPageBatches = 200;
constexpr int kBulkPages = 20;                 ///< pages of a scan that one action over a filter goes through
constexpr std::size_t kFoldersAtOnce = 5'000;  ///< of removed jobs, which the caller waits for

/// What an action is for, when the caller does not say.
std::vector<core::JobState> statesFor(store::BulkAction action) {
  std::vector<core::JobState> states;
  for (int i = 0; i < core::kJobStateCount; ++i) {
    const auto state = static_cast<core::JobState>(i);
    const bool fits = action == store::BulkAction::Cancel ? !core::isTerminal(state)
                      : action == store::BulkAction::Remove
                          ? core::isTerminal(state)
                          : state == core::JobState::Failed || state == core::JobState::Canceled;
    if (fits) states.push_back(state);
  }
  return states;
}

/// 80 random bits.
std::string newBatchId() {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::random_device random;
  std::string id = "b_";
  while (id.size() < 22) {
    for (auto bits = random(), i = 0U; i < 8 && id.size() < 22; ++i, bits >>= 4) id += kDigits[bits & 15U];
  }
  return id;
}

Error invalid(std::vector<core::FieldError> fields) {
  if (fields.size() > kFieldErrors) fields.resize(kFieldErrors);
  std::string message = fields.front().pointer + ": " + fields.front().message;
  if (fields.size() > 1) message += " (and " + std::to_string(fields.size() - 1) + " more)";
  return {ErrorCode::InvalidArgument, std::move(message), "", std::move(fields)};
}

Error invalid(std::string pointer, std::string message) {
  return invalid({{std::move(pointer), std::move(message)}});
}

void prefix(std::vector<core::FieldError>& fields, const std::string& with) {
  for (auto& field : fields) field.pointer.insert(0, with);
}

core::Result<void> checkIdempotency(const std::optional<store::Idempotency>& idempotency) {
  if (!idempotency) return {};
  if (idempotency->key.empty()) return invalid("Idempotency-Key", "must not be empty");
  if (idempotency->key.size() > kIdempotencyKeyBytes) return invalid("Idempotency-Key", "is longer than 256 bytes");
  return {};
}

// Cut at a character, so that what is stored stays UTF-8.
std::string shortened(std::string text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  std::size_t end = max_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  text.resize(end);
  return text;
}

void countMade(const std::vector<store::Submitted>& stored) {
  const auto made = std::count_if(stored.begin(), stored.end(), [](const auto& one) { return !one.existing; });
  telemetry::metrics().add(telemetry::Counter::JobsSubmitted, made);
}

}  // namespace

JobService::JobService(store::JobStore& store, catalog::Catalog& catalog, const core::Clock& clock, Options options)
    : store_(store), catalog_(catalog), clock_(clock), options_(std::move(options)) {}

core::Result<core::JobDraft> JobService::check(JobRequest request) const {
  core::JobDraft& draft = request.draft;
  const SubmitLimits& limits = options_.limits;
  if (draft.type.empty()) return invalid("/type", "is missing");
  if (draft.type.size() > kTypeBytes) return invalid("/type", "is longer than 200 bytes");
  const auto type = catalog_.findType(draft.type);
  if (!type) {
    return Error{ErrorCode::NotFound,
                 "no plugin handles the job type \"" + draft.type + "\"",
                 "",
                 {{"/type", "is not a known job type"}}};
  }
  if (request.args_json) {
    auto named = paramsFromArgs(*request.args_json, type->info.positional, limits.params_bytes);
    if (!named) return named.error();
    draft.params_json = *std::move(named);
    draft.args_json = *std::move(request.args_json);
  }
  if (draft.params_json.size() > limits.params_bytes) {
    return Error{ErrorCode::TooLarge,
                 "params are longer than " + std::to_string(limits.params_bytes) + " bytes",
                 "",
                 {{"/params", "is too long"}}};
  }
  draft.max_attempts = request.max_attempts.value_or(type->info.retry.max_attempts);
  draft.backoff = request.backoff.value_or(type->info.retry.backoff);

  std::vector<core::FieldError> errors;
  auto params = type->schema->check(draft.params_json);
  if (params) {
    draft.params_json = *std::move(params);
  } else if (params.error().code != ErrorCode::InvalidArgument) {
    prefix(params.error().fields, "/params");
    return params.error();
  } else {
    errors = std::move(params.error().fields);
    if (errors.empty()) errors.push_back({"", params.error().message});
    prefix(errors, "/params");
  }
  checkDraft(draft, limits, clock_.now(), errors);
  if (!draft.input_id.empty() && isInputId(draft.input_id)) {
    std::error_code failed;
    const auto folder = core::inputFolder(options_.data_folder, draft.input_id);
    if (!std::filesystem::is_directory(std::filesystem::symlink_status(folder, failed))) {
      errors.push_back({"/input_id", "no such upload"});
    }
  }
  if (!errors.empty()) return invalid(std::move(errors));
  if (request.own_only && !draft.queue_key.empty()) draft.queue_key = ownedKey(draft.owner, draft.queue_key);
  if (request.fair_queue) draft.queue_key = core::fairKey(draft.owner);
  return std::move(draft);
}

std::vector<core::FieldError> JobService::faults(JobRequest request) const {
  auto draft = check(std::move(request));
  return draft ? std::vector<core::FieldError>{} : std::move(draft.error().fields);
}

core::Result<store::Submitted> JobService::submit(JobRequest request, std::optional<store::Idempotency> idempotency) {
  if (auto usable = checkIdempotency(idempotency); !usable) return usable.error();
  const bool own_only = request.own_only;
  auto draft = check(std::move(request));
  if (!draft) return draft.error();
  std::vector<core::JobDraft> drafts;
  drafts.push_back(*std::move(draft));
  store::SubmitOptions options;
  options.idempotency = std::move(idempotency);
  options.own_only = own_only;
  auto stored = storeAll(std::move(drafts), std::move(options));
  if (!stored) {
    for (auto& field : stored.error().fields) {
      if (field.pointer.starts_with("/0/")) field.pointer.erase(0, 2);  // the only job: no index
    }
    return stored.error();
  }
  if (stored->size() != 1) return Error{ErrorCode::Internal, "the job could not be stored", "store answered no id", {}};
  return stored->front();
}

core::Result<std::vector<core::JobDraft>> JobService::checkMany(std::vector<JobRequest> requests,
                                                                const std::string& pointer) const {
  if (requests.empty()) return invalid(pointer, "names no job");
  if (requests.size() > options_.limits.batch_jobs) {
    return Error{
        ErrorCode::TooLarge, "more than " + std::to_string(options_.limits.batch_jobs) + " jobs at once", "", {}};
  }
  std::vector<core::JobDraft> drafts;
  drafts.reserve(requests.size());
  std::vector<core::FieldError> errors;
  for (std::size_t i = 0; i < requests.size() && errors.size() < kFieldErrors; ++i) {
    auto draft = check(std::move(requests[i]));
    if (draft) {
      if (errors.empty()) drafts.push_back(*std::move(draft));
      continue;
    }
    auto& fields = draft.error().fields;
    prefix(fields, pointer + "/" + std::to_string(i));
    // An unknown type among others is one wrong field of the request.
    if (draft.error().code != ErrorCode::InvalidArgument && draft.error().code != ErrorCode::NotFound)
      return draft.error();
    std::move(fields.begin(), fields.end(), std::back_inserter(errors));
  }
  if (!errors.empty()) return invalid(std::move(errors));
  return drafts;
}

void JobService::limitQueues(store::SubmitOptions& options) const {
  options.max_queued_per_type = options_.limits.queued_per_type;
  options.max_queued_per_owner = options_.limits.queued_per_owner;
}

core::Result<std::vector<store::Submitted>> JobService::storeAll(std::vector<core::JobDraft> drafts,
                                                                 store::SubmitOptions options) {
  limitQueues(options);
  auto stored = store_.submit(std::move(drafts), std::move(options));
  if (stored) countMade(*stored);
  return stored;
}

core::Result<std::vector<store::Submitted>> JobService::submitMany(std::vector<JobRequest> requests,
                                                                   std::optional<store::Idempotency> idempotency) {
  if (auto usable = checkIdempotency(idempotency); !usable) return usable.error();
  store::SubmitOptions options;
  options.idempotency = std::move(idempotency);
  options.own_only = std::any_of(requests.begin(), requests.end(), [](const auto& one) { return one.own_only; });
  auto drafts = checkMany(std::move(requests), "");
  if (!drafts) return drafts.error();
  return storeAll(*std::move(drafts), std::move(options));
}

core::Result<store::SubmittedBatch> JobService::submitBatch(std::string name, std::string owner,
                                                            std::vector<JobRequest> requests,
                                                            std::optional<store::Idempotency> idempotency) {
  if (auto usable = checkIdempotency(idempotency); !usable) return usable.error();
  std::vector<core::FieldError> errors;
  checkBatchName(name, options_.limits, errors);
  if (!errors.empty()) return invalid(std::move(errors));
  store::SubmitOptions options;
  options.idempotency = std::move(idempotency);
  options.own_only = std::any_of(requests.begin(), requests.end(), [](const auto& one) { return one.own_only; });
  const std::string id = newBatchId();
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (!requests[i].draft.batch.empty()) {
      return invalid("/jobs/" + std::to_string(i) + "/batch", "is the batch that is made here");
    }
    requests[i].draft.batch = id;
  }
  auto drafts = checkMany(std::move(requests), "/jobs");
  if (!drafts) return drafts.error();
  options.batch = store::BatchDraft{id, std::move(name), std::move(owner)};
  limitQueues(options);
  auto stored = store_.submitBatch(*std::move(drafts), std::move(options));
  if (stored) {
    countMade(stored->jobs);
  } else {
    for (auto& field : stored.error().fields) field.pointer.insert(0, "/jobs");
  }
  return stored;
}

core::Result<core::Job> JobService::get(core::JobId id) {
  return store_.get(id);
}

core::Result<std::string> JobService::owner(core::JobId id) {
  return store_.owner(id);
}

core::Result<store::Belonging> JobService::belonging(core::JobId id) {
  return store_.belonging(id);
}

core::Result<store::Page> JobService::list(const store::JobFilter& filter, const store::ListOptions& options) {
  if (options.limit < 1 || options.limit > kPageJobs) {
    return invalid("/limit", "must be between 1 and " + std::to_string(kPageJobs));
  }
  return store_.list(filter, options);
}

core::Result<store::Counted> JobService::count(const store::JobFilter& filter) {
  return store_.count(filter);
}

core::Result<store::CancelOutcome> JobService::cancel(core::JobId id, std::string reason, std::string reason_below) {
  return store_.cancel(id, shortened(std::move(reason), kReasonBytes),
                       shortened(std::move(reason_below), kReasonBytes));
}

core::Result<void> JobService::retry(core::JobId id) {
  return store_.retry(id);
}
core::Result<void> JobService::suspend(core::JobId id) {
  return store_.suspend(id);
}
core::Result<void> JobService::resume(core::JobId id) {
  return store_.resume(id);
}

std::vector<core::FieldError> JobService::faults(const std::optional<int>& priority,
                                                 const std::optional<std::vector<std::string>>& tags) const {
  std::vector<core::FieldError> errors;
  const int limit = options_.limits.priority_abs;
  if (priority && (*priority < -limit || *priority > limit)) {
    errors.push_back({"/priority", "must be between " + std::to_string(-limit) + " and " + std::to_string(limit)});
  }
  if (tags) checkTags(*tags, options_.limits, errors);
  return errors;
}

core::Result<void> JobService::change(core::JobId id, std::optional<int> priority,
                                      std::optional<std::vector<std::string>> tags) {
  if (auto errors = faults(priority, tags); !errors.empty()) return invalid(std::move(errors));
  // The priority first: it is what a job's state can refuse.
  if (priority) {
    if (auto set = store_.setPriority(id, *priority); !set) return set;
  }
  if (tags) return store_.setTags(id, *std::move(tags));
  return {};
}

core::Result<void> JobService::remove(core::JobId id, store::Removal how) {
  const auto removed = store_.remove(id, how);
  if (!removed) return removed.error();
  std::size_t left = kFoldersAtOnce;
  removeFolders(*removed, left);
  return {};
}

/// `left` counts down. What is beyond goes with retention's next sweep, as all folders do whose job is gone.
void JobService::removeFolders(const std::vector<core::JobId>& ids, std::size_t& left) const {
  for (const auto id : ids) {
    if (left == 0) return;
    --left;
    removeJobFolder(options_.data_folder, id);
  }
}

core::Result<JobService::BulkOutcome> JobService::applyAll(store::BulkAction action, store::JobFilter filter,
                                                           std::optional<core::JobId> cursor, int limit,
                                                           std::string reason) {
  if (limit < 1 || limit > kBulkJobs) return invalid("/limit", "must be between 1 and " + std::to_string(kBulkJobs));
  if (filter.states.empty()) filter.states = statesFor(action);
  if (action == store::BulkAction::Remove) limit = std::min(limit, kBulkRemoved);
  const store::BulkOptions options{shortened(std::move(reason), kReasonBytes), options_.limits.queued_per_type,
                                   options_.limits.queued_per_owner};
  std::size_t folders = kFoldersAtOnce;
  BulkOutcome outcome;
  outcome.next = cursor;
  // Canceled are parents first: one whose children have all ended would go on, or even succeed, before its turn comes.
  const bool oldest_first = action == store::BulkAction::Cancel;
  for (int page = 0; page < kBulkPages; ++page) {
    const auto left = limit - static_cast<int>(outcome.matched);
    const auto found = store_.list(filter, {outcome.next, oldest_first, std::min(left, kPageJobs), false});
    if (!found) return found.error();
    std::vector<core::JobId> ids;
    ids.reserve(found->jobs.size());
    for (const auto& job : found->jobs) ids.push_back(job.id);
    const auto applied = store_.applyAll(action, ids, options);
    if (!applied) return applied.error();
    removeFolders(applied->removed, folders);
    outcome.changed += std::count(applied->changed.begin(), applied->changed.end(), true);
    outcome.matched += static_cast<std::int64_t>(applied->changed.size());
    if (applied->stopped) {
      if (outcome.matched == 0) return *applied->stopped;
      if (!applied->changed.empty()) outcome.next = ids[applied->changed.size() - 1];
      break;
    }
    outcome.next = found->next;
    if (!outcome.next || outcome.matched >= limit) break;
  }
  return outcome;
}

core::Result<store::Batch> JobService::batch(const std::string& id) {
  return store_.batch(id);
}

core::Result<store::BatchPage> JobService::batches(const std::string& owner, std::optional<std::int64_t> cursor,
                                                   int limit) {
  if (limit < 1 || limit > kPageBatches) {
    return invalid("/limit", "must be between 1 and " + std::to_string(kPageBatches));
  }
  return store_.batches(owner, cursor, limit);
}

core::Result<JobService::BulkOutcome> JobService::applyToBatch(store::BulkAction action, const store::Batch& batch,
                                                               std::optional<core::JobId> cursor, std::string reason) {
  store::JobFilter filter;
  filter.batch = batch.id;
  filter.owner = batch.owner;
  return applyAll(action, std::move(filter), cursor, kBulkJobs, std::move(reason));
}

core::Result<JobService::BulkOutcome> JobService::removeBatch(const store::Batch& batch,
                                                              std::optional<core::JobId> cursor) {
  for (int i = 0; i < core::kJobStateCount; ++i) {
    if (batch.by_state[i] == 0 || core::isTerminal(static_cast<core::JobState>(i))) continue;
    return Error{ErrorCode::Conflict, "a job of batch " + batch.id + " has not ended: cancel the batch first", "", {}};
  }
  const auto live = store_.liveBelow(batch);
  if (!live) return live.error();
  if (*live) {
    return Error{
        ErrorCode::Conflict, "a job below job " + core::toString(**live) + " of the batch has not ended", "", {}};
  }
  const auto done = applyToBatch(store::BulkAction::Remove, batch, cursor);
  if (!done) return done.error();
  if (done->next) return done;
  const auto removed = store_.removeBatch(batch.id);
  if (removed) return done;
  if (removed.error().code != ErrorCode::Conflict) return removed.error();
  return Error{ErrorCode::Conflict,
               std::to_string(done->changed) + " jobs were deleted; others of batch " + batch.id +
                   " came meanwhile, or have not ended, and the batch stays",
               "",
               {}};
}

core::Result<std::vector<core::JobEvent>> JobService::events(std::int64_t after_seq, std::optional<core::JobId> job,
                                                             int limit) {
  return store_.events(after_seq, job, std::clamp(limit, 1, kPageEvents));
}

core::Result<store::EventPage> JobService::eventsOfOwner(const std::string& owner, std::int64_t after_seq, int limit) {
  return store_.eventsOfOwner(owner, after_seq, std::clamp(limit, 1, kPageEvents));
}

core::Result<std::int64_t> JobService::lastSeq() {
  return store_.lastSeq();
}

core::Result<std::vector<store::StateCounts>> JobService::counts() {
  return store_.counts();
}

core::Result<JobService::LogPart> JobService::log(core::JobId id, std::int64_t offset, std::int64_t limit) {
  if (offset < 0) return invalid("/offset", "must not be negative");
  if (limit < 0) return invalid("/limit", "must not be negative");
  auto part = readPart(core::jobPaths(options_.data_folder, id).log, offset, std::min(limit, kLogPartBytes));
  if (part) return LogPart{std::move(part->bytes), offset, part->size};
  if (part.error().code != ErrorCode::NotFound) return part.error();
  // A job that wrote no line has no file.
  if (auto job = store_.get(id); !job) return job.error();
  return LogPart{"", offset, 0};
}

core::Result<JobService::OutputFile> JobService::output(core::JobId id, const std::string& name) {
  const auto job = store_.get(id);
  if (!job) return job.error();
  return output(*job, name);
}

core::Result<JobService::OutputFile> JobService::output(const core::Job& job, const std::string& name) const {
  const auto listed = std::find_if(job.outputs.begin(), job.outputs.end(),
                                   [&](const core::Output& output) { return output.name == name; });
  if (listed == job.outputs.end()) return Error{ErrorCode::NotFound, "the job has no output of that name", "", {}};
  const auto folder = core::jobPaths(options_.data_folder, job.id).output;
  if (auto safe = checkBeneath(folder, name); !safe) return safe.error();
  return OutputFile{*listed, folder / name};
}

}  // namespace jobhost::jobs
