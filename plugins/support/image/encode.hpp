#pragma once

#include "support/image/thumbnail.hpp"
#include "support/image/vips_handle.hpp"

namespace jobhost::support {

/// Pads and flattens as the options say, then encodes. `stop` is asked while pixels are computed.
[[nodiscard]] Thumbnail finishAndEncode(ImagePtr image, const ThumbnailOptions& options, const StopCheck& stop);

}  // namespace jobhost::support
