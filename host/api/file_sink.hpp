#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include <openssl/evp.h>

#include "core/result.hpp"

namespace jobhost::api {

struct SavedFile {
  std::string name;
  std::int64_t size_bytes = 0;
  std::string sha256;
};

/// A new file of an upload, hashed on the way to the disk. One thread. What finish() was not called for stays as it is:
/// its folder's owner removes it.
class FileSink {
 public:
  /// Never opens what is there already, nor follows a link.
  explicit FileSink(const std::filesystem::path& path);
  FileSink(const FileSink&) = delete;
  FileSink& operator=(const FileSink&) = delete;
  ~FileSink();

  [[nodiscard]] bool open() const { return fd_ >= 0; }  ///< false: errno says why
  bool write(const char* bytes, std::size_t count);     ///< false: errno says why
  /// Durable once returned. Unavailable: the disk.
  core::Result<SavedFile> finish(std::string name);

 private:
  int fd_;
  std::int64_t size_ = 0;
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash_;
};

/// A new folder of an upload: under a name nobody looks for, until commit() gives it its own. Goes with all it holds
/// unless it was committed. One thread.
class StagedFolder {
 public:
  /// `parent` is made when it is absent; the id begins with `prefix`.
  StagedFolder(const std::filesystem::path& parent, std::string_view prefix);
  StagedFolder(const StagedFolder&) = delete;
  StagedFolder& operator=(const StagedFolder&) = delete;
  ~StagedFolder();

  [[nodiscard]] bool ready() const { return ready_; }          ///< false: errno says why
  [[nodiscard]] const std::string& id() const { return id_; }  ///< prefix and 32 hex digits, unguessable
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  /// Gives it its name `<parent>/<id>`, durably: it appears whole or not at all. Unavailable: the disk.
  core::Result<std::filesystem::path> commit();

 private:
  std::string id_;
  std::filesystem::path folder_, final_;
  bool ready_ = false;
};

/// Unavailable, with errno for the log.
core::Error noDisk(const std::string& what);
/// Makes what was created, renamed or removed in the folder durable.
core::Result<void> syncFolder(const std::filesystem::path& folder);

}  // namespace jobhost::api
