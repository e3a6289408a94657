#include "support/image/bmp.hpp"

#include <gtest/gtest.h>

#include "samples.hpp"
#include "support/image/image_engine.hpp"

namespace jobhost::support {
namespace {

struct BmpTest : ::testing::TestWithParam<int> {
  BmpTest() { startImageEngine(); }
};

TEST_P(BmpTest, ReadsEveryDepthAndFailsOnEveryCut) {
  const std::string bytes = samples::bmp(33, 20, GetParam());
  ThumbnailOptions options;
  options.width = options.height = 100;
  options.format = ImageFormat::Png;
  const Thumbnail thumb = makeThumbnail({-1, bytes}, options, {});
  EXPECT_EQ(thumb.width, 33);
  EXPECT_EQ(thumb.height, 20);
  const auto picture = samples::decode(thumb.bytes);
  EXPECT_GT(picture.at(0.1, 0.5).red, 200);
  EXPECT_LT(picture.at(0.1, 0.5).blue, 50);
  EXPECT_GT(picture.at(0.9, 0.5).blue, 200);
  EXPECT_LT(picture.at(0.9, 0.5).red, 50);
  for (std::size_t size = 26; size < bytes.size(); size += 7) {
    EXPECT_THROW((void)makeThumbnail({-1, std::string_view(bytes).substr(0, size)}, options, {}), Failure) << size;
  }
}

INSTANTIATE_TEST_SUITE_P(Bits, BmpTest, ::testing::Values(1, 4, 8, 16, 24, 32));

TEST(Bmp, ChecksItsSizeBeforeMemoryIsTaken) {
  startImageEngine();
  std::string bytes = samples::bmp(4, 4, 24);
  for (int i = 0; i < 3; ++i)
    bytes[static_cast<std::size_t>(18 + i)] = bytes[static_cast<std::size_t>(22 + i)] = '\x7f';
  ThumbnailOptions options;
  options.width = 10;
  try {
    (void)makeThumbnail({-1, bytes}, options, {});
    FAIL() << "accepted";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), "image.too_many_pixels");
  }
}

}  // namespace
}  // namespace jobhost::support
