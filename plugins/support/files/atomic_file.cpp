#include "support/files/atomic_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include "support/common/failure.hpp"
#include "support/files/unique_fd.hpp"

namespace jobhost::support {
namespace {

Failure cannotWrite(int error) {
  return {FailureKind::Io, "file.write",
          "the file cannot be written: " + std::error_code(error, std::generic_category()).message()};
}

void writeAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw cannotWrite(errno);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
}

// Unique among threads and processes that write the same file.
std::string temporaryName(const std::filesystem::path& path) {
  static std::atomic<unsigned> counter{0};
  return "." + path.filename().string() + "." + std::to_string(::getpid()) + "." + std::to_string(++counter) + ".tmp";
}

}  // namespace

void writeFileAtomically(const std::filesystem::path& path, std::string_view bytes, bool durable) {
  std::error_code made;
  std::filesystem::create_directories(path.parent_path(), made);
  if (made) throw cannotWrite(made.value());
  const std::filesystem::path temporary = path.parent_path() / temporaryName(path);
  try {
    const UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!fd) throw cannotWrite(errno);
    writeAll(fd.get(), bytes);
    if (durable && ::fsync(fd.get()) != 0) throw cannotWrite(errno);
    if (::rename(temporary.c_str(), path.c_str()) != 0) throw cannotWrite(errno);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

}  // namespace jobhost::support
