#pragma once

#include <cstdint>

#include "support/image/thumbnail.hpp"

namespace jobhost::support {

/// 64 bits that are alike for pictures that look alike, however large, coloured or compressed: the signs of the lowest
/// 8 × 8 frequencies (DCT-II) of the picture in 32 × 32 greys, against their median. Few differing bits: the same
/// picture; some 32: unlike ones.
///
/// Threads and failures: as makeThumbnail.
[[nodiscard]] std::uint64_t perceptualHash(const ImageInput& input, const ImageLimits& limits,
                                           const StopCheck& stop = {});

}  // namespace jobhost::support
