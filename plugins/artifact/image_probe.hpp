#pragma once

#include <optional>
#include <string_view>

namespace jobhost::artifact {

/// A type of picture that every EPUB reader shows.
struct ImageType {
  std::string_view media_type;  ///< "image/jpeg"
  std::string_view ending;      ///< "jpg"
  int width = 0, height = 0;    ///< in pixels, > 0
};

/// What the bytes are, whatever their name says: JPEG, PNG or GIF with a size in their header; nullopt for all else
/// (WebP and AVIF are no core media types of EPUB 3.2, SVG can carry scripts). Does not decode. Pure.
[[nodiscard]] std::optional<ImageType> probeImage(std::string_view bytes);

}  // namespace jobhost::artifact
