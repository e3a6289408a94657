#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "support/common/failure.hpp"
#include "support/files/unique_fd.hpp"
#include "thumbnail/scan_budget.hpp"

namespace jobhost::thumbnail {

/// Finds archives of the content folder by their id (support/files/archive_id.hpp): all there is where no library keeps
/// records of them (archive_jobs.hpp), and a help where a record does not say where its archive lies.
///
/// Remembers size, modification time and id of each file in one text file, so that only new and changed files are read.
/// Several processes may share that file: it is replaced as a whole and only ever a hint, since the file that is opened
/// is always checked against the id. Thread-safe; who asks for a known archive never waits for a scan.
class ArchiveIndex {
 public:
  /// `cache_file` lies in the plugin's own folder, the ScanBudget's file beside it; they may be absent or damaged.
  ArchiveIndex(std::filesystem::path content_dir, std::filesystem::path cache_file, ScanBudget::Clock clock = {});

  /// The archive with this id, open for reading; nullopt when none is known. For an id that is not known yet the whole
  /// folder is looked through, as often as ScanBudget allows; else the answer costs the same however large the folder
  /// is. Throws support::Failure (file.read …) and support::Stopped.
  std::optional<support::UniqueFd> open(const std::string& id, const support::StopCheck& stop);

  /// The ids of all archives there are now, each once, in order. Throws as open().
  std::vector<std::string> ids(const support::StopCheck& stop);

  /// How many files were read to compute an id, and how often the folder was looked through, ever.
  [[nodiscard]] std::size_t hashedForTest() const { return hashed_; }
  [[nodiscard]] std::size_t scansForTest() const { return scans_; }

 private:
  struct Known {
    std::uint64_t size = 0;
    std::int64_t changed_ns = 0;
    std::string id;
  };

  using Files = std::map<std::string, Known>;  // by path relative to content_dir_
  /// Which version of the cache file was read or written last.
  struct Mark {
    std::uint64_t inode = 0;
    std::int64_t changed_ns = 0;
    bool operator==(const Mark&) const = default;
  };

  // With scan_mutex_ held.
  void loadIfChanged(const support::StopCheck& stop);
  void scan(const support::StopCheck& stop);
  void save(const Files& files);

  [[nodiscard]] Mark markOfCache() const;
  std::optional<support::UniqueFd> openKnown(const std::string& id);
  std::optional<std::string> hash(const std::string& path);
  void replace(Files files);  ///< locks mutex_

  const std::filesystem::path content_dir_;
  const std::filesystem::path cache_file_;
  ScanBudget budget_;
  std::mutex scan_mutex_;  ///< one at a time reads the cache or the folder; taken before mutex_
  Mark read_;
  std::mutex mutex_;  ///< guards what follows, held for moments only
  Files files_;
  std::multimap<std::string, std::string> paths_of_;  // of each id; may name files that are gone
  std::atomic<std::size_t> hashed_ = 0;
  std::atomic<std::size_t> scans_ = 0;
};

}  // namespace jobhost::thumbnail
