#include "runner/work_files.hpp"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "runner/text.hpp"

namespace jobhost::runner {
namespace {

constexpr std::size_t kMaxOpenFiles = 256;

/// Handles are numbers, never addresses: one made up by a plugin is not found, and nothing is dereferenced. The serial
/// goes on over attempts, so a handle of an earlier attempt is not found either.
std::atomic<std::uintptr_t> next_serial{1};

Outcome ioError(const std::string& what) {
  const int error = errno;
  const jh_result code = error == ENOSPC || error == EDQUOT || error == EFBIG ? JH_E_LIMIT : JH_E_IO;
  return {code, what + ": " + std::strerror(error)};
}

Outcome misuse(const char* what) {
  return {JH_E_MISUSE, std::string(what) + " is not open (any more)"};
}

/// The folder that `name` lies in, below `dir_fd`, made on the way when `make`; never through a symlink. -1: errno.
int openParent(int dir_fd, std::string_view name, bool make, std::string& leaf) {
  int at = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
  for (std::size_t slash = 0; at >= 0 && (slash = name.find('/')) != std::string_view::npos;) {
    const std::string part(name.substr(0, slash));
    name.remove_prefix(slash + 1);
    if (make && mkdirat(at, part.c_str(), 0755) != 0 && errno != EEXIST) {
      const int error = errno;
      ::close(at);
      errno = error;
      return -1;
    }
    const int next = openat(at, part.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    const int error = errno;
    ::close(at);
    errno = error;
    at = next;
  }
  leaf = std::string(name);
  return at;
}

}  // namespace

WorkFiles::OpenFile::~OpenFile() {
  if (fd >= 0) ::close(fd);
}

WorkFiles::WorkFiles(const std::string& work_dir, std::uint32_t slot, Limits limits)
    : in_dir_(work_dir + "/in/" + std::to_string(slot)),
      out_dir_(work_dir + "/out/" + std::to_string(slot)),
      tmp_dir_(work_dir + "/tmp/" + std::to_string(slot)),
      limits_(limits) {}

WorkFiles::~WorkFiles() {
  open_.clear();
  if (out_fd_ >= 0) ::close(out_fd_);
}

std::shared_ptr<WorkFiles::OpenFile> WorkFiles::find(std::uintptr_t handle, bool output) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(handle);
  return found != open_.end() && found->second->output == output ? found->second : nullptr;
}

std::shared_ptr<WorkFiles::OpenFile> WorkFiles::take(std::uintptr_t handle, bool output) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(handle);
  if (found == open_.end() || found->second->output != output) return nullptr;
  auto file = found->second;
  open_.erase(found);
  return file;
}

std::uintptr_t WorkFiles::add(std::shared_ptr<OpenFile> file) {
  const std::uintptr_t handle = (next_serial.fetch_add(1) << 4) | (file->output ? 0xaU : 0x6U);
  open_[handle] = std::move(file);
  return handle;
}

Outcome WorkFiles::ensureOutputDir() {
  if (out_fd_ >= 0) return {};
  if (mkdir(out_dir_.c_str(), 0755) != 0 && errno != EEXIST) return ioError("the output folder cannot be made");
  out_fd_ = ::open(out_dir_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  return out_fd_ >= 0 ? Outcome{} : ioError("the output folder cannot be opened");
}

Outcome WorkFiles::outputDir(std::string& path) {
  const std::lock_guard lock(mutex_);
  path = out_dir_;
  return ensureOutputDir();
}

Outcome WorkFiles::create(std::string_view name, std::string_view media_type, std::uintptr_t& handle) {
  if (auto problem = outputNameProblem(name); !problem.empty()) return {JH_E_INVALID, std::move(problem)};
  if (media_type.size() > 255 || !isUtf8(media_type)) return {JH_E_INVALID, "the media type is not one"};
  const std::lock_guard lock(mutex_);
  if (open_.size() >= kMaxOpenFiles) return {JH_E_LIMIT, "more than 256 files are open"};
  if (outputs_.size() >= limits_.files) return {JH_E_LIMIT, "more than " + std::to_string(limits_.files) + " outputs"};
  if (auto made = ensureOutputDir(); !made.ok()) return made;
  auto file = std::make_shared<OpenFile>();
  file->output = true;
  file->name = std::string(name);
  file->media_type = std::string(media_type);
  file->part_name = ".jh-" + std::to_string(++serial_) + ".part";
  file->fd = openat(out_fd_, file->part_name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (file->fd < 0) return ioError("the output cannot be made");
  handle = add(std::move(file));
  return {};
}

Outcome WorkFiles::write(std::uintptr_t handle, const void* data, std::size_t size) {
  const auto file = find(handle, true);
  if (!file) return misuse("the output");
  {
    const std::lock_guard lock(mutex_);
    if (size > limits_.bytes || bytes_ > limits_.bytes - size) {
      return {JH_E_LIMIT, "the outputs are over their limit of " + std::to_string(limits_.bytes) + " bytes"};
    }
    bytes_ += size;
    file->bytes += size;
  }
  const auto* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = ::write(file->fd, at, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ioError("the output cannot be written");
    at += n;
    size -= static_cast<std::size_t>(n);
  }
  return {};
}

Outcome WorkFiles::moveIntoPlace(const OpenFile& file) {
  std::string leaf;
  const int parent = openParent(out_fd_, file.name, true, leaf);
  if (parent < 0) return ioError("the folder of output " + file.name + " cannot be made");
  const int moved = renameat(out_fd_, file.part_name.c_str(), parent, leaf.c_str());
  Outcome outcome = moved == 0 ? Outcome{} : ioError("output " + file.name + " cannot be put in place");
  ::close(parent);
  return outcome;
}

void WorkFiles::record(std::string name, std::string media_type, std::uint64_t bytes) {
  auto& output = outputs_[name];
  output.name = std::move(name);
  output.media_type = std::move(media_type);
  output.size_bytes = bytes;
}

Outcome WorkFiles::commit(std::uintptr_t handle) {
  const auto file = take(handle, true);
  if (!file) return misuse("the output");
  const std::lock_guard lock(mutex_);
  auto outcome = moveIntoPlace(*file);
  if (outcome.ok()) {
    record(file->name, file->media_type, file->bytes);
  } else {
    unlinkat(out_fd_, file->part_name.c_str(), 0);
  }
  return outcome;
}

Outcome WorkFiles::abort(std::uintptr_t handle) {
  const auto file = take(handle, true);
  if (!file) return misuse("the output");
  const std::lock_guard lock(mutex_);
  unlinkat(out_fd_, file->part_name.c_str(), 0);
  bytes_ -= file->bytes;
  return {};
}

Outcome WorkFiles::publish(std::string_view name, std::string_view media_type) {
  if (auto problem = outputNameProblem(name); !problem.empty()) return {JH_E_INVALID, std::move(problem)};
  if (media_type.size() > 255 || !isUtf8(media_type)) return {JH_E_INVALID, "the media type is not one"};
  const std::lock_guard lock(mutex_);
  if (outputs_.size() >= limits_.files) return {JH_E_LIMIT, "more than " + std::to_string(limits_.files) + " outputs"};
  if (auto made = ensureOutputDir(); !made.ok()) return made;
  std::string leaf;
  const int parent = openParent(out_fd_, name, false, leaf);
  if (parent < 0) return {JH_E_NOT_FOUND, "there is no file " + std::string(name) + " in the output folder"};
  struct stat info {};
  const int found = fstatat(parent, leaf.c_str(), &info, AT_SYMLINK_NOFOLLOW);
  ::close(parent);
  if (found != 0) return {JH_E_NOT_FOUND, "there is no file " + std::string(name) + " in the output folder"};
  if (!S_ISREG(info.st_mode)) return {JH_E_INVALID, std::string(name) + " is not a regular file"};
  const auto size = static_cast<std::uint64_t>(info.st_size);
  const auto known = outputs_.find(std::string(name));
  const std::uint64_t before = known != outputs_.end() ? known->second.size_bytes : 0;
  if (size > limits_.bytes || bytes_ - before > limits_.bytes - size) {
    return {JH_E_LIMIT, "the outputs are over their limit of " + std::to_string(limits_.bytes) + " bytes"};
  }
  bytes_ += size - before;
  record(std::string(name), std::string(media_type), size);
  return {};
}

Outcome WorkFiles::reserve(std::int64_t bytes) {
  if (bytes < 0) return {JH_E_INVALID, "a negative number of bytes"};
  const std::lock_guard lock(mutex_);
  const auto wanted = static_cast<std::uint64_t>(bytes);
  if (wanted > limits_.bytes || bytes_ > limits_.bytes - wanted) {
    return {JH_E_LIMIT, "the outputs are over their limit of " + std::to_string(limits_.bytes) + " bytes"};
  }
  if (auto made = ensureOutputDir(); !made.ok()) return made;
  struct statvfs disk {};
  if (fstatvfs(out_fd_, &disk) == 0 && wanted / disk.f_frsize >= disk.f_bavail) {
    return {JH_E_LIMIT, "the disk has not that much room"};
  }
  return {};
}

std::vector<wire::OutputFile> WorkFiles::finish() {
  const std::lock_guard lock(mutex_);
  for (const auto& [handle, file] : open_) {
    if (file->output) unlinkat(out_fd_, file->part_name.c_str(), 0);
  }
  open_.clear();
  std::vector<wire::OutputFile> all;
  all.reserve(outputs_.size());
  for (auto& [name, output] : outputs_) all.push_back(std::move(output));
  outputs_.clear();
  return all;
}

Outcome WorkFiles::inputPath(std::string_view name, std::string& path) const {
  for (const auto& input : inputs_) {
    if (input.name == name) {
      path = in_dir_ + "/" + input.name;
      return {};
    }
  }
  return {JH_E_NOT_FOUND, "the job has no input of that name"};
}

Outcome WorkFiles::open(std::string_view name, std::uintptr_t& handle) {
  std::string path;
  if (auto found = inputPath(name, path); !found.ok()) return found;
  auto file = std::make_shared<OpenFile>();
  file->name = std::string(name);
  file->fd = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (file->fd < 0) return ioError("the input cannot be opened");
  const std::lock_guard lock(mutex_);
  if (open_.size() >= kMaxOpenFiles) return {JH_E_LIMIT, "more than 256 files are open"};
  handle = add(std::move(file));
  return {};
}

Outcome WorkFiles::read(std::uintptr_t handle, void* buffer, std::size_t size, std::size_t& got) {
  const auto file = find(handle, false);
  if (!file) return misuse("the input");
  for (;;) {
    const ssize_t n = ::read(file->fd, buffer, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ioError("the input cannot be read");
    got = static_cast<std::size_t>(n);
    return {};
  }
}

Outcome WorkFiles::size(std::uintptr_t handle, std::int64_t& bytes) {
  const auto file = find(handle, false);
  if (!file) return misuse("the input");
  struct stat info {};
  if (fstat(file->fd, &info) != 0) return ioError("the input cannot be read");
  bytes = info.st_size;
  return {};
}

Outcome WorkFiles::close(std::uintptr_t handle) {
  return take(handle, false) ? Outcome{} : misuse("the input");
}

Outcome WorkFiles::tempDir(std::string& path) {
  const std::lock_guard lock(mutex_);
  path = tmp_dir_;
  if (temp_made_) return {};
  if (mkdir(tmp_dir_.c_str(), 0700) != 0 && errno != EEXIST) return ioError("the temp folder cannot be made");
  temp_made_ = true;
  return {};
}

void WorkFiles::wipeTemp() {
  const std::lock_guard lock(mutex_);
  if (!temp_made_) return;
  std::error_code ignored;  // what stays, the host removes with the runner's work folder
  std::filesystem::remove_all(tmp_dir_, ignored);
  temp_made_ = false;
}

}  // namespace jobhost::runner
