#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <jobhost/testing.hpp>

#include <string>

#include "samples.hpp"
#include "support/files/archive_id.hpp"
#include "support/files/unique_fd.hpp"

namespace jobhost::testing {

/// A host with the thumbnail plugin, a content folder, a thumbnail folder and a folder of pictures.
class ThumbnailPlugin : public ::testing::Test {
 protected:
  ThumbnailPlugin() {
    std::filesystem::create_directories(content_);
    std::filesystem::create_directories(pictures_);
    configure({});
  }

  /// Sets the configuration: the folders, and `more` on top.
  void configure(const Json& more) {
    Json config{{"content_dir", content_.string()},
                {"thumb_dir", thumbs_.string()},
                {"roots", Json::array({pictures_.string()})}};
    for (std::size_t i = 0; i < more.names().size(); ++i) config.set(more.names()[i], more.items()[i]);
    host_.setConfig(config);
  }

  /// Adds an archive to the content folder and answers its id.
  std::string addArchive(const std::string& name, const std::string& bytes) {
    const auto path = folder_.write("content/" + name, bytes);
    const support::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    return support::archiveIdOf(fd.get());
  }
  void addPicture(const std::string& name, const std::string& bytes) { folder_.write("pictures/" + name, bytes); }

  [[nodiscard]] std::filesystem::path cover(const std::string& id) const {
    return thumbs_ / id.substr(0, 2) / (id + ".jpg");
  }
  [[nodiscard]] std::filesystem::path page(const std::string& id, int number) const {
    return thumbs_ / id.substr(0, 2) / id / (std::to_string(number) + ".jpg");
  }

  static std::string pages(int count, int width = 120, int height = 160) {
    samples::Files files;
    for (int i = 1; i <= count; ++i)
      files.emplace_back(std::to_string(i) + ".png", samples::quadrants(width, height, ".png"));
    return samples::archive("zip", files);
  }

  samples::TempFolder folder_;
  std::filesystem::path content_ = folder_.path() / "content";
  std::filesystem::path thumbs_ = folder_.path() / "thumb";
  std::filesystem::path pictures_ = folder_.path() / "pictures";
  FakeHost host_{std::string(JOBHOST_PLUGIN_DIR) + "/thumbnail.so", folder_.path() / "own"};
};

}  // namespace jobhost::testing
