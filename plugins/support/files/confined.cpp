#include "support/files/confined.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <optional>

namespace jobhost::support {
namespace {

constexpr std::size_t kMaxPathBytes = 4096;

Failure denied() {
  return {FailureKind::Denied, "path.denied", "path not allowed: it is not below a configured root"};
}
Failure notFound() {
  return {FailureKind::NotFound, "path.not_found", "no such file below the configured roots"};
}

// `path` relative to `root` by spelling; nullopt when it does not lie below it. No ".." is resolved here: the kernel
// judges those.
std::optional<std::string> below(const std::filesystem::path& root, std::string_view path) {
  std::string prefix = root.string();
  while (prefix.size() > 1 && prefix.back() == '/') prefix.pop_back();
  if (prefix != "/") prefix += '/';
  if (!path.starts_with(prefix) || path.size() == prefix.size()) return std::nullopt;
  std::string_view rest = path.substr(prefix.size());
  while (rest.starts_with('/')) rest.remove_prefix(1);
  return rest.empty() ? std::nullopt : std::optional<std::string>(rest);
}

UniqueFd openRegular(const UniqueFd& root, const std::string& relative) {
  UniqueFd fd = openBeneath(root.get(), relative, O_RDONLY | O_NONBLOCK);  // a FIFO must not hold us
  struct stat info {};
  if (fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    throw Failure(FailureKind::BadInput, "path.not_a_file", "the path does not name a regular file");
  }
  return fd;
}

}  // namespace

UniqueFd openBeneath(int root_fd, const std::string& relative, int flags) {
  struct open_how how {};
  how.flags = static_cast<__u64>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  long fd;
  do {
    fd = syscall(SYS_openat2, root_fd, relative.c_str(), &how, sizeof how);
  } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
  if (fd >= 0) return UniqueFd(static_cast<int>(fd));
  switch (errno) {
    case EXDEV:
    case EACCES:
    case EPERM:
      throw denied();
    case ELOOP:
    case ENAMETOOLONG:
      throw Failure(FailureKind::BadInput, "path.invalid", "the path has too many links or is too long");
    case ENOENT:
    case ENOTDIR:
      throw notFound();
    default:
      throw Failure(FailureKind::Io, "path.io", "the file cannot be opened");
  }
}

ConfinedRoots::ConfinedRoots(std::vector<std::filesystem::path> roots) : roots_(std::move(roots)) {
  for (const auto& root : roots_) {
    if (!root.is_absolute()) {
      throw Failure(FailureKind::BadInput, "config.root", "a configured root is not an absolute path");
    }
  }
}

UniqueFd ConfinedRoots::openFile(std::string_view path) const {
  if (path.empty() || path.size() > kMaxPathBytes || path.find('\0') != std::string_view::npos) {
    throw Failure(FailureKind::BadInput, "path.invalid", "the path is empty, too long or has a NUL byte");
  }
  std::optional<Failure> missing;
  for (const auto& root : roots_) {
    const auto relative = path.starts_with('/') ? below(root, path) : std::optional<std::string>(path);
    if (!relative) continue;
    const UniqueFd root_fd(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root_fd) {
      missing = notFound();
      continue;
    }
    try {
      return openRegular(root_fd, *relative);
    } catch (const Failure& failure) {
      if (failure.kind() != FailureKind::NotFound) throw;
      missing = failure;
    }
  }
  if (missing) throw *missing;
  throw denied();
}

}  // namespace jobhost::support
