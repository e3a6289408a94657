#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "api/server.hpp"

namespace jobhost::api::lncrawl {

/// Sees to it that the records of sources follow the specs: asks for a `scan_sources` job when its plugin comes up, and
/// when a source is looked for and the last job was asked for more than a minute ago. Nobody waits for the job.
/// Thread-safety: every method from any thread. One thread of its own, since a submit waits for the disk.
class SourceScan {
 public:
  /// Borrowed until destroyed.
  explicit SourceScan(const Deps& deps);
  ~SourceScan();
  SourceScan(const SourceScan&) = delete;
  SourceScan& operator=(const SourceScan&) = delete;

  /// From now on each new version of the plugin is asked to scan.
  void start();
  /// A source is looked for.
  void wanted();

 private:
  void published(const catalog::Snapshot& snapshot);
  void submit();
  void run(const std::stop_token& stop);

  const Deps& deps_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::optional<core::Clock::Steady> asked_;         ///< when the last job was
  std::optional<catalog::GenerationId> generation_;  ///< of the plugin that was last asked
  bool due_ = false;
  int listener_ = 0;
  std::jthread thread_;  ///< last: stops and joins first
};

}  // namespace jobhost::api::lncrawl
