#include "artifact/zip_writer.hpp"

#include <minizip/zip.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "support/common/failure.hpp"

namespace jobhost::artifact {
namespace {

using support::Failure;
using support::FailureKind;

constexpr std::uint64_t kMaxBytes = 0xFFFF'FFF0;
constexpr std::size_t kMaxEntries = 65'000;
constexpr std::size_t kBufferBytes = 1 << 20;
constexpr std::size_t kPieceBytes = 1 << 24;  // minizip counts in unsigned int

}  // namespace

/// What minizip writes to. It goes back to each entry's header, which here mostly happens in memory.
class ZipWriter::File {
 public:
  explicit File(int fd) : fd_(fd) { buffer_.reserve(kBufferBytes); }

  [[nodiscard]] zlib_filefunc64_def functions() {
    zlib_filefunc64_def all{};
    all.opaque = this;
    all.zopen64_file = [](void* self, const void*, int) { return self; };
    all.zread_file = [](void*, void*, void*, uLong) -> uLong { return 0; };
    all.zwrite_file = [](void* self, void*, const void* bytes, uLong size) -> uLong {
      return of(self).write({static_cast<const char*>(bytes), size}) ? size : 0;
    };
    all.ztell64_file = [](void* self, void*) -> ZPOS64_T { return of(self).position_; };
    all.zseek64_file = [](void* self, void*, ZPOS64_T offset, int origin) -> long {
      File& file = of(self);
      file.position_ = (origin == ZLIB_FILEFUNC_SEEK_SET   ? 0
                        : origin == ZLIB_FILEFUNC_SEEK_CUR ? file.position_
                                                           : file.size_) +
                       offset;
      return 0;
    };
    all.zclose_file = [](void*, void*) { return 0; };
    all.zerror_file = [](void* self, void*) { return of(self).error_; };
    return all;
  }

  bool flush() {
    std::string_view bytes = buffer_;
    std::uint64_t at = start_;
    while (!bytes.empty() && error_ == 0) {
      const ssize_t put = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(at));
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) {
        error_ = put < 0 ? errno : ENOSPC;
        break;
      }
      at += static_cast<std::uint64_t>(put);
      bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    start_ += buffer_.size();
    buffer_.clear();
    return error_ == 0;
  }

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] int error() const { return error_; }

 private:
  static File& of(void* self) { return *static_cast<File*>(self); }

  bool write(std::string_view bytes) {
    if (error_ != 0) return false;
    if (position_ < start_ || position_ > start_ + buffer_.size() || buffer_.size() >= kBufferBytes) {
      if (!flush()) return false;
      start_ = position_;
    }
    const auto at = static_cast<std::size_t>(position_ - start_);
    const std::size_t over = std::min(bytes.size(), buffer_.size() - at);
    buffer_.replace(at, over, bytes.substr(0, over));
    buffer_ += bytes.substr(over);
    position_ += bytes.size();
    size_ = std::max(size_, position_);
    if (size_ > kMaxBytes) error_ = EFBIG;
    return error_ == 0;
  }

  int fd_;
  std::string buffer_;
  std::uint64_t start_ = 0;  // where the buffer stands in the file
  std::uint64_t position_ = 0, size_ = 0;
  int error_ = 0;
};

ZipWriter::ZipWriter(int fd) : file_(std::make_unique<File>(fd)) {
  zlib_filefunc64_def functions = file_->functions();
  zip_ = zipOpen2_64("", APPEND_STATUS_CREATE, nullptr, &functions);
  if (zip_ == nullptr) check(ZIP_ERRNO);
}

ZipWriter::~ZipWriter() {
  if (zip_ != nullptr) zipClose(zip_, nullptr);  // frees; what it writes is no whole ZIP, as the caller knows
}

void ZipWriter::check(int status) {
  if (status == ZIP_OK && file_->error() == 0) return;
  if (file_->error() == EFBIG) {
    throw Failure(FailureKind::Limit, "artifact.too_large", "the file is larger than 4 GiB");
  }
  const std::string reason = file_->error() != 0 ? std::error_code(file_->error(), std::generic_category()).message()
                                                 : "ZIP error " + std::to_string(status);
  throw Failure(FailureKind::Io, "artifact.write", "the file cannot be written: " + reason);
}

void ZipWriter::begin(const std::string& name, Method method) {
  end();
  if (++entries_ > kMaxEntries) {
    throw Failure(FailureKind::Limit, "artifact.too_large",
                  "the file has more than " + std::to_string(kMaxEntries) + " entries");
  }
  zip_fileinfo info{};
  info.dosDate = (1u << 21) | (1u << 16);    // 1980-01-01: month 1, day 1
  info.external_fa = 0100644ul << 16;        // a regular file, for tools that unpack modes
  constexpr uLong kMadeBy = (3u << 8) | 20;  // Unix, which gives external_fa its meaning; ZIP 2.0
  check(zipOpenNewFileInZip4_64(zip_, name.c_str(), &info, nullptr, 0, nullptr, 0, nullptr,
                                method == Method::Deflated ? Z_DEFLATED : 0, method == Method::Deflated ? 6 : 0, 0,
                                -MAX_WBITS, 8, Z_DEFAULT_STRATEGY, nullptr, 0, kMadeBy, 0, 0));
  in_entry_ = true;
}

void ZipWriter::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t size = std::min(bytes.size(), kPieceBytes);
    check(zipWriteInFileInZip(zip_, bytes.data(), static_cast<unsigned>(size)));
    bytes.remove_prefix(size);
  }
}

void ZipWriter::add(const std::string& name, std::string_view bytes, Method method) {
  begin(name, method);
  write(bytes);
}

void ZipWriter::end() {
  if (!in_entry_) return;
  in_entry_ = false;
  check(zipCloseFileInZip(zip_));
}

std::uint64_t ZipWriter::finish() {
  end();
  const int status = zipClose(std::exchange(zip_, nullptr), nullptr);
  file_->flush();
  check(status);
  return file_->size();
}

}  // namespace jobhost::artifact
