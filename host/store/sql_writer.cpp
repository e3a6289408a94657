#include "store/sql_writer.hpp"

#include <exception>
#include <span>

#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

namespace jobhost::store {

namespace {

spdlog::logger& log() {
  return telemetry::log("store");
}

const core::Error kClosing{core::ErrorCode::Unavailable, "the host is stopping", {}, {}};

Database::Options checkpointConnection(Database::Options options) {
  options.cache_kib = 64;
  return options;
}

}  // namespace

WriteSide::WriteSide(const Database::Options& options, const RecordQuota& quota, const core::Clock& clock)
    : database(options),
      table((ledger.load(database, clock), database), ledger),
      moves(database, ledger, table),
      submits(database, ledger, table, moves),
      claims(database, ledger, moves),
      records(database, ledger, quota),
      attempts(database, ledger, table, moves, records),
      commands(database, ledger, table, moves, records) {}

Writer::Writer(Options options, const core::Clock& clock)
    : options_(std::move(options)), clock_(clock), side_(options_.database, options_.quota, clock_) {
  sqlite3_wal_hook(
      side_.database.handle(),
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<Writer*>(self)->wal_pages_ = pages;
        return SQLITE_OK;
      },
      this);
  checkpointer_ = std::thread([this] { checkpointLoop(); });
  thread_ = std::thread([this] { loop(); });
}

Writer::~Writer() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
  {
    std::lock_guard lock(checkpoint_mutex_);
    checkpoint_stop_ = true;
  }
  checkpoint_wake_.notify_all();
  checkpointer_.join();
}

void Writer::post(std::unique_ptr<Command> command) {
  std::optional<core::Error> refused;
  {
    std::lock_guard lock(mutex_);
    if (fatal_) {
      refused = fatal_;
    } else if (stop_) {
      refused = kClosing;
    } else {
      waiting_.push_back(std::move(command));
    }
  }
  if (refused) {
    command->fail(*refused);
  } else {
    wake_.notify_one();
  }
}

void Writer::placeClaim(ClaimRequest request) {
  {
    std::lock_guard lock(mutex_);
    if (request_ && request_->generation > request.generation) return;
    request_ = std::move(request);
  }
  wake_.notify_one();
}

std::optional<core::Error> Writer::failed() {
  std::lock_guard lock(mutex_);
  return fatal_;
}

void Writer::loop() {
  for (;;) {
    Batch batch;
    std::optional<ClaimRequest> request;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stop_ || !waiting_.empty() || request_; });
      if (waiting_.empty() && stop_) return;
      const std::size_t count = std::min(waiting_.size(), options_.max_batch);
      batch.reserve(count);
      for (std::size_t i = 0; i < count; ++i) {
        batch.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
      }
      request.swap(request_);
    }
    if (request) side_.claims.place(*std::move(request));
    process(std::move(batch));
    finishCheckpoint();
  }
}

void Writer::process(Batch batch) {
  if (batch.empty() && !side_.claims.worthServing(clock_.now())) return;
  if (auto fatal = failed()) {
    for (const auto& command : batch) command->fail(*fatal);
    return;
  }
  const auto error = tryCommit(batch);
  if (!error) {
    tell();
    for (const auto& command : batch) command->succeed();
    return;
  }
  telemetry::metrics().add(telemetry::Counter::StoreFailures);
  if (error->fatal()) {
    stopFor(*error);
    for (const auto& command : batch) command->fail(*failed());
    return;
  }
  if (batch.size() == 1) {
    log().warn("change refused reason={} code={}", error->what(), error->code());
    batch.front()->fail(error->toError());
    return;
  }
  oneByOne(batch);
}

/// After a batch failed: each command in its own transaction, so that one bad one does not fail the others.
void Writer::oneByOne(Batch& batch) {
  std::optional<core::Error> all_fail;
  for (auto& command : batch) {
    if (all_fail) {
      command->fail(*all_fail);
      continue;
    }
    const auto error = tryCommit(std::span(&command, 1));
    if (!error) {
      tell();
      command->succeed();
      continue;
    }
    log().warn("change refused reason={} code={}", error->what(), error->code());
    if (error->fatal()) {
      stopFor(*error);
      all_fail = failed();
    } else if (error->ofDisk() && (error->code() & 0xff) != SQLITE_FULL) {
      all_fail = error->toError();  // on a full disk a smaller change may still fit
    }
    command->fail(error->fatal() ? *all_fail : error->toError());
  }
}

/// Runs the commands, their consequences and the standing claim in one transaction; nullopt: committed.
std::optional<SqlError> Writer::tryCommit(std::span<const std::unique_ptr<Command>> commands) {
  try {
    const auto begun = std::chrono::steady_clock::now();
    if (!ledger_valid_) {
      side_.ledger.load(side_.database, clock_);
      ledger_valid_ = true;
    }
    side_.ledger.now = clock_.now();
    side_.ledger.steady_now = clock_.steadyNow();
    side_.ledger.due.reset();
    side_.moves.begin();
    due_learned_ = false;
    ledger_valid_ = false;  // until the commit has made it so
    Transaction transaction(side_.database);
    for (const auto& command : commands) command->run(side_);
    side_.moves.settleAll();
    if (side_.claims.worthServing(side_.ledger.now)) claimed_ = side_.claims.serve();
    side_.table.flushCounts();
    transaction.commit();
    ledger_valid_ = true;
    if (claimed_) side_.claims.delivered(*claimed_);
    auto& metrics = telemetry::metrics();
    metrics.add(telemetry::Counter::StoreCommits);
    metrics.add(telemetry::Counter::StoreCommands, static_cast<std::int64_t>(commands.size()));
    metrics.observe(telemetry::Timer::StoreCommit,
                    std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
    return std::nullopt;
  } catch (const SqlError& error) {
    side_.moves.reset();
    side_.records.reset();
    side_.ledger.events.clear();
    claimed_.reset();
    return error;
  } catch (const std::exception& error) {
    side_.moves.reset();
    side_.records.reset();
    side_.ledger.events.clear();
    claimed_.reset();
    return SqlError(SQLITE_MISUSE, error.what());
  }
}

/// After the commit: the claim first, as a runner waits for it, then the events, in order.
void Writer::tell() {
  std::vector<core::JobEvent> events;
  events.swap(side_.ledger.events);
  std::optional<ClaimBatch> claimed;
  claimed.swap(claimed_);
  if (claimed && claim_hook) claim_hook(*std::move(claimed));
  if (due_learned_) known_due_ = next_known_due_;
  due_learned_ = false;
  if (const auto due = std::exchange(side_.ledger.due, std::nullopt); due && (!known_due_ || *due < *known_due_)) {
    known_due_ = due;
    if (due_hook) due_hook(*due);
  }
  if (event_hook && !events.empty()) event_hook(events);
}

void Writer::stopFor(const SqlError& error) {
  {
    std::lock_guard lock(mutex_);
    if (fatal_) return;
    fatal_ = core::Error{core::ErrorCode::Unavailable,
                         "the database's disk failed to sync; the host must be restarted",
                         error.what(),
                         {}};
  }
  log().error("database lost: a sync failed and nothing written can be trusted reason={} code={}", error.what(),
              error.code());
  if (options_.on_fatal) options_.on_fatal(error.what());
}

void Writer::wakeCheckpointer(std::int64_t wal_pages) {
  if (wal_pages < options_.checkpoint_pages) return;
  {
    std::lock_guard lock(checkpoint_mutex_);
    if (checkpoint_wanted_) return;
    checkpoint_wanted_ = true;
  }
  checkpoint_wake_.notify_one();
}

/// The helper thread copies nearly all of the WAL while commits go on; the writer copies the few pages that came
/// meanwhile, and only then can SQLite begin the WAL from its start again.
void Writer::finishCheckpoint() {
  if (!checkpoint_done_.exchange(false)) {
    wakeCheckpointer(wal_pages_);
    return;
  }
  const int code =
      sqlite3_wal_checkpoint_v2(side_.database.handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (code == SQLITE_OK) {
    wal_pages_ = 0;
  } else if (const SqlError error(sqlite3_extended_errcode(side_.database.handle()), "checkpoint"); error.fatal()) {
    stopFor(error);
  }
}

void Writer::checkpointLoop() {
  std::unique_ptr<Database> database;
  for (;;) {
    {
      std::unique_lock lock(checkpoint_mutex_);
      checkpoint_wake_.wait(lock, [this] { return checkpoint_wanted_ || checkpoint_stop_; });
      if (checkpoint_stop_) return;
    }
    try {
      if (!database) database = std::make_unique<Database>(checkpointConnection(options_.database));
      const int code =
          sqlite3_wal_checkpoint_v2(database->handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
      if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) database->fail(code);
    } catch (const SqlError& error) {
      if (error.fatal()) stopFor(error);
      log().warn("checkpoint failed reason={} code={}", error.what(), error.code());
    }
    {
      std::lock_guard lock(checkpoint_mutex_);
      checkpoint_wanted_ = false;
    }
    checkpoint_done_ = true;
  }
}

void Writer::inspectForTest(const std::function<void(WriteSide&)>& look) {
  std::binary_semaphore done(0);
  post(std::make_unique<CommandOf<void>>(
      [&look](WriteSide& side) {
        look(side);
        return core::Result<void>();
      },
      [&done](const core::Result<void>&) { done.release(); }));
  done.acquire();
}

}  // namespace jobhost::store
