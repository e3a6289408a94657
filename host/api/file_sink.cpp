#include "api/file_sink.hpp"

#include <cerrno>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/auth/secrets.hpp"
#include "api/encoding.hpp"

namespace jobhost::api {

core::Error noDisk(const std::string& what) {
  return {core::ErrorCode::Unavailable, "the upload cannot be stored now", what + ": " + std::strerror(errno), {}};
}

core::Result<void> syncFolder(const std::filesystem::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return noDisk("open folder");
  const bool synced = ::fsync(fd) == 0;
  const int problem = errno;
  ::close(fd);
  errno = problem;
  if (!synced) return noDisk("sync folder");
  return {};
}

FileSink::FileSink(const std::filesystem::path& path)
    : fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640)),
      hash_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
  const int problem = errno;  // of open()
  EVP_DigestInit_ex(hash_.get(), EVP_sha256(), nullptr);
  errno = problem;
}

FileSink::~FileSink() {
  if (fd_ >= 0) ::close(fd_);
}

bool FileSink::write(const char* bytes, std::size_t count) {
  EVP_DigestUpdate(hash_.get(), bytes, count);
  size_ += static_cast<std::int64_t>(count);
  while (count > 0) {
    const auto written = ::write(fd_, bytes, count);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes += written;
    count -= static_cast<std::size_t>(written);
  }
  return true;
}

core::Result<SavedFile> FileSink::finish(std::string name) {
  if (::fsync(fd_) != 0) return noDisk("sync file");
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  EVP_DigestFinal_ex(hash_.get(), digest, &length);
  return SavedFile{std::move(name), size_, toHex({reinterpret_cast<const char*>(digest), length})};
}

StagedFolder::StagedFolder(const std::filesystem::path& parent, std::string_view prefix) {
  const auto random = randomHex(16);
  if (!random) return;
  id_ = std::string(prefix) + *random;
  final_ = parent / id_;
  folder_ = parent / (".part-" + id_);
  std::error_code failed;
  std::filesystem::create_directories(folder_, failed);
  if (failed) errno = failed.value();
  ready_ = !failed;
}

StagedFolder::~StagedFolder() {
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

core::Result<std::filesystem::path> StagedFolder::commit() {
  if (auto synced = syncFolder(folder_); !synced) return synced.error();
  ::utimensat(AT_FDCWD, folder_.c_str(), nullptr, 0);  // its age counts from here, however long the upload took
  if (::rename(folder_.c_str(), final_.c_str()) != 0) return noDisk("rename");
  folder_.clear();
  if (auto synced = syncFolder(final_.parent_path()); !synced) return synced.error();
  return final_;
}

}  // namespace jobhost::api
