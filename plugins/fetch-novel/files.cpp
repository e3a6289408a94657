#include "fetch-novel/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "support/common/failure.hpp"
#include "support/files/unique_fd.hpp"

namespace jobhost::novel {
namespace {

namespace fs = std::filesystem;
using support::UniqueFd;

constexpr int kLevel = 6;  // text of this size: half a millisecond more than the default, a tenth smaller
constexpr auto kAbandoned = std::chrono::hours{24};

support::Failure cannotWrite(int error) {
  return {support::FailureKind::Io, "file.write",
          "the file cannot be written: " + std::error_code(error, std::generic_category()).message()};
}

void makeFolders(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw cannotWrite(error.value());
}

void writeAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw cannotWrite(errno);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
}

}  // namespace

bool Files::has(const std::string& file) const {
  std::error_code error;
  return fs::is_regular_file(root_ / file, error);
}

void Files::write(const std::string& file, std::string_view bytes) const {
  static std::atomic<unsigned> counter{0};
  const fs::path target = root_ / file;
  makeFolders(root_ / "tmp");
  makeFolders(target.parent_path());
  const fs::path temporary =
      root_ / "tmp" / (std::to_string(::getpid()) + "." + std::to_string(++counter) + "." + target.filename().string());
  // One of a process of long ago that had our number.
  ::unlink(temporary.c_str());
  try {
    const UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!fd) throw cannotWrite(errno);
    writeAll(fd.get(), bytes);
    if (::fsync(fd.get()) != 0 || ::rename(temporary.c_str(), target.c_str()) != 0) throw cannotWrite(errno);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  // The name too must be there after the power went, for the record will say so.
  const UniqueFd folder(::open(target.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) throw cannotWrite(errno);
}

void Files::remove(const std::string& file) const {
  if (::unlink((root_ / file).c_str()) != 0 && errno != ENOENT) throw cannotWrite(errno);
}

void Files::sweep() const {
  std::error_code error;
  for (fs::directory_iterator at(root_ / "tmp", error), end; !error && at != end; at.increment(error)) {
    std::error_code ignored;
    if (!at->is_regular_file(ignored)) continue;
    const auto written = fs::last_write_time(at->path(), ignored);
    if (!ignored && fs::file_time_type::clock::now() - written > kAbandoned) fs::remove(at->path(), ignored);
  }
}

std::string compressed(std::string_view bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const std::size_t size = ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), kLevel);
  if (ZSTD_isError(size) != 0)
    throw support::Failure(support::FailureKind::Io, "file.write",
                           std::string("the text cannot be packed: ") + ZSTD_getErrorName(size));
  out.resize(size);
  return out;
}

}  // namespace jobhost::novel
