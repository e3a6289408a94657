#pragma once

#include "runner/plugin_library.hpp"
#include "runner/session.hpp"

namespace jobhost::runner {

/// Runs attempts one after another on the calling thread until the session ends.
void runJobs(Session& session, const PluginLibrary& plugin);

/// Ends the attempt that runs, if one does, as failed because its thread is lost. For the job thread on its way out.
void endLostAttempt(Session& session, const char* code, const char* message);

}  // namespace jobhost::runner
