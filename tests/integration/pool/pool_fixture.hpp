#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "catalog/catalog.hpp"
#include "core/clock.hpp"
#include "core/job_paths.hpp"
#include "core/sanitized.hpp"
#include "pool/runner_pool.hpp"

namespace jobhost::pool {

/// Keeps what the pool tells, and lets a test wait for it.
class Recorder final : public dispatch::RunnerListener {
 public:
  void attemptStarted(core::JobId id, store::LeaseToken) override;
  void attemptEnded(dispatch::AttemptEnd end) override;
  void progressed(core::JobId id, store::LeaseToken, core::Progress progress) override;
  void noted(core::JobId id, store::LeaseToken, std::string key, std::string value_json) override;
  void logged(core::JobId id, std::string line_json) override;
  void capacityChanged(const std::string& plugin, int slots) override;

  /// Fails the test when nothing comes in two minutes.
  dispatch::AttemptEnd waitForEnd(core::JobId id);
  bool waitForStart(core::JobId id);
  bool waitForLog(core::JobId id, const std::string& part);
  bool waitForSlots(const std::string& plugin, int slots);
  std::size_t ends();
  std::vector<core::Progress> progress(core::JobId id);
  std::map<std::string, std::string> notes(core::JobId id);
  std::vector<std::string> lines(core::JobId id);

 private:
  template <class Ready>
  bool wait(std::unique_lock<std::mutex>& lock, Ready ready) {
    return changed_.wait_for(lock, std::chrono::seconds(core::kSanitized ? 300 : 120), ready);
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::int64_t, dispatch::AttemptEnd> ends_;
  std::map<std::int64_t, bool> started_;
  std::map<std::int64_t, std::vector<core::Progress>> progress_;
  std::map<std::int64_t, std::map<std::string, std::string>> notes_;
  std::map<std::int64_t, std::vector<std::string>> lines_;
  std::map<std::string, int> slots_;
};

/// A pool with the real runner and the testkit plugin in a data folder of its own.
class PoolTest : public testing::Test {
 protected:
  PoolTest();
  ~PoolTest() override;

  static RunnerPoolOptions defaultOptions(const std::filesystem::path& data);
  /// Ends the pool there is and makes one with these options.
  void restart(const RunnerPoolOptions& options);
  /// Changes a type before the catalog is published again.
  void publish(const std::function<void(catalog::JobTypeInfo&)>& change = {});

  dispatch::Assignment assignment(const std::string& type, const std::string& params = "{}");
  core::JobId start(const std::string& type, const std::string& params = "{}");
  dispatch::AttemptEnd run(const std::string& type, const std::string& params = "{}");
  std::string logOf(core::JobId id);
  /// A job after a bad one: the pool still works.
  void expectStillWorks();
  /// Processes that carry this pool's marker and are none of its runners.
  int strangers();
  /// Ends the pool and looks for what it should have taken away.
  void expectNothingLeft();

  std::filesystem::path data_;
  core::SystemClock clock_;
  catalog::Catalog catalog_;
  std::shared_ptr<const catalog::PluginGeneration> generation_;
  Recorder recorder_;
  std::unique_ptr<RunnerPool> pool_;
  int fds_before_ = 0;
  std::int64_t next_job_ = 1;
};

int openFds();

}  // namespace jobhost::pool
