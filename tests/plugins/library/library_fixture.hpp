#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <jobhost/testing.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "samples.hpp"
#include "support/files/archive_id.hpp"
#include "support/files/unique_fd.hpp"

namespace jobhost::testing {

/// A host with the library plugin, a content folder, an upload folder, and metadata plugins "one" and "two".
class LibraryPlugin : public ::testing::Test {
 protected:
  LibraryPlugin() {
    std::filesystem::create_directories(content_);
    std::filesystem::create_directories(uploads_);
    configure({});
  }

  void configure(const Json& more) {
    Json config{{"content_dir", content_.string()}, {"upload_dir", uploads_.string()}, {"threads", 2}};
    config.set("providers", Json{{"metadata", Json::array({"one", "two"})}, {"script", Json::array({"tidy"})}});
    config.set("date_added", false);
    for (std::size_t i = 0; i < more.names().size(); ++i) config.set(more.names()[i], more.items()[i]);
    host_.setConfig(config);
  }

  static std::string pages(int count, const std::string& extra = {}) {
    samples::Files files;
    for (int i = 1; i <= count; ++i) files.emplace_back(std::to_string(i) + ".png", samples::quadrants(40, 60, ".png"));
    if (!extra.empty()) files.emplace_back("note.txt", extra);
    return samples::archive("zip", files);
  }
  static std::string idOf(const std::filesystem::path& path) {
    const support::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    return support::archiveIdOf(fd.get());
  }
  /// Puts a file where uploads wait and answers its path.
  std::string stage(const std::string& name, const std::string& bytes) const {
    return folder_.write("uploads/" + name, bytes).string();
  }
  std::string addArchive(const std::string& name, const std::string& bytes) const {
    return idOf(folder_.write("content/" + name, bytes));
  }
  Attempt upload(const std::string& path, const Json& category = nullptr) {
    Json params{{"path", path}};
    if (!category.isNull()) params.set("category", category);
    return host_.runToEnd("handle_upload", params);
  }
  [[nodiscard]] Json archive(const std::string& id) const {
    const auto all = host_.records("archives");
    const auto found = all.find(id);
    return found == all.end() ? Json() : found->second;
  }
  static void expectKeys(const Json& object, std::vector<std::string> names) {
    std::vector<std::string> have = object.names();
    std::sort(have.begin(), have.end());
    std::sort(names.begin(), names.end());
    EXPECT_EQ(have, names) << object.dump();
  }

  samples::TempFolder folder_;
  std::filesystem::path content_ = folder_.path() / "content";
  std::filesystem::path uploads_ = folder_.path() / "uploads";
  FakeHost host_{std::string(JOBHOST_PLUGIN_DIR) + "/library.so", folder_.path() / "own"};
};

}  // namespace jobhost::testing
