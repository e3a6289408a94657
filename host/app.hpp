#pragma once

#include "settings/loader.hpp"

namespace jobhost {

/// `jobhost serve`: builds every part in data-flow order, prints `jobhost ready http://…` on stdout once requests are
/// accepted, and runs until SIGTERM or SIGINT (a second one hurries). Logs go to stderr.
/// Answers the exit status: 0 after a clean stop; 1 when a part could not start (the log says which and why);
/// 70 when the store failed for good while running (a failed fsync), so that a supervisor restarts the host.
int serve(settings::Loaded loaded);

}  // namespace jobhost
