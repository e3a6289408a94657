#pragma once

#include "core/result.hpp"
#include "pool/spawn.hpp"

namespace jobhost::devtools {

/// In place of pool::spawnProcess(): the runner's session runs on threads of this process (runner/in_process.hpp). What
/// the pool watches and kills instead is a stand-in, a process that only waits: it ends when the session does, or when
/// this process does. Any thread. Errors: as spawnProcess() and startInProcess().
core::Result<pool::SpawnedProcess> spawnInProcess(pool::SpawnRequest request);

}  // namespace jobhost::devtools
