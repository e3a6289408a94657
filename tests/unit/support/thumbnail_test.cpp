#include "support/image/thumbnail.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "samples.hpp"
#include "support/files/unique_fd.hpp"
#include "support/image/image_engine.hpp"

namespace jobhost::support {
namespace {

class ThumbnailTest : public ::testing::Test {
 protected:
  ThumbnailTest() {
    startImageEngine();
    options_.width = 100;
    options_.height = 100;
    options_.format = ImageFormat::Png;
  }

  samples::Decoded make(const std::string& bytes) {
    made_ = makeThumbnail({-1, bytes}, options_, {});
    auto picture = samples::decode(made_.bytes);
    EXPECT_EQ(picture.width, made_.width);
    EXPECT_EQ(picture.height, made_.height);
    return picture;
  }

  static void expectColour(const samples::Pixel& pixel, int red, int green, int blue, int tolerance = 12) {
    EXPECT_NEAR(pixel.red, red, tolerance);
    EXPECT_NEAR(pixel.green, green, tolerance);
    EXPECT_NEAR(pixel.blue, blue, tolerance);
  }

  ThumbnailOptions options_;
  Thumbnail made_;
};

struct SourceFormatTest : ThumbnailTest, ::testing::WithParamInterface<const char*> {};

TEST_P(SourceFormatTest, FitsInsideTheBoxAndKeepsItsColours) {
  const auto picture = make(samples::quadrants(400, 200, GetParam()));
  EXPECT_EQ(picture.width, 100);
  EXPECT_EQ(picture.height, 50);
  expectColour(picture.at(0.25, 0.25), 255, 0, 0);
  expectColour(picture.at(0.75, 0.25), 0, 255, 0);
  expectColour(picture.at(0.25, 0.75), 0, 0, 255);
  expectColour(picture.at(0.75, 0.75), 255, 255, 255);
}

INSTANTIATE_TEST_SUITE_P(Formats, SourceFormatTest,
                         ::testing::Values(".jpg[Q=95]", ".png", ".webp[Q=95]", ".tif", ".gif", ".avif[Q=90]",
                                           ".heic[Q=90]", ".jxl[Q=95]"),
                         [](const auto& param) {
                           const std::string name = std::string(param.param).substr(1);
                           return name.substr(0, name.find('['));
                         });

TEST_F(ThumbnailTest, TakesALevelOfAPyramidThatFillsTheBox) {
  const std::string source = samples::quadrants(1200, 900, ".tif[tile,tile-width=64,tile-height=64,pyramid]");
  options_.width = 400;
  options_.height = 400;
  EXPECT_EQ(make(source).width, 400);
  EXPECT_EQ(made_.height, 300);
  options_.fit = Fit::Cover;
  EXPECT_EQ(make(source).height, 400);
}

TEST_F(ThumbnailTest, CoversPadsAndStretches) {
  const std::string source = samples::quadrants(400, 200, ".png");
  options_.width = 80;
  options_.height = 60;
  options_.fit = Fit::Cover;
  EXPECT_EQ(make(source).width, 80);
  EXPECT_EQ(made_.height, 60);
  options_.fit = Fit::Stretch;
  EXPECT_EQ(make(source).width, 80);
  EXPECT_EQ(made_.height, 60);
  options_.fit = Fit::Pad;
  const auto padded = make(source);
  EXPECT_EQ(padded.width, 80);
  EXPECT_EQ(padded.height, 60);
  EXPECT_EQ(padded.at(0.5, 0.02).alpha, 0);
  expectColour(padded.at(0.25, 0.4), 255, 0, 0);
  options_.background = parseColour("#204060");
  const auto filled = make(source);
  expectColour(filled.at(0.5, 0.02), 0x20, 0x40, 0x60, 2);
  EXPECT_EQ(filled.at(0.5, 0.02).alpha, 255);
}

TEST_F(ThumbnailTest, PadsGreyAndTransparentPicturesToo) {
  options_.fit = Fit::Pad;
  options_.background = parseColour("#ff0000");
  options_.format = ImageFormat::Jpeg;
  const auto grey = make(samples::plain(100, 50, {128}, ".png"));
  expectColour(grey.at(0.5, 0.05), 255, 0, 0, 6);
  expectColour(grey.at(0.5, 0.5), 128, 128, 128, 6);
  const auto clear = make(samples::plain(100, 50, {0, 0, 255, 0}, ".png"));
  expectColour(clear.at(0.5, 0.5), 255, 0, 0, 6);
}

TEST_F(ThumbnailTest, EnlargesOnlyWhenAsked) {
  const std::string source = samples::quadrants(40, 20, ".png");
  EXPECT_EQ(make(source).width, 40);
  options_.enlarge = true;
  EXPECT_EQ(make(source).width, 100);
  EXPECT_EQ(made_.height, 50);
}

TEST_F(ThumbnailTest, LeavesOneSideOpenWhenOnlyTheOtherIsGiven) {
  const std::string source = samples::quadrants(400, 200, ".png");
  options_.height = 0;
  EXPECT_EQ(make(source).height, 50);
  options_.height = 20;
  options_.width = 0;
  EXPECT_EQ(make(source).width, 40);
  options_.fit = Fit::Cover;
  EXPECT_THROW((void)make(source), Failure);
}

TEST_F(ThumbnailTest, PutsTransparencyOnTheBackgroundForJpeg) {
  const std::string source = samples::plain(100, 100, {0, 0, 255, 0}, ".png");
  EXPECT_EQ(make(source).at(0.5, 0.5).alpha, 0);
  options_.format = ImageFormat::Jpeg;
  expectColour(make(source).at(0.5, 0.5), 255, 255, 255, 3);
  options_.background = parseColour("#00ff00");
  expectColour(make(source).at(0.5, 0.5), 0, 255, 0, 6);
}

TEST_F(ThumbnailTest, WritesEveryFormat) {
  const std::string source = samples::quadrants(400, 200, ".png");
  for (const auto format : {ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Webp, ImageFormat::Avif}) {
    options_.format = format;
    const auto picture = make(source);
    EXPECT_EQ(made_.format, format);
    EXPECT_EQ(picture.width, 100) << toString(format);
    expectColour(picture.at(0.25, 0.25), 255, 0, 0, 20);
    const auto kind = sniff(std::string_view(made_.bytes).substr(0, kSniffBytes));
    EXPECT_EQ(kind, format == ImageFormat::Avif   ? SourceKind::Heif
                    : format == ImageFormat::Webp ? SourceKind::Webp
                    : format == ImageFormat::Png  ? SourceKind::Png
                                                  : SourceKind::Jpeg);
  }
}

TEST_F(ThumbnailTest, MakesSmallerFilesForLowerQuality) {
  const std::string source = samples::picture(800, 600, ".png");
  options_.format = ImageFormat::Jpeg;
  options_.quality = 90;
  (void)make(source);
  const std::size_t high = made_.bytes.size();
  options_.quality = 30;
  (void)make(source);
  EXPECT_LT(made_.bytes.size(), high / 2);
}

TEST_F(ThumbnailTest, TurnsPhotosAsTheirExifSays) {
  const auto reference = make(samples::readAll(samples::orientedPhoto(0)));
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const auto turned = make(samples::readAll(samples::orientedPhoto(orientation)));
    ASSERT_EQ(turned.width, reference.width) << orientation;
    ASSERT_EQ(turned.height, reference.height) << orientation;
    for (const double x : {0.15, 0.5, 0.85}) {
      for (const double y : {0.15, 0.5, 0.85}) {
        const auto want = reference.at(x, y);
        const auto got = turned.at(x, y);
        EXPECT_LE(std::abs(got.red - want.red) + std::abs(got.green - want.green) + std::abs(got.blue - want.blue), 90)
            << "orientation " << orientation << " at " << x << ", " << y;
      }
    }
  }
}

TEST_F(ThumbnailTest, ConvertsCmykThroughItsProfile) {
  const auto picture = make(samples::cmykJpeg(300, 200));
  EXPECT_LT(picture.at(0.5, 0.5).red, 80);
  EXPECT_GT(picture.at(0.5, 0.5).blue, 150);
  EXPECT_GE(picture.bands, 3);
}

TEST_F(ThumbnailTest, ConvertsWideGamutToSrgb) {
  const auto picture = make(samples::wideGamutJpeg(300, 200));
  // Display P3 (200,60,60) is a stronger red in sRGB.
  EXPECT_GT(picture.at(0.5, 0.5).red, 208);
  EXPECT_LT(picture.at(0.5, 0.5).green, 50);
}

TEST_F(ThumbnailTest, BringsSixteenBitsToEight) {
  const auto picture = make(samples::deepPng(300, 200));
  expectColour(picture.at(0.5, 0.5), 100, 150, 200, 3);
}

TEST_F(ThumbnailTest, KeepsGreyGrey) {
  const auto picture = make(samples::plain(300, 200, {77}, ".jpg[Q=95]"));
  EXPECT_EQ(picture.bands, 1);
  expectColour(picture.at(0.5, 0.5), 77, 77, 77, 2);
}

TEST_F(ThumbnailTest, DropsMetadataUnlessAskedToKeepIt) {
  const std::string source = samples::readAll(samples::orientedPhoto(6));
  options_.format = ImageFormat::Jpeg;
  EXPECT_FALSE(make(source).has_exif);
  EXPECT_FALSE(make(samples::wideGamutJpeg(300, 200)).has_profile);
  options_.strip = false;
  EXPECT_TRUE(make(source).has_exif);
  EXPECT_TRUE(make(samples::wideGamutJpeg(300, 200)).has_profile);
}

TEST_F(ThumbnailTest, TakesTheFirstFrameUnlessAskedForAnother) {
  for (const auto& source : {samples::animatedGif(60, 40), samples::multipageTiff(60, 40)}) {
    options_.page = 1;
    const auto first = make(source);
    EXPECT_EQ(first.width, 60);
    EXPECT_EQ(first.height, 40);
    expectColour(first.at(0.5, 0.5), 255, 0, 0);
    options_.page = 3;
    expectColour(make(source).at(0.5, 0.5), 0, 0, 255);
    EXPECT_EQ(countPages({-1, source}), 3);
  }
}

TEST_F(ThumbnailTest, RendersPdfPagesToMeetTheBox) {
  const std::string source = samples::pdf({{612, 792}, {300, 100}});
  EXPECT_EQ(countPages({-1, source}), 2);
  options_.width = 500;
  options_.height = 1000;
  const auto first = make(source);
  EXPECT_EQ(first.width, 500);
  EXPECT_EQ(first.height, 647);
  expectColour(first.at(0.5, 0.5), 255, 0, 0, 2);
  options_.page = 2;
  EXPECT_EQ(make(source).width, 500);
  EXPECT_EQ(made_.height, 167);
}

TEST_F(ThumbnailTest, RendersARealDocument) {
  const samples::TempFolder folder;
  const std::string source = samples::readAll(samples::realPdf(folder));
  EXPECT_GT(countPages({-1, source}), 10);
  options_.width = 800;
  options_.height = 1200;
  options_.page = 10;
  const auto page = make(source);
  EXPECT_EQ(page.width, 800);
  int dark = 0;
  for (double y = 0; y < 1; y += 0.004) {
    for (double x = 0; x < 1; x += 0.004) dark += page.at(x, y).red < 128 ? 1 : 0;
  }
  EXPECT_GT(dark, 200) << "a page of text has dark pixels";
}

TEST_F(ThumbnailTest, RendersSvgSharplyAtTheAskedSize) {
  const auto picture = make(samples::svg("10", "10", "<rect width=\"5\" height=\"10\" fill=\"#ff0000\"/>"));
  EXPECT_EQ(picture.width, 100);
  expectColour(picture.at(0.48, 0.5), 255, 0, 0, 2);
  EXPECT_EQ(picture.at(0.52, 0.5).alpha, 0);
}

TEST_F(ThumbnailTest, ReadsFromADescriptorWhereverItsOffsetIs) {
  const UniqueFd fd(::open(samples::photo().c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_GT(lseek(fd.get(), 1000, SEEK_SET), 0);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(makeThumbnail({fd.get(), {}}, options_, {}).width, 100);
}

TEST_F(ThumbnailTest, WorksOnManyThreadsAtOnce) {
  const std::string source = samples::readAll(samples::photo());
  const std::string expected = makeThumbnail({-1, source}, options_, {}).bytes;
  setThreadsPerImage(1);
  std::vector<std::jthread> workers;
  for (int i = 0; i < 4; ++i) {
    workers.emplace_back([&] {
      for (int k = 0; k < 5; ++k) EXPECT_EQ(makeThumbnail({-1, source}, options_, {}).bytes, expected);
    });
  }
  workers.clear();
  setThreadsPerImage(0);
}

}  // namespace
}  // namespace jobhost::support
