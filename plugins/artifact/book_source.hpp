#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <jobhost/json.hpp>

namespace jobhost::artifact {

/// What a book is about. Text is UTF-8; what is not is repaired by the writers.
struct Novel {
  std::string id;  ///< the book's identifier; must not be empty
  std::string title;
  std::vector<std::string> authors;
  std::string synopsis_html;            ///< may be empty
  std::vector<std::string> tags;        ///< one subject each
  std::optional<std::string> language;  ///< BCP 47 ("en", "zh-TW"); absent: not known
  std::string url;                      ///< where it was read; may be empty
  bool rtl = false;                     ///< written from right to left
  std::int64_t modified_ms = 0;  ///< UNIX ms; stands in the EPUB, so it must come from what is stored, not a clock
  Json record;                   ///< the Novel object as the read routes show it; for the json format
};

struct Volume {
  int serial = 0;     ///< >= 0, unique in the book
  std::string title;  ///< empty: "Volume <serial>"
  Json record;        ///< the Volume object; for the json format
};

struct Chapter {
  std::string id;
  int serial = 0;                    ///< >= 0, unique in the book
  std::optional<int> volume_serial;  ///< absent: outside of all volumes
  std::string title;                 ///< empty: "Chapter <serial>"
  Json record;                       ///< the Chapter object; for the json format
};

/// Walks the chapters of a book once. The end is nullopt.
class ChapterCursor {
 public:
  virtual ~ChapterCursor() = default;
  virtual std::optional<Chapter> next() = 0;
};

/// A book as it is stored, piece by piece: a writer holds one body or one picture at a time, and of the chapters only
/// their titles. What is behind it (records and files, or a test) does not concern the writers.
///
/// Threads: called from one thread at a time. Everything may be asked for more than once and must answer the same, else
/// the bytes of two runs differ. Errors: throws support::Failure (Io for another try), which ends the writing.
class BookSource {
 public:
  virtual ~BookSource() = default;

  virtual Novel novel() = 0;
  /// All volumes, also those without chapters; in any order, the chapters tell that.
  virtual std::vector<Volume> volumes() = 0;
  /// The chapters in reading order, those of a volume together, whether or not they have a body.
  virtual std::unique_ptr<ChapterCursor> chapters() = 0;
  /// The stored HTML; nullopt when the chapter is not available.
  virtual std::optional<std::string> body(const Chapter& chapter) = 0;
  /// The bytes of a picture that bodies name as `images/<id>.<ending>`; nullopt when there is none.
  virtual std::optional<std::string> image(std::string_view id) = 0;
  /// The bytes of the cover; nullopt when there is none.
  virtual std::optional<std::string> cover() = 0;
};

}  // namespace jobhost::artifact
