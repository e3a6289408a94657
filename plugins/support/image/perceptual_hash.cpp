#include "support/image/perceptual_hash.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numbers>

#include "support/image/vips_handle.hpp"

namespace jobhost::support {
namespace {

constexpr std::size_t kSide = 32;
constexpr std::size_t kFrequencies = 8;

using Greys = std::array<double, kSide * kSide>;
using Spectrum = std::array<double, kFrequencies * kFrequencies>;

// The picture in 32 × 32 greys. Through makeThumbnail, so that its limits, profiles and orientation hold here too.
Greys greysOf(const ImageInput& input, const ImageLimits& limits, const StopCheck& stop) {
  ThumbnailOptions options;
  options.width = options.height = static_cast<int>(kSide);
  options.fit = Fit::Stretch;
  options.enlarge = true;
  options.format = ImageFormat::Png;
  options.background = Colour{};
  const Thumbnail small = makeThumbnail(input, options, limits, stop);
  const ImagePtr image(vips_image_new_from_buffer(small.bytes.data(), small.bytes.size(), "", nullptr));
  if (!image) throw vipsFailure();
  const ImagePtr grey =
      made([&](VipsImage** out) { return vips_colourspace(image.get(), out, VIPS_INTERPRETATION_B_W, nullptr); });
  const ImagePtr band = made([&](VipsImage** out) { return vips_extract_band(grey.get(), out, 0, nullptr); });
  const ImagePtr bytes = made([&](VipsImage** out) { return vips_cast_uchar(band.get(), out, nullptr); });
  std::size_t size = 0;
  const std::unique_ptr<void, decltype(&g_free)> pixels(vips_image_write_to_memory(bytes.get(), &size), &g_free);
  if (!pixels) throw vipsFailure();
  if (size != kSide * kSide) throw Failure(FailureKind::Unsupported, "image.hash", "the picture cannot be hashed");
  Greys greys{};
  const auto* at = static_cast<const unsigned char*>(pixels.get());
  std::copy(at, at + size, greys.begin());
  return greys;
}

// cos((2x + 1) u pi / 64), for each u and x.
const std::array<std::array<double, kSide>, kFrequencies>& waves() {
  static const auto table = [] {
    std::array<std::array<double, kSide>, kFrequencies> made{};
    for (std::size_t u = 0; u < kFrequencies; ++u) {
      for (std::size_t x = 0; x < kSide; ++x)
        made[u][x] = std::cos((2.0 * static_cast<double>(x) + 1) * static_cast<double>(u) * std::numbers::pi / 64);
    }
    return made;
  }();
  return table;
}

Spectrum lowFrequencies(const Greys& greys) {
  std::array<std::array<double, kFrequencies>, kSide> rows{};
  for (std::size_t y = 0; y < kSide; ++y) {
    for (std::size_t u = 0; u < kFrequencies; ++u) {
      for (std::size_t x = 0; x < kSide; ++x) rows[y][u] += greys[y * kSide + x] * waves()[u][x];
    }
  }
  Spectrum spectrum{};
  for (std::size_t v = 0; v < kFrequencies; ++v) {
    for (std::size_t u = 0; u < kFrequencies; ++u) {
      for (std::size_t y = 0; y < kSide; ++y) spectrum[v * kFrequencies + u] += rows[y][u] * waves()[v][y];
    }
  }
  return spectrum;
}

}  // namespace

std::uint64_t perceptualHash(const ImageInput& input, const ImageLimits& limits, const StopCheck& stop) {
  const Spectrum spectrum = lowFrequencies(greysOf(input, limits, stop));
  // The first one is the mean brightness: it would outweigh the median and says nothing about shapes.
  std::array<double, kFrequencies * kFrequencies - 1> sorted{};
  std::copy(spectrum.begin() + 1, spectrum.end(), sorted.begin());
  const auto middle = sorted.begin() + sorted.size() / 2;
  std::nth_element(sorted.begin(), middle, sorted.end());
  std::uint64_t hash = 0;
  for (std::size_t i = 1; i < spectrum.size(); ++i) {
    // Rounding noise in a picture of one colour is no shape.
    if (spectrum[i] > *middle && std::abs(spectrum[i]) > 1e-6) hash |= std::uint64_t{1} << i;
  }
  return hash;
}

}  // namespace jobhost::support
