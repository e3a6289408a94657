#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/result.hpp"
#include "pool/unique_fd.hpp"

namespace jobhost::pool {

/// What a runner process is started with. Fds 0–4 of the child are /dev/null, `out`, `err`, `control`, `page`; it has
/// no others. `limits` are set from outside, before the child can have read anything from its control socket.
struct SpawnRequest {
  std::filesystem::path program;
  std::vector<std::string> arguments;  ///< without argv[0]
  std::vector<std::string> environment;
  std::filesystem::path folder;  ///< its working directory
  UniqueFd out, err, control, page;
  std::vector<std::pair<int, std::uint64_t>> limits;  ///< RLIMIT_* → soft and hard
};

struct SpawnedProcess {
  pid_t pid = 0;  ///< also its process group and its session
  UniqueFd pidfd;
  std::uint64_t start_ticks = 0;
};

/// Starts the process with posix_spawn: own session, every signal at its default and unblocked. PDEATHSIG in the child
/// follows the calling thread, so call it from one that lives as long as the host. Errors: Unavailable with errno's
/// text.
core::Result<SpawnedProcess> spawnProcess(SpawnRequest request);

/// A pair of connected sockets, and a pipe as {read, write}; close-on-exec, the first end non-blocking.
core::Result<std::pair<UniqueFd, UniqueFd>> makeSocketPair();
core::Result<std::pair<UniqueFd, UniqueFd>> makePipe();

/// An Unavailable error: "<what>: <errno's text>".
core::Error osError(const std::string& what, int error_number);

}  // namespace jobhost::pool
