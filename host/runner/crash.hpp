#pragma once

#include "wire/status_page.hpp"

namespace jobhost::runner {

/// Catches SEGV, BUS, FPE, ILL, TRAP and ABRT: writes the signal, the fault address and up to 32 frames as
/// module+offset into the status page, then lets the signal end the process as it would have. Only async-signal-safe
/// work; bounded by an alarm. `page` must outlive the process. Call once, before any other thread.
void installCrashHandler(wire::StatusPage& page);

/// Gives the calling thread a stack for the handler, so that a stack overflow can be told. The main thread and the
/// protocol thread have one; threads of a plugin that overflow end without frames.
void useAlternateStack();

/// Takes note of the modules mapped now (for module+offset) when some came or went. Not from a signal handler.
void refreshModules();

}  // namespace jobhost::runner
