#include <fcntl.h>
#include <gtest/gtest.h>

#include <atomic>

#include "samples.hpp"
#include "support/files/unique_fd.hpp"
#include "support/image/image_engine.hpp"
#include "support/image/thumbnail.hpp"

namespace jobhost::support {
namespace {

class ThumbnailLimits : public ::testing::Test {
 protected:
  ThumbnailLimits() {
    startImageEngine();
    options_.width = 100;
    options_.height = 100;
  }

  std::string codeOf(const std::string& bytes) {
    try {
      (void)makeThumbnail({-1, bytes}, options_, limits_, stop_);
      return "made";
    } catch (const Failure& failure) {
      message_ = failure.what();
      return failure.code();
    } catch (const Stopped&) {
      return "stopped";
    }
  }

  ThumbnailOptions options_;
  ImageLimits limits_;
  StopCheck stop_;
  std::string message_;
};

TEST_F(ThumbnailLimits, RefusesHugePicturesFromTheirHeader) {
  EXPECT_EQ(codeOf(samples::pngHeaderOnly(50'000, 50'000)), "image.too_many_pixels");
  EXPECT_NE(message_.find("50000"), std::string::npos) << message_;
  EXPECT_EQ(codeOf(samples::pngHeaderOnly(250'000, 2)), "image.too_many_pixels");
  limits_.max_pixels = 400;
  EXPECT_EQ(codeOf(samples::picture(20, 20, ".png")), "made");
  EXPECT_EQ(codeOf(samples::picture(21, 20, ".png")), "image.too_many_pixels");
}

TEST_F(ThumbnailLimits, RefusesDrawingsThatTheBoxMakesHuge) {
  options_.fit = Fit::Cover;
  EXPECT_EQ(codeOf(samples::pdf({{10'000, 1}})), "image.too_many_pixels");
  options_.width = options_.height = 16384;
  EXPECT_EQ(codeOf(samples::svg("100", "100", "")), "image.too_many_pixels");
}

TEST_F(ThumbnailLimits, AcceptsLargeDrawingsThatTheBoxMakesSmall) {
  EXPECT_EQ(codeOf(samples::svg("30000", "20000", "<rect width=\"30000\" height=\"20000\" fill=\"red\"/>")), "made");
}

TEST_F(ThumbnailLimits, RefusesSvgBombs) {
  std::string entities = "<!DOCTYPE svg [<!ENTITY a0 \"<rect width='1' height='1'/>\">";
  for (int i = 1; i < 12; ++i) {
    entities += "<!ENTITY a" + std::to_string(i) + " \"";
    for (int k = 0; k < 10; ++k) entities += "&a" + std::to_string(i - 1) + ";";
    entities += "\">";
  }
  const std::string bomb = "<?xml version=\"1.0\"?>" + entities +
                           "]><svg xmlns=\"http://www.w3.org/2000/svg\" width=\"10\" height=\"10\">&a11;</svg>";
  EXPECT_NE(codeOf(bomb), "made");
  std::string uses = "<g id=\"u0\"><rect width=\"1\" height=\"1\"/></g>";
  for (int i = 1; i < 20; ++i) {
    const std::string before = "<use xlink:href=\"#u" + std::to_string(i - 1) + "\"/>";
    uses += "<g id=\"u" + std::to_string(i) + "\">" + before + before + before + before + "</g>";
  }
  EXPECT_NE(codeOf(samples::svg("10", "10", uses)), "made");
}

TEST_F(ThumbnailLimits, DoesNotReadWhatAnSvgPointsTo) {
  const samples::TempFolder folder;
  const auto secret = folder.write("secret.png", samples::plain(10, 10, {255, 0, 0}, ".png"));
  const auto path = folder.write("a.svg", samples::svg("10", "10",
                                                       "<image width=\"10\" height=\"10\" xlink:href=\"secret.png\"/>"
                                                       "<image width=\"10\" height=\"10\" xlink:href=\"file://" +
                                                           secret.string() + "\"/>"));
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  options_.format = ImageFormat::Png;
  const auto picture = samples::decode(makeThumbnail({fd.get(), {}}, options_, limits_).bytes);
  EXPECT_EQ(picture.at(0.5, 0.5).alpha, 0);
}

TEST_F(ThumbnailLimits, FailsOnTruncatedPictures) {
  for (const char* suffix : {".jpg", ".png", ".webp", ".tif", ".gif", ".avif", ".heic"}) {
    const std::string whole = samples::picture(400, 300, suffix);
    ASSERT_EQ(codeOf(whole), "made") << suffix << ": " << message_;
    for (const double part : {0.9, 0.5, 0.1}) {
      const auto size = static_cast<std::size_t>(static_cast<double>(whole.size()) * part);
      EXPECT_EQ(codeOf(whole.substr(0, size)), "image.damaged") << suffix << " cut to " << part;
    }
  }
}

TEST_F(ThumbnailLimits, FailsOnWhatIsNoPicture) {
  EXPECT_EQ(codeOf("no picture at all"), "image.unsupported");
  EXPECT_EQ(codeOf(""), "image.unsupported");
  EXPECT_EQ(codeOf(samples::archive("zip", {{"1.png", "x"}})), "image.unsupported");
  EXPECT_EQ(codeOf("P6 2 2 255 abcdefghijkl"), "image.unsupported");  // a loader we do not mean
}

TEST_F(ThumbnailLimits, TellsAnEncryptedDocument) {
  EXPECT_EQ(codeOf(samples::encryptedPdf()), "document.encrypted") << message_;
}

TEST_F(ThumbnailLimits, TellsAMissingPage) {
  options_.page = 4;
  EXPECT_EQ(codeOf(samples::pdf({{10, 10}, {20, 20}})), "image.no_page") << message_;
  EXPECT_EQ(codeOf(samples::multipageTiff(10, 10)), "image.no_page") << message_;
  EXPECT_EQ(codeOf(samples::animatedGif(10, 10)), "image.no_page") << message_;
  EXPECT_EQ(codeOf(samples::picture(10, 10, ".jpg")), "image.no_page") << message_;
  options_.page = 0;
  EXPECT_EQ(codeOf(samples::pdf({{10, 10}})), "image.no_page") << message_;
}

TEST_F(ThumbnailLimits, StopsWhenAsked) {
  std::atomic<int> asked{0};
  stop_ = [&] { return ++asked > 1; };
  options_.width = options_.height = 2000;
  options_.enlarge = true;
  EXPECT_EQ(codeOf(samples::picture(1500, 1500, ".png")), "stopped");
}

}  // namespace
}  // namespace jobhost::support
