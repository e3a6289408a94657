#include "data_lock.hpp"

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace jobhost {
namespace fs = std::filesystem;

core::Result<DataLock> DataLock::take(const fs::path& data_folder) {
  std::error_code failed;
  fs::create_directories(data_folder, failed);
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
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    char holder[32] = {};
    const auto n = pread(fd, holder, sizeof holder - 1, 0);
    close(fd);
    return core::Error{core::ErrorCode::Conflict,
                       "another jobhost" +
                           (n > 0 ? " (pid " + std::string(holder, static_cast<std::size_t>(n)) + ")" : "") +
                           " already runs on data.dir " + data_folder.string()};
  }
  const std::string pid = std::to_string(getpid());
  if (ftruncate(fd, 0) != 0 || pwrite(fd, pid.data(), pid.size(), 0) < 0) {
    // Only the hint for the other host's message; the lock itself is held.
  }
  return DataLock(fd);
}

DataLock::DataLock(DataLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

DataLock::~DataLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace jobhost
