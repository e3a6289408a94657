#pragma once

#include "runner/confine.hpp"
#include "runner/inspector.hpp"
#include "runner/session.hpp"
#include "wire/messages.hpp"

namespace jobhost::runner {

/// Loads the plugin and runs its attempts on the calling thread, the job thread, until the session is over; then lets
/// it end in good order. Tells the host of each step. `inspector` null: nobody watches.
void servePlugin(Session& session, const wire::Load& load, const Confinement& confinement, Inspector* inspector);

}  // namespace jobhost::runner
