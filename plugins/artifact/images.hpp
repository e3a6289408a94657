#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "artifact/body.hpp"
#include "artifact/book_source.hpp"
#include "artifact/build.hpp"
#include "artifact/image_probe.hpp"
#include "artifact/zip_writer.hpp"

namespace jobhost::artifact {

/// A picture that is in the book.
struct BookImage {
  std::string name;  ///< in the folder of the book: "images/<id>.jpg"
  std::string_view media_type;
};

/// Puts pictures into a book as chapters name them, each once and with its bytes held no longer than that.
/// No entry of the ZIP may be open while a body is read. Throws what the source and the ZIP throw, and artifact.images,
/// artifact.image_too_large.
class ImageShelf {
 public:
  /// How pictures are called in the book.
  enum class Naming {
    ByType,  ///< by the id and what the bytes are
    AsIs,    ///< as the bodies name them, for formats that keep the bodies
  };
  ImageShelf(BookSource& source, ZipWriter& zip, std::string folder, Naming naming, const BookLimits& limits,
             const support::StopCheck& stop)
      : source_(source), zip_(zip), folder_(std::move(folder)), naming_(naming), limits_(limits), stop_(stop) {}

  /// For readBody: the name in the book, nullopt for a picture it cannot have.
  [[nodiscard]] ImageResolver resolver();

  /// Those in the book, in the order they came.
  [[nodiscard]] const std::vector<BookImage>& images() const { return images_; }
  [[nodiscard]] std::size_t missing() const { return missing_; }

  /// Puts the cover at `cover.<ending>` of the folder; nullopt when there is none that a book can hold.
  std::optional<BookImage> addCover();

 private:
  std::optional<std::string> add(const ImageReference& reference);

  BookSource& source_;
  ZipWriter& zip_;
  std::string folder_;
  Naming naming_;
  const BookLimits& limits_;
  const support::StopCheck& stop_;
  std::vector<BookImage> images_;
  std::size_t missing_ = 0;
  std::unordered_map<std::string, std::size_t> known_;  // by what bodies say: position in images_ + 1; 0: missing
};

}  // namespace jobhost::artifact
