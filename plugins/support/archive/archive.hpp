#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/common/failure.hpp"

struct archive;

namespace jobhost::support {

/// Bounds on what a hostile archive may cost. Every one is checked while reading, declared sizes before it.
struct ArchiveLimits {
  std::size_t max_entries = 50'000;
  std::size_t max_name_bytes = 1024;
  std::uint64_t max_entry_bytes = 256ULL << 20;  ///< unpacked, of an entry that is read
  std::uint64_t max_total_bytes = 16ULL << 30;   ///< unpacked, of all entries together
  double max_ratio = 200;                        ///< unpacked / packed, once more than ratio_free_bytes came out
  std::uint64_t ratio_free_bytes = 64ULL << 20;
  int max_filters = 1;  ///< compression layers around a tar; `x.tar.gz.xz` is refused, nested archives are never opened
};

/// One regular file of an archive, in archive order.
struct ArchiveEntry {
  std::string name;  ///< bytes as stored; UTF-8 where the format says so; never a path to write to
  std::optional<std::uint64_t> size_bytes;  ///< absent where the format tells it only at the end
};

/// Reads zip, rar, 7z and tar (plain or in gzip, xz, lzma, zstd, bzip2) through libarchive, within limits.
///
/// Never writes, never follows links, never opens what is inside. Formats that can point elsewhere (mtree) or that
/// nobody asked for are not enabled. Reads with pread, so several Archives may share one descriptor.
/// Threads: one Archive belongs to one thread at a time. Ownership: the descriptor is borrowed and must outlive it.
/// Throws Failure (archive.unreadable, archive.encrypted, archive.entries, archive.ratio, archive.too_large,
/// archive.name, archive.nested, archive.entry_damaged …) and Stopped.
class Archive {
 public:
  Archive(int fd, ArchiveLimits limits, StopCheck stop = {});

  /// All regular files. Reads the headers once, at the first call; a compressed tar is unpacked on the way.
  const std::vector<ArchiveEntry>& entries();

  /// Positions into entries() of the pages in reading order (page_order.hpp).
  const std::vector<std::size_t>& pages();

  /// The position of the entry with exactly this name; nullopt when there is none.
  std::optional<std::size_t> find(std::string_view name);

  /// The bytes of one entry, at most `max_bytes` and the limits' max_entry_bytes.
  std::string read(std::size_t position, std::uint64_t max_bytes = UINT64_MAX);

  /// An entry's bytes, or why there are none.
  struct Content {
    std::string bytes;
    std::optional<Failure> failure;
  };
  /// Takes what readMany delivers; false ends the reading.
  using Consumer = std::function<bool(std::size_t position, Content content)>;

  /// Delivers the wanted entries (positions into entries()) in archive order, in one pass. A damaged entry is
  /// delivered as a failure and reading goes on; when the archive itself breaks, all the rest get that failure.
  void readMany(const std::vector<std::size_t>& wanted, const Consumer& consume);

 private:
  class Pass;

  void list();

  int fd_;
  ArchiveLimits limits_;
  StopCheck stop_;
  std::uint64_t file_bytes_ = 0;
  bool listed_ = false;
  std::vector<ArchiveEntry> entries_;
  std::optional<std::vector<std::size_t>> pages_;
};

}  // namespace jobhost::support
