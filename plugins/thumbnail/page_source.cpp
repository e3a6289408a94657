#include "thumbnail/page_source.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>

#include "support/archive/epub.hpp"

namespace jobhost::thumbnail {

using support::Failure;
using support::FailureKind;

MappedFile::MappedFile(int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0 || info.st_size <= 0)
    throw Failure(FailureKind::Damaged, "archive.empty", "the file is empty");
  size_ = static_cast<std::size_t>(info.st_size);
  data_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
  if (data_ == MAP_FAILED) throw Failure(FailureKind::Io, "file.read", "the file cannot be read");
}

MappedFile::~MappedFile() {
  munmap(data_, size_);
}

PageSource::PageSource(support::UniqueFd file, const Settings& settings, support::StopCheck stop)
    : file_(std::move(file)), settings_(settings), stop_(std::move(stop)), kind_(support::kindOf({file_.get(), {}})) {
  // A bare lzma file and old tars have no magic bytes; libarchive decides about what nobody else knows.
  if (kind_ == support::SourceKind::Unknown || isArchive()) {
    auto archive = std::make_unique<support::Archive>(file_.get(), settings_.archive, stop_);
    if (kind_ == support::SourceKind::Unknown) {
      try {
        (void)archive->entries();
      } catch (const Failure& failure) {
        if (failure.code() == "archive.unreadable") {
          throw Failure(FailureKind::Unsupported, "image.unsupported",
                        "the file is no image, document or archive this plugin reads");
        }
        throw;
      }
      kind_ = support::SourceKind::Archive;
    }
    archive_ = std::move(archive);
  }
}

int PageSource::pageCount() {
  return isArchive() ? static_cast<int>(archive_->pages().size()) : support::countPages({file_.get(), {}});
}

support::Thumbnail PageSource::make(int page, support::ThumbnailOptions options, std::string* original) {
  options.page = std::max(page, 1);
  if (!isArchive()) {
    if (original != nullptr) *original = this->original(page);
    return support::makeThumbnail({file_.get(), {}}, options, settings_.image, stop_);
  }
  options.page = 1;
  std::string bytes = readPage(page);
  auto made = support::makeThumbnail({-1, bytes}, options, settings_.image, stop_);
  if (original != nullptr) *original = std::move(bytes);
  return made;
}

std::string PageSource::original(int page) {
  if (isArchive()) return readPage(page);
  return support::renderPage({file_.get(), {}}, std::max(page, 1), settings_.image, stop_);
}

std::string PageSource::readPage(int page) {
  if (page == 0 && support::isEpub(*archive_)) {
    if (const auto cover = support::findEpubCover(*archive_)) return archive_->read(*cover);
  }
  const auto& pages = archive_->pages();
  if (pages.empty()) throw Failure(FailureKind::NotFound, "image.no_page", "the archive has no page images");
  const auto index = static_cast<std::size_t>(std::max(page, 1)) - 1;
  if (index >= pages.size()) {
    throw Failure(FailureKind::NotFound, "image.no_page",
                  "the archive has " + std::to_string(pages.size()) + " pages, not " + std::to_string(page));
  }
  return archive_->read(pages[index]);
}

}  // namespace jobhost::thumbnail
