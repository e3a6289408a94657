#include "pool/work_dir.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <set>
#include <string_view>
#include <system_error>

#include "catalog/private_store.hpp"
#include "core/text.hpp"
#include "core/json_text.hpp"
#include "pool/unique_fd.hpp"
#include "telemetry/log.hpp"

namespace jobhost::pool {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMaxParts = 8;
constexpr std::size_t kMaxNameBytes = 1024;
constexpr std::size_t kMaxPartBytes = 255;
constexpr std::size_t kMaxInputs = 10'000;

core::Error diskError(const std::string& what) {
  return {core::ErrorCode::Unavailable, what + ": " + std::generic_category().message(errno), {}, {}};
}

/// Opens a path below `folder` without leaving it and without following any link.
UniqueFd openBeneath(int folder, const char* path, std::uint64_t flags) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, folder, path, &how, sizeof how)));
}

bool copyBytes(int from, int to) {
  if (::ioctl(to, FICLONE, from) == 0) return true;
  for (;;) {
    const ssize_t copied = ::copy_file_range(from, nullptr, to, nullptr, std::size_t{1} << 26, 0);
    if (copied == 0) return true;
    if (copied < 0 && errno == EINTR) continue;
    if (copied < 0) break;
  }
  if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP) return false;
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t got = ::read(from, buffer.data(), buffer.size());
    if (got == 0) return true;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    for (ssize_t done = 0; done < got;) {
      const ssize_t put = ::write(to, buffer.data() + done, static_cast<std::size_t>(got - done));
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) return false;
      done += put;
    }
  }
}

std::vector<std::string> partsOf(const std::string& name) {
  std::vector<std::string> parts;
  std::size_t at = 0;
  for (;;) {
    const std::size_t slash = name.find('/', at);
    parts.push_back(name.substr(at, slash - at));
    if (slash == std::string::npos) return parts;
    at = slash + 1;
  }
}

/// The folder of `parts` but the last below `root`, made where it is not there.
core::Result<UniqueFd> folderFor(int root, const std::vector<std::string>& parts) {
  UniqueFd folder(::fcntl(root, F_DUPFD_CLOEXEC, 0));
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    if (::mkdirat(folder.get(), parts[i].c_str(), 0750) != 0 && errno != EEXIST)
      return diskError("cannot keep an output");
    UniqueFd next = openBeneath(folder.get(), parts[i].c_str(), O_RDONLY | O_DIRECTORY);
    if (!next) {
      return core::Error{
          core::ErrorCode::InvalidArgument, "\"" + parts[i] + "\" is the name of a file and of a folder", {}, {}};
    }
    folder = std::move(next);
  }
  return folder;
}

core::Error badOutput(const std::string& name, const std::string& why) {
  return {core::ErrorCode::InvalidArgument, "output \"" + core::cleanText(name, 300) + "\" " + why, {}, {}};
}

/// Moves one file into `fresh` first and looks at it there, where the plugin does not expect it.
core::Result<core::Output> takeOutput(int source, int fresh, const wire::OutputFile& file, std::int64_t room,
                                      const OutputLimits& limits) {
  const auto parts = partsOf(file.name);
  const auto parent = fs::path(file.name).parent_path().string();
  UniqueFd from = parent.empty() ? UniqueFd(::fcntl(source, F_DUPFD_CLOEXEC, 0))
                                 : openBeneath(source, parent.c_str(), O_RDONLY | O_DIRECTORY);
  if (!from) return badOutput(file.name, "is not there");
  auto folder = folderFor(fresh, parts);
  if (!folder) return folder.error();
  const char* leaf = parts.back().c_str();
  if (::renameat2(from.get(), leaf, folder->get(), leaf, RENAME_NOREPLACE) != 0) {
    if (errno == ENOENT) return badOutput(file.name, "is not there");
    return diskError("cannot keep an output");
  }
  const UniqueFd moved = openBeneath(folder->get(), leaf, O_RDONLY | O_NONBLOCK);
  struct stat status {};
  if (!moved || ::fstat(moved.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return badOutput(file.name, "is not a regular file");
  }
  if (status.st_nlink != 1) return badOutput(file.name, "has other names (hard links)");
  if (status.st_size > room) {
    return core::Error{
        core::ErrorCode::TooLarge, "the outputs are over " + std::to_string(limits.max_bytes) + " bytes", {}, {}};
  }
  if (::fchmod(moved.get(), 0640) != 0) return diskError("cannot keep an output");
  if (limits.sync && ::fsync(moved.get()) != 0) return diskError("cannot keep an output");
  auto sha256 = catalog::sha256Of(moved.get());
  if (!sha256) return sha256.error();
  return core::Output{file.name, core::cleanText(file.media_type, 255), status.st_size, *std::move(sha256)};
}

/// The names of the files last too, not only their bytes: every folder that got an entry is synced once.
bool syncFolders(int fresh, const std::vector<wire::OutputFile>& files) {
  std::set<std::string> folders;
  for (const auto& file : files) {
    for (std::size_t at = file.name.find('/'); at != std::string::npos; at = file.name.find('/', at + 1)) {
      folders.insert(file.name.substr(0, at));
    }
  }
  for (const auto& folder : folders) {
    const UniqueFd fd = openBeneath(fresh, folder.c_str(), O_RDONLY | O_DIRECTORY);
    if (!fd || ::fsync(fd.get()) != 0) return false;
  }
  return ::fsync(fresh) == 0;
}

/// Puts `fresh` in the place of `to` in one step; what was there is removed after.
core::Result<void> replaceFolder(const fs::path& fresh, const fs::path& to, bool sync) {
  if (::rename(fresh.c_str(), to.c_str()) != 0) {
    if (errno != ENOTEMPTY && errno != EEXIST) return diskError("cannot keep the outputs");
    if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) != 0) {
      return diskError("cannot keep the outputs");
    }
    removeTree(fresh);
  }
  if (sync) {
    const UniqueFd parent(::open(to.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!parent || ::fsync(parent.get()) != 0) return diskError("cannot keep the outputs");
  }
  return {};
}

}  // namespace

bool isOutputName(const std::string& name) {
  if (name.empty() || name.size() > kMaxNameBytes || core::cleanText(name, name.size() + 4) != name) return false;
  if (core::hasControl(name) || name.find('\\') != std::string::npos) return false;
  const auto parts = partsOf(name);
  if (parts.size() > kMaxParts) return false;
  for (const auto& part : parts) {
    if (part.empty() || part == "." || part == ".." || part.size() > kMaxPartBytes || part.starts_with(".jh-"))
      return false;
  }
  return true;
}

core::Result<void> makeWorkDir(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder.parent_path(), error);
  for (const auto& path : {folder, folder / "in", folder / "out", folder / "tmp"}) {
    if (::mkdir(path.c_str(), 0700) != 0) return diskError("cannot make a work folder");
  }
  return {};
}

core::Result<std::vector<wire::InputFile>> stageInputs(const fs::path& from, const fs::path& to,
                                                       std::int64_t max_bytes) {
  const UniqueFd source(::open(from.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!source)
    return core::Error{core::ErrorCode::NotFound, "the job's inputs are not there any more", from.string(), {}};
  if (::mkdir(to.c_str(), 0700) != 0) return diskError("cannot stage the inputs");
  std::vector<wire::InputFile> files;
  std::int64_t total = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(from, error)) {
    const std::string name = entry.path().filename().string();
    const UniqueFd file = openBeneath(source.get(), name.c_str(), O_RDONLY | O_NONBLOCK);
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    total += status.st_size;
    if (total > max_bytes || files.size() >= kMaxInputs) {
      return core::Error{
          core::ErrorCode::TooLarge, "the job's inputs are over " + std::to_string(max_bytes) + " bytes", {}, {}};
    }
    const UniqueFd copy(::open((to / name).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!copy || !copyBytes(file.get(), copy.get()) || ::fchmod(copy.get(), 0444) != 0) {
      return diskError("cannot stage the inputs");
    }
    files.push_back({name, {}, static_cast<std::uint64_t>(status.st_size)});
  }
  if (error) return core::Error{core::ErrorCode::Unavailable, "cannot stage the inputs: " + error.message(), {}, {}};
  return files;
}

core::Result<std::vector<core::Output>> collectOutputs(const fs::path& from, const fs::path& to,
                                                       const std::vector<wire::OutputFile>& files,
                                                       const OutputLimits& limits) {
  if (files.size() > static_cast<std::size_t>(limits.max_files)) {
    return core::Error{core::ErrorCode::TooLarge, "more than " + std::to_string(limits.max_files) + " outputs", {}, {}};
  }
  std::set<std::string_view> names;
  for (const auto& file : files) {
    if (!isOutputName(file.name)) return badOutput(file.name, "is not a name an output can have");
    if (!names.insert(file.name).second) return badOutput(file.name, "is named twice");
  }
  const UniqueFd source(::open(from.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!source) return badOutput(files.empty() ? std::string() : files.front().name, "is not there");
  const fs::path fresh = to.parent_path() / ".output.new";
  removeTree(fresh);
  std::error_code error;
  fs::create_directories(fresh, error);
  const UniqueFd target(::open(fresh.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!target) return diskError("cannot keep the outputs");

  const auto failed = [&](const core::Error& why) {
    removeTree(fresh);
    return why;
  };
  std::vector<core::Output> kept;
  std::int64_t total = 0;
  for (const auto& file : files) {
    auto output = takeOutput(source.get(), target.get(), file, limits.max_bytes - total, limits);
    if (!output) return failed(output.error());
    total += output->size_bytes;
    kept.push_back(*std::move(output));
  }
  if (limits.sync && !syncFolders(target.get(), files)) return failed(diskError("cannot keep the outputs"));
  if (auto replaced = replaceFolder(fresh, to, limits.sync); !replaced) return failed(replaced.error());
  return kept;
}

void removeTree(const fs::path& folder) {
  std::error_code error;
  fs::remove_all(folder, error);
  if (error) telemetry::log("pool").warn("cannot remove folder path={} reason={}", folder.string(), error.message());
}

}  // namespace jobhost::pool
