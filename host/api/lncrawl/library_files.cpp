#include "api/lncrawl/library_files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <iterator>
#include <memory>
#include <system_error>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <zstd.h>

namespace jobhost::api::lncrawl {
namespace {

constexpr std::size_t kMaxNameBytes = 1024;
constexpr std::size_t kMaxParts = 8;

bool isGoodName(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes || name.find('\0') != std::string_view::npos) return false;
  std::size_t parts = 0;
  for (std::size_t at = 0; at <= name.size(); ++parts) {
    const auto end = std::min(name.find('/', at), name.size());
    if (end == at || name[at] == '.') return false;
    at = end + 1;
  }
  return parts <= kMaxParts;
}

core::Error broken(std::string detail) {
  return {core::ErrorCode::Internal, "the chapter's file cannot be read", std::move(detail), {}};
}

/// Whether an errno says that there is no such file, or none that is handed out.
bool isAbsence(int reason) {
  constexpr int kAbsent[] = {ENOENT, ENOTDIR, ELOOP, EXDEV, ENAMETOOLONG, ENXIO};  // ENXIO: a socket
  return std::find(std::begin(kAbsent), std::end(kAbsent), reason) != std::end(kAbsent);
}

struct FileType {
  std::string_view ending;
  std::string_view type;
};
constexpr FileType kTypes[] = {
    {".jpg", "image/jpeg"},
    {".png", "image/png"},
    {".svg", "image/svg+xml"},
    {".ico", "image/x-icon"},
    {".webp", "image/webp"},
    {".epub", "application/epub+zip"},
    {".zip", "application/zip"},
    {".pdf", "application/pdf"},
    {".mobi", "application/x-mobipocket-ebook"},
    {".azw3", "application/vnd.amazon.ebook"},
    {".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {".rtf", "application/rtf"},
    {".zst", "application/zstd"},
    {".html", "text/html; charset=utf-8"},
    {".txt", "text/plain; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".wasm", "application/wasm"},
    {".woff", "font/woff"},
    {".woff2", "font/woff2"},
    {".ttf", "font/ttf"},
};

}  // namespace

std::string coverPath(std::string_view novel) {
  return "novels/" + std::string(novel) + "/cover.jpg";
}
std::string chapterPath(std::string_view novel, std::string_view chapter) {
  return "novels/" + std::string(novel) + "/chapters/" + std::string(chapter) + ".zst";
}
std::string imagePath(std::string_view novel, std::string_view image) {
  return "novels/" + std::string(novel) + "/images/" + std::string(image) + ".jpg";
}
std::string artifactPath(std::string_view novel, std::string_view file_name) {
  return "novels/" + std::string(novel) + "/artifacts/" + std::string(file_name);
}

std::string_view mediaTypeOf(std::string_view file_name) {
  for (const auto& known : kTypes) {
    const auto& ending = known.ending;
    if (file_name.size() > ending.size() && sameNoCase(file_name.substr(file_name.size() - ending.size()), ending)) {
      return known.type;
    }
  }
  return "application/octet-stream";
}

int ConfinedFolder::openAt(std::string_view name, std::uint64_t flags) const {
  if (folder_.empty() || !isGoodName(name)) {
    errno = ENOENT;
    return -1;
  }
  const int folder = ::open(folder_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) {
    if (errno == ENOTDIR) errno = EIO;  // not one file is missing: there is no library at all
    return -1;
  }
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const std::string path(name);
  int fd = -1;
  do {
    fd = static_cast<int>(::syscall(SYS_openat2, folder, path.c_str(), &how, sizeof how));
  } while (fd < 0 && (errno == EAGAIN || errno == EINTR));  // EAGAIN: a folder was renamed while it was walked
  const int reason = errno;
  ::close(folder);
  errno = reason;
  return fd;
}

core::Result<std::optional<OpenFile>> ConfinedFolder::open(std::string_view name) const {
  const int fd = openAt(name, O_RDONLY | O_NONBLOCK);  // not to wait for the other end of a pipe
  const int reason = errno;
  if (fd >= 0 || isAbsence(reason)) return openedFile(fd);
  const bool shortage = reason == EMFILE || reason == ENFILE || reason == ENOMEM;
  return core::Error{shortage ? core::ErrorCode::Unavailable : core::ErrorCode::Internal,
                     "the file cannot be opened",
                     std::string(name) + ": " + std::generic_category().message(reason),
                     {}};
}

bool ConfinedFolder::has(std::string_view name) const {
  const int fd = openAt(name, O_PATH);
  struct stat info {};
  const bool there = fd >= 0 && ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  if (fd >= 0) ::close(fd);
  return there;
}

core::Result<std::string> unpackZstd(std::string_view packed, std::size_t most) {
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  if (!context) return core::Error{core::ErrorCode::Unavailable, "memory is short", "", {}};
  // A frame may ask for a window of gigabytes; ours need none beyond their text.
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, 25);
  std::string text;
  std::string part(ZSTD_DStreamOutSize(), '\0');
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  std::size_t missing = 1;
  bool full = false;
  while (in.pos < in.size || (missing != 0 && full)) {
    ZSTD_outBuffer out{part.data(), part.size(), 0};
    missing = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(missing) != 0) return broken(ZSTD_getErrorName(missing));
    if (out.pos > most - text.size()) {
      return core::Error{core::ErrorCode::TooLarge,
                         "the chapter's text is over the limit of " + std::to_string(most) + " bytes",
                         "",
                         {}};
    }
    text.append(part.data(), out.pos);
    full = out.pos == out.size;
  }
  if (missing != 0) return broken("the file is cut off");
  return text;
}

core::Result<std::optional<std::string>> readChapter(const ConfinedFolder& files, std::string_view novel,
                                                     std::string_view chapter) {
  const auto file = files.open(chapterPath(novel, chapter));
  if (!file) return file.error();
  if (!*file) return std::optional<std::string>();
  const auto& opened = **file;
  if (opened.size() > kMaxPackedChapter) {
    return core::Error{core::ErrorCode::TooLarge,
                       "the chapter's file of " + std::to_string(opened.size()) + " bytes is over the limit of " +
                           std::to_string(kMaxPackedChapter),
                       "",
                       {}};
  }
  std::string packed(static_cast<std::size_t>(opened.size()), '\0');
  for (std::size_t at = 0; at < packed.size();) {
    const auto got = ::pread(opened.body.fd, packed.data() + at, packed.size() - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return broken("the file is shorter than it was");
    at += static_cast<std::size_t>(got);
  }
  auto text = unpackZstd(packed, kMaxChapter);
  if (!text) return text.error();
  return std::optional(*std::move(text));
}

}  // namespace jobhost::api::lncrawl
