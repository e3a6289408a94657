#include "thumbnail_fixture.hpp"

namespace jobhost::testing {
namespace {

using ThumbnailJob = ThumbnailPlugin;

TEST_F(ThumbnailJob, MakesAnOutputOfARealPhoto) {
  addPicture("beach.jpg", samples::readAll(samples::photo()));
  const Attempt done = host_.run("thumbnail", {{"source", "beach.jpg"}, {"width", 320}, {"height", 240}});
  ASSERT_EQ(done.code, JH_OK) << done.error_message;
  ASSERT_TRUE(done.outputs.contains("thumbnail.jpg"));
  const auto picture = samples::decode(done.outputs.at("thumbnail.jpg"));
  EXPECT_EQ(done.result["width"].intOr(0), picture.width);
  EXPECT_EQ(done.result["height"].intOr(0), picture.height);
  EXPECT_TRUE(picture.width == 320 || picture.height == 240);
  EXPECT_EQ(done.result["bytes"].intOr(0), static_cast<std::int64_t>(done.outputs.at("thumbnail.jpg").size()));
  EXPECT_EQ(done.result["output"].stringOr(""), "thumbnail.jpg");
  EXPECT_EQ(done.result["media_type"].stringOr(""), "image/jpeg");
  EXPECT_EQ(done.media_types.at("thumbnail.jpg"), "image/jpeg");
  EXPECT_EQ(done.result["source_kind"].stringOr(""), "jpeg");
  EXPECT_EQ(done.progress.back().done, 2);
}

TEST_F(ThumbnailJob, TakesTheOnlyInputOrTheOneNamed) {
  host_.addInput("a.png", folder_.write("in/a.png", samples::plain(40, 20, {255, 0, 0}, ".png")));
  EXPECT_EQ(host_.run("thumbnail", {{"format", "png"}}).result["width"].intOr(0), 40);
  host_.addInput("b.png", folder_.write("in/b.png", samples::plain(30, 20, {255, 0, 0}, ".png")));
  const Attempt unclear = host_.run("thumbnail", Json::object());
  EXPECT_EQ(unclear.code, JH_E_FAILED);
  EXPECT_NE(unclear.error_message.find("/source: is missing"), std::string::npos) << unclear.error_message;
  EXPECT_EQ(host_.run("thumbnail", {{"input", "b.png"}}).result["width"].intOr(0), 30);
  EXPECT_EQ(host_.run("thumbnail", {{"input", "c.png"}}).error_class, JH_CLASS_BAD_INPUT);
  EXPECT_EQ(host_.run("thumbnail", {{"input", "a.png"}, {"source", "x"}}).error_class, JH_CLASS_BAD_INPUT);
}

TEST_F(ThumbnailJob, WritesTheFormatAskedFor) {
  addPicture("a.png", samples::quadrants(400, 200, ".png"));
  for (const auto& [format, name] : {std::pair{"jpeg", "thumbnail.jpg"}, std::pair{"png", "thumbnail.png"},
                                     std::pair{"webp", "thumbnail.webp"}, std::pair{"avif", "thumbnail.avif"}}) {
    const Attempt done = host_.run(
        "thumbnail", {{"source", "a.png"}, {"width", 100}, {"height", 100}, {"format", format}, {"fit", "cover"}});
    ASSERT_EQ(done.code, JH_OK) << format << ": " << done.error_message;
    EXPECT_EQ(done.result["format"].stringOr(""), format);
    EXPECT_EQ(samples::decode(done.outputs.at(name)).width, 100);
  }
}

TEST_F(ThumbnailJob, TakesPagesAndCoversOfArchivesDocumentsAndBooks) {
  addPicture("a.cbz", samples::archive("zip", {{"2.png", samples::plain(10, 10, {0, 255, 0}, ".png")},
                                               {"1.png", samples::plain(10, 10, {255, 0, 0}, ".png")}}));
  addPicture("a.pdf", samples::pdf({{100, 50}, {50, 100}}));
  addPicture("a.epub",
             samples::epub("<item id=\"c\" href=\"z.png\" properties=\"cover-image\" media-type=\"image/png\"/>", "",
                           {{"OEBPS/a.png", samples::plain(10, 10, {0, 255, 0}, ".png")},
                            {"OEBPS/z.png", samples::plain(10, 10, {0, 0, 255}, ".png")}}));
  const auto make = [&](const char* source, int page) {
    const Attempt done = host_.run("thumbnail", {{"source", source}, {"page", page}, {"format", "png"}});
    EXPECT_EQ(done.code, JH_OK) << source << ": " << done.error_message;
    return samples::decode(done.outputs.at("thumbnail.png"));
  };
  EXPECT_EQ(make("a.cbz", 0).at(0.5, 0.5).red, 255);
  EXPECT_EQ(make("a.cbz", 2).at(0.5, 0.5).green, 255);
  EXPECT_EQ(make("a.pdf", 2).height, 512);
  EXPECT_EQ(make("a.epub", 0).at(0.5, 0.5).blue, 255);
  EXPECT_EQ(make("a.epub", 1).at(0.5, 0.5).green, 255);
}

TEST_F(ThumbnailJob, ReadsEveryArchiveFormat) {
  for (const char* format : {"zip", "7z", "tar", "tar.gz", "tar.xz", "tar.zst", "lzma", "rar4", "rar5"}) {
    addPicture(format, samples::archive(format, {{"1.png", samples::plain(10, 10, {255, 0, 0}, ".png")}}));
    const Attempt done = host_.run("thumbnail", {{"source", format}});
    EXPECT_EQ(done.code, JH_OK) << format << ": " << done.error_message;
    EXPECT_EQ(done.result["source_kind"].stringOr(""), "archive");
  }
}

TEST_F(ThumbnailJob, StaysBelowItsRoots) {
  folder_.write("outside.png", samples::plain(10, 10, {255, 0, 0}, ".png"));
  std::filesystem::create_symlink(folder_.path() / "outside.png", pictures_ / "link.png");
  for (const std::string& path : {std::string("../outside.png"), std::string("link.png"), std::string("/etc/passwd"),
                                  (folder_.path() / "outside.png").string()}) {
    const Attempt refused = host_.run("thumbnail", {{"source", path}});
    EXPECT_EQ(refused.code, JH_E_FAILED) << path;
    EXPECT_EQ(refused.error_class, JH_CLASS_DENIED) << path;
    EXPECT_EQ(refused.error_message.find(folder_.path().string()), std::string::npos) << "names a path of this machine";
  }
  EXPECT_EQ(host_.run("thumbnail", {{"source", "absent.png"}}).error_code, "path.not_found");
}

struct RefusedCase {
  const char* name;
  const char* code;
  std::function<std::string()> bytes;
};
struct RefusedTest : ThumbnailPlugin, ::testing::WithParamInterface<RefusedCase> {};

TEST_P(RefusedTest, IsRefusedWithAReason) {
  addPicture("hostile", GetParam().bytes());
  const Attempt refused = host_.run("thumbnail", {{"source", "hostile"}});
  EXPECT_EQ(refused.code, JH_E_FAILED);
  EXPECT_EQ(refused.error_code, GetParam().code) << refused.error_message;
  EXPECT_EQ(refused.error_class, JH_CLASS_BAD_INPUT);
  EXPECT_FALSE(refused.error_message.empty());
  EXPECT_TRUE(refused.outputs.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Hostile, RefusedTest,
    ::testing::Values(
        RefusedCase{"Text", "image.unsupported", [] { return std::string("just text, nothing to see here"); }},
        RefusedCase{"EmptyFile", "archive.empty", [] { return std::string(); }},
        RefusedCase{"HugePixels", "image.too_many_pixels", [] { return samples::pngHeaderOnly(60'000, 60'000); }},
        RefusedCase{"HugePixelsInAnArchive", "image.too_many_pixels",
                    [] {
                      return samples::archive("zip", {{"1.png", samples::pngHeaderOnly(60'000, 60'000)}});
                    }},
        RefusedCase{"RatioBomb", "archive.ratio", [] { return samples::zipOfZeros(100ULL << 20); }},
        RefusedCase{"ManyEntries", "archive.entries", [] { return samples::zipWithManyEntries(100'000); }},
        RefusedCase{"NestedArchives", "image.no_page",
                    [] {
                      std::string inner = samples::archive("zip", {{"1.png", "x"}});
                      for (int i = 0; i < 5; ++i) inner = samples::archive("zip", {{"inner.zip", inner}});
                      return inner;
                    }},
        RefusedCase{"EncryptedArchive", "archive.encrypted",
                    [] {
                      return samples::encryptedZip({{"1.png", "x"}});
                    }},
        RefusedCase{"EncryptedDocument", "document.encrypted", [] { return samples::encryptedPdf(); }},
        RefusedCase{"TruncatedPhoto", "image.damaged",
                    [] {
                      const std::string whole = samples::readAll(samples::photo());
                      return whole.substr(0, whole.size() / 2);
                    }},
        RefusedCase{"ArchiveWithoutPictures", "image.no_page",
                    [] {
                      return samples::archive("tar", {{"a.txt", "x"}});
                    }}),
    [](const auto& param) { return std::string(param.param.name); });

TEST_F(ThumbnailJob, NamesTheParamThatIsWrong) {
  addPicture("a.png", samples::plain(10, 10, {255, 0, 0}, ".png"));
  const auto messageOf = [&](const Json& more) {
    Json params{{"source", "a.png"}};
    for (std::size_t i = 0; i < more.names().size(); ++i) params.set(more.names()[i], more.items()[i]);
    return host_.run("thumbnail", params).error_message;
  };
  EXPECT_EQ(messageOf({{"width", 99999}}), "/width: at most 16384");
  EXPECT_EQ(messageOf({{"quality", 0}}), "/quality: at least 1");
  EXPECT_EQ(messageOf({{"background", "mauve"}}).substr(0, 12), "/background:");
  EXPECT_EQ(messageOf({{"fit", "cover"}, {"width", 10}}), "/height: is needed for this fit");
}

TEST_F(ThumbnailJob, EndsAsCancelledWhenAskedBefore) {
  addPicture("a.png", samples::plain(10, 10, {255, 0, 0}, ".png"));
  host_.cancel();
  const Attempt stopped = host_.run("thumbnail", {{"source", "a.png"}});
  EXPECT_EQ(stopped.code, JH_E_CANCELLED);
  EXPECT_TRUE(stopped.outputs.empty());
}

TEST_F(ThumbnailJob, TellsAWrongConfiguration) {
  configure({{"content_dir", "relative"}});
  const Attempt refused = host_.run("thumbnail", {{"source", "a.png"}});
  EXPECT_EQ(refused.code, JH_E_FAILED);
  EXPECT_NE(refused.error_message.find("content_dir: must be an absolute path"), std::string::npos)
      << refused.error_message;
}

}  // namespace
}  // namespace jobhost::testing
