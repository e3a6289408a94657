#include "support/image/image_types.hpp"

#include <gtest/gtest.h>

#include "samples.hpp"

namespace jobhost::support {
namespace {

TEST(Sniff, KnowsKindsByTheirFirstBytes) {
  const auto kind = [](const std::string& bytes) {
    return std::string(toString(sniff(std::string_view(bytes).substr(0, kSniffBytes))));
  };
  EXPECT_EQ(kind(samples::picture(20, 20, ".jpg")), "jpeg");
  EXPECT_EQ(kind(samples::picture(20, 20, ".png")), "png");
  EXPECT_EQ(kind(samples::picture(20, 20, ".webp")), "webp");
  EXPECT_EQ(kind(samples::picture(20, 20, ".tif")), "tiff");
  EXPECT_EQ(kind(samples::picture(20, 20, ".gif")), "gif");
  EXPECT_EQ(kind(samples::picture(64, 64, ".avif")), "heif");
  EXPECT_EQ(kind(samples::picture(64, 64, ".heic")), "heif");
  EXPECT_EQ(kind(samples::picture(64, 64, ".jxl")), "jxl");
  EXPECT_EQ(kind(samples::bmp(4, 4, 24)), "bmp");
  EXPECT_EQ(kind(samples::svg("10", "10", "")), "svg");
  EXPECT_EQ(kind(samples::pdf({{10, 10}})), "pdf");
  for (const char* format : {"zip", "7z", "tar", "tar.gz", "tar.xz", "tar.zst", "rar4", "rar5"}) {
    EXPECT_EQ(kind(samples::archive(format, {{"1.png", "x"}})), "archive") << format;
  }
}

TEST(Sniff, SaysUnknownToEverythingElse) {
  for (const char* text : {"", "hello", "<html><body>no</body></html>", "BM", "RIFF....WAVE"}) {
    EXPECT_EQ(sniff(text), SourceKind::Unknown) << text;
  }
}

TEST(ParseColour, ReadsTheUsualSpellings) {
  EXPECT_EQ(parseColour("#fff"), (Colour{255, 255, 255, 255}));
  EXPECT_EQ(parseColour("#1A2b3c"), (Colour{0x1a, 0x2b, 0x3c, 255}));
  EXPECT_EQ(parseColour("#1a2b3c80"), (Colour{0x1a, 0x2b, 0x3c, 0x80}));
  EXPECT_EQ(parseColour("black"), (Colour{0, 0, 0, 255}));
  EXPECT_EQ(parseColour("transparent")->alpha, 0);
  for (const char* text : {"", "#", "#ff", "#ggg", "#12345", "red; drop", "fff"}) {
    EXPECT_EQ(parseColour(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace jobhost::support
