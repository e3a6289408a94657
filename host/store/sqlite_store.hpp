#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "store/job_store.hpp"
#include "store/principal_store.hpp"
#include "store/record_store.hpp"

namespace jobhost::store {

class Writer;
class ReaderPool;
struct WriteSide;

/// Jobs, principals and records in one SQLite file. One process at a time may have it open for writing: the caller
/// holds a lock on the data folder. Decisions: docs/decisions/0010-sqlite-store.md.
class SqliteStore final : public JobStore, public PrincipalStore, public RecordStore {
 public:
  template <class T>
  using Done = JobStore::Done<T>;  ///< RecordStore's is the same

  struct Options {
    std::string path;              ///< of the database file; made when absent, its folder must exist
    bool synchronous_full = true;  ///< false: a power cut may lose the last commits (never a crash of the host alone)
    int max_batch = 512;           ///< commands in one commit
    int readers = 3;               ///< connections for reading
    int cache_kib = 8192;          ///< of the writer; each reader has a quarter
    int checkpoint_pages = 4096;   ///< of 4 KiB in the WAL before it is copied into the database
    RecordQuota records;           ///< of each plugin
    std::string vfs;               ///< SQLite VFS; empty: the default
    /// Called once, from a thread of the store, when a sync of the disk failed: end the process.
    std::function<void(const std::string& reason)> on_fatal;
  };
  /// Opens or makes the database and brings its schema up to date. Unavailable: cannot be opened, read or written, is
  /// damaged; Unsupported: written by a newer jobhost. `clock` is borrowed for the store's life.
  static core::Result<std::unique_ptr<SqliteStore>> open(Options options, const core::Clock& clock);
  ~SqliteStore() override;  ///< finishes what waits; nothing may be called any more

  void setEventHook(EventHook hook) override;
  core::Result<std::vector<Submitted>> submit(std::vector<core::JobDraft> drafts, SubmitOptions options) override;
  void submitAsync(std::vector<core::JobDraft> drafts, SubmitOptions options,
                   Done<std::vector<Submitted>> done) override;
  core::Result<SubmittedBatch> submitBatch(std::vector<core::JobDraft> drafts, SubmitOptions options) override;

  void setClaimHook(std::function<void(ClaimBatch)> hook) override;
  void setDueHook(std::function<void(core::Instant)> hook) override;
  void claim(ClaimRequest request) override;
  void settle(std::vector<AttemptOutcome> outcomes, Done<std::vector<Settled>> done) override;
  void update(std::vector<AttemptUpdate> updates, Done<void> done) override;
  void renew(std::vector<LeaseRef> leases, core::Millis lease, Done<std::vector<LeaseRef>> done) override;
  void tick(Done<TickResult> done) override;
  core::Result<TickResult> rescueAll() override;

  core::Result<CancelOutcome> cancel(core::JobId id, std::string reason, std::string reason_below = {}) override;
  core::Result<void> retry(core::JobId id) override;
  core::Result<void> suspend(core::JobId id) override;
  core::Result<void> resume(core::JobId id) override;
  core::Result<void> setPriority(core::JobId id, int priority) override;
  core::Result<void> setTags(core::JobId id, std::vector<std::string> tags) override;
  core::Result<std::vector<core::JobId>> remove(core::JobId id, Removal how = Removal::Ended) override;
  core::Result<BulkApplied> applyAll(BulkAction action, std::span<const core::JobId> ids, BulkOptions options) override;
  core::Result<std::vector<core::JobId>> purge(core::Instant cutoff, int limit) override;

  core::Result<Batch> batch(const std::string& id) override;
  core::Result<BatchPage> batches(const std::string& owner, std::optional<std::int64_t> cursor, int limit) override;
  core::Result<std::optional<core::JobId>> liveBelow(const Batch& batch) override;
  core::Result<void> removeBatch(const std::string& id) override;

  void saveCheckpoint(LeaseRef lease, std::string bytes, Done<void> done) override;
  core::Result<std::optional<std::string>> loadCheckpoint(core::JobId id) override;

  core::Result<core::Job> get(core::JobId id) override;
  core::Result<Belonging> belonging(core::JobId id) override;
  core::Result<Page> list(const JobFilter& filter, const ListOptions& options) override;
  core::Result<Counted> count(const JobFilter& filter) override;
  core::Result<std::vector<core::JobEvent>> events(std::int64_t after_seq, std::optional<core::JobId> job,
                                                   int limit) override;
  core::Result<EventPage> eventsOfOwner(const std::string& owner, std::int64_t after_seq, int limit) override;
  core::Result<std::int64_t> lastSeq() override;
  core::Result<std::vector<StateCounts>> counts() override;
  core::Result<void> check() override;

  core::Result<void> addKey(const ApiKey& key, int max_of_owner, const AuditEntry& audit) override;
  core::Result<void> revokeKey(const std::string& id, core::Instant at, const AuditEntry& audit) override;
  core::Result<void> revokeKeysOf(const std::string& user, core::Instant at, const AuditEntry& audit) override;
  void touchKey(const std::string& id, core::Instant at) override;
  core::Result<std::vector<ApiKey>> keys() override;
  core::Result<ApiKey> key(const std::string& id) override;
  core::Result<std::vector<ApiKey>> keys(const std::string& owner, const std::string& after, int limit) override;
  core::Result<int> purgeKeys(core::Instant cutoff, int limit) override;

  core::Result<void> addUser(const User& user, std::int64_t max_users, const AuditEntry& audit) override;
  core::Result<void> changeUser(const User& user, const std::optional<std::string>& end_sessions_but,
                                const AuditEntry& audit) override;
  core::Result<void> removeUser(const std::string& id, core::Instant at, const AuditEntry& audit) override;
  core::Result<void> loggedIn(const std::string& id, core::Instant at, const std::string& password) override;
  core::Result<std::vector<User>> users() override;

  core::Result<std::vector<std::string>> addSession(const Session& session, int max_per_user) override;
  core::Result<void> revokeSession(const std::string& id, core::Instant at, const AuditEntry* audit) override;
  core::Result<void> revokeSessions(const std::string& user, const std::string& keep, core::Instant at,
                                    const AuditEntry& audit) override;
  void touchSession(const std::string& id, core::Instant at) override;
  core::Result<std::vector<Session>> sessions(core::Instant now) override;
  core::Result<int> purgeSessions(core::Instant cutoff, int limit) override;

  core::Result<void> addAudit(const AuditEntry& entry) override;
  core::Result<std::vector<AuditLine>> audit(const AuditFilter& filter) override;
  core::Result<int> purgeAudit(core::Instant cutoff, std::int64_t max_lines, int limit) override;

  core::Result<bool> declareCollections(const std::string& plugin,
                                        const std::vector<CollectionSpec>& collections) override;
  core::Result<bool> reindex(int records) override;
  core::Result<std::vector<CollectionInfo>> collections(const std::string& plugin) override;
  core::Result<CollectionInfo> collection(const std::string& plugin, const std::string& name) override;
  void writeRecords(std::vector<RecordWrite> writes, RecordStore::Done<std::vector<std::int64_t>> done) override;
  core::Result<std::optional<Record>> record(const RecordRef& at, bool with_body = true) override;
  core::Result<RecordPage> records(const RecordQuery& query) override;
  core::Result<std::int64_t> countRecords(const RecordQuery& query) override;

  /// The plans of every statement in use, "sql => plan". For tests.
  std::vector<std::string> queryPlansForTest();

 private:
  SqliteStore(Options options, const core::Clock& clock);
  template <class T>
  core::Result<T> change(std::function<core::Result<T>(WriteSide&)> work);
  template <class T>
  void changeAsync(std::function<core::Result<T>(WriteSide&)> work, Done<T> done);
  template <class T, class Read>
  core::Result<T> readRecords(Read read);

  core::Result<void> cancelRest(std::span<const core::JobId> ids, bool left);
  /// Removes a tree larger than one step, if all of it has ended (before `cutoff`); answers its ids, parents first.
  core::Result<std::vector<core::JobId>> removeLarge(core::JobId root, core::Instant cutoff);

  const core::Clock& clock_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<ReaderPool> readers_;
  std::mutex purge_mutex_;
  std::mutex collections_mutex_;                                                     ///< guards the two below
  std::map<std::pair<std::string, std::string>, CollectionInfo> known_collections_;  ///< without their counts
  std::uint64_t declared_ = 0;         ///< grows with each declaration: what was read before one is not kept after it
  std::int64_t purged_until_seq_ = 0;  ///< events up to here lead to nothing more to purge
};

}  // namespace jobhost::store
