#include "support/archive/archive.hpp"

#include <sys/stat.h>

#include <algorithm>

#include "support/archive/archive_pass.hpp"
#include "support/archive/page_order.hpp"

namespace jobhost::support {

Archive::Archive(int fd, ArchiveLimits limits, StopCheck stop) : fd_(fd), limits_(limits), stop_(std::move(stop)) {
  struct stat info {};
  if (fstat(fd_, &info) != 0 || !S_ISREG(info.st_mode)) {
    throw Failure(FailureKind::BadInput, "archive.unreadable", "the archive is not a regular file");
  }
  file_bytes_ = static_cast<std::uint64_t>(info.st_size);
  if (file_bytes_ == 0) throw Failure(FailureKind::Damaged, "archive.empty", "the archive is empty");
}

const std::vector<ArchiveEntry>& Archive::entries() {
  if (!listed_) list();
  return entries_;
}

const std::vector<std::size_t>& Archive::pages() {
  if (!pages_) {
    std::vector<std::string> names;
    names.reserve(entries().size());
    for (const ArchiveEntry& entry : entries_) names.push_back(entry.name);
    pages_ = orderPages(names);
  }
  return *pages_;
}

std::optional<std::size_t> Archive::find(std::string_view name) {
  const auto& all = entries();
  const auto found = std::find_if(all.begin(), all.end(), [&](const ArchiveEntry& e) { return e.name == name; });
  if (found == all.end()) return std::nullopt;
  return static_cast<std::size_t>(found - all.begin());
}

std::string Archive::read(std::size_t position, std::uint64_t max_bytes) {
  Pass pass(fd_, file_bytes_, limits_, stop_);
  for (std::size_t at = 0; pass.next(); ++at) {
    if (at == position) return pass.read(max_bytes);
  }
  throw Failure(FailureKind::NotFound, "archive.no_entry", "the archive has no such entry");
}

void Archive::readMany(const std::vector<std::size_t>& wanted, const Consumer& consume) {
  std::vector<std::size_t> order = wanted;
  std::sort(order.begin(), order.end());
  order.erase(std::unique(order.begin(), order.end()), order.end());
  auto want = order.begin();
  try {
    Pass pass(fd_, file_bytes_, limits_, stop_);
    for (std::size_t at = 0; want != order.end() && pass.next(); ++at) {
      if (at != *want) continue;
      Content content;
      try {
        content.bytes = pass.read(limits_.max_entry_bytes);
      } catch (const Failure& failure) {
        // Only what concerns this entry alone; the rest (ratio, total, broken archive) ends the pass.
        if (failure.code() != "archive.entry_damaged" && failure.code() != "archive.entry_too_large") throw;
        content.failure = failure;
      }
      ++want;
      if (!consume(at, std::move(content))) return;
    }
    if (want == order.end()) return;
    throw Failure(FailureKind::Damaged, "archive.damaged", "the archive ends before its last entries");
  } catch (const Failure& failure) {
    for (; want != order.end(); ++want) {
      if (!consume(*want, Content{{}, failure})) return;
    }
  }
}

void Archive::list() {
  entries_.clear();
  Pass pass(fd_, file_bytes_, limits_, stop_);
  while (auto entry = pass.next()) entries_.push_back(*std::move(entry));
  listed_ = true;
}

}  // namespace jobhost::support
