#pragma once

#include <locale.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/archive/archive.hpp"

struct archive;
struct archive_entry;

namespace jobhost::support {

/// Names are decoded as UTF-8 on this thread while it lives; the process's locale is not touched.
class Utf8Names {
 public:
  Utf8Names();
  ~Utf8Names();
  Utf8Names(const Utf8Names&) = delete;
  Utf8Names& operator=(const Utf8Names&) = delete;

 private:
  locale_t utf8_;
  locale_t before_;
};

/// One walk through an archive's regular files from the first to the last; the part that talks to libarchive.
class Archive::Pass {
 public:
  Pass(int fd, std::uint64_t file_bytes, const ArchiveLimits& limits, const StopCheck& stop);
  ~Pass();
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

  /// The next regular file, nullopt at the end. What was not read of the one before is skipped within the limits.
  std::optional<ArchiveEntry> next();
  /// All bytes of the current entry.
  std::string read(std::uint64_t max_bytes);

 private:
  static ssize_t onRead(struct archive*, void* self, const void** buffer);
  static std::int64_t onSeek(struct archive*, void* self, std::int64_t offset, int whence);
  static std::int64_t onSkip(struct archive*, void* self, std::int64_t request);

  void drain();
  void account(std::uint64_t bytes);
  void checkEncryption(archive_entry* entry) const;
  [[noreturn]] void fail(const char* code) const;

  Utf8Names names_;
  int fd_;
  std::uint64_t file_bytes_;
  const ArchiveLimits& limits_;
  const StopCheck& stop_;
  struct archive* archive_ = nullptr;
  std::vector<char> buffer_;
  std::int64_t position_ = 0;
  std::uint64_t unpacked_ = 0;
  std::uint64_t declared_ = 0;
  std::size_t seen_ = 0;
  bool filtered_ = false;  // a compression layer around all entries: skipping means unpacking
  bool open_entry_ = false;
  bool opened_ = false;  // libarchive crashes when asked about encryption before a format was found
};

}  // namespace jobhost::support
