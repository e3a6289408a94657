#include "support/archive/archive_pass.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace jobhost::support {
namespace {

constexpr std::size_t kReadBytes = 256 << 10;
constexpr std::uint64_t kReserveBytes = 32ULL << 20;  // a declared size is believed up to here

std::string reasonOf(struct archive* archive) {
  const char* text = archive_error_string(archive);
  return text != nullptr ? text : "no reason given";
}

bool speaksOfPassword(const std::string& text) {
  return text.find("ncrypt") != std::string::npos || text.find("assphrase") != std::string::npos ||
         text.find("assword") != std::string::npos;
}

Failure encrypted() {
  return {FailureKind::Encrypted, "archive.encrypted", "the archive is encrypted; passwords are not supported"};
}

}  // namespace

Utf8Names::Utf8Names() : utf8_(newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)), before_(nullptr) {
  if (utf8_ != nullptr) before_ = uselocale(utf8_);
}

Utf8Names::~Utf8Names() {
  if (utf8_ == nullptr) return;
  uselocale(before_);
  freelocale(utf8_);
}

Archive::Pass::Pass(int fd, std::uint64_t file_bytes, const ArchiveLimits& limits, const StopCheck& stop)
    : fd_(fd),
      file_bytes_(file_bytes),
      limits_(limits),
      stop_(stop),
      archive_(archive_read_new()),
      buffer_(kReadBytes) {
  if (archive_ == nullptr) throw std::bad_alloc();
  for (const auto support :
       {archive_read_support_format_zip, archive_read_support_format_rar, archive_read_support_format_rar5,
        archive_read_support_format_7zip, archive_read_support_format_tar, archive_read_support_filter_gzip,
        archive_read_support_filter_xz, archive_read_support_filter_lzma, archive_read_support_filter_zstd,
        archive_read_support_filter_bzip2}) {
    support(archive_);
  }
  archive_read_set_read_callback(archive_, &Pass::onRead);
  archive_read_set_seek_callback(archive_, &Pass::onSeek);
  archive_read_set_skip_callback(archive_, &Pass::onSkip);
  archive_read_set_callback_data(archive_, this);
  try {
    if (archive_read_open1(archive_) != ARCHIVE_OK) fail("archive.unreadable");
    opened_ = true;
    // The last filter is the plain file.
    const int layers = archive_filter_count(archive_) - 1;
    if (layers > limits_.max_filters) {
      throw Failure(FailureKind::Limit, "archive.nested",
                    "the archive is compressed " + std::to_string(layers) + " times over; at most " +
                        std::to_string(limits_.max_filters) + " is accepted");
    }
    filtered_ = layers > 0;
  } catch (...) {
    archive_read_free(archive_);
    throw;
  }
}

Archive::Pass::~Pass() {
  archive_read_free(archive_);
}

ssize_t Archive::Pass::onRead(struct archive* archive, void* self, const void** buffer) {
  auto& pass = *static_cast<Pass*>(self);
  if (pass.stop_ && pass.stop_()) {
    archive_set_error(archive, ECANCELED, "stopped");
    return -1;
  }
  ssize_t got;
  do {
    got = pread(pass.fd_, pass.buffer_.data(), pass.buffer_.size(), pass.position_);
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    archive_set_error(archive, errno, "%s", "the file cannot be read");
    return -1;
  }
  pass.position_ += got;
  *buffer = pass.buffer_.data();
  return got;
}

std::int64_t Archive::Pass::onSeek(struct archive*, void* self, std::int64_t offset, int whence) {
  auto& pass = *static_cast<Pass*>(self);
  const std::int64_t size = static_cast<std::int64_t>(pass.file_bytes_);
  const std::int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? pass.position_ : size;
  std::int64_t target = 0;
  if (__builtin_add_overflow(base, offset, &target)) return ARCHIVE_FATAL;
  pass.position_ = std::clamp<std::int64_t>(target, 0, size);
  return pass.position_;
}

std::int64_t Archive::Pass::onSkip(struct archive*, void* self, std::int64_t request) {
  auto& pass = *static_cast<Pass*>(self);
  const std::int64_t left = static_cast<std::int64_t>(pass.file_bytes_) - pass.position_;
  const std::int64_t skipped = std::clamp<std::int64_t>(request, 0, std::max<std::int64_t>(left, 0));
  pass.position_ += skipped;
  return skipped;
}

std::optional<ArchiveEntry> Archive::Pass::next() {
  while (true) {
    checkStop(stop_);
    if (open_entry_ && filtered_) drain();
    open_entry_ = false;
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(archive_, &entry);
    if (status == ARCHIVE_EOF) return std::nullopt;
    if (status == ARCHIVE_FATAL || status == ARCHIVE_RETRY) fail("archive.damaged");
    if (++seen_ > limits_.max_entries) {
      throw Failure(FailureKind::Limit, "archive.entries",
                    "the archive has more than " + std::to_string(limits_.max_entries) + " entries");
    }
    open_entry_ = true;
    checkEncryption(entry);
    const bool sized = archive_entry_size_is_set(entry) != 0 && archive_entry_size(entry) >= 0;
    const std::uint64_t size = sized ? static_cast<std::uint64_t>(archive_entry_size(entry)) : 0;
    if (__builtin_add_overflow(declared_, size, &declared_) || declared_ > limits_.max_total_bytes) {
      throw Failure(FailureKind::Limit, "archive.too_large",
                    "the archive unpacks to more than " + std::to_string(limits_.max_total_bytes) + " bytes");
    }
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) != nullptr) continue;
    const char* name = archive_entry_pathname(entry);
    if (name == nullptr) name = archive_entry_pathname_utf8(entry);
    if (name == nullptr) continue;  // a name in no known character set cannot be asked for
    if (std::strlen(name) > limits_.max_name_bytes) {
      throw Failure(FailureKind::Limit, "archive.name",
                    "the archive has an entry name longer than " + std::to_string(limits_.max_name_bytes) + " bytes");
    }
    return ArchiveEntry{name, sized ? std::optional(size) : std::nullopt};
  }
}

std::string Archive::Pass::read(std::uint64_t max_bytes) {
  const std::uint64_t limit = std::min(max_bytes, limits_.max_entry_bytes);
  std::string out;
  const void* block = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  while (true) {
    checkStop(stop_);
    const int status = archive_read_data_block(archive_, &block, &size, &offset);
    if (status == ARCHIVE_EOF) break;
    if (status == ARCHIVE_FATAL) fail("archive.damaged");
    if (status != ARCHIVE_OK) fail("archive.entry_damaged");
    // `offset` jumps over holes of a sparse file; they count as bytes.
    const std::uint64_t start = static_cast<std::uint64_t>(std::max<la_int64_t>(offset, 0));
    if (start > limit || size > limit - start) {
      throw Failure(FailureKind::Limit, "archive.entry_too_large",
                    "an entry is larger than " + std::to_string(limit) + " bytes");
    }
    if (start < out.size()) fail("archive.entry_damaged");
    account(start + size - out.size());
    if (out.empty() && start == 0) out.reserve(std::min(limit, std::max<std::uint64_t>(size, kReserveBytes / 64)));
    out.resize(start);
    out.append(static_cast<const char*>(block), size);
  }
  return out;
}

void Archive::Pass::drain() {
  const void* block = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  while (true) {
    checkStop(stop_);
    const int status = archive_read_data_block(archive_, &block, &size, &offset);
    if (status == ARCHIVE_EOF) return;
    if (status == ARCHIVE_FATAL) fail("archive.damaged");
    if (status != ARCHIVE_OK) return;
    account(size);
  }
}

void Archive::Pass::account(std::uint64_t bytes) {
  unpacked_ += bytes;
  if (unpacked_ > limits_.max_total_bytes) {
    throw Failure(FailureKind::Limit, "archive.too_large",
                  "the archive unpacks to more than " + std::to_string(limits_.max_total_bytes) + " bytes");
  }
  if (unpacked_ <= limits_.ratio_free_bytes) return;
  const double packed = static_cast<double>(std::max<std::uint64_t>(file_bytes_, 1));
  if (static_cast<double>(unpacked_) / packed > limits_.max_ratio) {
    throw Failure(
        FailureKind::Limit, "archive.ratio",
        "the archive unpacks to more than " + std::to_string(static_cast<int>(limits_.max_ratio)) + " times its size");
  }
}

void Archive::Pass::checkEncryption(archive_entry* entry) const {
  if (archive_entry_is_encrypted(entry) != 0 || archive_read_has_encrypted_entries(archive_) > 0) throw encrypted();
}

void Archive::Pass::fail(const char* code) const {
  checkStop(stop_);
  const std::string reason = reasonOf(archive_);
  if (speaksOfPassword(reason) || (opened_ && archive_read_has_encrypted_entries(archive_) > 0)) throw encrypted();
  throw Failure(FailureKind::Damaged, code, "the archive cannot be read: " + reason);
}

}  // namespace jobhost::support
