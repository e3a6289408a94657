#include "support/image/preview.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace jobhost::support {
namespace {

/// Red grows to the right, green downwards, blue does something else; with alpha the upper left cannot be seen.
Pixels gradient(int width, int height, bool alpha) {
  Pixels pixels{width, height, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      pixels.rgba.push_back(static_cast<std::uint8_t>(x * 255 / std::max(1, width - 1)));
      pixels.rgba.push_back(static_cast<std::uint8_t>(y * 255 / std::max(1, height - 1)));
      pixels.rgba.push_back(static_cast<std::uint8_t>(x * y * 3));
      pixels.rgba.push_back(static_cast<std::uint8_t>(alpha ? (x + y) * 255 / (width + height) : 255));
    }
  }
  return pixels;
}

struct Known {
  const char* name;
  int width, height;
  bool alpha;
  const char *thumbhash, *blurhash_4_3, *blurhash_1_1;
};

/// What the reference implementations answer for the same pixels: npm's thumbhash 0.1.1, and the C encoder of BlurHash
/// as in Debian's python3-blurhash 1.1.4.
class KnownPreview : public testing::TestWithParam<Known> {};

TEST_P(KnownPreview, IsTheReferences) {
  const auto& known = GetParam();
  const Pixels pixels = gradient(known.width, known.height, known.alpha);
  const bool tall = known.height > known.width;
  const Preview made = previewOf(pixels);
  EXPECT_EQ(made.thumbhash, known.thumbhash);
  EXPECT_EQ(blurHash(pixels, 4, 3), known.blurhash_4_3);
  EXPECT_EQ(blurHash(pixels, 1, 1), known.blurhash_1_1);
  EXPECT_EQ(made.blurhash, blurHash(pixels, tall ? 3 : 4, tall ? 4 : 3));
}

INSTANTIATE_TEST_SUITE_P(
    All, KnownPreview,
    testing::Values(
        Known{"Landscape", 32, 24, false, "XvgNJZpgdndwd4h2iGiHh8CQDPh3", "L$HewS2nwuX4l]WBjre:gFfhfRfl", "00HewS"},
        Known{"Portrait", 24, 32, false, "XggOJRpgdnB3aIdoh4d4eMCQDPh3", "L$HoE:2nwtbXl]WBjre:gGfhfRfk", "00HoE:"},
        Known{"Transparent", 20, 20, true, "IgmGFQwnkHawiIloePDQD/lncHdweId3dw==", "L$HoH.2,wtbqqLWAjue?gFfkfSfl",
              "00HoH."},
        Known{"OnePixel", 1, 1, false, "AAgCBwAAAAAAAAAAAAAAAAAAAAAAAAAA", "L00000fQfQfQfQfQfQfQfQfQfQfQ", "000000"},
        Known{"Flat", 100, 30, false, "H/gJMppxd3dwd3d3gIEJ+Hg=", "L%HVCz2V$3Sel_WUjrazgHfOfPfR", "00HVCz"},
        Known{"Large", 64, 64, true, "4wiGHQwnoIawiIpniKCwCvlogIeAiIh4iA==", "L$HV9s2W$3Sehnayjsf6gafifPfi", "00HV9s"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(DominantColour, IsTheMostFrequentOne) {
  Pixels pixels{4, 1, {200, 16, 32, 255, 202, 18, 34, 255, 0, 0, 255, 255, 0, 255, 0, 100}};
  EXPECT_EQ(dominantColour(pixels), "#c91121");
  for (int i = 0; i < 2; ++i)
    pixels.rgba[static_cast<std::size_t>(i) * 4 + 3] = 0;  // what cannot be seen does not count
  EXPECT_EQ(dominantColour(pixels), "#0000ff");
  EXPECT_EQ(dominantColour({1, 1, {1, 2, 3, 0}}), "#ffffff");
}

}  // namespace
}  // namespace jobhost::support
