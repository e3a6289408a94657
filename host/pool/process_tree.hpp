#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jobhost::pool {

/// What /proc says of one process at one moment.
struct ProcessInfo {
  pid_t pid = 0;
  pid_t parent = 0;
  pid_t session = 0;
  char state = '?';               ///< 'Z': ended and not yet reaped
  std::uint64_t start_ticks = 0;  ///< since boot; with the pid it names a process for ever
  std::uint64_t cpu_ticks = 0;
  std::int64_t rss_bytes = 0;
};

/// Parses `/proc/<pid>/stat`; nullopt when it is damaged. For the tests too: program names may hold blanks and ')'.
std::optional<ProcessInfo> parseStat(std::string_view stat);

/// nullopt: there is no such process (any more).
std::optional<ProcessInfo> processInfo(pid_t pid);

/// Everything that runs now; processes that end meanwhile are left out.
std::vector<ProcessInfo> allProcesses();

/// The processes below `root`, without it.
std::vector<ProcessInfo> descendants(const std::vector<ProcessInfo>& all, pid_t root);

/// Whether the process has started others that still run (its threads' direct children). Cheap: no walk over /proc.
bool hasChildren(pid_t pid);

/// Whether the environment the process was started with has the line `entry` ("NAME=value").
bool hasEnvironment(pid_t pid, std::string_view entry);

/// Whether any line of that environment begins with `prefix` ("NAME=").
bool hasEnvironmentName(pid_t pid, std::string_view prefix);

/// Resident size in bytes; 0 when it cannot be read.
std::int64_t residentBytes(pid_t pid);

}  // namespace jobhost::pool
