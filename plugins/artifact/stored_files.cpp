#include "artifact/stored_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

#include "support/common/failure.hpp"
#include "support/files/confined.hpp"

namespace jobhost::artifact {
namespace {

using support::Failure;
using support::FailureKind;
using support::UniqueFd;

constexpr int kMaxWindowLog = 24;  // 16 MiB: as much as a body may have, and all that unpacking it may hold

Failure failed(const char* what, const char* code, int error) {
  return {FailureKind::Io, code, what + std::error_code(error, std::generic_category()).message()};
}

Failure cannotRead(int error) {
  return failed("a file of the novel cannot be read: ", "file.read", error);
}

Failure cannotWrite(int error) {
  return failed("the artifact cannot be written: ", "file.write", error);
}

std::size_t readSome(int fd, char* to, std::size_t size) {
  for (;;) {
    const ssize_t got = ::read(fd, to, size);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) throw cannotRead(errno);
  }
}

std::string readFile(int fd, std::size_t limit) {
  struct stat about {};
  if (::fstat(fd, &about) != 0) throw cannotRead(errno);
  std::string all;
  all.resize(std::min(static_cast<std::size_t>(std::max<off_t>(about.st_size, 0)), limit) + 1);
  std::size_t at = 0;
  while (at < all.size()) {
    const std::size_t got = readSome(fd, all.data() + at, all.size() - at);
    if (got == 0) break;
    at += got;
  }
  all.resize(at);
  return all;
}

Failure damaged(const char* why) {
  return {FailureKind::Damaged, "artifact.chapter_damaged", std::string("a chapter does not unpack: ") + why};
}

std::string unpack(int fd, std::size_t limit) {
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), &ZSTD_freeDCtx);
  if (!context) throw std::bad_alloc();
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kMaxWindowLog);
  std::array<char, 64 * 1024> packed;
  std::array<char, 64 * 1024> plain;
  std::string all;
  std::size_t left = 1;  // what is missing of the frame; 0 at its end
  while (const std::size_t got = readSome(fd, packed.data(), packed.size())) {
    ZSTD_inBuffer in{packed.data(), got, 0};
    bool more = true;
    while (in.pos < in.size || more) {
      ZSTD_outBuffer out{plain.data(), plain.size(), 0};
      left = ZSTD_decompressStream(context.get(), &out, &in);
      if (ZSTD_isError(left) != 0) throw damaged(ZSTD_getErrorName(left));
      all.append(plain.data(), std::min(out.pos, limit + 1 - all.size()));
      if (all.size() > limit) return all;
      more = out.pos == out.size;
      if (left == 0 && in.pos == in.size) break;
    }
  }
  if (left != 0) throw damaged("it ends too early");
  return all;
}

/// All of `from` into a new file.
void copyTo(int from, const std::filesystem::path& path) {
  ::unlink(path.c_str());  // of an attempt that was killed
  const UniqueFd to(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!to) throw cannotWrite(errno);
  std::array<char, 256 * 1024> piece;
  while (const std::size_t got = readSome(from, piece.data(), piece.size())) {
    for (std::size_t at = 0; at < got;) {
      const ssize_t put = ::write(to.get(), piece.data() + at, got - at);
      if (put < 0 && errno != EINTR) throw cannotWrite(errno);
      at += static_cast<std::size_t>(std::max<ssize_t>(put, 0));
    }
  }
  if (::fsync(to.get()) != 0) throw cannotWrite(errno);
}

void makeFolder(const std::filesystem::path& path) {
  std::error_code wrong;
  std::filesystem::create_directories(path, wrong);
  if (wrong) throw cannotWrite(wrong.value());
}

}  // namespace

bool isFileId(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
  };
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), fits);
}

StoredFiles::StoredFiles(const std::filesystem::path& novel_folder)
    : folder_(::open(novel_folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
  if (!folder_ && errno != ENOENT) throw cannotRead(errno);
}

UniqueFd StoredFiles::open(const std::string& relative) const {
  if (!folder_) return {};
  UniqueFd file;
  try {
    file = support::openBeneath(folder_.get(), relative, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  } catch (const Failure& failure) {
    if (failure.kind() == FailureKind::Io) throw;
    return {};
  }
  struct stat about {};
  if (file && ::fstat(file.get(), &about) == 0 && S_ISREG(about.st_mode)) return file;
  return {};
}

std::optional<std::string> StoredFiles::body(std::string_view chapter_id, std::size_t limit) const {
  if (!isFileId(chapter_id)) return std::nullopt;
  const UniqueFd file = open("chapters/" + std::string(chapter_id) + ".zst");
  if (!file) return std::nullopt;
  return unpack(file.get(), limit);
}

std::optional<std::string> StoredFiles::image(std::string_view image_id, std::size_t limit) const {
  if (!isFileId(image_id)) return std::nullopt;
  const UniqueFd file = open("images/" + std::string(image_id) + ".jpg");
  if (!file) return std::nullopt;
  return readFile(file.get(), limit);
}

std::optional<std::string> StoredFiles::cover(std::size_t limit) const {
  const UniqueFd file = open("cover.jpg");
  if (!file) return std::nullopt;
  return readFile(file.get(), limit);
}

bool StoredFiles::hasBody(std::string_view chapter_id) const {
  return isFileId(chapter_id) && open("chapters/" + std::string(chapter_id) + ".zst");
}

bool StoredFiles::hasCover() const {
  return static_cast<bool>(open("cover.jpg"));
}

void placeFile(const std::filesystem::path& source, const std::filesystem::path& destination,
               const std::filesystem::path& temporary_dir) {
  makeFolder(destination.parent_path());
  const UniqueFd from(::open(source.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!from || ::fchmod(from.get(), 0644) != 0 || ::fsync(from.get()) != 0) throw cannotWrite(errno);
  if (::rename(source.c_str(), destination.c_str()) != 0) {
    if (errno != EXDEV) throw cannotWrite(errno);
    makeFolder(temporary_dir);
    const std::filesystem::path temporary = temporary_dir / source.filename();
    try {
      copyTo(from.get(), temporary);
      if (::rename(temporary.c_str(), destination.c_str()) != 0) throw cannotWrite(errno);
    } catch (...) {
      ::unlink(temporary.c_str());
      throw;
    }
  }
  // The name lasts only when its folder is on the disk too.
  const UniqueFd folder(::open(destination.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) throw cannotWrite(errno);
}

}  // namespace jobhost::artifact
