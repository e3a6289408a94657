#include "jobs/job_files.hpp"

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/job_paths.hpp"
#include "telemetry/log.hpp"

namespace jobhost::jobs {
namespace {

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

core::Error openError(int number) {
  if (number == ENOENT || number == ENOTDIR || number == ELOOP) {
    return {core::ErrorCode::NotFound, "no such file", std::strerror(number), {}};
  }
  return {core::ErrorCode::Unavailable, "the file cannot be read now", std::strerror(number), {}};
}

// O_NONBLOCK: a FIFO with that name must not hold the thread.
constexpr int kReadFile = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
constexpr int kOpenFolder = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

core::Result<std::int64_t> sizeOfRegular(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return openError(errno);
  if (!S_ISREG(info.st_mode)) return core::Error{core::ErrorCode::Internal, "not a regular file", "", {}};
  return static_cast<std::int64_t>(info.st_size);
}

}  // namespace

core::Result<FilePart> readPart(const std::filesystem::path& file, std::int64_t offset, std::int64_t limit) {
  const Fd fd(::open(file.c_str(), kReadFile));
  if (fd.get() < 0) return openError(errno);
  const auto size = sizeOfRegular(fd.get());
  if (!size) return size.error();
  FilePart part;
  part.size = *size;
  if (offset >= part.size || limit <= 0) return part;
  part.bytes.resize(static_cast<std::size_t>(std::min(limit, part.size - offset)));
  std::size_t have = 0;
  while (have < part.bytes.size()) {
    const auto got = ::pread(fd.get(), part.bytes.data() + have, part.bytes.size() - have,
                             static_cast<off_t>(offset + static_cast<std::int64_t>(have)));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return openError(errno);
    if (got == 0) break;  // cut while we read
    have += static_cast<std::size_t>(got);
  }
  part.bytes.resize(have);
  return part;
}

core::Result<void> checkBeneath(const std::filesystem::path& folder, const std::string& name) {
  const core::Error missing{core::ErrorCode::NotFound, "no such output", "", {}};
  if (name.find('\0') != std::string::npos) return missing;
  Fd at(::open(folder.c_str(), kOpenFolder));
  if (at.get() < 0) return openError(errno);
  std::string_view rest = name;
  while (true) {
    const auto slash = rest.find('/');
    const std::string part(rest.substr(0, slash));
    if (part.empty() || part == "." || part == "..") return missing;
    const bool last = slash == std::string_view::npos;
    Fd next(::openat(at.get(), part.c_str(), last ? kReadFile : kOpenFolder));
    if (next.get() < 0) return openError(errno);
    if (last) {
      const auto size = sizeOfRegular(next.get());
      return size ? core::Result<void>{} : core::Result<void>{missing};
    }
    at = std::move(next);
    rest.remove_prefix(slash + 1);
  }
}

void removeJobFolder(const std::filesystem::path& data_folder, core::JobId id) {
  std::error_code failed;
  std::filesystem::remove_all(core::jobPaths(data_folder, id).folder, failed);
  if (failed) telemetry::log("jobs").warn("files not removed job={} reason=\"{}\"", id.value, failed.message());
}

}  // namespace jobhost::jobs
