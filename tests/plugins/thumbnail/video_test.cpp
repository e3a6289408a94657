// Pictures of videos: what ffmpeg is told, what it answers, and what becomes of it. The videos are made by ffmpeg.
#include <gmock/gmock.h>

#include <cstdlib>
#include <stdexcept>

#include "thumbnail_fixture.hpp"

namespace jobhost::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

class Video : public ThumbnailPlugin {
 protected:
  /// One second of red, then one of blue.
  std::string video(const std::string& name, const std::string& codec) {
    const auto path = pictures_ / name;
    const std::string command =
        "ffmpeg -nostdin -loglevel error -y -f lavfi -i color=red:s=320x240:d=1:r=10 -f lavfi -i "
        "color=blue:s=320x240:d=1:r=10 "
        "-filter_complex '[0][1]concat' -c:v " +
        codec + " " + quoted(path.string());
    if (std::system(command.c_str()) != 0) throw std::runtime_error("ffmpeg cannot make the sample; is it installed?");
    return name;
  }
  /// Runs what the plugin asks for as a host would, without its limits.
  SpawnEnd really(const Spawn& asked) const {
    const auto folder = folder_.path() / "programs";
    std::filesystem::create_directories(folder);
    std::filesystem::remove(folder / "frame.bmp");
    std::string command = "cd " + quoted(folder.string()) + " &&";
    for (const auto& one : asked.argv) command += " " + quoted(one);
    const int status = std::system((command + " 2> errors").c_str());
    SpawnEnd end = SpawnEnd::exited(status == 0 ? 0 : 1, samples::readAll(folder / "errors"));
    if (std::filesystem::exists(folder / "frame.bmp")) end.files["frame.bmp"] = samples::readAll(folder / "frame.bmp");
    return end;
  }
  Attempt run(const Json& params) {
    host_.onSpawn([this](const Spawn& asked) { return really(asked); });
    return host_.run("thumbnail", params);
  }
};

TEST_F(Video, AFrameIsTakenOfEachKind) {
  const std::pair<const char*, const char*> kinds[] = {{"a.mp4", "mpeg4"},   {"b.mkv", "mpeg4"}, {"c.avi", "mpeg4"},
                                                       {"d.webm", "libvpx"}, {"e.flv", "flv"},   {"f.mov", "mpeg4"}};
  for (const auto& [name, codec] : kinds) {
    const Attempt done = run({{"source", video(name, codec)}, {"time", 1.5}, {"width", 160}});
    ASSERT_EQ(done.code, JH_OK) << name << ": " << done.error_message;
    EXPECT_EQ(done.result["source_kind"].stringOr(""), "video");
    const auto picture = samples::decode(done.outputs.at("thumbnail.jpg"));
    EXPECT_EQ(picture.width, 160);
    EXPECT_EQ(picture.height, 120);
    EXPECT_GT(picture.at(0.5, 0.5).blue, 180) << name << ": blue at 1.5 s";
    EXPECT_LT(picture.at(0.5, 0.5).red, 80) << name;
  }
}

// One key frame, at the beginning, and no index: a seek near the end finds nothing to begin with.
TEST_F(Video, NearTheEndItIsTheLastFrameBefore) {
  const std::string stream = video("a.ts", "mpeg2video -g 1000 -sc_threshold 1000000000");
  const std::string file = video("a.mp4", "mpeg4");
  for (const auto& [name, time] : {std::pair(stream, 1.5),
                                   {stream, 1.85},
                                   {stream, 1.95},
                                   {stream, 2.0},
                                   {stream, 5.0},
                                   {file, 1.95},
                                   {file, 2.0},
                                   {file, 5.0}}) {
    const Attempt done = run({{"source", name}, {"time", time}});
    ASSERT_EQ(done.code, JH_OK) << name << " at " << time << ": " << done.error_message;
    const auto picture = samples::decode(done.outputs.at("thumbnail.jpg"));
    EXPECT_GT(picture.at(0.5, 0.5).blue, 180) << name << " at " << time;
    EXPECT_LE(done.spawns.size(), 5U);
  }
  // Not any frame: the second half is blue, the first is red up to its end.
  const Attempt red = run({{"source", stream}, {"time", 0.85}});
  ASSERT_EQ(red.code, JH_OK) << red.error_message;
  EXPECT_GT(samples::decode(red.outputs.at("thumbnail.jpg")).at(0.5, 0.5).red, 180);
  EXPECT_EQ(run({{"source", stream}, {"time", 60}}).error_code, "video.no_frame");
}

TEST_F(Video, WithoutATimeItIsOneOfTheFirstFrames) {
  const Attempt done = run({{"source", video("a.mp4", "mpeg4")}});
  ASSERT_EQ(done.code, JH_OK) << done.error_message;
  EXPECT_EQ(done.result["width"].intOr(0), 320);
  EXPECT_THAT(done.spawns.at(0).argv, Contains("thumbnail=n=100"));
}

TEST_F(Video, OnlyTheFileThatWasCheckedIsRead) {
  const Attempt done = run({{"source", video("a.mp4", "mpeg4")}, {"time", 0}});
  ASSERT_EQ(done.code, JH_OK) << done.error_message;
  const auto& argv = done.spawns.at(0).argv;
  EXPECT_EQ(argv.front(), "ffmpeg");
  EXPECT_THAT(argv, Contains("-protocol_whitelist"));
  EXPECT_THAT(argv, Contains("mov"));
  EXPECT_THAT(argv, Contains(HasSubstr("file:/proc/")));
  EXPECT_THAT(argv, ::testing::Not(Contains(HasSubstr("a.mp4"))));
}

TEST_F(Video, WhatGoesWrongIsSaid) {
  const std::string name = video("a.mp4", "mpeg4");
  EXPECT_EQ(run({{"source", name}, {"time", 60}}).error_code, "video.no_frame");
  EXPECT_THAT(run({{"source", name}, {"page", 2}}).error_message, HasSubstr("/page"));
  addPicture("photo.png", samples::quadrants(20, 20, ".png"));
  EXPECT_THAT(run({{"source", "photo.png"}, {"time", 1}}).error_message, HasSubstr("/time"));
  addPicture("broken.mkv", std::string("\x1a\x45\xdf\xa3") + std::string(2000, 'x'));
  const Attempt broken = run({{"source", "broken.mkv"}});
  EXPECT_EQ(broken.error_code, "video.damaged");
  EXPECT_EQ(broken.error_class, JH_CLASS_BAD_INPUT);

  host_.onSpawn([](const Spawn&) { return SpawnEnd::missing(); });
  const Attempt without = host_.run("thumbnail", {{"source", name}});
  EXPECT_EQ(without.error_code, "video.no_ffmpeg");
  EXPECT_THAT(without.error_message, HasSubstr("ffmpeg"));
  host_.onSpawn([](const Spawn&) { return SpawnEnd::timeout(); });
  EXPECT_EQ(host_.run("thumbnail", {{"source", name}}).error_code, "process.timeout");
}

TEST_F(Video, AnArchiveOrAnImageStartsNoProgram) {
  addPicture("photo.png", samples::quadrants(200, 100, ".png"));
  const Attempt done = run({{"source", "photo.png"}});
  ASSERT_EQ(done.code, JH_OK) << done.error_message;
  EXPECT_TRUE(done.spawns.empty());
}

TEST_F(Video, ThePreviewDescribesThePicture) {
  addPicture("red.png", samples::plain(300, 200, {250, 10, 20}, ".png"));
  for (const char* format : {"jpeg", "png", "webp"}) {
    const Attempt done = run({{"source", "red.png"}, {"format", format}});
    ASSERT_EQ(done.code, JH_OK) << done.error_message;
    EXPECT_EQ(done.result["blurhash"].stringOr("").size(), 28U);
    EXPECT_GE(done.result["thumbhash"].stringOr("").size(), 20U);
    const std::string colour(done.result["dominant_color"].stringOr(""));
    EXPECT_EQ(colour.size(), 7U);
    EXPECT_THAT(colour, HasSubstr("#f")) << format;
  }
}

TEST_F(Video, AnAnimationGivesItsFirstFrameUnlessAnotherIsNamed) {
  addPicture("moving.gif", samples::animatedGif(60, 40));
  const auto colourAt = [&](const Json& params) {
    const Attempt done = run(params);
    EXPECT_EQ(done.code, JH_OK) << done.error_message;
    return samples::decode(done.outputs.at("thumbnail.png")).at(0.5, 0.5);
  };
  EXPECT_GT(colourAt({{"source", "moving.gif"}, {"format", "png"}}).red, 200);
  EXPECT_GT(colourAt({{"source", "moving.gif"}, {"format", "png"}, {"page", 2}}).green, 100);
  EXPECT_GT(colourAt({{"source", "moving.gif"}, {"format", "png"}, {"page", 3}}).blue, 200);
  EXPECT_EQ(run({{"source", "moving.gif"}, {"page", 4}}).error_code, "image.no_page");
}

}  // namespace
}  // namespace jobhost::testing
