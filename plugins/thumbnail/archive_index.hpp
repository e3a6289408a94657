#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "support/common/failure.hpp"
#include "support/files/unique_fd.hpp"

namespace jobhost::thumbnail {

/// Finds archives of the content folder by their id (support/files/archive_id.hpp).
///
/// Remembers size, modification time and id of each file in one text file, so that only new and changed files are read.
/// Several processes may share that file: it is replaced as a whole and only ever a hint, since the file that is opened
/// is always checked against the id. Thread-safe.
class ArchiveIndex {
 public:
  /// `cache_file` lies in the plugin's own folder; it may be absent or damaged.
  ArchiveIndex(std::filesystem::path content_dir, std::filesystem::path cache_file);

  /// The archive with this id, open for reading; nullopt when the folder has none. Looks through the whole folder when
  /// the id is not known yet. Throws support::Failure (file.read …) and support::Stopped.
  std::optional<support::UniqueFd> open(const std::string& id, const support::StopCheck& stop);

  /// The ids of all archives there are now, each once, in order. Throws as open().
  std::vector<std::string> ids(const support::StopCheck& stop);

  /// How many files were read to compute an id, ever.
  [[nodiscard]] std::size_t hashedForTest() const { return hashed_; }

 private:
  struct Known {
    std::uint64_t size = 0;
    std::int64_t changed_ns = 0;
    std::string id;
  };

  void load(const support::StopCheck& stop);
  void save() const;
  void scan(const support::StopCheck& stop);
  void indexPaths();
  std::optional<support::UniqueFd> openKnown(const std::string& id);
  std::optional<std::string> hash(const std::string& path);

  const std::filesystem::path content_dir_;
  const std::filesystem::path cache_file_;
  std::mutex mutex_;
  bool loaded_ = false;
  std::map<std::string, Known> files_;                // by path relative to content_dir_
  std::multimap<std::string, std::string> paths_of_;  // of each id; may name files that are gone
  std::size_t hashed_ = 0;
};

}  // namespace jobhost::thumbnail
