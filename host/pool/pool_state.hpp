#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "pool/plugin_group.hpp"
#include "pool/probe_session.hpp"
#include "pool/runner_pool.hpp"

namespace jobhost::pool {

/// What RunnerPool posts to: all of it belongs to the loop's thread.
class RunnerPool::State final : public PluginGroup::Owner {
 public:
  State(RunnerPoolOptions options, catalog::Catalog& catalog, AttemptServices* services, const core::Clock& clock);
  ~State() override;

  EventLoop& loop() { return loop_; }
  void setListener(dispatch::RunnerListener* listener);
  void start(std::vector<dispatch::Assignment> assignments);
  void stop(core::JobId id, dispatch::StopReason reason);
  void recall(const std::vector<core::JobId>& ids);
  [[nodiscard]] std::vector<RunnerStatus> status() const;
  void probe(catalog::GenerationRef generation, std::function<void(core::Result<Probed>)> done);
  void catalogChanged(const std::shared_ptr<const catalog::Snapshot>& snapshot);

  bool mayStartRunner(const PluginGroup& group) override;
  std::int64_t nextRunnerNumber() override { return ++last_runner_; }
  void ended(std::unique_ptr<Attempt> attempt, dispatch::AttemptEnd end) override;
  void runnerEnded(PluginGroup& group) override;
  void runnerIdle() override;
  void startFailed(PluginGroup& group, const core::Error* reason) override;

 private:
  PluginGroup& groupFor(const catalog::GenerationRef& generation);
  void begin(dispatch::Assignment assignment, std::shared_ptr<const catalog::TypeEntry> type);
  void refuse(const dispatch::Assignment& assignment, std::string message);
  void tellCapacity(const std::string& plugin);
  void removeEmptyGroups();
  void afterTurn();
  void watchBusy();
  void tidy();
  void shutDown();
  [[nodiscard]] std::size_t runnerCount() const;

  const RunnerPoolOptions options_;
  catalog::Catalog& catalog_;
  EventLoop loop_;
  FilesThread files_;
  std::unique_ptr<Warden> warden_;
  PoolContext context_;
  std::map<std::int64_t, std::unique_ptr<PluginGroup>> groups_;  ///< by generation
  std::unordered_map<core::JobId, Attempt*> attempts_;
  std::map<std::string, catalog::GenerationRef> current_;  ///< by plugin; null: gone
  std::map<std::string, int> told_capacity_;
  std::vector<std::shared_ptr<ProbeSession>> probes_;
  std::int64_t last_runner_ = 0;
  EventLoop::TimerId busy_timer_ = 0;
  bool measuring_ = false;
  bool shutting_down_ = false;
  bool refused_runner_ = false;  ///< attempts wait for a runner that the limit of all runners did not allow
  std::function<void()> on_empty_;  ///< once shutting down and nothing is left
  int catalog_listener_ = 0;
  std::jthread thread_;
};

}  // namespace jobhost::pool
