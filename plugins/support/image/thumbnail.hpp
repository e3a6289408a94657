#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "support/common/failure.hpp"
#include "support/image/image_types.hpp"
#include "support/image/preview.hpp"

namespace jobhost::support {

/// Bounds checked from an image's header, before anything is decoded.
struct ImageLimits {
  std::uint64_t max_pixels = 100'000'000;  ///< of one page or frame; of the rendered size for SVG and PDF
  int max_side = 200'000;                  ///< of the decoded picture, in pixels
};

struct ThumbnailOptions {
  int width = 0;  ///< of the box in pixels; 0: as the height asks (Inside only). At least one of both is given.
  int height = 0;
  Fit fit = Fit::Inside;
  ImageFormat format = ImageFormat::Jpeg;
  int quality = 80;      ///< 1..100; for png the compression is lossless and this is ignored
  int page = 1;          ///< page or frame from 1
  bool enlarge = false;  ///< whether pictures smaller than the box grow; SVG and PDF always meet the box
  bool preview = false;  ///< fill Thumbnail::preview
  bool strip = true;     ///< drop EXIF, XMP, ICC; the pixels are sRGB either way
  /// Behind transparency and in the padding. Absent: white for jpeg, transparent elsewhere.
  std::optional<Colour> background;
};

/// Bytes to read a picture from: a descriptor (its offset is used and moved) or memory. Borrowed.
struct ImageInput {
  int fd = -1;             ///< used when >= 0
  std::string_view bytes;  ///< used otherwise
};

struct Thumbnail {
  std::string bytes;
  int width = 0;
  int height = 0;
  ImageFormat format = ImageFormat::Jpeg;
  Preview preview;  ///< of the picture as it was made; empty unless asked for
};

/// Makes one thumbnail: shrinks while loading where the format can, turns it as EXIF says, converts to sRGB through the
/// embedded profile, takes the first frame of animations. Truncated and broken files are failures, not grey areas.
///
/// Threads: any number of calls at once, each with its own input. Throws Failure (image.unsupported, image.damaged,
/// image.too_many_pixels, image.no_page, document.encrypted, image.encode) and Stopped.
[[nodiscard]] Thumbnail makeThumbnail(const ImageInput& input, const ThumbnailOptions& options,
                                      const ImageLimits& limits, const StopCheck& stop = {});

/// The kind of the input by its first bytes.
[[nodiscard]] SourceKind kindOf(const ImageInput& input);

/// A page in full size as JPEG of quality 80; a document's at 200 dots per inch. Throws as makeThumbnail.
[[nodiscard]] std::string renderPage(const ImageInput& input, int page, const ImageLimits& limits,
                                     const StopCheck& stop = {});

/// videoFormat() of the file's first bytes.
[[nodiscard]] std::string_view videoFormatOf(int fd);

/// How many pages a PDF (or frames a multi-page image) has. Throws as makeThumbnail.
[[nodiscard]] int countPages(const ImageInput& input);

}  // namespace jobhost::support
