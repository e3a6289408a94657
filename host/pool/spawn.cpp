#include "pool/spawn.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <system_error>

#include "pool/process_tree.hpp"

namespace jobhost::pool {
namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (auto& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

/// The same file under a number that no dup2 of the child's plan overwrites.
bool moveUp(UniqueFd& fd) {
  const int moved = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 16);
  if (moved < 0) return false;
  fd.reset(moved);
  return true;
}

class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

class Attributes {
 public:
  Attributes() {
    posix_spawnattr_init(&attributes_);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(&attributes_,
                             static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID));
  }
  ~Attributes() { posix_spawnattr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  posix_spawnattr_t* get() { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

void applyLimits(pid_t pid, const std::vector<std::pair<int, std::uint64_t>>& limits) {
  for (const auto& [resource, value] : limits) {
    rlimit current{};
    const auto kind = static_cast<__rlimit_resource>(resource);
    if (::prlimit(pid, kind, nullptr, &current) != 0) continue;
    rlimit wanted{value, value};
    if (wanted.rlim_max > current.rlim_max) wanted = {current.rlim_max, current.rlim_max};
    ::prlimit(pid, kind, &wanted, nullptr);
  }
}

void endUnstarted(pid_t pid) {
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

}  // namespace

core::Error osError(const std::string& what, int error_number) {
  const std::string reason = std::generic_category().message(error_number);
  return {core::ErrorCode::Unavailable, what + ": " + reason, {}, {}};
}

core::Result<std::pair<UniqueFd, UniqueFd>> makeSocketPair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) return osError("cannot make a socket", errno);
  std::pair<UniqueFd, UniqueFd> ends{UniqueFd(fds[0]), UniqueFd(fds[1])};
  if (::fcntl(fds[0], F_SETFL, O_NONBLOCK) != 0) return osError("cannot make a socket", errno);
  return ends;
}

core::Result<std::pair<UniqueFd, UniqueFd>> makePipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return osError("cannot make a pipe", errno);
  std::pair<UniqueFd, UniqueFd> ends{UniqueFd(fds[0]), UniqueFd(fds[1])};
  if (::fcntl(fds[0], F_SETFL, O_NONBLOCK) != 0) return osError("cannot make a pipe", errno);
  return ends;
}

core::Result<SpawnedProcess> spawnProcess(SpawnRequest request) {
  if (!moveUp(request.out) || !moveUp(request.err) || !moveUp(request.control) || !moveUp(request.page)) {
    return osError("cannot start a runner", errno);
  }
  FileActions actions;
  posix_spawn_file_actions_addopen(actions.get(), 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(actions.get(), request.out.get(), 1);
  posix_spawn_file_actions_adddup2(actions.get(), request.err.get(), 2);
  posix_spawn_file_actions_adddup2(actions.get(), request.control.get(), 3);
  posix_spawn_file_actions_adddup2(actions.get(), request.page.get(), 4);
  posix_spawn_file_actions_addclosefrom_np(actions.get(), 5);
  posix_spawn_file_actions_addchdir_np(actions.get(), request.folder.c_str());

  Attributes attributes;
  std::vector<std::string> arguments{request.program.string()};
  arguments.insert(arguments.end(), request.arguments.begin(), request.arguments.end());
  SpawnedProcess spawned;
  const int error = ::posix_spawn(&spawned.pid, request.program.c_str(), actions.get(), attributes.get(),
                                  pointers(arguments).data(), pointers(request.environment).data());
  if (error != 0) return osError("cannot start a runner", error);
  spawned.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, spawned.pid, 0)));
  if (!spawned.pidfd) {
    const int why = errno;
    endUnstarted(spawned.pid);
    return osError("cannot watch a runner", why);
  }
  ::fcntl(spawned.pidfd.get(), F_SETFD, FD_CLOEXEC);
  applyLimits(spawned.pid, request.limits);
  if (const auto info = processInfo(spawned.pid)) spawned.start_ticks = info->start_ticks;
  return spawned;
}

}  // namespace jobhost::pool
