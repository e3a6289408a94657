#pragma once

#include <functional>
#include <string>

#include "core/result.hpp"

namespace jobhost::runner {

/// Runs a runner's session on threads of this process, so that one debugger sees the plugin and who tests it. For
/// `plugin check --in-process` alone: nothing is confined or caught, and a plugin that crashes takes this process with
/// it. Each session has an instance of the plugin of its own, a copy of the file below the work folder; none is ever
/// unloaded. Threads of a session that is over are parked until the process ends, which should be by _exit(), as a
/// runner's is.
///
/// `control_fd` (a host's end is at the other side) and `page_fd` belong to the session from now on, also on errors.
/// `over` is called once when the session has ended, on one of its threads. Errors: Unavailable, when the plugin of the
/// session before is still at work in this process, or the page cannot be mapped.
core::Result<void> startInProcess(int control_fd, int page_fd, const std::string& version, std::function<void()> over);

}  // namespace jobhost::runner
