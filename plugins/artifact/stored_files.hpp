#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "support/files/unique_fd.hpp"

namespace jobhost::artifact {

/// Whether it may be a name in a path: 1 to 64 letters, digits, '-' and '_'.
[[nodiscard]] bool isFileId(std::string_view text);

/// The files the crawler left of one novel, each read when asked for. Absent ones, also all of a folder that is not
/// there, are nullopt, as are ids that are no names. Links that lead out of the folder are not followed.
///
/// Throws Failure file.read (Io) when the disk does not answer. At most `limit` + 1 bytes are read of a file or
/// unpacked of a body: more than `limit` says that it is too large. Any thread.
class StoredFiles {
 public:
  explicit StoredFiles(const std::filesystem::path& novel_folder);

  /// The HTML of a chapter. Throws Failure artifact.chapter_damaged for what does not unpack.
  [[nodiscard]] std::optional<std::string> body(std::string_view chapter_id, std::size_t limit) const;
  [[nodiscard]] std::optional<std::string> image(std::string_view image_id, std::size_t limit) const;
  [[nodiscard]] std::optional<std::string> cover(std::size_t limit) const;
  [[nodiscard]] bool hasBody(std::string_view chapter_id) const;
  [[nodiscard]] bool hasCover() const;

 private:
  [[nodiscard]] support::UniqueFd open(const std::string& relative) const;

  support::UniqueFd folder_;
};

/// Moves a finished file to its place in one step: readers see the old file or the new one, and after a power cut too.
///
/// `source` is gone afterwards where both are in one file system; else it is copied to `temporary_dir`, which must be
/// in the file system of `destination`, under its own name. Makes missing folders. Throws Failure file.write (Io).
void placeFile(const std::filesystem::path& source, const std::filesystem::path& destination,
               const std::filesystem::path& temporary_dir);

}  // namespace jobhost::artifact
