#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/book_source.hpp"
#include "artifact/images.hpp"

namespace jobhost::artifact {

/// What the pages of one EPUB say of the book; clean text, not escaped.
struct EpubBook {
  std::string id, title, url, synopsis_html;
  std::vector<std::string> authors, subjects;
  std::string language;  ///< a tag; empty when not known
  bool rtl = false;
  std::int64_t modified_ms = 0;
  std::optional<BookImage> cover;

  static EpubBook of(const Novel& novel);
};

/// A page of the reading order that has an entry in the table of contents.
struct EpubEntry {
  enum class Kind {
    Volume,
    Chapter,
    LooseChapter
  };  ///< a chapter belongs to the volume before it, a loose one to none
  Kind kind;
  int serial;
  std::string title;
};

/// File names in the folder of the book, which are also the ids of the package document.
[[nodiscard]] std::string volumeFile(int serial);
[[nodiscard]] std::string chapterFile(int serial);

// The content documents. Each is a whole XHTML file.
[[nodiscard]] std::string coverPage(const EpubBook& book);
[[nodiscard]] std::string frontPage(const EpubBook& book);
[[nodiscard]] std::string introPage(const EpubBook& book);
[[nodiscard]] std::string volumePage(const EpubBook& book, std::string_view title);
/// `body` is XHTML (toXhtml).
[[nodiscard]] std::string chapterPage(const EpubBook& book, int serial, std::string_view title, std::string_view body);
[[nodiscard]] std::string navPage(const EpubBook& book, const std::vector<EpubEntry>& entries);

/// The table of contents for EPUB 2 readers.
[[nodiscard]] std::string ncxFile(const EpubBook& book, const std::vector<EpubEntry>& entries);
[[nodiscard]] std::string packageFile(const EpubBook& book, const std::vector<EpubEntry>& entries,
                                      const std::vector<BookImage>& images);
[[nodiscard]] std::string_view styleSheet();
[[nodiscard]] std::string_view containerFile();

}  // namespace jobhost::artifact
