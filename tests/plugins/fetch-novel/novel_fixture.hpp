#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <jobhost/testing.hpp>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "samples.hpp"

namespace jobhost::testing {

/// A host with the plugin, a folder of novels, a spec for site.test, and that site: a novel "/book" with chapters.
class NovelPlugin : public ::testing::Test {
 protected:
  struct Chapter {
    std::string path;
    std::string title;
  };

  NovelPlugin();

  void configure(const Json& more);
  /// The page of the novel with these chapters, each with a text of its own.
  void serveBook(const std::vector<Chapter>& chapters, const std::string& more = {});
  void serve(const std::string& path, const std::string& body, const std::string& type = "text/html");
  void answer(const std::string& path, const FetchEnd& end) { site_[absolute(path)] = end; }
  static std::string absolute(const std::string& path) {
    return path.starts_with("http") ? path : "https://site.test" + path;
  }
  void spec(const std::string& name, const std::string& text) const { folder_.write("sources/" + name, text); }

  Attempt fetchBook(const std::string& type = "novel") { return host_.run(type, {{"url", "https://site.test/book"}}); }
  /// Runs a chapter's job as one made by a volume's, or for itself.
  Attempt fetchChapter(const std::string& id, bool root = false);
  Attempt fetchImage(const std::string& id) { return host_.run("image", {{"image_id", id}}); }

  /// Ids of the novel's chapters, in order.
  [[nodiscard]] std::vector<std::string> chapters() const;
  [[nodiscard]] Json record(const std::string& collection, const std::string& id) const;
  [[nodiscard]] std::string novel() const;
  [[nodiscard]] std::filesystem::path file(const std::string& name) const {
    return folder_.path() / "novels-root" / name;
  }
  [[nodiscard]] std::string text(const std::string& chapter) const;
  [[nodiscard]] bool hasText(const std::string& chapter) const {
    return std::filesystem::exists(file("novels/" + novel() + "/chapters/" + chapter + ".zst"));
  }
  static std::string causeOf(const Attempt& attempt) {
    return std::string(attempt.error_details["cause"].stringOr(""));
  }
  /// What was asked of the site, without robots.txt.
  [[nodiscard]] static std::vector<std::string> pagesOf(const Attempt& attempt);
  void expectClean(const Attempt& attempt) const;
  /// No file of a writer is left.
  void expectNoLeftovers() const;

  samples::TempFolder folder_;
  std::map<std::string, FetchEnd> site_;
  std::vector<Fetch> asked_;
  FakeHost host_{std::string(JOBHOST_PLUGIN_DIR) + "/fetch-novel.so", folder_.path() / "own"};
};

}  // namespace jobhost::testing
