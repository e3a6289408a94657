#pragma once

#include <filesystem>
#include <map>
#include <vector>

namespace jobhost::catalog {

/// Hears of changes in folders from the kernel (inotify on the folders, not on the files). What it misses (network file
/// systems, overflow, a folder that does not exist yet) a rescan finds. One thread.
class FolderWatch {
 public:
  FolderWatch();
  ~FolderWatch();
  FolderWatch(const FolderWatch&) = delete;
  FolderWatch& operator=(const FolderWatch&) = delete;

  /// Begins or keeps watching; false when the folder cannot be watched now.
  bool watch(const std::filesystem::path& folder);
  /// For poll(); readable when read() has something. -1 where the kernel gives none: rescans must do.
  [[nodiscard]] int fd() const { return fd_; }

  struct Changes {
    std::vector<std::filesystem::path> files;
    bool rescan = false;  ///< something was missed or a folder went away
  };
  Changes read();

 private:
  int fd_ = -1;
  std::map<int, std::filesystem::path> folders_;
};

}  // namespace jobhost::catalog
