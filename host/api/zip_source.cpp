#include "api/zip_source.hpp"

#include <algorithm>
#include <array>
#include <clocale>
#include <cerrno>
#include <cstring>
#include <set>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <locale.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/utf8.hpp"

namespace jobhost::api {
namespace {

constexpr std::size_t kPiece = 64 * 1024;

/// libarchive asks the locale how names are spelt; ours are UTF-8 whatever the host was started with. For one thread.
class Utf8Locale {
 public:
  Utf8Locale() : mine_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (mine_ != nullptr) before_ = ::uselocale(mine_);
  }
  ~Utf8Locale() {
    if (mine_ == nullptr) return;
    ::uselocale(before_);
    ::freelocale(mine_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  locale_t mine_;
  locale_t before_ = nullptr;
};

class ZipSource final : public BodySource {
 public:
  explicit ZipSource(std::vector<ZipEntry> entries) : entries_(std::move(entries)), archive_(::archive_write_new()) {}
  ~ZipSource() override {
    closeFile();
    if (archive_ != nullptr) {
      sink_open_ = false;  // what it still wants to write is not wanted any more
      ::archive_write_free(archive_);
    }
  }

  core::Result<std::string_view> next() override {
    out_.clear();
    const Utf8Locale utf8;
    if (archive_ == nullptr || (!begun_ && !begin())) return broken("memory is short");
    while (out_.size() < kPiece && !done_) {
      if (file_ < 0) {
        if (auto opened = openNext(); !opened) return opened.error();
      } else if (auto moved = moveOn(); !moved) {
        return moved.error();
      }
    }
    return std::string_view(out_);
  }

 private:
  static core::Error broken(std::string why) { return {core::ErrorCode::Unavailable, std::move(why), "", {}}; }
  core::Error archiveError() { return broken(std::string("the archive: ") + ::archive_error_string(archive_)); }

  bool begin() {
    begun_ = true;
    ::archive_write_set_format_zip(archive_);
    ::archive_write_set_bytes_per_block(archive_, 0);  // as it comes
    ::archive_write_set_format_option(archive_, "zip", "hdrcharset", "UTF-8");
    ::archive_write_set_format_option(archive_, "zip", "compression-level", "3");  // a request's thread waits for it
    return ::archive_write_open(archive_, this, nullptr, &ZipSource::take, nullptr) == ARCHIVE_OK;
  }

  static la_ssize_t take(archive*, void* self, const void* bytes, std::size_t size) {
    auto& source = *static_cast<ZipSource*>(self);
    if (source.sink_open_) source.out_.append(static_cast<const char*>(bytes), size);
    return static_cast<la_ssize_t>(size);
  }

  core::Result<void> openNext() {
    if (at_ == entries_.size()) {
      done_ = true;
      if (::archive_write_close(archive_) != ARCHIVE_OK) return archiveError();
      return {};
    }
    const auto& entry = entries_[at_++];
    file_ = ::open(entry.file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat info {};
    if (file_ < 0 || ::fstat(file_, &info) != 0 || !S_ISREG(info.st_mode)) return broken("an output's file is gone");
    left_ = info.st_size;
    if (left_ != entry.size_bytes) return broken("an output's file has not the size it was made with");
    ::posix_fadvise(file_, 0, 0, POSIX_FADV_SEQUENTIAL);
    const std::unique_ptr<archive_entry, decltype(&::archive_entry_free)> head(::archive_entry_new(),
                                                                               &::archive_entry_free);
    if (!head) return broken("memory is short");
    ::archive_entry_set_pathname_utf8(head.get(), unused(zipName(entry.name)).c_str());
    ::archive_entry_set_filetype(head.get(), AE_IFREG);
    ::archive_entry_set_perm(head.get(), 0644);
    ::archive_entry_set_size(head.get(), left_);
    ::archive_entry_set_mtime(head.get(), info.st_mtim.tv_sec, 0);
    entry.packed ? ::archive_write_zip_set_compression_store(archive_)
                 : ::archive_write_zip_set_compression_deflate(archive_);
    if (::archive_write_header(archive_, head.get()) != ARCHIVE_OK) return archiveError();
    return {};
  }

  core::Result<void> moveOn() {
    if (left_ == 0) {
      closeFile();
      if (::archive_write_finish_entry(archive_) != ARCHIVE_OK) return archiveError();
      return {};
    }
    ssize_t got = 0;
    do {
      got = ::read(file_, piece_.data(), static_cast<std::size_t>(std::min<std::int64_t>(left_, kPiece)));
    } while (got < 0 && errno == EINTR);
    if (got < 0) return broken(std::string("an output cannot be read: ") + std::strerror(errno));
    if (got == 0) return broken("an output became shorter while it was sent");
    left_ -= got;
    if (::archive_write_data(archive_, piece_.data(), static_cast<std::size_t>(got)) != got) return archiveError();
    return {};
  }

  /// Names that differed and are the same once made safe, or where case does not count: the later one gets a number.
  std::string unused(std::string name) {
    const auto folded = [](std::string text) {
      for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      return text;
    };
    std::string wanted = name;
    for (int i = 2; !used_.insert(folded(wanted)).second; ++i) {
      const auto slash = name.rfind('/');
      auto dot = name.rfind('.');
      if (dot == std::string::npos || (slash != std::string::npos && dot < slash + 2) || dot == 0) dot = name.size();
      wanted = name.substr(0, dot) + " (" + std::to_string(i) + ")" + name.substr(dot);
    }
    return wanted;
  }

  void closeFile() {
    if (file_ >= 0) ::close(file_);
    file_ = -1;
  }

  std::vector<ZipEntry> entries_;
  archive* archive_;
  std::set<std::string> used_;
  std::string out_;
  std::array<char, kPiece> piece_;
  std::size_t at_ = 0;
  int file_ = -1;
  std::int64_t left_ = 0;
  bool begun_ = false;
  bool done_ = false;
  bool sink_open_ = true;
};

/// Names Windows reserves in every folder: a file of one cannot be unpacked there.
bool isDevice(std::string_view part) {
  static constexpr std::string_view kDevices[] = {"con", "prn", "aux", "nul"};
  const auto stem = part.substr(0, part.find('.'));
  if (std::any_of(std::begin(kDevices), std::end(kDevices), [&](auto one) { return sameNoCase(stem, one); }))
    return true;
  return stem.size() == 4 && (sameNoCase(stem.substr(0, 3), "com") || sameNoCase(stem.substr(0, 3), "lpt")) &&
         stem[3] >= '1' && stem[3] <= '9';
}

}  // namespace

std::unique_ptr<BodySource> zipOf(std::vector<ZipEntry> entries) {
  return std::make_unique<ZipSource>(std::move(entries));
}

std::string zipName(std::string_view name) {
  const bool is_text = core::isUtf8(name);
  std::string out;
  std::string part;
  const auto finish = [&] {
    if (part.empty() || part == ".") return part.clear();
    // Windows drops dots and blanks at the end: "..", ".. " and "a." would be other names there.
    for (std::size_t i = part.size(); i > 0 && (part[i - 1] == '.' || part[i - 1] == ' '); --i) part[i - 1] = '_';
    if (isDevice(part)) part.insert(0, "_");
    out += (out.empty() ? "" : "/") + part;
    part.clear();
  };
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '/') {
      finish();
    } else {
      const bool bad = byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !is_text) ||
                       std::string_view("\\:*?\"<>|").find(c) != std::string_view::npos;
      part += bad ? '_' : c;
    }
  }
  finish();
  return out.empty() ? "_" : out;
}

bool isPacked(std::string_view media_type) {
  media_type = media_type.substr(0, media_type.find(';'));
  if (media_type == "image/svg+xml" || media_type == "image/bmp" || media_type == "audio/wav") return false;
  if (media_type.starts_with("image/") || media_type.starts_with("video/") || media_type.starts_with("audio/"))
    return true;
  static constexpr std::string_view kPacked[] = {"application/zip",
                                                 "application/gzip",
                                                 "application/x-7z-compressed",
                                                 "application/vnd.rar",
                                                 "application/epub+zip",
                                                 "application/x-xz",
                                                 "application/zstd",
                                                 "application/x-bzip2",
                                                 "application/vnd.comicbook+zip",
                                                 "application/pdf",
                                                 "font/woff2"};
  return std::find(std::begin(kPacked), std::end(kPacked), media_type) != std::end(kPacked);
}

}  // namespace jobhost::api
