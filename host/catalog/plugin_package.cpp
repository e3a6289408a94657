#include "catalog/plugin_package.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <limits>

#include <Poco/Crypto/DigestEngine.h>

#include "catalog/faults.hpp"
#include "catalog/manifest.hpp"
#include "catalog/manifest_note.hpp"

namespace jobhost::catalog {

namespace fs = std::filesystem;

namespace {

bool isProcessManifest(const fs::path& path) {
  return kindOf(path) == PluginKind::Process;
}

constexpr std::string_view kRaiseLimit = "make it smaller or raise plugins.max_file_bytes";

core::Error unusable(std::string reason) {
  return {core::ErrorCode::InvalidArgument, std::move(reason), {}, {}};
}

core::Error tooLarge(std::int64_t bytes, std::int64_t most, std::string_view way_out) {
  return fault(core::ErrorCode::TooLarge,
               "has " + std::to_string(bytes) + " bytes; at most " + std::to_string(most) + " are allowed",
               way_out);
}

/// Which files a manifest names does not depend on what this host offers.
HostAbi anyHost() {
  HostAbi host;
  host.minor = std::numeric_limits<int>::max();
  return host;
}

bool readWhole(int fd, std::string& text, std::size_t size) {
  text.resize(size);
  for (std::size_t at = 0; at < size;) {
    const ssize_t got = ::pread(fd, text.data() + at, size - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += static_cast<std::size_t>(got);
  }
  return true;
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

bool isPluginName(const fs::path& path) {
  const std::string name = path.filename().string();
  if (name.empty() || name.front() == '.') return false;
  return (name.ends_with(".so") && name.size() > 3) || isProcessManifest(path);
}

core::Result<PluginPackage> PluginPackage::open(const fs::path& path, std::int64_t max_file_bytes) {
  auto fd = openPluginFile(path);
  if (!fd) return fd.error();
  PluginPackage package;
  package.parts_.push_back({path, Descriptor(*fd), {}, !isProcessManifest(path)});
  const auto stamp = stampOf(*fd);
  if (!stamp) return stamp.error();
  if (stamp->size > max_file_bytes) return tooLarge(stamp->size, max_file_bytes, kRaiseLimit);
  package.process_ = isProcessManifest(path);
  if (package.process_) package.openProcess(max_file_bytes);
  return package;
}

void PluginPackage::fail(core::Error error) {
  if (!problem_) problem_ = std::move(error);
}

void PluginPackage::openProcess(std::int64_t max_file_bytes) {
  const int fd = parts_.front().fd.get();
  const auto stamp = stampOf(fd);
  if (!stamp) return fail(stamp.error());
  constexpr std::int64_t kMost = kMaxManifest;
  if (stamp->size > kMost) return fail(tooLarge(stamp->size, kMost, "shorten its schemas and texts"));
  if (!readWhole(fd, manifest_text_, static_cast<std::size_t>(stamp->size)))
    return fail(damaged("cannot be read, or was truncated while it was read"));
  const auto manifest = parseManifest(manifest_text_, anyHost());
  if (!manifest) return fail(manifest.error());
  if (manifest->kind != PluginKind::Process) {
    return fail(unusable("has a wrong manifest: /kind: must be \"process\" in a manifest that is a file of its own"));
  }
  openPart(manifest->command.front(), true, max_file_bytes);
  for (const std::string& name : manifest->files) openPart(name, false, max_file_bytes);
}

void PluginPackage::openPart(const std::string& name, bool program, std::int64_t max_file_bytes) {
  const fs::path path = parts_.front().path.parent_path() / name;
  const std::string subject = std::string(program ? "its program \"" : "its file \"") + name + "\" ";
  parts_.push_back({path, Descriptor(), {}, program});
  auto fd = openPluginFile(path);
  if (!fd) {
    const bool missing = fd.error().code == core::ErrorCode::NotFound;
    return fail(missing ? invalid(subject + "is not in " + path.parent_path().string(), "put it there")
                        : unusable(subject + fd.error().message));
  }
  parts_.back().fd = Descriptor(*fd);
  struct stat status {};
  if (::fstat(*fd, &status) != 0) return fail(unusable(subject + "cannot be looked at"));
  if (status.st_size > max_file_bytes) {
    auto error = tooLarge(status.st_size, max_file_bytes, kRaiseLimit);
    error.message.insert(0, subject);
    return fail(std::move(error));
  }
  if (program && (status.st_mode & S_IXUSR) == 0)
    return fail(invalid(subject + "is not executable", "chmod +x it"));
}

core::Result<std::string> PluginPackage::manifestText() const {
  if (!process_) {
    auto note = readManifestNote(parts_.front().fd.get());
    if (!note) return note.error();
    return std::move(note->manifest_json);
  }
  if (problem_) return *problem_;
  return manifest_text_;
}

core::Result<std::string> PluginPackage::hash() {
  for (Part& part : parts_) {
    if (part.fd.get() < 0) continue;
    auto hash = sha256Of(part.fd.get());
    if (!hash) return hash.error();
    part.sha256 = *std::move(hash);
  }
  combine();
  return sha256_;
}

void PluginPackage::adopt(const std::vector<std::string>& hashes) {
  for (std::size_t i = 0; i < parts_.size() && i < hashes.size(); ++i) parts_[i].sha256 = hashes[i];
  combine();
}

/// The hash of all from those of the parts.
void PluginPackage::combine() {
  sha256_ = parts_.front().sha256;
  if (!process_) return;
  Poco::Crypto::DigestEngine digest("SHA256");
  for (const Part& part : parts_) {
    const bool first = &part == &parts_.front();
    digest.update(part.sha256 + "  " + (first ? std::string("manifest") : part.path.filename().string()) + "\n");
  }
  sha256_ = Poco::DigestEngine::digestToHex(digest.digest());
}

std::vector<fs::path> PluginPackage::paths() const {
  std::vector<fs::path> all;
  for (const Part& part : parts_) all.push_back(part.path);
  return all;
}

std::vector<std::string> PluginPackage::hashes() const {
  std::vector<std::string> all;
  for (const Part& part : parts_) all.push_back(part.sha256);
  return all;
}

std::vector<FileStamp> PluginPackage::stamps() const {
  std::vector<FileStamp> all;
  for (const Part& part : parts_) {
    const auto stamp = part.fd.get() >= 0 ? stampOf(part.fd.get()) : core::Result<FileStamp>(stampOfPath(part.path));
    all.push_back(stamp ? *stamp : FileStamp{});
  }
  return all;
}

core::Result<Manifest> manifestOf(const PluginPackage& package, const HostAbi& host) {
  const auto text = package.manifestText();
  if (!text) return text.error();
  auto manifest = parseManifest(*text, host);
  if (manifest && !package.isProcess() && manifest->kind == PluginKind::Process) {
    return unusable("has a wrong manifest: /kind: \"process\" is for a manifest that is a file of its own, "
                    "<name>.plugin.json");
  }
  return manifest;
}

std::vector<std::string> commandOf(const PluginGeneration& generation) {
  if (!isProcessManifest(generation.private_path)) return {};
  const auto manifest = parseManifest(generation.manifest_json, anyHost());
  if (!manifest || manifest->command.empty()) return {};  // was accepted with this very text: cannot be
  auto command = manifest->command;
  command.front() = (generation.private_path.parent_path() / command.front()).string();
  return command;
}

}  // namespace jobhost::catalog
