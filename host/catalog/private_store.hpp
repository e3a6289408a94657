#pragma once

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "catalog/job_type.hpp"
#include "core/result.hpp"

namespace jobhost::catalog {

/// What tells two contents of one path apart without reading them.
struct FileStamp {
  std::int64_t size = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;  ///< inode change: also moves when the mode changes
  std::uint64_t inode = 0;
  std::uint64_t device = 0;
  bool operator==(const FileStamp&) const = default;
};
core::Result<FileStamp> stampOf(int fd);
/// Of the path itself, symlinks not followed; all zero when it is gone.
FileStamp stampOfPath(const std::filesystem::path& path);

/// SHA-256 of the whole file behind a descriptor, lower-case hex. Error: Unavailable when reading fails.
core::Result<std::string> sha256Of(int fd);

class PluginPackage;
class PrivateStore;

class PrivateCopy {
 public:
  PrivateCopy(std::shared_ptr<PrivateStore> store, std::filesystem::path path)
      : store_(std::move(store)), path_(std::move(path)) {}
  ~PrivateCopy();
  PrivateCopy(const PrivateCopy&) = delete;
  PrivateCopy& operator=(const PrivateCopy&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// From now on the last holder deletes the files. False takes that back.
  void retire(bool retired = true) const { retired_ = retired; }

 private:
  std::shared_ptr<PrivateStore> store_;
  std::filesystem::path path_;
  mutable std::atomic<bool> retired_{false};
};

/// The host's own copies of plugin files, addressed by content: <root>/<plugin id>/<version>-<sha12>/<plugin id>.so,
/// mode 0555; of a process plugin <plugin id>.plugin.json and what it names under its own name, the program 0555, the
/// others 0444. What runs is always one of these, so nobody can pull a file from under a runner.
///
/// Thread-safety: any thread. Make one with create(); copies keep it alive.
class PrivateStore : public std::enable_shared_from_this<PrivateStore> {
 public:
  static std::shared_ptr<PrivateStore> create(std::filesystem::path root);

  /// Copies all files of a package that was hashed, or finds the copies there already. Errors: Conflict when a content
  /// is not (any more) what the hash says; Unavailable when the disk does not take it.
  core::Result<std::shared_ptr<const PrivateCopy>> put(const PluginPackage& package, const std::string& plugin_id,
                                                       const std::string& version);

  /// The copy at this path if it and all that belongs to it are there and whole; NotFound otherwise.
  core::Result<std::shared_ptr<const PrivateCopy>> find(const std::filesystem::path& path, const std::string& sha256);

  /// Deletes all that neither `keep` names nor a living copy holds: what earlier runs left behind.
  void sweep(const std::set<std::filesystem::path>& keep);

  [[nodiscard]] const std::filesystem::path& root() const { return root_; }

 private:
  friend class PrivateCopy;
  explicit PrivateStore(std::filesystem::path root) : root_(std::move(root)) {}
  std::shared_ptr<const PrivateCopy> adopt(const std::filesystem::path& path);  ///< null: being deleted
  void release(const std::filesystem::path& path, const PrivateCopy* owner, bool remove);

  const std::filesystem::path root_;
  std::mutex mutex_;  ///< guards owners_; not held while files are copied
  struct Owner {
    const PrivateCopy* copy = nullptr;
    std::weak_ptr<const PrivateCopy> alive;
  };
  std::map<std::filesystem::path, Owner> owners_;
};

}  // namespace jobhost::catalog
