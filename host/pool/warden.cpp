#include "pool/warden.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>

#include "telemetry/log.hpp"

namespace jobhost::pool {
namespace {

constexpr std::string_view kMarkerName = "JOBHOST_WORK=";
constexpr int kThreadAllowance = 128;  // the pids controller counts threads too
constexpr int kMaxRounds = 200;

std::string cgroupName() {
  return "jobhost-" + std::to_string(::getpid());
}

/// Kills the process that `info` describes, not another that got its number since. Waits shortly for its end.
void endProcess(const ProcessInfo& info) {
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, info.pid, 0)));
  if (!pidfd) return;
  const auto now = processInfo(info.pid);
  if (!now || now->start_ticks != info.start_ticks) return;
  ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
  pollfd ended{pidfd.get(), POLLIN, 0};
  ::poll(&ended, 1, 100);
}

}  // namespace

std::string Warden::markerOf(const std::filesystem::path& work_folder) {
  return std::string(kMarkerName) + work_folder.string();
}

Warden::Warden(Options options, EventLoop& loop)
    : options_(std::move(options)),
      loop_(loop),
      marker_(markerOf(options_.work_folder)),
      cgroup_(options_.use_cgroups ? cgroupName() : std::string()),
      self_(::getpid()),
      session_(::getsid(0)) {
  ::prctl(PR_GET_CHILD_SUBREAPER, &was_subreaper_, 0, 0, 0);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  thread_ = std::jthread([this](const std::stop_token& stop) {
    while (auto task = inbox_.pop(stop)) (*task)();
  });
}

Warden::~Warden() {
  inbox_.close();
  thread_.request_stop();
  thread_.join();
  ::prctl(PR_SET_CHILD_SUBREAPER, was_subreaper_, 0, 0, 0);
}

void Warden::spawn(SpawnRequest request, std::string group, int max_processes,
                   std::function<void(core::Result<SpawnedProcess>)> done) {
  auto shared = std::make_shared<SpawnRequest>(std::move(request));
  inbox_.push([this, shared, group = std::move(group), max_processes, done = std::move(done)] {
    doSpawn(*shared, group, max_processes, done);
  });
}

void Warden::doSpawn(SpawnRequest& request, const std::string& group, int max_processes,
                     const std::function<void(core::Result<SpawnedProcess>)>& done) {
  request.environment.push_back(marker_);
  auto spawned = options_.spawn ? options_.spawn(std::move(request)) : spawnProcess(std::move(request));
  if (spawned) {
    known_.insert(spawned->pid);
    cgroup_.add(group, spawned->pid, max_processes + kThreadAllowance);
    std::ofstream("/proc/" + std::to_string(spawned->pid) + "/oom_score_adj") << 500;
  }
  auto shared = std::make_shared<core::Result<SpawnedProcess>>(std::move(spawned));
  loop_.post([shared, done] { done(std::move(*shared)); });
}

void Warden::ended(pid_t pid, std::string group, std::function<void()> done) {
  inbox_.push([this, pid, group = std::move(group), done = std::move(done)] {
    known_.erase(pid);
    sweep(group);
    cgroup_.remove(group);
    loop_.post(done);
  });
}

void Warden::endChildren(pid_t pid, std::function<void(int)> done) {
  inbox_.push([this, pid, done = std::move(done)] {
    int count = 0;
    for (int round = 0; round < kMaxRounds; ++round) {
      auto below = descendants(allProcesses(), pid);
      std::erase_if(below, [](const ProcessInfo& info) { return info.state == 'Z'; });
      if (below.empty()) break;
      for (const auto& info : below) endProcess(info);
      count += static_cast<int>(below.size());
    }
    loop_.post([done, count] { done(count); });
  });
}

void Warden::measure(std::vector<std::pair<pid_t, std::string>> runners,
                     std::function<void(std::vector<TreeUsage>)> done) {
  inbox_.push([this, runners = std::move(runners), done = std::move(done)] {
    const auto all = allProcesses();
    const long ticks = std::max(1L, ::sysconf(_SC_CLK_TCK));
    std::vector<TreeUsage> usages;
    for (const auto& [pid, group] : runners) {
      TreeUsage usage{pid, 0, 0, core::Millis(0), cgroup_.refusals(group) > 0};
      auto tree = descendants(all, pid);
      usage.processes = static_cast<int>(tree.size());
      const auto self = std::find_if(all.begin(), all.end(),
                                     [root = usage.pid](const ProcessInfo& info) { return info.pid == root; });
      if (self != all.end()) tree.push_back(*self);
      std::uint64_t cpu = 0;
      for (const auto& info : tree) {
        usage.rss_bytes += info.rss_bytes;
        cpu += info.cpu_ticks;
      }
      usage.cpu = core::Millis(static_cast<std::int64_t>(cpu) * 1000 / ticks);
      usages.push_back(usage);
    }
    loop_.post([done, usages] { done(usages); });
  });
}

bool Warden::isOrphan(const ProcessInfo& info) const {
  if (info.parent != self_ || info.session == session_ || known_.contains(info.pid)) return false;
  if (info.state == 'Z' || hasEnvironment(info.pid, marker_)) return true;
  return !hasEnvironmentName(info.pid, kMarkerName);  // another pool of this process carries another marker
}

/// Ends what is left now; answers how much was found alive.
int Warden::endOnce(const std::string& group) {
  const auto all = allProcesses();
  int alive = 0;
  for (const auto& info : all) {
    if (!isOrphan(info)) continue;
    for (const auto& below : descendants(all, info.pid)) {
      endProcess(below);
      ++alive;
    }
    if (info.state != 'Z') {
      endProcess(info);
      ++alive;
    }
    ::waitpid(info.pid, nullptr, WNOHANG);
  }
  for (const pid_t pid : cgroup_.members(group)) {
    const auto info = processInfo(pid);
    if (!info || info->state == 'Z') continue;
    endProcess(*info);
    ++alive;
  }
  return alive;
}

void Warden::sweep(const std::string& group) {
  cgroup_.freezeForks(group);
  int total = 0;
  for (int round = 0; round < kMaxRounds; ++round) {
    const int alive = endOnce(group);
    total += alive;
    if (alive == 0) break;
  }
  endOnce(group);  // reaps what the last round ended
  if (total > 0) telemetry::log("pool").warn("processes left behind ended runner={} count={}", group, total);
}

int Warden::endLeftovers(const std::filesystem::path& work_folder) {
  const std::string marker = markerOf(work_folder);
  int total = 0;
  for (int round = 0; round < kMaxRounds; ++round) {
    int alive = 0;
    for (const auto& info : allProcesses()) {
      if (info.pid == ::getpid() || info.state == 'Z' || !hasEnvironment(info.pid, marker)) continue;
      endProcess(info);
      ++alive;
    }
    total += alive;
    if (alive == 0) break;
  }
  return total;
}

}  // namespace jobhost::pool
