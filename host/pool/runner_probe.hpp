#pragma once

#include "catalog/plugin_probe.hpp"
#include "pool/runner_pool.hpp"

namespace jobhost::pool {

/// Loads a plugin in a runner of its own, as the catalog asks before it takes a file. Any thread but the pool's; blocks
/// for at most the pool's load time-out and kill ladder. The pool must outlive it.
class RunnerProbe final : public catalog::PluginProbe {
 public:
  explicit RunnerProbe(RunnerPool& pool) : pool_(pool) {}
  core::Result<catalog::ProbeReport> probe(const catalog::PluginGeneration& generation) override;

 private:
  RunnerPool& pool_;
};

}  // namespace jobhost::pool
