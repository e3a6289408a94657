#include "artifact/image_probe.hpp"

#include <cstddef>

namespace jobhost::artifact {
namespace {

using namespace std::string_view_literals;

int byteAt(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}
int bigEndian16(std::string_view bytes, std::size_t at) {
  return byteAt(bytes, at) << 8 | byteAt(bytes, at + 1);
}
int littleEndian16(std::string_view bytes, std::size_t at) {
  return byteAt(bytes, at + 1) << 8 | byteAt(bytes, at);
}

std::optional<ImageType> sized(std::string_view media_type, std::string_view ending, int width, int height) {
  if (width <= 0 || height <= 0) return std::nullopt;
  return ImageType{media_type, ending, width, height};
}

// The frame header stands after any number of other segments.
std::optional<ImageType> probeJpeg(std::string_view bytes) {
  for (std::size_t at = 2; at + 9 < bytes.size();) {
    if (byteAt(bytes, at) != 0xFF) return std::nullopt;
    const int marker = byteAt(bytes, at + 1);
    if (marker == 0xFF) {  // fill
      ++at;
      continue;
    }
    if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) {  // without a length
      at += 2;
      continue;
    }
    if (marker == 0xD9 || marker == 0xDA) return std::nullopt;  // picture data before a frame header
    const bool frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (frame) return sized("image/jpeg", "jpg", bigEndian16(bytes, at + 7), bigEndian16(bytes, at + 5));
    const int length = bigEndian16(bytes, at + 2);
    if (length < 2) return std::nullopt;
    at += 2 + static_cast<std::size_t>(length);
  }
  return std::nullopt;
}

}  // namespace

std::optional<ImageType> probeImage(std::string_view bytes) {
  if (bytes.starts_with("\xFF\xD8\xFF"sv)) return probeJpeg(bytes);
  if (bytes.starts_with("\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR"sv) && bytes.size() >= 33) {
    if (byteAt(bytes, 16) >= 0x80 || byteAt(bytes, 20) >= 0x80) return std::nullopt;
    return sized("image/png", "png", bigEndian16(bytes, 16) << 16 | bigEndian16(bytes, 18),
                 bigEndian16(bytes, 20) << 16 | bigEndian16(bytes, 22));
  }
  if ((bytes.starts_with("GIF87a"sv) || bytes.starts_with("GIF89a"sv)) && bytes.size() >= 13) {
    return sized("image/gif", "gif", littleEndian16(bytes, 6), littleEndian16(bytes, 8));
  }
  return std::nullopt;
}

}  // namespace jobhost::artifact
