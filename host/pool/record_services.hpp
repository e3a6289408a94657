#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/job.hpp"
#include "core/result.hpp"
#include "store/attempt_writes.hpp"
#include "store/record.hpp"

namespace jobhost::pool {

/// Records and key-value spaces for running attempts, behind an interface that services/ implements. The pool has read
/// the call and checked the plugin's permissions; `own` are the attempt's writes, which it owns.
/// Called on the pool's reactor thread; must not block; `done` may be called on any thread, once.
class RecordServices {
 public:
  template <class T>
  using Done = std::function<void(core::Result<T>)>;
  using Writes = std::shared_ptr<store::AttemptWrites>;

  virtual ~RecordServices() = default;

  /// What a new attempt writes to, with the limits there are.
  virtual Writes openWrites() = 0;
  virtual void getRecord(Writes own, store::RecordRef at, Done<std::optional<store::Record>> done) = 0;
  /// Kept with the attempt, or stored before the answer (`at_once`). Answers the version; kOwnVersion of what is not
  /// committed, 0 of a deletion.
  virtual void writeRecord(Writes own, store::RecordWrite write, bool at_once, Done<std::int64_t> done) = 0;
  virtual void listRecords(Writes own, store::RecordQuery query, Done<store::RecordPage> done) = 0;
  virtual void countRecords(Writes own, store::RecordQuery query, Done<std::int64_t> done) = 0;
};

}  // namespace jobhost::pool
