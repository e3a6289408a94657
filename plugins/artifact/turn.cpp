#include "artifact/turn.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "support/common/failure.hpp"

namespace jobhost::artifact {
namespace {

using support::Failure;
using support::FailureKind;
using support::UniqueFd;

// Of a process that died the kernel tells the close a moment before the lock is free: then, and where there are no
// watches left on this machine, this is how late it is noticed.
constexpr int kLookAgainMs = 1000;

Failure failed(int error) {
  return {FailureKind::Io, "file.write",
          "the lock of the converter cannot be had: " + std::error_code(error, std::generic_category()).message()};
}

void drain(int fd) {
  std::array<char, 4096> events;
  while (::read(fd, events.data(), events.size()) > 0) {
  }
}

}  // namespace

Turn::Turn(Job& job, const std::filesystem::path& folder, int turns) {
  std::error_code wrong;
  std::filesystem::create_directories(folder, wrong);
  if (wrong) throw failed(wrong.value());
  const UniqueFd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  for (int i = 0; i < turns; ++i) {
    const auto path = folder / ("converter-" + std::to_string(i) + ".lock");
    // Open while we wait: a close of ours would wake us and all others.
    UniqueFd file(::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!file) throw failed(errno);
    files_.push_back(std::move(file));
    if (watch) ::inotify_add_watch(watch.get(), path.c_str(), IN_CLOSE);
  }
  bool told = false;
  while (!take()) {
    if (!std::exchange(told, true)) job.progress(0, 0, "waiting for other conversions");
    std::array<pollfd, 2> fds{pollfd{watch.get(), POLLIN, 0}, {static_cast<int>(job.cancelHandle()), POLLIN, 0}};
    ::poll(fds.data(), fds.size(), kLookAgainMs);
    job.check();
    if (watch) drain(watch.get());
  }
}

Turn::~Turn() {
  if (files_.size() == 1) ::flock(files_.front().get(), LOCK_UN);  // before the close that wakes those who wait
}

bool Turn::take() {
  for (UniqueFd& file : files_) {
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) {
      UniqueFd held = std::move(file);
      files_.clear();
      files_.push_back(std::move(held));
      return true;
    }
    if (errno != EWOULDBLOCK && errno != EINTR) throw failed(errno);
  }
  return false;
}

}  // namespace jobhost::artifact
