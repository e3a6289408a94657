// Archives, page names and EPUB packages from hostile bytes: no crash, no hang, no memory beyond the limits.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

#include "support/archive/archive.hpp"
#include "support/archive/epub.hpp"
#include "support/files/unique_fd.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace jobhost::support;
  const UniqueFd file(memfd_create("fuzz", MFD_CLOEXEC));
  if (!file || ::write(file.get(), data, size) != static_cast<ssize_t>(size)) return 0;
  ArchiveLimits limits;
  limits.max_entries = 200;
  limits.max_entry_bytes = 1 << 20;
  limits.max_total_bytes = 8 << 20;
  limits.ratio_free_bytes = 1 << 20;
  try {
    Archive archive(file.get(), limits);
    const auto pages = archive.pages();
    archive.readMany(pages, [](std::size_t, Archive::Content) { return true; });
    if (isEpub(archive)) (void)findEpubCover(archive);
  } catch (const Failure&) {
    // Refused: what most inputs deserve.
  }
  return 0;
}
