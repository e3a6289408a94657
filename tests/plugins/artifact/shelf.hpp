#pragma once

#include <jobhost/testing.hpp>

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace jobhost::artifact::testing {

/// A UUID that ends in the number.
[[nodiscard]] std::string uuid(int number);
/// 32 hex digits, as ids of pictures are.
[[nodiscard]] std::string imageId(int number);
[[nodiscard]] std::string packed(std::string_view html);
[[nodiscard]] std::string readFile(const std::filesystem::path& path);
void writeFile(const std::filesystem::path& path, std::string_view bytes);

/// A folder of novels and a host with the plugin: what fetch-novel leaves, without fetch-novel. Records are read only
/// by jobs that begin after them.
class Shelf {
 public:
  explicit Shelf(const std::string& plugin_file);
  Shelf(const Shelf&) = delete;
  Shelf& operator=(const Shelf&) = delete;
  ~Shelf();

  /// Settings beside lncrawl_dir.
  void configure(const Json& more);
  /// A novel; `facts` replaces what is there by default. Answers its id.
  std::string novel(int number, const Json& facts = Json::object());
  /// Into the novel made last.
  std::string volume(int serial, const std::string& title);
  /// Into the volume made last; without `html` it was not fetched.
  std::string chapter(int serial, const std::string& title, const char* html);
  void image(int number, std::string_view bytes) const;
  void cover(std::string_view bytes) const;

  [[nodiscard]] std::filesystem::path dir() const { return dir_; }
  /// The folder of the novel made last.
  [[nodiscard]] std::filesystem::path folder() const { return dir_ / "novels" / novel_; }
  [[nodiscard]] std::string artifactPath(const std::string& file_name) const {
    return folder() / "artifacts" / file_name;
  }
  /// Everything below the folder, files only, sorted; paths from it.
  [[nodiscard]] std::vector<std::string> files(const std::string& below) const;

  jobhost::testing::FakeHost host;

 private:
  std::filesystem::path dir_;
  std::string novel_, volume_;
  int volumes_ = 0;
};

}  // namespace jobhost::artifact::testing
