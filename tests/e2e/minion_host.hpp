#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <Poco/Base64Encoder.h>
#include <Poco/JSON/Array.h>
#include <openssl/sha.h>

#include "e2e/host_process.hpp"
#include "samples.hpp"

namespace jobhost::e2e {

namespace fs = std::filesystem;
using Object = Poco::JSON::Object::Ptr;

inline std::string base64(const std::string& text) {
  std::ostringstream out;
  Poco::Base64Encoder encoder(out);
  encoder.rdbuf()->setLineLength(0);
  encoder << text;
  encoder.close();
  return out.str();
}

/// What the contract calls an archive's id.
inline std::string archiveId(const std::string& bytes) {
  unsigned char digest[SHA_DIGEST_LENGTH];
  const auto size = std::min<std::size_t>(bytes.size(), 512'000);
  SHA1(reinterpret_cast<const unsigned char*>(bytes.data()), size, digest);
  std::ostringstream hex;
  for (const unsigned byte : digest) hex << std::hex << (byte >> 4) << (byte & 15);
  return hex.str();
}

inline std::string photoZip() {
  const auto photo = samples::readAll(samples::photo());
  return samples::archive("zip", {{"1.jpg", photo}, {"2.jpg", samples::picture(300, 400, ".jpg")}, {"3.jpg", photo}});
}

/// A client of the dialect on one host.
class MinionHost : public testing::Test {
 protected:
  void start(std::vector<std::string> settings = {}) {
    fs::create_directories(content_);
    settings.push_back("content.dir=" + content_.string());
    settings.push_back("content.thumb_dir=" + thumbs_.string());
    host_ = std::make_unique<HostProcess>(HostProcess::Options{.data = folder_ / "data",
                                                               .plugins = {JOBHOST_PLUGIN_DIR, JOBHOST_TEST_PLUGIN_DIR},
                                                               .set = std::move(settings),
                                                               .wrapper = {}});
    ASSERT_TRUE(host_->start()) << host_->log();
  }
  void TearDown() override {
    if (host_ && !HasFatalFailure()) {
      EXPECT_EQ(host_->stop(), 0);
    }
  }
  std::string addArchive(const std::string& name, const std::string& bytes) {
    fs::create_directories(content_);
    std::ofstream(content_ / name, std::ios::binary) << bytes;
    return archiveId(bytes);
  }

  [[nodiscard]] std::string bearer() const { return "Bearer " + base64(host_->adminKey()); }
  Answer open(const std::string& method, const std::string& path) const {
    return host_->request(method, path, {}, {{"Authorization", "none"}});
  }
  Answer keyed(const std::string& method, const std::string& path) const {
    return host_->request(method, path, {}, {{"Authorization", bearer()}});
  }
  std::int64_t queue(const std::string& task, const std::string& args, int priority = 0) {
    const auto answer =
        keyed("POST", "/api/minion/" + task + "/queue?args=" + args + "&priority=" + std::to_string(priority));
    EXPECT_EQ(answer.status, 200) << answer.body << host_->log();
    const auto object = answer.json();
    if (!object) return 0;
    EXPECT_TRUE(object->get("job").isInteger()) << answer.body;
    EXPECT_EQ(text(object, "operation"), "queue_minion_job");
    EXPECT_TRUE(object->get("success").isInteger() && !object->get("success").isBoolean()) << answer.body;
    EXPECT_EQ(object->getValue<int>("success"), 1);
    return object->getValue<std::int64_t>("job");
  }
  Object basic(std::int64_t id) const { return open("GET", "/api/minion/" + std::to_string(id)).json(); }
  Object detail(std::int64_t id) const { return keyed("GET", "/api/minion/" + std::to_string(id) + "/detail").json(); }
  std::string state(std::int64_t id) const { return text(basic(id), "state"); }
  /// The detail once the job has ended.
  Object ended(std::int64_t id) {
    EXPECT_TRUE(host_->waitForEnd(id)) << host_->log();
    return detail(id);
  }
  [[nodiscard]] fs::path cover(const std::string& id) const { return thumbs_ / id.substr(0, 2) / (id + ".jpg"); }
  [[nodiscard]] fs::path page(const std::string& id, int number) const {
    return thumbs_ / id.substr(0, 2) / id / (std::to_string(number) + ".jpg");
  }

  TempFolder folder_;
  fs::path content_ = folder_ / "content";
  fs::path thumbs_ = folder_ / "thumbs";
  std::unique_ptr<HostProcess> host_;
};

inline bool isText(const Object& object, const char* name) {
  return object->has(name) && object->get(name).isString();
}
inline bool isTextOrNull(const Object& object, const char* name) {
  return object->has(name) && (object->isNull(name) || object->get(name).isString());
}

}  // namespace jobhost::e2e
