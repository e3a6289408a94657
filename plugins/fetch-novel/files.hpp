#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace jobhost::novel {

/// The files of novels below one folder, as every part of the host knows them. Readers see the old or the new content.
/// Paths are made of ids of records only, never of what a client sent. Any thread.
class Files {
 public:
  explicit Files(std::filesystem::path root) : root_(std::move(root)) {}

  [[nodiscard]] static std::string cover(const std::string& novel) { return "novels/" + novel + "/cover.jpg"; }
  [[nodiscard]] static std::string chapter(const std::string& novel, const std::string& id) {
    return "novels/" + novel + "/chapters/" + id + ".zst";
  }
  [[nodiscard]] static std::string image(const std::string& novel, const std::string& id) {
    return "novels/" + novel + "/images/" + id + ".jpg";
  }

  [[nodiscard]] bool has(const std::string& file) const;
  /// Written below tmp/, synced, renamed. Throws support::Failure file.write.
  void write(const std::string& file, std::string_view bytes) const;
  /// Nothing when there is none. Throws support::Failure file.write.
  void remove(const std::string& file) const;

  [[nodiscard]] std::filesystem::path gate() const { return root_ / "tmp" / "hosts"; }
  /// Removes what writers that were killed left below tmp/ a day ago.
  void sweep() const;

 private:
  std::filesystem::path root_;
};

/// Zstandard with the size in its header. Throws support::Failure.
std::string compressed(std::string_view bytes);

}  // namespace jobhost::novel
