#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/event.hpp"
#include "core/job.hpp"
#include "core/result.hpp"
#include "store/attempt_writes.hpp"

namespace jobhost::store {

/// What submit() made or found.
struct Submitted {
  core::JobId id;
  core::JobState state = core::JobState::Queued;
  bool existing = false;  ///< unique_key, dedupe_key or an Idempotency-Key named a job that was there already
};

/// A client's promise that two requests with the same key are one (Idempotency-Key).
struct Idempotency {
  std::string principal;
  std::string key;
  std::string request_digest;  ///< of the body: the same key with another body is a Conflict
  core::Millis keep{24 * 3600 * 1000};
};

/// A named group of jobs to be made with them. Its jobs are those of its owner whose `batch` is its id: more may
/// follow.
struct BatchDraft {
  std::string id;  ///< new; unguessable, so that no label comes upon it by chance
  std::string name;
  std::string owner;  ///< principal's id
};

/// A batch as stored, and how its jobs stand.
struct Batch {
  std::int64_t number = 0;  ///< grows with each batch: the order of lists
  std::string id;
  std::string name;
  std::string owner;
  core::Instant created_at;
  std::int64_t by_state[core::kJobStateCount] = {};
  /// Jobs that are still there, whatever their state.
  [[nodiscard]] std::int64_t total() const {
    std::int64_t sum = 0;
    for (const auto n : by_state) sum += n;
    return sum;
  }
};

struct BatchPage {
  std::vector<Batch> batches;        ///< newest first
  std::optional<std::int64_t> next;  ///< pass as cursor for the next page; nullopt: the end
};

/// What submitBatch() made, or found by an Idempotency-Key.
struct SubmittedBatch {
  std::string id;
  std::vector<Submitted> jobs;
  bool replayed = false;  ///< an earlier request with this Idempotency-Key made it; nothing was made now
};

/// A piece of the story of one owner's jobs.
struct EventPage {
  std::vector<core::JobEvent> events;  ///< oldest first
  std::int64_t next = 0;               ///< every event up to this number was looked at
  bool end = false;                    ///< there are none beyond it now
};

/// What of a job never changes and says who hears of it.
struct Belonging {
  std::string owner;
  std::string batch;
};

struct SubmitOptions {
  std::optional<Idempotency> idempotency;
  std::int64_t max_queued_per_type = 0;   ///< queued jobs of a type beyond which submit answers Exhausted; 0: no limit
  std::int64_t max_queued_per_owner = 0;  ///< the same per principal
  /// A draft reaches jobs of its own owner alone: another's parent or dependency is NotFound, another's unique key a
  /// Conflict.
  bool own_only = false;
  /// Made in the same transaction, also when all its jobs were there already; the drafts name it themselves.
  std::optional<BatchDraft> batch;
};

/// How often a job is rescued (see JobStore::tick) before it fails; the retry command starts the count anew.
inline constexpr int kMaxRescues = 10;

/// Names one claim of one job. A job rescued and claimed again has another token, so a late report is recognised.
using LeaseToken = std::int64_t;

struct TypeQuota {
  std::string type;
  int max = 0;    ///< jobs of it
  int group = 0;  ///< index into ClaimRequest::groups: types of one plugin share its slots
  int cost = 1;   ///< what one job takes from its group's budget (a short attempt takes a part of a slot)
};

/// What the dispatcher could run now. It stands in the store until jobs for it exist, so nobody polls: a job submitted
/// while a request stands is claimed in the commit that stores it.
struct ClaimRequest {
  std::uint64_t generation = 0;   ///< increasing; a newer request replaces an older one
  std::uint64_t seen = 0;         ///< generation of the last ClaimBatch the caller has processed (see JobStore::claim)
  std::vector<TypeQuota> quotas;  ///< types not named are not claimed
  /// Budgets the types of a group share. A job is claimed while its group has more than 0 left (the last one may
  /// overdraw it); beyond that its type is passed over as if its quota were used up. Empty: no budgets.
  std::vector<int> groups;
  int total = 0;        ///< over all types
  int max_per_key = 1;  ///< jobs of one queue key that may run at once
  core::Millis lease{30'000};
};

/// A job given to this host to run, as far as running it needs.
struct ClaimedJob {
  core::JobId id;
  LeaseToken lease = 0;
  std::string type;
  std::string params_json;
  int priority = 0;
  int attempt = 1;
  int retries = 0;
  int max_attempts = 1;
  int rescues = 0;  ///< attempts of it that were lost with their host or lease, since the last retry command
  core::Backoff backoff;
  core::Millis timeout{0};
  std::optional<core::JobId> parent;
  int depth = 0;
  std::string owner;
  std::vector<std::string> tags;
  std::string input_id;
  bool resumed = false;  ///< run again after SUSPENDED: a checkpoint may exist
  core::Instant created_at;
  core::Instant run_at;
};

struct ClaimBatch {
  std::uint64_t generation = 0;  ///< of the request that was served
  std::vector<ClaimedJob> jobs;  ///< in order of dispatch: priority (higher first), run_at, id
};

enum class OutcomeKind {
  Succeeded,
  Failed,  ///< terminal
  Canceled,
  Retry,          ///< failed, and queued again at retry_at
  AwaitChildren,  ///< run() answered SUSPENDED: wait without a slot, also for not_before, then run again (same attempt)
  Requeue,  ///< not the job's doing (host stops, recalled, runner could not start): queued again, attempt not counted
};

/// How an attempt ended.
struct AttemptOutcome {
  core::JobId id;
  LeaseToken lease = 0;
  OutcomeKind kind = OutcomeKind::Failed;
  std::string result_json;              ///< Succeeded
  std::optional<core::JobError> error;  ///< Failed, Retry, Canceled
  core::Instant retry_at;               ///< Retry, Requeue
  /// AwaitChildren: when it wants to run again at the earliest. Such a job is queued, event Queued with the reason
  /// "later", or waits for its children first. Each time over takes the place of the time before in its events.
  std::optional<core::Instant> not_before;
  std::optional<core::Instant> started_at;
  core::Instant finished_at;
  /// Requeue: "recalled", "shutdown", "plugin_unavailable". AwaitChildren with not_before: why, for people; becomes the
  /// message of the job's progress and of the event.
  std::string reason;
  core::Usage usage;
  std::optional<core::ProcessExit> exit;
  std::vector<core::Output> outputs;  ///< already in the job's output folder
  std::optional<core::Progress> progress;
  /// What it wrote to records; null: nothing. Stored in the same transaction where `kind` is Succeeded or
  /// AwaitChildren, else forgotten. Where it cannot be stored (another attempt changed a record this one relied on, a
  /// quota) the attempt has not succeeded: it ends as `if_refused`, Failed or Retry at `refused_retry_at`, with the
  /// reason.
  std::shared_ptr<const AttemptWrites> writes;
  OutcomeKind if_refused = OutcomeKind::Failed;
  core::Instant refused_retry_at;
};

/// What settling did: `applied` is false when the lease was no longer the job's (rescued, canceled, deleted).
struct Settled {
  core::JobId id;
  bool applied = false;
  core::JobState state = core::JobState::Queued;
};

struct LeaseRef {
  core::JobId id;
  LeaseToken lease = 0;
};

/// Progress and notes of a running attempt, gathered by the caller to a few a second per job.
struct AttemptUpdate {
  core::JobId id;
  LeaseToken lease = 0;
  std::optional<core::Progress> progress;
  std::vector<std::pair<std::string, std::string>> notes;  ///< key, JSON value; the value "null" removes the key
};

/// What time brought about.
struct TickResult {
  int promoted = 0;                       ///< delayed jobs whose run_at came
  std::vector<core::JobId> expired;       ///< running jobs whose lease had run out (see JobStore::tick)
  std::optional<core::Instant> next_due;  ///< the next run_at ahead or lease end; nullopt: none
};

enum class CancelOutcome { Canceled, Asked, AlreadyEnded };

/// Of a job that has not ended, or something below it.
enum class Removal {
  Ended,        ///< it stays: Conflict
  CancelFirst,  ///< it is canceled, and goes as soon as the last of its tree has ended
};

/// What may be asked for many jobs at once.
enum class BulkAction { Cancel, Retry, Remove };

struct BulkOptions {
  std::string reason;                     ///< Cancel
  std::int64_t max_queued_per_type = 0;   ///< Retry: as for a submit (SubmitOptions)
  std::int64_t max_queued_per_owner = 0;  ///< Retry
};

/// What became of the jobs of a command over many.
struct BulkApplied {
  /// For each id from the first on: true when it changed (or was asked to), false when its state does not allow it or
  /// it is gone. Shorter than the ids when `stopped`.
  std::vector<bool> changed;
  std::vector<core::JobId> removed;    ///< with what was below them
  std::optional<core::Error> stopped;  ///< Exhausted: the queues are full; why the next one was not looked at
};

struct JobFilter {
  std::vector<core::JobState> states;  ///< empty: any
  std::vector<std::string> types;      ///< empty: any
  std::string owner, batch, tag, queue_key;
  std::string input_id;  ///< the job that took over this upload (unique; needs an index)
  std::optional<core::JobId> parent;
  std::optional<bool> roots_only;
  std::optional<int> min_priority, max_priority;  ///< both are within
  std::optional<core::Instant> created_after, created_before;
  std::optional<core::Instant> finished_after, finished_before;
  /// Each of these must occur in the type, a tag, the params or the notes, as they were spelt; ASCII letters match
  /// without case.
  std::vector<std::string> words;
};

struct Page {
  std::vector<core::Job> jobs;
  std::optional<core::JobId> next;  ///< pass as `cursor` for the next page; nullopt: the end
  std::int64_t passed = 0;          ///< of ListOptions::offset, how many were passed over
};

/// How many jobs a filter matches.
struct Counted {
  std::int64_t jobs = 0;
  bool all = true;  ///< false: there may be more, the count ended at its bound
};

struct ListOptions {
  std::optional<core::JobId> cursor;  ///< jobs beyond this id in the order asked for
  bool ascending = false;             ///< default: newest first
  int limit = 50;                     ///< 1..1000; a page ends earlier with 16 MiB of documents
  bool with_documents = true;         ///< params, result, notes, outputs; false leaves them empty
  std::int64_t offset = 0;            ///< matching jobs to pass over first; a page may end before it has
};

/// Jobs that JobStore::count looks at in their rows, of the index that leads to the fewest; where no row has to be
/// looked at it counts to ten times as many.
inline constexpr int kMostCounted = 100'000;

struct StateCounts {
  std::string type;
  std::int64_t by_state[core::kJobStateCount] = {};
};

/// Where jobs live between requests and restarts. The only door to SQL.
///
/// Thread-safety: every method may be called from any thread. Each change is one transaction; changes that wait
/// together share a commit (group commit), and no answer is given before that commit is durable.
/// Callbacks run on the store's writer thread after the commit: they post a message and return, never block, and never
/// call a blocking method of the store.
/// Errors: Unavailable when the database cannot take the change now (disk full, read-only; worth retrying later),
/// Internal when it answers something the schema forbids (a bug). A failed fsync is fatal: the `on_fatal` option of the
/// implementation is called and every later change answers Unavailable. Never throws.
class JobStore {
 public:
  template <class T>
  using Done = std::function<void(core::Result<T>)>;
  using EventHook = std::function<void(std::span<const core::JobEvent>)>;

  virtual ~JobStore() = default;

  /// Told of every committed event, in order of seq, once, on the writer thread. Set before the first change.
  virtual void setEventHook(EventHook hook) = 0;

  // ---- jobs come to be
  /// Stores all drafts or none, in order; returns when they are durable. Errors: Exhausted (queue limits), Conflict
  /// (Idempotency-Key used with another body), NotFound (parent or depends_on), InvalidArgument (depth limit, parent
  /// ended); pointers of the last two begin with the draft's index ("/3/parent").
  virtual core::Result<std::vector<Submitted>> submit(std::vector<core::JobDraft> drafts, SubmitOptions options) = 0;
  virtual void submitAsync(std::vector<core::JobDraft> drafts, SubmitOptions options,
                           Done<std::vector<Submitted>> done) = 0;
  /// The same with `options.batch`. An Idempotency-Key that was used answers the batch made then, whose jobs may belong
  /// to others; Conflict when that batch is gone.
  virtual core::Result<SubmittedBatch> submitBatch(std::vector<core::JobDraft> drafts, SubmitOptions options) = 0;

  // ---- the dispatcher's side
  /// Where claimed jobs are delivered (writer thread, after the commit). Set before the first claim().
  virtual void setClaimHook(std::function<void(ClaimBatch)> hook) = 0;
  /// Told (writer thread, after the commit) when the earliest moment at which tick() has something to do has moved
  /// nearer: a delayed job was stored, or a lease granted. Set before the first change.
  virtual void setDueHook(std::function<void(core::Instant)> hook) = 0;
  /// Places or replaces the standing request. It is used up by the first batch it yields. A request whose `seen` is
  /// older than the last batch delivered was computed without knowing that batch: it is dropped, and the caller, who is
  /// about to receive the batch, asks again. So no job is ever claimed beyond what the caller can run.
  virtual void claim(ClaimRequest request) = 0;
  /// Ends attempts. Terminal moves happen once; counters of ancestors change in the same transaction; parents whose
  /// children have all ended move on. What is below a job that failed is canceled, beyond some 1000 in later commits.
  virtual void settle(std::vector<AttemptOutcome> outcomes, Done<std::vector<Settled>> done) = 0;
  virtual void update(std::vector<AttemptUpdate> updates, Done<void> done) = 0;
  /// Extends leases to now + lease; answers those that were no longer held.
  virtual void renew(std::vector<LeaseRef> leases, core::Millis lease, Done<std::vector<LeaseRef>> done) = 0;
  /// Promotes delayed jobs that are due and rescues running ones whose lease has run out. That is not the job's
  /// doing: it is queued again in its old place, the attempt not counted (event Queued, reason "lease_expired"); one
  /// that was asked to cancel or suspend ends up canceled or suspended instead. After kMaxRescues it fails, code
  /// "lease_expired". Removes what waits for that (see remove()), some in each call.
  virtual void tick(Done<TickResult> done) = 0;
  /// At start, when no other host can hold a lease: every running job is treated as expired, reason "host_died". Blocks
  /// until durable.
  virtual core::Result<TickResult> rescueAll() = 0;

  // ---- callers' commands; each blocks until durable. NotFound for an unknown id.
  /// Queued, waiting and suspended jobs end at once; a running one is asked (event CancelRequested) and ends when its
  /// attempt does. Descendants are treated alike, beyond some 1000 in steps, parents first; what an error or the end of
  /// the host in between has left follows, and retry() of any of them is a Conflict until then. `reason` becomes the
  /// error's message, of descendants `reason_below`, where it is not empty. A running job that succeeds all the same
  /// has succeeded, unless children of it have not: then it is canceled as it was asked to be.
  virtual core::Result<CancelOutcome> cancel(core::JobId id, std::string reason, std::string reason_below = {}) = 0;
  virtual core::Result<void> retry(core::JobId id) = 0;  ///< failed or canceled → queued; Conflict otherwise
  /// queued → suspended; running: asked to stop, then suspended
  virtual core::Result<void> suspend(core::JobId id) = 0;
  virtual core::Result<void> resume(core::JobId id) = 0;
  virtual core::Result<void> setPriority(core::JobId id, int priority) = 0;
  virtual core::Result<void> setTags(core::JobId id, std::vector<std::string> tags) = 0;
  /// A terminal job with its tree, leaves first; Conflict when one in it is not terminal. Large trees go in steps too.
  /// Answers all that went (files go after). With CancelFirst the tree is canceled before, and where something of it
  /// still runs nothing is answered: tick() removes it once that has ended, also after a restart, and retry() brings
  /// nothing of it back. Its ancestors do not wait for that: their units are without it at once, a job that had not
  /// ended counts as a child that is done and has not failed, and a parent that waited for it alone moves on.
  virtual core::Result<std::vector<core::JobId>> remove(core::JobId id, Removal how = Removal::Ended) = 0;
  /// The same commands for many jobs, each as if it were asked alone, many in one transaction. An error is one that
  /// stopped it: the jobs before may have been changed.
  virtual core::Result<BulkApplied> applyAll(BulkAction action, std::span<const core::JobId> ids,
                                             BulkOptions options) = 0;
  /// Removes terminal root trees that ended before `cutoff`, at most `limit` jobs; answers their ids (files go after).
  /// Batches made before it that have no job left go too.
  virtual core::Result<std::vector<core::JobId>> purge(core::Instant cutoff, int limit) = 0;

  // ---- batches
  virtual core::Result<Batch> batch(const std::string& id) = 0;  ///< NotFound for an unknown id
  /// At most `limit` batches of this owner (empty: of everybody) with smaller numbers than `cursor`, newest first.
  virtual core::Result<BatchPage> batches(const std::string& owner, std::optional<std::int64_t> cursor, int limit) = 0;
  /// A job of the batch below which one has not ended; nullopt: there is none. Reads each job of it.
  virtual core::Result<std::optional<core::JobId>> liveBelow(const Batch& batch) = 0;
  /// Forgets the batch. Conflict while it has jobs; NotFound.
  virtual core::Result<void> removeBatch(const std::string& id) = 0;

  // ---- checkpoints
  virtual void saveCheckpoint(LeaseRef lease, std::string bytes, Done<void> done) = 0;
  virtual core::Result<std::optional<std::string>> loadCheckpoint(core::JobId id) = 0;

  // ---- reading (from a reader connection: sees every commit acknowledged before the call)
  virtual core::Result<core::Job> get(core::JobId id) = 0;
  /// Whose job it is; cheaper than get().
  virtual core::Result<std::string> owner(core::JobId id) {
    auto found = belonging(id);
    if (!found) return found.error();
    return std::move(found->owner);
  }
  /// Whose it is and what batch it says it is of; cheaper than get().
  virtual core::Result<Belonging> belonging(core::JobId id) {
    auto job = get(id);
    if (!job) return job.error();
    return Belonging{std::move(job->owner), std::move(job->batch)};
  }
  virtual core::Result<Page> list(const JobFilter& filter, const ListOptions& options) = 0;
  /// Committed events after `after_seq`, of one job or of all, oldest first, at most `limit`.
  virtual core::Result<std::vector<core::JobEvent>> events(std::int64_t after_seq, std::optional<core::JobId> job,
                                                           int limit) = 0;
  /// Committed events after `after_seq` of the jobs of this owner that are still there, at most `limit`. Looks at a
  /// bounded number of events, so that a call costs little however many others' there are: a page may be empty and not
  /// the end.
  virtual core::Result<EventPage> eventsOfOwner(const std::string& owner, std::int64_t after_seq, int limit) = 0;
  virtual core::Result<std::int64_t> lastSeq() = 0;
  /// Jobs per type and state, from counters kept with each change: costs the same however many jobs there are.
  virtual core::Result<std::vector<StateCounts>> counts() = 0;
  /// Whether the store takes changes now (for /readyz).
  virtual core::Result<void> check() = 0;
  /// How many jobs list() would find on all its pages, within kMostCounted. Exact for states and types alone, whatever
  /// their number. InvalidArgument: words are not counted.
  virtual core::Result<Counted> count(const JobFilter& filter) = 0;
};

}  // namespace jobhost::store
