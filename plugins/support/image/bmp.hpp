#pragma once

#include <functional>

#include "support/image/thumbnail.hpp"
#include "support/image/vips_handle.hpp"

namespace jobhost::support {

/// Decodes a Windows bitmap to 8-bit sRGB: 1, 4, 8 (palette), 16, 24 and 32 bits, plain or with bit fields. libvips
/// has no reader of its own for it, only ImageMagick's, which stays blocked.
///
/// `check` gets width and height before anything is allocated and throws when they are too much. Throws Failure
/// image.damaged, image.unsupported (RLE and embedded JPEG or PNG).
[[nodiscard]] ImagePtr decodeBmp(const ImageInput& input, const std::function<void(int width, int height)>& check);

}  // namespace jobhost::support
