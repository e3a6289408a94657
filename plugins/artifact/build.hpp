#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/book_source.hpp"
#include "support/common/failure.hpp"

namespace jobhost::artifact {

/// Bounds on what a book may cost; beyond one the writing ends with a Failure that names it.
struct BookLimits {
  std::size_t max_chapters = 50'000;
  std::size_t max_volumes = 5'000;
  std::size_t max_images = 10'000;
  std::size_t max_body_bytes = 16 << 20;   ///< of one chapter as stored, and of the synopsis
  std::size_t max_image_bytes = 64 << 20;  ///< of one picture
};

/// How a writing is watched.
struct BuildHooks {
  support::StopCheck stop;                            ///< asked before every chapter and picture; Stopped is thrown
  std::function<void(std::size_t chapters)> written;  ///< after each chapter: how many are in the book
};

/// What became of a book.
struct BookReport {
  std::size_t chapters = 0;          ///< in the book
  std::size_t missing_chapters = 0;  ///< without a body, left out
  std::size_t volumes = 0;           ///< in the book: those with a chapter in it
  std::size_t images = 0;            ///< in the book, without the cover
  std::size_t missing_images = 0;    ///< named by a chapter but absent, or of a type books cannot hold
  bool cover = false;
  std::uint64_t size_bytes = 0;  ///< of the file

  friend bool operator==(const BookReport&, const BookReport&) = default;
};

/// One chapter of the book, taken off the source and checked.
struct BookChapter {
  Chapter chapter;
  const Volume* volume = nullptr;  ///< borrowed from the walk; null: outside of all volumes
  bool begins_volume = false;      ///< the first of its volume that is in the book
  std::string title;               ///< one clean line, never empty
  std::string html;                ///< the body as stored
};

/// Goes through the chapters that have a body, with everything checked that all writers rely on: serials that are
/// unique, volumes that exist and whose chapters stand together, limits, the wish to stop.
///
/// Throws Failure artifact.order, artifact.volume, artifact.chapters, artifact.volumes, artifact.chapter_too_large.
class BookWalk {
 public:
  BookWalk(BookSource& source, const BookLimits& limits, const BuildHooks& hooks);

  /// The next chapter with a body; nullopt at the end. Valid until the next call.
  const BookChapter* next();
  /// Tells the hooks; called by the writer when the chapter is in the book.
  void written();

  /// The volume of that serial; null when the book has none.
  [[nodiscard]] const Volume* volume(int serial) const;
  /// chapters, missing_chapters and volumes so far.
  [[nodiscard]] const BookReport& report() const { return report_; }

 private:
  const Volume* enter(const Chapter& chapter);

  BookSource& source_;
  const BookLimits& limits_;
  const BuildHooks& hooks_;
  std::vector<Volume> volumes_;  // by serial
  std::vector<bool> left_;       // by position in volumes_: its chapters are over
  const Volume* current_ = nullptr;
  const Volume* begun_ = nullptr;  // the volume that has a chapter in the book already
  std::vector<int> serials_;       // of all chapters, sorted
  std::unique_ptr<ChapterCursor> cursor_;
  BookChapter chapter_;
  BookReport report_;
};

/// The title of a volume: one clean line, never empty.
[[nodiscard]] std::string volumeTitle(const Volume& volume);

}  // namespace jobhost::artifact
