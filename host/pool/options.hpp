#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/result.hpp"
#include "pool/spawn.hpp"

namespace jobhost::pool {

/// How the pool treats runners. Every number is a limit or a wait that an operator may set; the defaults are the
/// documented ones (docs/sdk, section 4).
struct RunnerPoolOptions {
  std::filesystem::path runner;       ///< the jobhost-runner executable; absolute
  std::filesystem::path data_folder;  ///< absolute; work folders lie in `<data>/work/r-<n>/`
  std::string host_version = "0.1.0";

  int max_runners_per_plugin = 4;
  int max_runners = 16;  ///< over all plugins; an idle runner of another plugin makes room
  int min_idle = 1;      ///< kept warm per plugin once it was used
  int cpu_budget = 2;    ///< threads a plugin's libraries are told to use (VIPS_CONCURRENCY, OMP_NUM_THREADS)
  core::Millis idle_timeout{15 * 60'000};
  int read_ahead = 64;  ///< attempts of short types (see PluginGroup) sent to a runner at once

  int recycle_after_attempts = 100'000;
  double recycle_rss_factor = 1.5;  ///< of the RSS after the first attempt, plus recycle_rss_bytes
  std::int64_t recycle_rss_bytes = 64LL << 20;

  core::Millis load_timeout{20'000};  ///< from the spawn to LOADED
  core::Millis term_grace{1'000};     ///< from SIGTERM to SIGKILL
  core::Millis drain_timeout{2'000};  ///< from DRAIN to the process's end
  core::Millis stall_timeout{5'000};  ///< a frame that began must be whole by then
  core::Millis restart_delay{1'000};  ///< after a runner that could not load; doubled up to a minute

  std::int64_t max_result_bytes = 1LL << 20;
  std::int64_t max_output_bytes = 16LL << 30;  ///< all outputs of an attempt, unless its type says less
  std::int64_t max_outputs = 10'000;
  std::int64_t max_input_bytes = 64LL << 30;
  std::int64_t max_log_bytes = 64LL << 20;  ///< of a job's log file, over all its attempts
  int log_lines_per_s = 1'000;
  int log_burst = 5'000;
  bool sync_outputs = true;  ///< outputs are on the disk before the attempt's end is told

  std::int64_t memory_bytes = 4LL << 30;  ///< address space of a process and resident size of its tree; 0: no limit
  int processes = 256;                    ///< processes a runner may have started at once, when its type names none
  std::int64_t max_file_bytes = 16LL << 30;
  int max_open_files = 1024;

  std::string program_path = "/usr/local/bin:/usr/bin:/bin";  ///< where permissions.exec's programs are looked for
  int programs_at_once = 8;                                   ///< of one attempt

  core::Millis watch_interval{200};  ///< how often the tree of a running attempt is measured
  bool use_cgroups = true;           ///< pids controller, where one is writable

  std::string require_sandbox = "none";  ///< "none", "basic", …: a runner that reaches less is not used
  std::map<std::string, std::string> extra_environment;  ///< added to the clean environment of runners

  // For `plugin check` and `plugin run`; a serving host leaves them as they are.
  std::uint32_t host_flags = 1;            ///< JH_HOST_* the plugin sees
  std::string inspection;                  ///< a JSON object (docs/protocol.md, "Inspection"); empty: none
  std::vector<std::string> runner_prefix;  ///< a program that starts the runner, with arguments: {"/usr/bin/valgrind"}
  std::function<core::Result<SpawnedProcess>(SpawnRequest)> spawn;  ///< in place of spawnProcess(), on its thread
};

}  // namespace jobhost::pool
