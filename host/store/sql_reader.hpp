#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <condition_variable>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "store/job_store.hpp"
#include "store/sql_database.hpp"

namespace jobhost::store {

/// Reads over one connection that cannot write. Not thread-safe (ReaderPool lends each to one thread at a time).
/// Methods throw SqlError.
class Reader {
 public:
  /// Rows a list page looks at before it answers with what it has: bounds a page's time where a filter matches few.
  static constexpr int kScanBudget = 10'000;

  explicit Reader(const Database::Options& options);

  std::optional<core::Job> job(core::JobId id, bool with_documents);
  std::optional<Belonging> belonging(core::JobId id);
  Page list(const JobFilter& filter, const ListOptions& options);
  Counted count(const JobFilter& filter);
  /// The index that leads to the jobs of a filter.
  enum class Lead { All, Parent, Input, Batch, Key, Tag, States, Owner };
  std::vector<core::JobEvent> events(std::int64_t after_seq, int limit);
  std::vector<core::JobEvent> eventsOf(core::JobId job, std::int64_t after_seq, int limit);
  EventPage eventsOfOwner(const std::string& owner, std::int64_t after_seq, int limit);
  std::int64_t lastSeq();
  std::vector<StateCounts> counts();
  std::optional<std::string> checkpoint(core::JobId id);
  /// Roots of trees with a terminal event in (after_seq, …) before `cutoff`, about `limit`; `after_seq` moves on.
  std::vector<core::JobId> endedRoots(std::int64_t& after_seq, core::Instant cutoff, int limit);
  struct Tree {
    std::vector<core::JobId> ids;             ///< parents first
    std::optional<core::JobId> live;          ///< one that has not ended
    std::optional<core::Instant> last_ended;  ///< of those that have
  };
  Tree tree(core::JobId root);
  Database& database() { return database_; }
  /// The statement of this text, prepared once.
  Statement& prepared(const std::string& sql);

 private:
  std::int64_t skipToOwner(const std::string& owner, std::int64_t after_seq, std::int64_t last);
  friend class ListScan;
  /// The ids of the filter's types, or of all.
  std::vector<int> typeIds(const JobFilter& filter);
  /// The lead to the fewest jobs, as far as that shows among the first `most` of each.
  Lead leadOf(const JobFilter& filter, const std::vector<int>& type_ids, int most);
  std::int64_t inStates(const JobFilter& filter, const std::vector<int>& type_ids);

  Database database_;
  Statement job_, belonging_, docs_, events_, job_events_, last_seq_, counts_, checkpoint_, ended_, children_, types_;
  std::map<std::string, std::unique_ptr<Statement>> lists_;  ///< one per shape of filter
};

/// A few readers, lent to whoever reads. Thread-safe.
class ReaderPool {
 public:
  ReaderPool(const Database::Options& options, int count);
  /// Waits for a free reader and runs `read` with it; SqlError becomes an Error.
  template <class T>
  core::Result<T> with(const std::function<T(Reader&)>& read) {
    const Lease lease(*this);
    try {
      return read(*lease.reader);
    } catch (const SqlError& error) {
      return error.toError();
    } catch (const std::exception& error) {
      return core::Error{core::ErrorCode::Internal, "the database answered something unexpected", error.what(), {}};
    }
  }

 private:
  struct Lease {
    explicit Lease(ReaderPool& of) : pool(of), reader(of.take()) {}
    ~Lease() { pool.give(std::move(reader)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ReaderPool& pool;
    std::unique_ptr<Reader> reader;
  };
  std::unique_ptr<Reader> take();
  void give(std::unique_ptr<Reader> reader);

  std::mutex mutex_;
  std::condition_variable free_;
  std::vector<std::unique_ptr<Reader>> idle_;
};

}  // namespace jobhost::store
