#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/result.hpp"
#include "store/record.hpp"

namespace jobhost::store {

/// What a running attempt has written and not committed: kept in memory, seen by the attempt alone, stored in one
/// transaction with its success (or its suspension), gone in every other case, as when the host dies.
///
/// Owned by whoever owns the attempt. Thread-safe.
class AttemptWrites {
 public:
  struct Limits {
    std::size_t writes = 10'000;                ///< records written, each counted once
    std::size_t bytes = std::size_t{32} << 20;  ///< of keys and bodies
  };
  AttemptWrites();
  explicit AttemptWrites(Limits limits);

  /// A write of this attempt; `expected` in it is what the store must find at the commit.
  using Entry = std::shared_ptr<const RecordWrite>;

  /// Takes the write. `committed_version` is what the store has now (kNoVersion: none), and counts where this is the
  /// attempt's first write of the record and expects something. Errors: Conflict (expected version), Exhausted
  /// (limits), Canceled (sealed: the attempt has ended).
  core::Result<void> stage(RecordWrite write, std::int64_t committed_version);

  /// The attempt's own write of a record; null: none.
  [[nodiscard]] Entry find(const RecordRef& at) const;
  /// All of a collection, by key.
  [[nodiscard]] std::vector<Entry> of(const std::string& plugin, const std::string& collection) const;

  /// Takes nothing more from now on.
  void seal();
  /// Everything, for the commit.
  [[nodiscard]] std::vector<Entry> all() const;
  [[nodiscard]] bool empty() const;

 private:
  using Keys = std::map<std::string, Entry, std::less<>>;
  const Limits limits_;
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, Keys> collections_;  ///< by plugin and name
  std::size_t writes_ = 0;
  std::size_t bytes_ = 0;
  bool sealed_ = false;
};

}  // namespace jobhost::store
