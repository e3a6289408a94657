// The main job of the product: a client posts a thumbnail job, a plugin in its own process makes the picture, the
// client fetches it.

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "e2e/host_process.hpp"

namespace jobhost::e2e {
namespace {

std::string readFile(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream all;
  all << in.rdbuf();
  return all.str();
}

// ./dev test unpacks it from a Debian package.
std::string photo() {
  return readFile(std::filesystem::path(JOBHOST_SOURCE_DIR) / "build" / "samples" / "photo.jpg");
}

class MainJob : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_FALSE(photo().empty()) << "build/samples/photo.jpg is missing: run ./dev test";
    ASSERT_TRUE(host_.start()) << host_.log();
  }
  void TearDown() override { EXPECT_EQ(host_.stop(), 0); }

  std::string upload(const std::string& name, const std::string& bytes) {
    const auto answer =
        host_.request("POST", "/api/v1/inputs?name=" + name, bytes, {{"Content-Type", "application/octet-stream"}});
    EXPECT_EQ(answer.status, 201) << answer.body;
    return text(answer.json(), "input_id");
  }

  TempFolder folder_;
  HostProcess host_{{.data = folder_ / "data", .plugins = {JOBHOST_PLUGIN_DIR}}};
};

TEST_F(MainJob, MakesAThumbnailOfAnUploadedPhotoAndServesIt) {
  const auto input = upload("photo.jpg", photo());
  const auto id =
      host_.submit("thumbnail", R"({"input":"photo.jpg","width":256,"height":256})", R"(,"input_id":")" + input + "\"");
  ASSERT_TRUE(id);
  const auto job = host_.waitForEnd(*id);
  ASSERT_TRUE(job) << host_.log();
  ASSERT_EQ(text(job, "state"), "succeeded") << host_.get("/api/v1/jobs/" + std::to_string(*id)).body;
  const auto result = job->getObject("result");
  ASSERT_TRUE(result);
  // 512 x 600 portrait in a 256 x 256 box
  EXPECT_EQ(result->getValue<int>("height"), 256);
  EXPECT_LT(result->getValue<int>("width"), 256);
  const auto name = text(job->getArray("outputs")->getObject(0), "name");
  const auto picture = host_.get("/api/v1/jobs/" + std::to_string(*id) + "/outputs/" + name);
  ASSERT_EQ(picture.status, 200);
  EXPECT_EQ(picture.headers.at("Content-Type"), "image/jpeg");
  EXPECT_EQ(picture.body.substr(0, 3), "\xFF\xD8\xFF");
  EXPECT_EQ(static_cast<std::int64_t>(picture.body.size()),
            job->getArray("outputs")->getObject(0)->getValue<std::int64_t>("size_bytes"));
}

TEST_F(MainJob, FailsAJobWhoseInputIsNoPictureAndSaysWhy) {
  const auto input = upload("photo.jpg", "this is not a photo");
  const auto id =
      host_.submit("thumbnail", R"({"input":"photo.jpg","width":64,"height":64})", R"(,"input_id":")" + input + "\"");
  ASSERT_TRUE(id);
  const auto job = host_.waitForEnd(*id);
  ASSERT_TRUE(job);
  EXPECT_EQ(text(job, "state"), "failed");
  EXPECT_FALSE(text(job->getObject("error"), "message").empty());
  // and the next one is fine
  const auto good = upload("photo.jpg", photo());
  const auto next = host_.waitForEnd(
      *host_.submit("thumbnail", R"({"input":"photo.jpg","width":64,"height":64})", R"(,"input_id":")" + good + "\""));
  ASSERT_TRUE(next);
  EXPECT_EQ(text(next, "state"), "succeeded");
}

TEST_F(MainJob, RefusesWrongParamsNamingEachField) {
  const auto answer = host_.post(
      "/api/v1/jobs", R"({"type":"thumbnail","params":{"input":"a.jpg","width":"wide","height":-4,"colour":1}})");
  EXPECT_EQ(answer.status, 422) << answer.body;
  EXPECT_EQ(answer.headers.at("Content-Type"), "application/problem+json");
  for (const char* pointer : {"/params/width", "/params/height", "/params/colour"})
    EXPECT_NE(answer.body.find(pointer), std::string::npos) << answer.body;
}

}  // namespace
}  // namespace jobhost::e2e
