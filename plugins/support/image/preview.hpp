#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace jobhost::support {

/// 8-bit sRGB with straight alpha, row by row.
struct Pixels {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgba;
};

/// What a client shows before it has the picture.
struct Preview {
  std::string thumbhash;        ///< base64
  std::string blurhash;         ///< of 4 × 3 components, or 3 × 4 for tall pictures
  std::string dominant_colour;  ///< "#rrggbb"
};

/// Pictures are described from this many pixels a side at most; ThumbHash takes 100 × 100.
inline constexpr int kPreviewSide = 64;

/// ThumbHash as its author's reference computes it (https://evanw.github.io/thumbhash/); 5 to 25 bytes. `pixels`: at
/// most 100 × 100, not empty.
[[nodiscard]] std::string thumbHash(const Pixels& pixels);

/// BlurHash (https://blurha.sh), 1 to 9 components a side. Alpha is not looked at, as in the reference.
[[nodiscard]] std::string blurHash(const Pixels& pixels, int across, int down);

/// The mean of the most frequent of 4096 colours, weighted by alpha; white for a picture one sees nothing of.
[[nodiscard]] std::string dominantColour(const Pixels& pixels);

[[nodiscard]] Preview previewOf(const Pixels& pixels);

}  // namespace jobhost::support
