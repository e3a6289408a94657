#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "store/job_store.hpp"
#include "store/sql_attempts.hpp"
#include "store/sql_claim.hpp"
#include "store/sql_commands.hpp"
#include "store/sql_records.hpp"
#include "store/sql_submit.hpp"

namespace jobhost::store {

/// Everything that changes the database, on one connection. Only the writer thread touches it.
struct WriteSide {
  Database database;
  Ledger ledger;
  JobTable table;
  Moves moves;
  SubmitOps submits;
  ClaimOps claims;
  RecordOps records;
  AttemptOps attempts;
  CommandOps commands;

  WriteSide(const Database::Options& options, const RecordQuota& quota, const core::Clock& clock);
};

/// One call that waits for its commit.
class Command {
 public:
  virtual ~Command() = default;
  /// Does the work; may run again when the batch had to be rolled back. Throws SqlError.
  virtual void run(WriteSide& side) = 0;
  /// Tells the caller, once: after the commit, or that there was none.
  virtual void succeed() = 0;
  virtual void fail(const core::Error& error) = 0;
};

template <class T>
class CommandOf final : public Command {
 public:
  using Work = std::function<core::Result<T>(WriteSide&)>;
  CommandOf(Work work, JobStore::Done<T> done) : work_(std::move(work)), done_(std::move(done)) {}
  void run(WriteSide& side) override { answer_.emplace(work_(side)); }
  void succeed() override {
    if (done_) done_(*std::move(answer_));
  }
  void fail(const core::Error& error) override {
    if (done_) done_(error);
  }

 private:
  Work work_;
  JobStore::Done<T> done_;
  std::optional<core::Result<T>> answer_;
};

/// The one thread that writes: takes every command that waits, runs them in one transaction, serves the standing claim
/// in it, commits once, then tells everyone (group commit). A second, small thread copies the WAL into the database
/// file, so that commits do not wait for that.
///
/// Thread-safety: post(), placeClaim() and failed() from any thread; hooks are set before the first post().
class Writer {
 public:
  struct Options {
    Database::Options database;
    std::size_t max_batch = 512;           ///< commands in one commit
    std::int64_t checkpoint_pages = 4096;  ///< WAL pages after which it is copied into the database
    RecordQuota quota;
    std::function<void(const std::string&)> on_fatal;
  };
  Writer(Options options, const core::Clock& clock);
  ~Writer();  ///< finishes what waits, then closes

  void post(std::unique_ptr<Command> command);
  void placeClaim(ClaimRequest request);
  /// Why nothing is taken any more; nullopt: all is well.
  std::optional<core::Error> failed();
  /// Runs on the writer thread and returns when it has. For tests.
  void inspectForTest(const std::function<void(WriteSide&)>& look);

  JobStore::EventHook event_hook;
  std::function<void(ClaimBatch)> claim_hook;
  std::function<void(core::Instant)> due_hook;

  /// What the caller of tick() knows now. Writer thread, inside a command.
  void setKnownDue(std::optional<core::Instant> due) {
    next_known_due_ = due;
    due_learned_ = true;
  }

 private:
  using Batch = std::vector<std::unique_ptr<Command>>;
  void loop();
  void process(Batch batch);
  std::optional<SqlError> tryCommit(std::span<const std::unique_ptr<Command>> commands);
  void oneByOne(Batch& batch);
  bool ready();
  void stopFor(const SqlError& error);
  void tell();
  void checkpointLoop();
  void wakeCheckpointer(std::int64_t wal_pages);
  void finishCheckpoint();

  Options options_;
  const core::Clock& clock_;
  WriteSide side_;
  bool ledger_valid_ = true;
  std::optional<ClaimBatch> claimed_;
  std::optional<core::Instant> known_due_;       ///< the earliest moment anyone was told
  std::optional<core::Instant> next_known_due_;  ///< becomes it with the commit
  bool due_learned_ = false;
  std::int64_t wal_pages_ = 0;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Command>> waiting_;
  std::optional<ClaimRequest> request_;
  bool stop_ = false;
  std::optional<core::Error> fatal_;

  std::mutex checkpoint_mutex_;
  std::condition_variable checkpoint_wake_;
  bool checkpoint_wanted_ = false;
  bool checkpoint_stop_ = false;
  std::atomic<bool> checkpoint_done_{false};

  std::thread checkpointer_;
  std::thread thread_;  // last: starts when everything is there
};

}  // namespace jobhost::store
