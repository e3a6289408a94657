#pragma once

#include "runner/plugin_library.hpp"
#include "runner/session.hpp"

namespace jobhost::runner {

/// Runs attempts one after another on the calling thread until the session ends.
void runJobs(Session& session, const PluginLibrary& plugin);

}  // namespace jobhost::runner
