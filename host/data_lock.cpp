#include "data_lock.hpp"

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jobhost {
namespace fs = std::filesystem;

core::Result<DataLock> DataLock::take(const fs::path& data_folder) {
  std::error_code failed;
  const auto folder = data_folder.has_filename() ? data_folder : data_folder.parent_path();  // "data/" is "data"
  fs::create_directories(fs::absolute(folder).parent_path(), failed);
  // Private when it is ours to make; an operator who made it has chosen. One that is there is looked at by what
  // follows.
  if (!failed && ::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) failed = {errno, std::generic_category()};
  if (failed) {
    return core::Error{core::ErrorCode::Unavailable,
                       "data.dir " + data_folder.string() + " cannot be made: " + failed.message()};
  }
  const auto file = data_folder / "lock";
  const int fd = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    return core::Error{core::ErrorCode::Unavailable,
                       "data.dir " + data_folder.string() + " cannot be written: " + std::strerror(errno)};
  }
  // Of the process and not of the open file: one that was forked and has not yet become a runner would keep the latter
  // for a moment after a host was killed, and the next one be refused.
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (fcntl(fd, F_SETLK, &lock) != 0) {
    const bool known = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK && lock.l_pid > 0;
    close(fd);
    return core::Error{core::ErrorCode::Conflict, "another jobhost" +
                                                      (known ? " (pid " + std::to_string(lock.l_pid) + ")" : "") +
                                                      " already runs on data.dir " + data_folder.string()};
  }
  return DataLock(fd);
}

DataLock::DataLock(DataLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

DataLock::~DataLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace jobhost
