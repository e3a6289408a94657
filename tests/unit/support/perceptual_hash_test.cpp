#include "support/image/perceptual_hash.hpp"

#include <gtest/gtest.h>

#include <bit>

#include "samples.hpp"
#include "support/image/image_engine.hpp"

namespace jobhost::support {
namespace {

std::uint64_t hashOf(const std::string& bytes) {
  startImageEngine();
  return perceptualHash({-1, bytes}, {});
}

int distance(std::uint64_t a, std::uint64_t b) {
  return std::popcount(a ^ b);
}

TEST(PerceptualHash, OfAPhotoIsThatOfItsThumbnail) {
  startImageEngine();
  const std::string photo = samples::readAll(samples::photo());
  ThumbnailOptions options;
  options.width = 200;
  options.quality = 40;
  const Thumbnail small = makeThumbnail({-1, photo}, options, {});
  options.format = ImageFormat::Webp;
  options.width = 333;
  const Thumbnail other = makeThumbnail({-1, photo}, options, {});
  EXPECT_LE(distance(hashOf(photo), hashOf(small.bytes)), 4);
  EXPECT_LE(distance(hashOf(photo), hashOf(other.bytes)), 4);
}

TEST(PerceptualHash, TellsUnlikePicturesApart) {
  const auto photo = hashOf(samples::readAll(samples::photo()));
  const auto corners = hashOf(samples::quadrants(300, 300, ".png"));
  const auto smooth = hashOf(samples::picture(300, 200, ".png"));
  EXPECT_GT(distance(photo, corners), 10);
  EXPECT_GT(distance(photo, smooth), 10);
  EXPECT_GT(distance(corners, smooth), 10);
}

TEST(PerceptualHash, OfOneColourIsNothing) {
  EXPECT_EQ(hashOf(samples::plain(50, 50, {200, 10, 10}, ".png")), 0U);
}

TEST(PerceptualHash, OfABrokenPictureIsAFailure) {
  EXPECT_THROW(hashOf("no picture"), Failure);
}

}  // namespace
}  // namespace jobhost::support
