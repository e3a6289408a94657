#include "pool/runner_probe.hpp"

#include <chrono>
#include <future>
#include <memory>
#include <utility>

namespace jobhost::pool {

core::Result<catalog::ProbeReport> RunnerProbe::probe(const catalog::PluginGeneration& generation) {
  const auto begun = std::chrono::steady_clock::now();
  auto answer = std::make_shared<std::promise<core::Result<RunnerPool::Probed>>>();
  auto future = answer->get_future();
  pool_.probe(std::make_shared<const catalog::PluginGeneration>(generation),
              [answer](core::Result<RunnerPool::Probed> found) { answer->set_value(std::move(found)); });
  auto found = future.get();  // always answered: loading, killing and sweeping all have their time-outs
  if (!found) return found.error();
  catalog::ProbeReport report;
  report.job_types = std::move(found->job_types);
  report.abi_major = found->abi_major;
  report.abi_minor = found->abi_minor;
  report.took = std::chrono::duration_cast<core::Millis>(std::chrono::steady_clock::now() - begun);
  return report;
}

}  // namespace jobhost::pool
