#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "api/file_answer.hpp"
#include "core/result.hpp"

namespace jobhost::api::lncrawl {

// Where the files of novels lie, relative to the folder `lncrawl.dir`. Ids are taken as they are: what makes no file
// that could be there is not opened.
std::string coverPath(std::string_view novel);
std::string chapterPath(std::string_view novel, std::string_view chapter);
std::string imagePath(std::string_view novel, std::string_view image);
std::string artifactPath(std::string_view novel, std::string_view file_name);

/// What a file of that name is: "application/epub+zip"; "application/octet-stream" where nothing is known. A literal.
std::string_view mediaTypeOf(std::string_view file_name);

/// A folder of which files are handed out by names that others made up. Names are of parts with '/' between; none may
/// be empty or begin with a dot (so no "..", and nothing under a temporary name). No link is followed below the folder,
/// and nothing outside can be reached (openat2). The folder may come later. Thread-safety: every method from any
/// thread.
class ConfinedFolder {
 public:
  explicit ConfinedFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// nullopt: there is no such regular file. Errors: Internal where the system does not say so but fails (no
  /// permission, a broken disk), Unavailable where it is short of descriptors or memory.
  [[nodiscard]] core::Result<std::optional<OpenFile>> open(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const;  ///< false too where that cannot be found out
  [[nodiscard]] const std::filesystem::path& path() const { return folder_; }

 private:
  /// -1: errno says why.
  [[nodiscard]] int openAt(std::string_view name, std::uint64_t flags) const;

  std::filesystem::path folder_;
};

inline constexpr std::int64_t kMaxPackedChapter = 16 << 20;  ///< bytes of a chapter's file
inline constexpr std::size_t kMaxChapter = 32 << 20;         ///< and of its text

/// The text of a chapter's file (zstd of UTF-8). nullopt: there is no file. Errors: TooLarge, Internal (no zstd, cut
/// off, cannot be opened), Unavailable.
core::Result<std::optional<std::string>> readChapter(const ConfinedFolder& files, std::string_view novel,
                                                     std::string_view chapter);
/// One zstd frame or several, unpacked to at most `most` bytes. Errors as readChapter.
core::Result<std::string> unpackZstd(std::string_view packed, std::size_t most);

}  // namespace jobhost::api::lncrawl
