#include "catalog/private_store.hpp"

#include <Poco/Crypto/DigestEngine.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>

#include "catalog/plugin_package.hpp"
#include "telemetry/log.hpp"

namespace jobhost::catalog {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kChunk = 256u << 10;
constexpr std::string_view kUnfinished = ".incoming-";

core::Error unavailable(const std::string& what, int error) {
  return {core::ErrorCode::Unavailable, what + ": " + std::strerror(error), {}, {}};
}

/// Feeds all bytes of the file to `take` and answers their hash. `take` false: its errno is the failure.
core::Result<std::string> readAll(int fd, const std::function<bool(const char*, std::size_t)>& take) {
  Poco::Crypto::DigestEngine digest("SHA256");
  const auto buffer = std::make_unique_for_overwrite<char[]>(kChunk);
  for (off_t offset = 0;;) {
    const ssize_t got = ::pread(fd, buffer.get(), kChunk, offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unavailable("the file cannot be read", errno);
    if (got == 0) break;
    digest.update(buffer.get(), static_cast<std::size_t>(got));
    if (take && !take(buffer.get(), static_cast<std::size_t>(got)))
      return unavailable("the copy cannot be written", errno);
    offset += got;
  }
  return Poco::DigestEngine::digestToHex(digest.digest());
}

bool writeAll(int fd, const char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t put = ::write(fd, bytes, size);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    bytes += put;
    size -= static_cast<std::size_t>(put);
  }
  return true;
}

void syncFolder(const fs::path& folder) {
  const Descriptor handle(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (handle.get() >= 0) ::fsync(handle.get());
}

std::int64_t nanos(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

FileStamp stampFrom(const struct stat& status) {
  return {status.st_size, nanos(status.st_mtim), nanos(status.st_ctim), status.st_ino, status.st_dev};
}

/// Whether the copies at `file` are there and have this content.
bool holds(const fs::path& file, const std::string& sha256) {
  auto package = PluginPackage::open(file, std::numeric_limits<std::int64_t>::max());
  if (!package) return false;
  const auto hash = package->hash();
  return hash && *hash == sha256;
}

core::Result<void> copyTo(const PluginPackage::Part& part, const fs::path& file) {
  const Descriptor out(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (out.get() < 0) return unavailable("the private copy cannot be made", errno);
  const auto hash =
      readAll(part.fd.get(), [&](const char* bytes, std::size_t size) { return writeAll(out.get(), bytes, size); });
  if (!hash) return hash.error();
  if (*hash != part.sha256) return core::Error{core::ErrorCode::Conflict, "the file changed while it was copied", {}, {}};
  if (::fchmod(out.get(), part.executable ? 0555 : 0444) != 0 || ::fsync(out.get()) != 0)
    return unavailable("the private copy cannot be kept", errno);
  return {};
}

}  // namespace

core::Result<FileStamp> stampOf(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return unavailable("the file cannot be looked at", errno);
  return stampFrom(status);
}

FileStamp stampOfPath(const fs::path& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 ? stampFrom(status) : FileStamp{};
}

core::Result<std::string> sha256Of(int fd) {
  return readAll(fd, {});
}

PrivateCopy::~PrivateCopy() {
  store_->release(path_, this, retired_);
}

std::shared_ptr<PrivateStore> PrivateStore::create(fs::path root) {
  return std::shared_ptr<PrivateStore>(new PrivateStore(std::move(root)));
}

core::Result<std::shared_ptr<const PrivateCopy>> PrivateStore::put(const PluginPackage& package,
                                                                   const std::string& plugin_id,
                                                                   const std::string& version) {
  const std::string& sha256 = package.sha256();
  const std::string name = plugin_id + (package.isProcess() ? ".plugin.json" : ".so");
  const fs::path parent = root_ / plugin_id;
  const std::string label = version + "-" + sha256.substr(0, 12);
  std::error_code error;
  fs::create_directories(parent, error);
  if (error) return unavailable("the private plugin folder cannot be made", error.value());
  // A copy of the same content that is just being deleted keeps its name until it is gone; then take the next one.
  for (int turn = 1; turn <= 100; ++turn) {
    const fs::path folder = parent / (turn == 1 ? label : label + "." + std::to_string(turn));
    auto copy = adopt(folder / name);
    if (!copy) continue;
    if (holds(folder / name, sha256)) return copy;
    const fs::path unfinished = parent / (std::string(kUnfinished) + label);
    fs::remove_all(unfinished, error);
    fs::create_directory(unfinished, error);
    if (error) return unavailable("the private plugin folder cannot be made", error.value());
    for (const PluginPackage::Part& part : package.parts()) {
      const bool first = &part == &package.parts().front();
      if (auto copied = copyTo(part, unfinished / (first ? name : part.path.filename().string())); !copied) {
        fs::remove_all(unfinished, error);
        return copied.error();
      }
    }
    syncFolder(unfinished);
    fs::remove_all(folder, error);  // damaged content under the right name
    fs::rename(unfinished, folder, error);
    if (error) return unavailable("the private copy cannot be put in place", error.value());
    syncFolder(parent);
    return copy;
  }
  return core::Error{core::ErrorCode::Unavailable, "too many copies of this plugin are being deleted", {}, {}};
}

core::Result<std::shared_ptr<const PrivateCopy>> PrivateStore::find(const fs::path& path, const std::string& sha256) {
  const core::Error missing{core::ErrorCode::NotFound, "the private copy is gone", {}, {}};
  const auto relative = path.lexically_normal().lexically_relative(root_.lexically_normal());
  if (relative.empty() || *relative.begin() == "..") return missing;
  if (!holds(path, sha256)) return missing;
  if (auto copy = adopt(path)) return copy;
  return missing;
}

std::shared_ptr<const PrivateCopy> PrivateStore::adopt(const fs::path& path) {
  std::lock_guard lock(mutex_);
  if (const auto known = owners_.find(path); known != owners_.end()) {
    auto alive = known->second.alive.lock();
    if (alive) alive->retire(false);
    return alive;
  }
  auto copy = std::make_shared<const PrivateCopy>(shared_from_this(), path);
  owners_[path] = Owner{copy.get(), copy};
  return copy;
}

void PrivateStore::release(const fs::path& path, const PrivateCopy* owner, bool remove) {
  if (remove) {
    // Still registered, so that nobody puts a new copy where files are being deleted.
    std::error_code error;
    fs::remove_all(path.parent_path(), error);
    if (error) {
      telemetry::log("catalog").warn("private copy not deleted path={} reason={}", path.string(), error.message());
    }
    fs::remove(path.parent_path().parent_path(), error);  // only when empty
  }
  std::lock_guard lock(mutex_);
  const auto known = owners_.find(path);
  if (known != owners_.end() && known->second.copy == owner) owners_.erase(known);
}

void PrivateStore::sweep(const std::set<fs::path>& keep) {
  std::set<fs::path> folders;
  for (const fs::path& path : keep) folders.insert(path.parent_path());
  {
    std::lock_guard lock(mutex_);
    for (const auto& [path, owner] : owners_) folders.insert(path.parent_path());
  }
  std::error_code error;
  for (const auto& plugin : fs::directory_iterator(root_, error)) {
    if (!plugin.is_directory(error) || plugin.is_symlink(error)) continue;
    std::error_code inner;
    for (const auto& version : fs::directory_iterator(plugin.path(), inner)) {
      if (folders.contains(version.path())) continue;
      telemetry::log("catalog").info("old private copy deleted path={}", version.path().string());
      fs::remove_all(version.path(), inner);
    }
    fs::remove(plugin.path(), inner);
  }
}

}  // namespace jobhost::catalog
