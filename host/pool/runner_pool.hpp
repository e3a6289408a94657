#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "catalog/catalog.hpp"
#include "core/clock.hpp"
#include "dispatch/job_runner.hpp"
#include "pool/attempt_services.hpp"
#include "pool/options.hpp"

namespace jobhost::pool {

/// Runs attempts in runner processes: warm ones, keyed by plugin generation; new attempts go to the generation the
/// catalog names as current, old runners finish what they have. What a runner does wrong costs the attempt it ran.
///
/// One loop thread owns all state; every method only posts to it. Listens to the catalog while it lives. Makes this
/// process a subreaper (see warden.hpp). References must outlive it.
/// At construction whatever a former host left in `<data>/work` and among the processes is removed.
class RunnerPool final : public dispatch::JobRunner {
 public:
  /// `services` null: attempts' calls answer "unsupported". Throws std::system_error when the loop cannot be made.
  RunnerPool(RunnerPoolOptions options, catalog::Catalog& catalog, AttemptServices* services, const core::Clock& clock);
  /// Ends every runner at once; attempts outstanding are not told any more. drain the dispatcher first.
  ~RunnerPool() override;

  void setListener(dispatch::RunnerListener* listener) override;
  void start(std::vector<dispatch::Assignment> assignments) override;
  void stop(core::JobId id, dispatch::StopReason reason) override;
  void recall(std::vector<core::JobId> ids) override;

  /// What runs now, for health and the tests. Blocks shortly. Not from the loop's thread.
  struct RunnerStatus {
    std::string name;
    std::string plugin;
    catalog::GenerationId generation;
    int pid = 0;
    std::string state;    ///< "starting", "ready", "running", "draining", "ending"
    std::string sandbox;  ///< level reached; empty until loaded
    std::size_t attempts = 0;
  };
  [[nodiscard]] std::vector<RunnerStatus> status();

  /// Loads `generation` in a process of its own and ends it; see RunnerProbe. `done` on the loop's thread.
  struct Probed {
    std::vector<std::string> job_types;
    int abi_major = 0;
    int abi_minor = 0;
    std::vector<std::string> printed;  ///< the last lines it wrote to stdout and stderr
    bool left_in_order = false;        ///< it ended by itself when told to
  };
  void probe(catalog::GenerationRef generation, std::function<void(core::Result<Probed>)> done);

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace jobhost::pool
