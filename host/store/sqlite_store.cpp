#include "store/sqlite_store.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

#include "store/sql_migrations.hpp"
#include "store/sql_reader.hpp"
#include "store/sql_writer.hpp"
#include "store/sqlite_change.hpp"
#include "telemetry/log.hpp"

namespace jobhost::store {

using core::Error;
using core::ErrorCode;
using core::Result;

namespace {

/// Due jobs made ready by one tick; more follow at once in the next.
constexpr int kPromotedPerTick = 5000;
constexpr int kForgottenPerTick = 1000;

TickResult tickNow(WriteSide& side, bool every) {
  TickResult result;
  result.expired = side.attempts.expire(every);
  result.promoted = side.moves.promoteDue(kPromotedPerTick);
  side.submits.forgetExpiredKeys(kForgottenPerTick);
  side.records.forgetExpired(kForgottenPerTick);
  const bool removes = side.commands.removeDue();
  side.moves.settleAll();
  const bool more = removes || !side.ledger.removals_due.empty() || !side.ledger.deserted.empty();
  result.next_due = more ? side.ledger.now : side.attempts.nextLeaseEnd();
  if (const auto delayed = side.ledger.next_delayed) {
    const core::Instant at = core::fromMicros(*delayed);
    result.next_due = result.next_due ? std::min(*result.next_due, at) : at;
  }
  return result;
}

Result<std::vector<Submitted>> submitJobs(WriteSide& side, const std::vector<core::JobDraft>& drafts,
                                          const SubmitOptions& options) {
  auto made = side.submits.submit(drafts, options);
  if (!made) return made.error();
  return std::move(made->jobs);
}

Database::Options databaseOptions(const SqliteStore::Options& options) {
  Database::Options database;
  database.path = options.path;
  database.vfs = options.vfs;
  database.full_sync = options.synchronous_full;
  database.cache_kib = options.cache_kib;
  return database;
}

}  // namespace

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(Options options, const core::Clock& clock) {
  const std::string path = options.path;
  try {
    {
      Database database(databaseOptions(options));
      migrate(database, sqliteMigrations());
    }
    return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(options), clock));
  } catch (const SqlError& error) {
    Error opened = error.toError();
    if ((error.code() & 0xff) == SQLITE_SCHEMA || (error.code() & 0xff) == SQLITE_NOTADB) {
      opened = {error.code() == SQLITE_SCHEMA ? ErrorCode::Unsupported : ErrorCode::Unavailable, error.what(), {}, {}};
    }
    opened.message = "cannot open the job database: " + opened.message;
    opened.detail += " path=" + path;
    return opened;
  } catch (const std::exception& error) {
    return Error{ErrorCode::Unavailable, "cannot open the job database", error.what() + (" path=" + path), {}};
  }
}

SqliteStore::SqliteStore(Options options, const core::Clock& clock) : clock_(clock) {
  Database::Options database = databaseOptions(options);
  Writer::Options writer;
  writer.database = database;
  writer.max_batch = static_cast<std::size_t>(std::max(1, options.max_batch));
  writer.checkpoint_pages = options.checkpoint_pages;
  writer.quota = options.records;
  writer.on_fatal = std::move(options.on_fatal);
  writer_ = std::make_unique<Writer>(std::move(writer), clock);
  database.read_only = true;
  database.cache_kib = std::max(256, options.cache_kib / 4);
  readers_ = std::make_unique<ReaderPool>(database, options.readers);
}

SqliteStore::~SqliteStore() {
  readers_.reset();  // first, so that the writer's close copies the whole WAL into the database
  writer_.reset();
}

void SqliteStore::setEventHook(EventHook hook) {
  writer_->event_hook = std::move(hook);
}
void SqliteStore::setClaimHook(std::function<void(ClaimBatch)> hook) {
  writer_->claim_hook = std::move(hook);
}
void SqliteStore::setDueHook(std::function<void(core::Instant)> hook) {
  writer_->due_hook = std::move(hook);
}
void SqliteStore::claim(ClaimRequest request) {
  writer_->placeClaim(std::move(request));
}

Result<std::vector<Submitted>> SqliteStore::submit(std::vector<core::JobDraft> drafts, SubmitOptions options) {
  return change<std::vector<Submitted>>([&](WriteSide& side) { return submitJobs(side, drafts, options); });
}

void SqliteStore::submitAsync(std::vector<core::JobDraft> drafts, SubmitOptions options,
                              Done<std::vector<Submitted>> done) {
  changeAsync<std::vector<Submitted>>([drafts = std::move(drafts), options = std::move(options)](
                                          WriteSide& side) { return submitJobs(side, drafts, options); },
                                      std::move(done));
}

void SqliteStore::settle(std::vector<AttemptOutcome> outcomes, Done<std::vector<Settled>> done) {
  changeAsync<std::vector<Settled>>(
      [outcomes = std::move(outcomes)](WriteSide& side) { return Result(side.attempts.settle(outcomes)); },
      std::move(done));
}

void SqliteStore::update(std::vector<AttemptUpdate> updates, Done<void> done) {
  changeAsync<void>(
      [updates = std::move(updates)](WriteSide& side) {
        side.attempts.update(updates);
        return Result<void>();
      },
      std::move(done));
}

void SqliteStore::renew(std::vector<LeaseRef> leases, core::Millis lease, Done<std::vector<LeaseRef>> done) {
  changeAsync<std::vector<LeaseRef>>(
      [leases = std::move(leases), lease](WriteSide& side) { return Result(side.attempts.renew(leases, lease)); },
      std::move(done));
}

void SqliteStore::tick(Done<TickResult> done) {
  changeAsync<TickResult>(
      [writer = writer_.get()](WriteSide& side) {
        Result result(tickNow(side, false));
        writer->setKnownDue(result->next_due);
        return result;
      },
      std::move(done));
}

Result<TickResult> SqliteStore::rescueAll() {
  return change<TickResult>([](WriteSide& side) { return Result(tickNow(side, true)); });
}

Result<CancelOutcome> SqliteStore::cancel(core::JobId id, std::string reason, std::string reason_below) {
  const auto step =
      change<CommandOps::CancelStep>([&](WriteSide& side) { return side.commands.cancel(id, reason, reason_below); });
  if (!step) return step.error();
  if (auto rest = cancelRest({&id, 1}, step->more); !rest) return rest.error();
  return step->outcome;
}
/// What is `left` below them. Ticks do that too, but nobody here is told when they have.
Result<void> SqliteStore::cancelRest(std::span<const core::JobId> ids, bool left) {
  while (left) {
    const auto more = change<bool>([&](WriteSide& side) { return Result(side.commands.cancelMore(ids)); });
    if (!more) return more.error();
    left = *more;
  }
  return {};
}
Result<void> SqliteStore::retry(core::JobId id) {
  return change<void>([&](WriteSide& side) { return side.commands.retry(id); });
}
Result<void> SqliteStore::suspend(core::JobId id) {
  return change<void>([&](WriteSide& side) { return side.commands.suspend(id); });
}
Result<void> SqliteStore::resume(core::JobId id) {
  return change<void>([&](WriteSide& side) { return side.commands.resume(id); });
}
Result<void> SqliteStore::setPriority(core::JobId id, int priority) {
  return change<void>([&](WriteSide& side) { return side.commands.setPriority(id, priority); });
}
Result<void> SqliteStore::setTags(core::JobId id, std::vector<std::string> tags) {
  return change<void>([&](WriteSide& side) { return side.commands.setTags(id, tags); });
}
Result<std::vector<core::JobId>> SqliteStore::remove(core::JobId id, Removal how) {
  if (how == Removal::CancelFirst) {
    const auto step = change<CommandOps::CancelStep>([&](WriteSide& side) { return side.commands.removeLater(id); });
    if (!step) return step.error();
    if (auto rest = cancelRest({&id, 1}, step->more); !rest) return rest.error();
  }
  auto removed = change<CommandOps::Removed>([&](WriteSide& side) { return side.commands.remove(id); });
  Result<std::vector<core::JobId>> went = !removed   ? Result<std::vector<core::JobId>>(removed.error())
                                          : *removed ? **std::move(removed)
                                                     : removeLarge(id, core::Instant::max());
  const bool later = !went && (went.error().code == ErrorCode::Conflict || went.error().code == ErrorCode::NotFound);
  if (how == Removal::CancelFirst && later) return std::vector<core::JobId>();  // a tick removes it, or has done so
  return went;
}

/// Gathered and checked on a reader, then removed from the leaves up: whenever it stops, what is left is a whole tree.
Result<std::vector<core::JobId>> SqliteStore::removeLarge(core::JobId root, core::Instant cutoff) {
  const auto tree = readers_->with<Reader::Tree>([&](Reader& reader) { return reader.tree(root); });
  if (!tree) return tree.error();
  if (tree->live || tree->last_ended.value_or(core::Instant{}) >= cutoff) {
    return Error{ErrorCode::Conflict,
                 "job " + core::toString(tree->live.value_or(root)) + " of the tree of job " + core::toString(root) +
                     " has not ended",
                 {},
                 {}};
  }
  for (std::size_t end = tree->ids.size(); end > 0;) {
    const std::size_t begin = end - std::min(end, CommandOps::kTreeStep);
    std::vector<core::JobId> leaves(tree->ids.begin() + static_cast<std::ptrdiff_t>(begin),
                                    tree->ids.begin() + static_cast<std::ptrdiff_t>(end));
    auto removed = change<void>([&](WriteSide& side) { return side.commands.removeLeaves(leaves); });
    if (!removed) return removed.error();
    end = begin;
  }
  return tree->ids;
}

Result<std::vector<core::JobId>> SqliteStore::purge(core::Instant cutoff, int limit) {
  const std::lock_guard lock(purge_mutex_);
  std::vector<core::JobId> removed;
  while (removed.size() < static_cast<std::size_t>(std::max(0, limit))) {
    std::int64_t until = purged_until_seq_;
    const int left = limit - static_cast<int>(removed.size());
    // Found on a reader, so that a long log of events never holds up the writer; checked again by the writer.
    const auto roots = readers_->with<std::vector<core::JobId>>(
        [&](Reader& reader) { return reader.endedRoots(until, cutoff, left); });
    if (!roots) return roots.error();
    const auto step = change<CommandOps::RemovedTrees>(
        [&](WriteSide& side) { return Result(side.commands.removeTrees(*roots, cutoff, left)); });
    if (!step) return step.error();
    removed.insert(removed.end(), step->ids.begin(), step->ids.end());
    for (const core::JobId root : step->too_large) {
      const auto ids = removeLarge(root, cutoff);
      if (!ids && ids.error().code != ErrorCode::Conflict) return ids.error();
      if (ids) removed.insert(removed.end(), ids->begin(), ids->end());
    }
    if (step->ids.size() < static_cast<std::size_t>(left)) purged_until_seq_ = until;
    if (roots->empty()) break;
  }
  const auto forgotten = change<void>([&](WriteSide& side) {
    side.submits.forgetEmptyBatches(cutoff, limit);
    return Result<void>();
  });
  if (!forgotten) return forgotten.error();
  return removed;
}

void SqliteStore::saveCheckpoint(LeaseRef lease, std::string bytes, Done<void> done) {
  changeAsync<void>(
      [lease, bytes = std::move(bytes)](WriteSide& side) { return side.attempts.saveCheckpoint(lease, bytes); },
      std::move(done));
}

Result<std::optional<std::string>> SqliteStore::loadCheckpoint(core::JobId id) {
  return readers_->with<std::optional<std::string>>([&](Reader& reader) { return reader.checkpoint(id); });
}

Result<core::Job> SqliteStore::get(core::JobId id) {
  auto job = readers_->with<std::optional<core::Job>>([&](Reader& reader) { return reader.job(id, true); });
  if (!job) return job.error();
  if (!*job) return Error{ErrorCode::NotFound, "job " + core::toString(id) + " does not exist", {}, {}};
  return **std::move(job);
}

Result<Belonging> SqliteStore::belonging(core::JobId id) {
  auto found = readers_->with<std::optional<Belonging>>([&](Reader& reader) { return reader.belonging(id); });
  if (!found) return found.error();
  if (!*found) return Error{ErrorCode::NotFound, "job " + core::toString(id) + " does not exist", {}, {}};
  return **std::move(found);
}

Result<Page> SqliteStore::list(const JobFilter& filter, const ListOptions& options) {
  return readers_->with<Page>([&](Reader& reader) { return reader.list(filter, options); });
}

Result<Counted> SqliteStore::count(const JobFilter& filter) {
  if (!filter.words.empty()) return Error{ErrorCode::InvalidArgument, "words are not counted", {}, {}};
  return readers_->with<Counted>([&](Reader& reader) { return reader.count(filter); });
}

Result<std::vector<core::JobEvent>> SqliteStore::events(std::int64_t after_seq, std::optional<core::JobId> job,
                                                        int limit) {
  return readers_->with<std::vector<core::JobEvent>>(
      [&](Reader& reader) { return job ? reader.eventsOf(*job, after_seq, limit) : reader.events(after_seq, limit); });
}

Result<EventPage> SqliteStore::eventsOfOwner(const std::string& owner, std::int64_t after_seq, int limit) {
  return readers_->with<EventPage>([&](Reader& reader) { return reader.eventsOfOwner(owner, after_seq, limit); });
}

Result<std::int64_t> SqliteStore::lastSeq() {
  return readers_->with<std::int64_t>([](Reader& reader) { return reader.lastSeq(); });
}

Result<std::vector<StateCounts>> SqliteStore::counts() {
  return readers_->with<std::vector<StateCounts>>([](Reader& reader) { return reader.counts(); });
}

Result<void> SqliteStore::check() {
  if (auto fatal = writer_->failed()) return *fatal;
  return change<void>([](WriteSide& side) {
    // A number that changes: SQLite writes nothing for a row that stays as it is, and then would meet no full disk.
    side.database.execute(
        "INSERT INTO meta (name, value) VALUES ('checks', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1");
    return Result<void>();
  });
}

std::vector<std::string> SqliteStore::queryPlansForTest() {
  std::vector<std::string> plans;
  writer_->inspectForTest([&](WriteSide& side) { plans = store::queryPlansForTest(side.database); });
  const auto reads = readers_->with<std::vector<std::string>>(
      [](Reader& reader) { return store::queryPlansForTest(reader.database()); });
  if (reads) plans.insert(plans.end(), reads->begin(), reads->end());
  return plans;
}

}  // namespace jobhost::store
