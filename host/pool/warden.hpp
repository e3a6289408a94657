#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/clock.hpp"
#include "core/mailbox.hpp"
#include "core/result.hpp"
#include "pool/cgroup.hpp"
#include "pool/event_loop.hpp"
#include "pool/process_tree.hpp"
#include "pool/spawn.hpp"

namespace jobhost::pool {

/// What the tree below (and with) a runner uses now.
struct TreeUsage {
  pid_t pid = 0;
  std::int64_t rss_bytes = 0;
  int processes = 0;  ///< without the runner itself
  core::Millis cpu{0};
  bool forks_refused = false;  ///< the pids controller said no
};

/// The one thread that starts runners (PDEATHSIG follows it), measures their trees and ends what they leave behind.
///
/// How nothing outlives its runner: a runner leads its own session and process group, so one signal ends what stayed in
/// it; it is a subreaper, so what left the group is still below it; and this process is one too, so when the runner is
/// gone the rest becomes a child of this process, of a foreign session, and sweep() finds and ends it. Where the pids
/// controller is writable each runner has a group there as well, which bounds forks for root.
///
/// Any thread may call; `done` runs on the loop given.
class Warden {
 public:
  struct Options {
    std::filesystem::path work_folder;
    bool use_cgroups = true;
    std::function<core::Result<SpawnedProcess>(SpawnRequest)> spawn = {};  ///< empty: spawnProcess()
  };
  Warden(Options options, EventLoop& loop);
  ~Warden();
  Warden(const Warden&) = delete;
  Warden& operator=(const Warden&) = delete;

  /// The marker() of the pool with this work folder.
  [[nodiscard]] static std::string markerOf(const std::filesystem::path& work_folder);
  /// `NAME=value` that every runner (and what it starts) carries in its environment.
  [[nodiscard]] const std::string& marker() const { return marker_; }
  [[nodiscard]] bool hasPidsController() const { return cgroup_.available(); }

  void spawn(SpawnRequest request, std::string group, int max_processes,
             std::function<void(core::Result<SpawnedProcess>)> done);
  /// The runner was reaped: ends whatever it left behind, then calls `done`.
  void ended(pid_t pid, std::string group, std::function<void()> done);
  /// Ends everything below the runner, but not the runner.
  void endChildren(pid_t pid, std::function<void(int count)> done);
  void measure(std::vector<std::pair<pid_t, std::string>> runners, std::function<void(std::vector<TreeUsage>)> done);

  /// Ends what a host that died left behind: processes that carry our marker. At start, before the first spawn.
  static int endLeftovers(const std::filesystem::path& work_folder);

 private:
  using Task = std::function<void()>;
  void doSpawn(SpawnRequest& request, const std::string& group, int max_processes,
               const std::function<void(core::Result<SpawnedProcess>)>& done);
  void sweep(const std::string& group);
  int endOnce(const std::string& group);
  [[nodiscard]] bool isOrphan(const ProcessInfo& info) const;

  const Options options_;
  EventLoop& loop_;
  const std::string marker_;
  PidsCgroup cgroup_;
  std::set<pid_t> known_;  ///< runners spawned and not yet ended; owned by thread_
  const pid_t self_;
  const pid_t session_;
  int was_subreaper_ = 0;
  core::Mailbox<Task> inbox_{4096};
  std::jthread thread_;
};

}  // namespace jobhost::pool
