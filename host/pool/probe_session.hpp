#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "pool/runner.hpp"
#include "pool/runner_pool.hpp"

namespace jobhost::pool {

/// A runner that only loads a plugin, tells what it found and ends. Belongs to the loop's thread.
class ProbeSession final : public Runner::Owner {
 public:
  using Done = std::function<void(core::Result<RunnerPool::Probed>)>;

  /// `over` is called once its runner is gone.
  ProbeSession(PoolContext& context, catalog::GenerationRef generation, std::int64_t number, Done done,
               std::function<void(ProbeSession*)> over)
      : runner_(std::make_shared<Runner>(context, *this, std::move(generation), number)),
        done_(std::move(done)),
        over_(std::move(over)) {}

  void start(std::int64_t memory_bytes, int processes) { runner_->start(memory_bytes, processes); }
  void kill() { runner_->endNow(); }
  void endTurn() { runner_->endTurn(); }

  void runnerReady(Runner& runner) override {
    const auto& loaded = runner.loaded();
    found_ = RunnerPool::Probed{
        loaded.types, static_cast<int>(loaded.abi_major), static_cast<int>(loaded.abi_minor), {}, false};
    runner.drain();
  }
  void runnerHasRoom(Runner&) override {}
  void attemptEnded(std::unique_ptr<Attempt>, dispatch::AttemptEnd) override {}
  void attemptReturned(std::unique_ptr<Attempt>) override {}
  void runnerGone(Runner& runner, const std::optional<core::Error>& load_error) override {
    if (found_) {
      found_->left_in_order = runner.leftInOrder();
      found_->printed.assign(runner.piped().begin(), runner.piped().end());
      done_(*found_);
    } else {
      done_(load_error.value_or(core::Error{core::ErrorCode::Unavailable, "the probe was ended", {}, {}}));
    }
    over_(this);
  }

 private:
  std::shared_ptr<Runner> runner_;
  Done done_;
  std::function<void(ProbeSession*)> over_;
  std::optional<RunnerPool::Probed> found_;
};

}  // namespace jobhost::pool
