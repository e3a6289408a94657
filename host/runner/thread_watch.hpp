#pragma once

#include "runner/session.hpp"

namespace jobhost::runner {

/// docs/protocol.md lists it.
constexpr int kExitThreadEnded = 72;

/// Has the end of the calling thread noticed, which is the job thread. It stays until the process ends, but a plugin may
/// end it with pthread_exit() in run(), init() or deinit(): without this the process would live on, and the host would
/// wait for an answer that nobody gives.
///
/// On such an end the attempt that runs is told as failed (code thread_ended) and the process leaves with
/// kExitThreadEnded. Call once; `session` must live until the process ends.
void watchJobThread(Session& session);

}  // namespace jobhost::runner
