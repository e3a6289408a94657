#pragma once

#include <string>
#include <sys/types.h>

#include "wire/messages.hpp"

namespace jobhost::runner {

/// Ties this process's life to the host's: ends, with its process group, when the host does. False: the host is gone
/// already. `parent`: the host's pid, 0 when not known.
bool followParent(pid_t parent);

/// Closes every descriptor from 5 up, ignores SIGPIPE, unblocks all signals.
void tidyProcess();

struct Confinement {
  wire::SandboxLevel level = wire::SandboxLevel::None;
  std::string missing;  ///< what was asked for and is not there; empty: nothing
};

/// Everything that must hold before a byte of the plugin is mapped: resource limits, no core files, no_new_privs.
/// Levels above `basic` are not built yet and are reported as missing. Single-threaded.
Confinement confine(const wire::Welcome& welcome);

}  // namespace jobhost::runner
