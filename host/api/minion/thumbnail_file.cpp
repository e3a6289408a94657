#include "api/minion/thumbnail_file.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>

#include <fcntl.h>
#include <sys/stat.h>

#include "api/encoding.hpp"

namespace jobhost::api::minion {
namespace {

namespace fs = std::filesystem;

bool isDigit(char c) {
  return c >= '0' && c <= '9';
}

/// nullopt: no HTTP date.
std::optional<std::time_t> readHttpDate(std::string_view text) {
  std::tm time{};
  const std::string copy(text);
  const char* end = ::strptime(copy.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &time);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return ::timegm(&time);
}

bool isKnown(const Request& request, std::string_view etag, std::time_t changed) {
  if (const auto tags = request.header("If-None-Match")) {
    return *tags == "*" || tags->find(etag) != std::string_view::npos;
  }
  const auto since = request.header("If-Modified-Since");
  const auto at = since ? readHttpDate(*since) : std::nullopt;
  return at && changed <= *at;
}

void putBig(std::string& to, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) to += static_cast<char>(value >> shift & 0xFF);
}

std::uint32_t crcOf(std::string_view bytes) {
  std::uint32_t crc = 0xFFFF'FFFF;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB8'8320U : 0U);
  }
  return ~crc;
}

std::uint32_t adlerOf(std::string_view bytes) {
  std::uint32_t a = 1, b = 0;
  for (const char c : bytes) {
    a = (a + static_cast<unsigned char>(c)) % 65'521;
    b = (b + a) % 65'521;
  }
  return b << 16 | a;
}

void putChunk(std::string& png, const std::string& type, const std::string& data) {
  putBig(png, static_cast<std::uint32_t>(data.size()));
  png += type + data;
  putBig(png, crcOf(type + data));
}

constexpr int kWidth = 100;
constexpr int kHeight = 144;

/// Shade 0 (dark) to 3 (light): a page with a frame and lines of text.
int shadeAt(int x, int y) {
  const int margin = std::min({x, y, kWidth - 1 - x, kHeight - 1 - y});
  if (margin < 2) return 1;
  const bool text = margin >= 14 && y % 12 < 3 && x < (y > kHeight / 2 ? 60 : kWidth - 14);
  return text ? 1 : 2;
}

/// RFC 2083; two bits a pixel, one stored block, so that no compressor is needed for a few kilobytes.
std::string paintPlaceholder() {
  std::string rows;
  for (int y = 0; y < kHeight; ++y) {
    rows += '\0';  // filter: none
    for (int x = 0; x < kWidth; x += 4) {
      int four = 0;
      for (int i = 0; i < 4; ++i) four = four << 2 | shadeAt(x + i, y);
      rows += static_cast<char>(four);
    }
  }
  std::string zlib = {0x78, 0x01, 0x01};  // header; last block, stored
  const unsigned size = static_cast<unsigned>(rows.size()) & 0xFFFFU;
  const unsigned mirrored = size ^ 0xFFFFU;
  for (const unsigned part : {size & 0xFFU, size >> 8U, mirrored & 0xFFU, mirrored >> 8U}) {
    zlib += static_cast<char>(part);
  }
  zlib += rows;
  putBig(zlib, adlerOf(rows));
  std::string head;
  putBig(head, kWidth);
  putBig(head, kHeight);
  head += {2, 0, 0, 0, 0};  // two bits, greyscale
  std::string png = "\x89PNG\r\n\x1a\n";
  putChunk(png, "IHDR", head);
  putChunk(png, "IDAT", zlib);
  putChunk(png, "IEND", "");
  return png;
}

fs::path shard(const fs::path& thumb_dir, const std::string& archive) {
  return thumb_dir / archive.substr(0, 2);
}

}  // namespace

bool isArchiveId(std::string_view text) {
  return text.size() == 40 &&
         std::all_of(text.begin(), text.end(), [](char c) { return isDigit(c) || (c >= 'a' && c <= 'f'); });
}

bool isTankId(std::string_view text) {
  return text.size() == 15 && text.starts_with("TANK_") && std::all_of(text.begin() + 5, text.end(), isDigit);
}

fs::path coverFile(const fs::path& thumb_dir, const std::string& archive) {
  return shard(thumb_dir, archive) / (archive + ".jpg");
}
fs::path pageFile(const fs::path& thumb_dir, const std::string& archive, std::int64_t page) {
  return shard(thumb_dir, archive) / archive / (std::to_string(page) + ".jpg");
}
fs::path tankFile(const fs::path& thumb_dir, const std::string& tank) {
  return thumb_dir / "TA" / (tank + ".jpg");
}

bool isThere(const fs::path& picture) {
  struct stat info {};
  return ::lstat(picture.c_str(), &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0;
}

std::optional<Response> servePicture(const Request& request, const fs::path& picture) {
  const int fd = ::open(picture.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  FileBody file(fd, 0, 0);
  struct stat info {};
  if (fd < 0 || ::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size == 0) return std::nullopt;
  file.length = static_cast<std::int64_t>(info.st_size);
  const std::string etag = "\"" + std::to_string(info.st_size) + "-" + std::to_string(info.st_mtim.tv_sec) + "-" +
                           std::to_string(info.st_mtim.tv_nsec) + "\"";
  Response response;
  response.content_type = "image/jpeg";
  response.with("ETag", etag);
  response.with("Last-Modified", httpDate(core::fromMicros(std::int64_t{info.st_mtim.tv_sec} * 1'000'000)));
  response.with("Cache-Control", "private, no-cache");  // kept, and asked about: a thumbnail may be made anew
  response.with("X-Content-Type-Options", "nosniff");
  if (isKnown(request, etag, info.st_mtim.tv_sec)) {
    response.status = 304;
  } else {
    response.file = std::move(file);
  }
  return response;
}

Response servePlaceholder() {
  static const std::string kPicture = paintPlaceholder();
  Response response(200, "image/png", kPicture);
  response.with("Cache-Control", "no-store");  // the picture itself may be there a moment later
  response.with("X-Content-Type-Options", "nosniff");
  return response;
}

}  // namespace jobhost::api::minion
