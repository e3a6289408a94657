#include "devtools/in_process.hpp"

#include <fcntl.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <memory>
#include <utility>

#include "runner/in_process.hpp"

namespace jobhost::devtools {
namespace {

core::Result<pool::UniqueFd> copyOf(const pool::UniqueFd& fd) {
  pool::UniqueFd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) return pool::osError("cannot start a session", errno);
  return copy;
}

}  // namespace

core::Result<pool::SpawnedProcess> spawnInProcess(pool::SpawnRequest request) {
  auto page = copyOf(request.page);
  if (!page) return page.error();
  auto pipe = pool::makePipe();
  if (!pipe) return pipe.error();
  if (::fcntl(pipe->first.get(), F_SETFL, 0) != 0) return pool::osError("cannot start a session", errno);
  pool::UniqueFd control = std::move(request.control);
  pool::SpawnRequest stand_in = std::move(request);
  stand_in.program = "/bin/cat";
  stand_in.arguments = {"/dev/fd/3"};
  stand_in.control = std::move(pipe->first);
  auto spawned = pool::spawnProcess(std::move(stand_in));
  if (!spawned) return spawned.error();
  const auto alive = std::make_shared<pool::UniqueFd>(std::move(pipe->second));
  auto begun = runner::startInProcess(control.release(), page->release(), JOBHOST_VERSION, [alive] { alive->reset(); });
  if (!begun) {
    // The stand-in ends with `alive`; the pool hears of the session that did not begin alone.
    ::kill(spawned->pid, SIGKILL);
    ::waitpid(spawned->pid, nullptr, 0);
    return begun.error();
  }
  return spawned;
}

}  // namespace jobhost::devtools
