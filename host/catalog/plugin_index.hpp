#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "catalog/manifest.hpp"
#include "catalog/plugin_package.hpp"
#include "core/result.hpp"

namespace jobhost::catalog {

/// What plugin files said when they were last read, so that those that did not change since need not be read and hashed
/// again: a cache in one file, which may be deleted at any time. Only files whose manifest was right are in it.
///
/// A file is the same while path, device, inode, size, modification and inode change time of all its parts are. Nobody
/// can set the last of these without the right to change the clock or the raw disk, but a file system may lie, and what is
/// written through a mapping may carry a time before the write. So nothing runs on the word of this index: what does is a
/// private copy that is hashed and whose manifest and signature are read again; the index only saves the way there.
///
/// Not thread-safe.
class PluginIndex {
 public:
  struct Entry {
    std::vector<std::filesystem::path> parts;
    std::vector<FileStamp> stamps;    ///< of the parts
    std::vector<std::string> hashes;  ///< of the parts: SHA-256 in lower-case hex
    ManifestSummary manifest;
  };

  /// Limits of the file; what is beyond is not kept.
  static constexpr std::size_t kMaxBytes = 16u << 20;
  static constexpr std::size_t kMaxEntries = 10'000;

  /// Entries made by a host that offers another ABI are not used. Empty `file`: nothing is kept.
  PluginIndex(std::filesystem::path file, const HostAbi& host);

  /// Reads what is there. A damaged file, or one of another version, is as good as none.
  void load();
  /// Writes what was learned, where that is anything new. Error: Unavailable; nothing depends on it.
  core::Result<void> save();

  /// What is known of the package, whose stamps are given; null: nothing, or it changed. Valid until the next change.
  [[nodiscard]] const Entry* find(const PluginPackage& package, const std::vector<FileStamp>& stamps) const;
  /// Keeps what was read from a package that was hashed. The caller made sure that the last change was long enough ago:
  /// one more within the same tick of the file system's clock would not show.
  void keep(const PluginPackage& package, const std::vector<FileStamp>& stamps, const ManifestSummary& manifest);
  void forget(const std::filesystem::path& file);
  void forgetIf(const std::function<bool(const std::filesystem::path&)>& gone);

 private:
  [[nodiscard]] std::string body() const;
  bool readBody(std::string_view text);

  const std::filesystem::path file_;
  const std::string host_;  ///< what made the entries
  std::unordered_map<std::string, Entry> entries_;  ///< by the path of the first part
  bool changed_ = false;
};

/// How long a file must have been left alone before its times tell two contents apart, on any file system.
inline constexpr core::Millis kStampsTell{2'000};

/// Whether the last change of any of the files is longer ago than `least`.
bool olderThan(const std::vector<FileStamp>& stamps, core::Instant now, core::Millis least);

}  // namespace jobhost::catalog
