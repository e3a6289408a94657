#include "runner/plugin_session.hpp"

#include <memory>
#include <utility>
#include <variant>

#include "runner/host_table.hpp"
#include "runner/job_loop.hpp"
#include "runner/plugin_library.hpp"

namespace jobhost::runner {

void servePlugin(Session& session, const wire::Load& load, const Confinement& confinement, Inspector* inspector) {
  auto& status = session.status();
  const jh_host* host = makeHostTable(session);
  if (inspector != nullptr) {
    host = inspector->wrap(host);
    inspector->awaitDebugger();
    inspector->state("start");
  }
  status.phase(wire::Phase::Loading);
  auto loaded = PluginLibrary::load(load, host);
  if (const auto* failed = std::get_if<wire::LoadFailed>(&loaded)) {
    session.channel().put(wire::FrameType::LoadFailed, 0, 0, *failed, Channel::When::Now);
    session.say("the plugin was not loaded");
    return;
  }
  auto& plugin = *std::get<std::unique_ptr<PluginLibrary>>(loaded).release();
  wire::Loaded report;
  report.abi_major = plugin.module().abi_major;
  report.abi_minor = plugin.module().abi_minor;
  report.abi_min_minor = plugin.module().abi_min_minor;
  report.sandbox = confinement.level;
  report.sandbox_missing = confinement.missing;
  report.load_us = plugin.loadMicros();
  report.init_us = plugin.initMicros();
  for (const auto& type : plugin.types()) report.types.push_back(type.name);
  if (inspector != nullptr) {
    inspector->state("loaded");
    inspector->module(plugin, host);
  }
  status.phase(wire::Phase::Idle);
  session.channel().put(wire::FrameType::Loaded, 0, 0, report, Channel::When::Now);

  runJobs(session, plugin);

  status.phase(wire::Phase::Ending);
  plugin.deinit();
  if (inspector != nullptr) inspector->line("deinit");
  session.say("drained");
}

}  // namespace jobhost::runner
