#pragma once

#include <memory>
#include <string>
#include <vector>

#include "support/archive/archive.hpp"
#include "support/files/unique_fd.hpp"
#include "support/image/thumbnail.hpp"
#include "thumbnail/settings.hpp"

namespace jobhost::thumbnail {

/// A whole file in memory, mapped. The file must not be cut short meanwhile: that ends the process (and the attempt).
class MappedFile {
 public:
  explicit MappedFile(int fd);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  [[nodiscard]] std::string_view bytes() const { return {static_cast<const char*>(data_), size_}; }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

/// A file that pictures come from: an image, a PDF, or an archive of page images. Pages count from 1; 0 is the cover,
/// which an EPUB may name and which is page 1 everywhere else.
///
/// Threads: one at a time. Throws support::Failure and support::Stopped.
class PageSource {
 public:
  /// `settings` is borrowed.
  PageSource(support::UniqueFd file, const Settings& settings, support::StopCheck stop);

  [[nodiscard]] support::SourceKind kind() const { return kind_; }
  [[nodiscard]] bool isArchive() const { return kind_ == support::SourceKind::Archive; }
  [[nodiscard]] int pageCount();

  /// One thumbnail; options.page is set from `page`. Throws Failure image.no_page when there is no such page.
  /// `original` (may be null) gets the bytes of the full-size picture it was made of: the page as it lies in the
  /// archive, of a document the page rendered as JPEG.
  [[nodiscard]] support::Thumbnail make(int page, support::ThumbnailOptions options, std::string* original = nullptr);

  /// That original alone. Throws as make().
  [[nodiscard]] std::string original(int page);

  /// For many pages side by side: the archive, and its entry for each page from 1 (only where isArchive()).
  [[nodiscard]] support::Archive& archive() { return *archive_; }
  [[nodiscard]] int fd() const { return file_.get(); }

 private:
  std::string readPage(int page);

  support::UniqueFd file_;
  const Settings& settings_;
  support::StopCheck stop_;
  support::SourceKind kind_;
  std::unique_ptr<support::Archive> archive_;
};

}  // namespace jobhost::thumbnail
