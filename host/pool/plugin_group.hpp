#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "catalog/job_type.hpp"
#include "pool/runner.hpp"
#include "pool/runner_pool.hpp"

namespace jobhost::pool {

/// The runners of one generation of a plugin and the attempts that wait for one of them.
///
/// Attempts of types whose runs are short on average are sent ahead, several to a runner, so that a runner never waits
/// for the host; others wait here until a runner is free. Belongs to the loop's thread.
class PluginGroup final : public Runner::Owner {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    /// Whether one more process may be started now; may end an idle one of another plugin to make room.
    virtual bool mayStartRunner(const PluginGroup& group) = 0;
    virtual std::int64_t nextRunnerNumber() = 0;
    virtual void ended(std::unique_ptr<Attempt> attempt, dispatch::AttemptEnd end) = 0;
    virtual void runnerEnded(PluginGroup& group) = 0;
    /// A runner has nothing to do; a plugin that was refused one may have its place.
    virtual void runnerIdle() = 0;
    /// A runner could not be started (`reason`), or one was ready again (null).
    virtual void startFailed(PluginGroup& group, const core::Error* reason) = 0;
  };

  PluginGroup(PoolContext& context, Owner& owner, catalog::GenerationRef generation);
  ~PluginGroup() override;

  void add(std::unique_ptr<Attempt> attempt);
  void stop(Attempt& attempt, dispatch::StopReason reason);
  void recall(Attempt& attempt);
  /// Sends what can be sent and starts runners where attempts wait.
  void pump();
  /// A newer file took over: runners end once they have finished what they have and nothing waits here.
  void retire();
  /// Ends idle runners that have been so for longer than the time-out, beyond those kept warm.
  void endIdle(EventLoop::Steady::time_point now);
  /// Ends one idle runner; false: there is none.
  bool endOneIdle();
  void killAll();
  void endTurn();
  /// The runners with attempts that have run for longer than `least`, to be measured.
  void collectBusy(EventLoop::Steady::time_point now, std::chrono::milliseconds least,
                   std::vector<std::pair<pid_t, std::string>>& busy) const;
  /// Takes back what was sent ahead behind an attempt that turned out long: another runner can have it.
  void freeBehindLong();
  void measured(const TreeUsage& usage);
  void describe(std::vector<RunnerPool::RunnerStatus>& list) const;

  [[nodiscard]] const catalog::GenerationRef& generation() const { return generation_; }
  [[nodiscard]] std::size_t runners() const { return runners_.size(); }
  [[nodiscard]] std::size_t waiting() const { return queue_.size(); }
  [[nodiscard]] bool retired() const { return retired_; }
  [[nodiscard]] bool blocked() const { return retry_timer_ != 0; }
  int outstanding = 0;  ///< attempts that name this group; counted by the pool

  void runnerReady(Runner& runner) override;
  void runnerHasRoom(Runner& runner) override;
  void attemptEnded(std::unique_ptr<Attempt> attempt, dispatch::AttemptEnd end) override;
  void attemptReturned(std::unique_ptr<Attempt> attempt) override;
  void runnerGone(Runner& runner, const std::optional<core::Error>& load_error) override;

 private:
  Runner* pick(const Attempt& attempt);
  [[nodiscard]] std::size_t depth(const Attempt& attempt) const;
  [[nodiscard]] bool isLong(const Attempt& running) const;
  void startRunners();
  void startRunner();
  void learn(const Attempt& attempt, const dispatch::AttemptEnd& end);
  void giveBackAll(const core::Error& why);
  void giveBack(std::unique_ptr<Attempt> attempt, std::string code, std::string message);

  PoolContext& context_;
  Owner& owner_;
  const catalog::GenerationRef generation_;
  std::deque<std::unique_ptr<Attempt>> queue_;
  std::vector<std::shared_ptr<Runner>> runners_;
  std::unordered_map<std::string, double> average_us_;  ///< moving average of run() by type
  std::int64_t memory_bytes_ = 0;                       ///< the most any type seen may use
  int processes_ = 0;
  bool used_ = false;
  bool retired_ = false;
  int failures_ = 0;  ///< starts that failed in a row
  EventLoop::TimerId retry_timer_ = 0;
};

}  // namespace jobhost::pool
