#include "catalog/replace_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

namespace jobhost::catalog {

namespace fs = std::filesystem;

namespace {

bool writeAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

}  // namespace

core::Result<void> replaceFile(const fs::path& file, std::string_view text, Durable durable) {
  const auto failed = [&file](const char* step) {
    return core::Error{core::ErrorCode::Unavailable, step, file.string() + ": " + std::strerror(errno), {}};
  };
  std::error_code ignored;  // open says it better
  fs::create_directories(file.parent_path(), ignored);
  const std::string next = file.string() + ".next";
  const int fd = ::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return failed("open");
  const bool written = writeAll(fd, text) && (durable == Durable::No || ::fsync(fd) == 0);
  if (::close(fd) != 0 || !written) return failed("write");
  if (::rename(next.c_str(), file.c_str()) != 0) return failed("rename");
  return {};
}

}  // namespace jobhost::catalog
