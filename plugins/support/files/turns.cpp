#include "support/files/turns.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "support/common/failure.hpp"

namespace jobhost::support {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// Of a process that died the kernel tells the close a moment before the lock is free: then, and where there are no
// watches left on this machine, this is how late it is noticed.
constexpr milliseconds kLookAgain{1000};

[[noreturn]] void cannot(int error) {
  throw Failure(
      FailureKind::Io, "file.write",
      "the folder of those who wait cannot be used: " + std::error_code(error, std::generic_category()).message());
}

}  // namespace

UniqueFd openShared(const std::filesystem::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd) cannot(errno);
  return fd;
}

bool lockShared(int fd, int how) {
  while (::flock(fd, how) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) cannot(errno);
  }
  return true;
}

bool isRemoved(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) != 0 || info.st_nlink == 0;
}

Turns::Turn::~Turn() {
  if (file_) ::flock(file_.get(), LOCK_UN);  // before the close that wakes those who wait
}

Turns::Turns(const std::filesystem::path& folder, const std::string& name, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    paths_.push_back(folder / (name + "." + std::to_string(i)));
    files_.push_back(openShared(paths_.back()));
  }
}

std::optional<Turns::Turn> Turns::take() {
  for (std::size_t i = 0; i < files_.size(); ++i) {
    if (!files_[i] || !lockShared(files_[i].get(), LOCK_EX | LOCK_NB)) continue;
    if (!isRemoved(files_[i].get())) return Turn(std::exchange(files_[i], {}));
    files_[i] = openShared(paths_[i]);
    if (lockShared(files_[i].get(), LOCK_EX | LOCK_NB)) return Turn(std::exchange(files_[i], {}));
  }
  return std::nullopt;
}

std::optional<Turns::Turn> Turns::take(const Wait& wait, milliseconds most) {
  if (auto mine = take()) return mine;
  const auto begun = Clock::now();
  // Whoever has a turn closes its file at the end, also when it is killed; the kernel tells.
  const UniqueFd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  for (const auto& path : paths_) {
    if (watch) ::inotify_add_watch(watch.get(), path.c_str(), IN_CLOSE);
  }
  for (;;) {
    if (auto mine = take()) return mine;
    const auto gone = std::chrono::duration_cast<milliseconds>(Clock::now() - begun);
    if (gone >= most) return std::nullopt;
    wait(watch.get(), std::min(kLookAgain, most - gone));
    std::array<char, 4096> events;
    while (watch && ::read(watch.get(), events.data(), events.size()) > 0) {
    }
  }
}

}  // namespace jobhost::support
