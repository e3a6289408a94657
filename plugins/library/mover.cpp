#include "library/mover.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <vector>

#include "support/files/unique_fd.hpp"

namespace jobhost::library {
namespace {

namespace fs = std::filesystem;
using support::UniqueFd;

constexpr std::size_t kChunkBytes = 1 << 20;

void writeAll(int fd, const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t put = ::write(fd, data, size);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw MoveError(errno);
    data += put;
    size -= static_cast<std::size_t>(put);
  }
}

void copyFile(const fs::path& from, const fs::path& to, const support::StopCheck& stop) {
  const UniqueFd in(::open(from.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!in) throw MoveError(errno);
  const UniqueFd out(::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!out) throw MoveError(errno);
  std::vector<char> chunk(kChunkBytes);
  for (;;) {
    support::checkStop(stop);
    const ssize_t got = ::read(in.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw MoveError(errno);
    if (got == 0) break;
    writeAll(out.get(), chunk.data(), static_cast<std::size_t>(got));
  }
  if (::fsync(out.get()) != 0) throw MoveError(errno);
}

// Where the file system cannot rename without replacing, a second name can be given instead, and the first one taken.
void renameIfFree(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return;
  if (errno == EEXIST) throw NameTaken{};
  if (errno != EINVAL && errno != ENOSYS) throw MoveError(errno);
  if (::link(from.c_str(), to.c_str()) != 0) {
    if (errno == EEXIST) throw NameTaken{};
    throw MoveError(errno);
  }
  ::unlink(from.c_str());
}

void flushFolder(const fs::path& folder) {
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd) ::fsync(fd.get());  // some file systems cannot; the name is there all the same
}

}  // namespace

MoveError::MoveError(int error) : std::runtime_error(std::error_code(error, std::generic_category()).message()) {}

void moveIntoFolder(const fs::path& from, const fs::path& folder, const std::string& name, const std::string& tag,
                    bool replace, const support::StopCheck& stop) {
  const fs::path temporary = folder / ("." + tag + ".upload");
  const fs::path to = folder / name;
  bool copied = false;
  if (::rename(from.c_str(), temporary.c_str()) != 0) {
    const int error = errno;
    struct stat info {};
    const bool moved_before = error == ENOENT && ::lstat(temporary.c_str(), &info) == 0 && S_ISREG(info.st_mode);
    if (error != EXDEV && !moved_before) throw MoveError(error);
    copied = error == EXDEV;
  }
  try {
    if (copied) copyFile(from, temporary, stop);
    if (replace) {
      if (::rename(temporary.c_str(), to.c_str()) != 0) throw MoveError(errno);
    } else {
      renameIfFree(temporary, to);
    }
  } catch (...) {
    if (copied) {
      ::unlink(temporary.c_str());
    } else {
      ::rename(temporary.c_str(), from.c_str());
    }
    throw;
  }
  flushFolder(folder);
  if (copied) ::unlink(from.c_str());
}

}  // namespace jobhost::library
