#include "runner/confine.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runner/channel.hpp"

namespace jobhost::runner {
namespace {

void onParentDeath(int) {
  leaveWithGroup(0);
}

void note(Confinement& confinement, const std::string& what) {
  confinement.missing += (confinement.missing.empty() ? "" : "; ") + what;
}

}  // namespace

bool followParent(pid_t parent) {
  // Not SIGKILL: what the plugin started would stay behind. A plugin that takes the signal away is still found out by
  // the end of file on the control socket.
  const int signal = SIGRTMAX - 1;
  struct sigaction action {};
  action.sa_handler = &onParentDeath;
  sigaction(signal, &action, nullptr);
  prctl(PR_SET_PDEATHSIG, signal);
  return parent == 0 || getppid() == parent;
}

void tidyProcess() {
  if (syscall(SYS_close_range, 5U, ~0U, 0U) != 0) {
    for (int fd = 5; fd < 4096; ++fd) close(fd);
  }
  for (const int fd : {3, 4}) fcntl(fd, F_SETFD, FD_CLOEXEC);
  std::signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);  // what the plugin starts stays below us, where the host finds it
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

Confinement confine(const wire::Welcome& welcome) {
  Confinement reached;
  if (welcome.sandbox == wire::SandboxLevel::None) return reached;
  reached.level = wire::SandboxLevel::Basic;
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  for (const auto& wanted : welcome.limits) {
    const rlim_t value = wanted.limit == ~std::uint64_t{0} ? RLIM_INFINITY : static_cast<rlim_t>(wanted.limit);
    const rlimit limit{value, value};
    if (setrlimit(static_cast<__rlimit_resource_t>(wanted.resource), &limit) != 0) {
      note(reached, "rlimit " + std::to_string(wanted.resource) + ": " + std::strerror(errno));
    }
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) note(reached, std::string("no_new_privs: ") + std::strerror(errno));
  // Landlock and seccomp go here, before the plugin's constructors can run.
  if (welcome.sandbox > wire::SandboxLevel::Basic) {
    note(reached, "level " + std::string(toString(welcome.sandbox)) + " is not offered by this runner");
  }
  return reached;
}

}  // namespace jobhost::runner
