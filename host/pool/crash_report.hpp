#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/job.hpp"
#include "wire/status_page.hpp"

namespace jobhost::pool {

/// How a runner process ended, and what it used while it lived.
struct ProcessEnd {
  int wait_status = 0;  ///< of waitpid(2)
  std::int64_t peak_rss_bytes = 0;
  std::int64_t cpu_us = 0;
};

struct CrashContext {
  std::string plugin;
  std::string type;                        ///< empty: no attempt was running
  const wire::StatusPage* page = nullptr;  ///< read, not trusted; null: none
  std::vector<std::string> printed;        ///< the last lines the process printed
  std::int64_t memory_limit_bytes = 0;
};

core::ProcessExit processExit(const ProcessEnd& end);

/// "SIGSEGV", or "signal 64".
std::string signalName(int signal);

/// The error of the attempt that ran when the process died by itself: code "plugin_crashed" (a signal) or
/// "plugin_exited" (the plugin called exit or _exit), with all that is known in details_json: signal, fault_address,
/// frames, last_calls (newest last), peak_rss_bytes, memory_limit_bytes, printed.
core::JobError crashError(const ProcessEnd& end, const CrashContext& context);

/// The same as lines for the job's log.
std::vector<std::string> crashLines(const core::JobError& error, const CrashContext& context);

}  // namespace jobhost::pool
