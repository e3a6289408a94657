#pragma once

#include <atomic>
#include <cstdint>

namespace jobhost::store {

/// A SQLite VFS, "fault", over the default one, that fails on command: the n-th write, every sync, or what goes beyond
/// a number of bytes (a full disk). Process-wide; every field may be set at any time.
struct FaultPlan {
  std::atomic<std::int64_t> fail_write{0};  ///< counts down with each write; the one that reaches 0 fails
  std::atomic<bool> keep_failing{false};    ///< and so does every write after it
  std::atomic<bool> torn{false};            ///< half of a failing write reaches the file
  std::atomic<bool> fail_sync{false};
  std::atomic<std::int64_t> bytes_left{-1};  ///< -1: no limit; below 0 writes answer SQLITE_FULL
  std::atomic<bool> read_only{false};        ///< writes answer SQLITE_READONLY
  std::atomic<std::int64_t> failures{0};     ///< how often something was failed
  void reset();
};
FaultPlan& faultPlan();

/// Registers the VFS once; answers its name.
const char* faultVfs();

}  // namespace jobhost::store
