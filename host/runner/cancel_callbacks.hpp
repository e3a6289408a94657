#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <thread>

#include "jobhost/abi.h"

namespace jobhost::runner {

/// on_cancel of the plugin. Callbacks run on a thread of their own, made when the first is registered, so that a slow
/// one holds up neither the protocol nor the job. Thread-safe; the object lives as long as the process.
class CancelCallbacks {
 public:
  static constexpr std::size_t kMost = 1024;

  /// 0: too many. `reason` not 0: the job already was asked to stop, the callback runs soon.
  /// `owner`: the slot of the attempt it belongs to.
  std::uint64_t add(std::uint32_t owner, jh_cancel_fn function, void* context, std::int32_t reason);
  /// False: unknown. When it returns, the callback is not running and will not run, unless this is the callback's own
  /// thread.
  bool remove(std::uint64_t token);
  /// Runs all of this attempt's that have not run yet.
  void fire(std::uint32_t owner, std::int32_t reason);
  /// Forgets all, waiting for one that runs: the attempt is over.
  void clear();

 private:
  struct Entry {
    std::uint32_t owner;
    jh_cancel_fn function;
    void* context;
    std::int32_t reason;  ///< 0: not asked for yet
  };
  void loop();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, Entry> entries_;
  std::uint64_t next_ = 1;
  std::uint64_t running_ = 0;
  std::thread::id thread_id_;
  bool started_ = false;
};

}  // namespace jobhost::runner
