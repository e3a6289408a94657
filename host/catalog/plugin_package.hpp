#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "catalog/manifest.hpp"
#include "catalog/private_store.hpp"
#include "core/result.hpp"

namespace jobhost::catalog {

/// A descriptor that is closed with its holder.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

/// Whether a path in a plugin folder is looked at as a plugin: `<name>.so` or `<name>.plugin.json`, not hidden.
bool isPluginName(const std::filesystem::path& path);

/// The files that make one plugin: a shared library alone, or the manifest of a process with the program and the files
/// it names beside it. All are held open, so that what is hashed, judged and copied is one and the same.
///
/// Not thread-safe.
class PluginPackage {
 public:
  struct Part {
    std::filesystem::path path;
    Descriptor fd;       ///< none where the file could not be opened
    std::string sha256;  ///< set by hash(); empty where there is no descriptor
    bool executable = false;
  };

  /// Opens what lies at `path` and, where that is the manifest of a process, all that it names. Errors are those of the
  /// file at `path`: as openPluginFile(), and TooLarge. What is wrong with the others is said by manifestText().
  static core::Result<PluginPackage> open(const std::filesystem::path& path, std::int64_t max_file_bytes);

  /// The manifest as it stands in the file. Errors: as readManifestNote() for a library; for a process InvalidArgument
  /// (no manifest of a process; the program or another file is missing, no regular file or not executable), TooLarge.
  [[nodiscard]] core::Result<std::string> manifestText() const;

  /// SHA-256 of a library's bytes; of a process that of the lines "<sha256>  <name>" of all its files, the manifest
  /// first and always named "manifest". Error: Unavailable when reading fails.
  core::Result<std::string> hash();
  /// Takes the hashes of the parts from an earlier look at these very files instead of reading them. Nothing runs on their
  /// word: PrivateStore::put() compares what it copies with them.
  void adopt(const std::vector<std::string>& hashes);

  /// What tells two contents of all the files apart without reading them, in the order of parts().
  [[nodiscard]] std::vector<FileStamp> stamps() const;

  [[nodiscard]] bool isProcess() const { return process_; }
  /// The file at `path` first, then the program, then the others. The program is there if the manifest could be read.
  [[nodiscard]] const std::vector<Part>& parts() const { return parts_; }
  [[nodiscard]] std::vector<std::filesystem::path> paths() const;
  /// What hash() answered last or adopt() made of the parts.
  [[nodiscard]] const std::string& sha256() const { return sha256_; }
  /// Of each of the parts, after hash() or adopt().
  [[nodiscard]] std::vector<std::string> hashes() const;

 private:
  void openProcess(std::int64_t max_file_bytes);
  void openPart(const std::string& name, bool program, std::int64_t max_file_bytes);
  void fail(core::Error error);
  void combine();

  bool process_ = false;
  std::vector<Part> parts_;
  std::string manifest_text_;          ///< of a process
  std::optional<core::Error> problem_;  ///< the first of a process
  std::string sha256_;
};

/// The manifest of a package, checked. Errors: as manifestText() and parseManifest(); InvalidArgument where it is of
/// another kind than the file.
core::Result<Manifest> manifestOf(const PluginPackage& package, const HostAbi& host);

/// How a plugin of kind "process" is started: its program in the private store, absolute, and its arguments. Empty for a
/// library.
std::vector<std::string> commandOf(const PluginGeneration& generation);

}  // namespace jobhost::catalog
