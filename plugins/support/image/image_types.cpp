#include "support/image/image_types.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace jobhost::support {
namespace {

using namespace std::string_view_literals;

// ISO base media: bytes 4..8 "ftyp", then the major brand and the compatible ones.
bool isHeif(std::string_view head) {
  if (head.size() < 16 || head.substr(4, 4) != "ftyp") return false;
  static constexpr std::array kBrands{"heic"sv, "heix"sv, "hevc"sv, "hevx"sv, "heim"sv,
                                      "heis"sv, "mif1"sv, "msf1"sv, "avif"sv, "avis"sv};
  const std::size_t end = std::min<std::size_t>(head.size(), 64);
  for (std::size_t at = 8; at + 4 <= end; at += at == 8 ? 8 : 4) {
    if (std::find(kBrands.begin(), kBrands.end(), head.substr(at, 4)) != kBrands.end()) return true;
  }
  return false;
}

// A transport stream has no magic but a 0x47 every 188 bytes.
bool isTransportStream(std::string_view head) {
  if (head.size() < 3 * 188) return false;
  return head[0] == 0x47 && head[188] == 0x47 && head[376] == 0x47;
}

bool isArchive(std::string_view head) {
  for (const auto magic : {"PK\x03\x04"sv, "PK\x05\x06"sv, "Rar!\x1a\x07"sv, "7z\xbc\xaf\x27\x1c"sv, "\x1f\x8b"sv,
                           "\xfd"
                           "7zXZ\0"sv,
                           "\x28\xb5\x2f\xfd"sv, "BZh"sv, "\x5d\0\0"sv}) {
    if (head.starts_with(magic)) return true;
  }
  return head.size() >= 262 && head.substr(257, 5) == "ustar";
}

bool isSvg(std::string_view head) {
  if (head.starts_with("\xef\xbb\xbf")) head.remove_prefix(3);
  const std::size_t start = head.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos || head[start] != '<') return false;
  return head.substr(0, 1000).find("<svg") != std::string_view::npos;  // libvips looks as far
}

std::optional<int> hexByte(std::string_view two) {
  int value = 0;
  for (const char c : two) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return std::nullopt;
    value = value * 16 + digit;
  }
  return value;
}

}  // namespace

SourceKind sniff(std::string_view head) {
  if (head.starts_with("\xff\xd8\xff")) return SourceKind::Jpeg;
  if (head.starts_with("\x89PNG\r\n\x1a\n")) return SourceKind::Png;
  if (head.starts_with("GIF87a") || head.starts_with("GIF89a")) return SourceKind::Gif;
  if (head.size() >= 12 && head.starts_with("RIFF") && head.substr(8, 4) == "WEBP") return SourceKind::Webp;
  if (head.starts_with("II*\0"sv) || head.starts_with("MM\0*"sv) || head.starts_with("II+\0"sv) ||
      head.starts_with("MM\0+"sv)) {
    return SourceKind::Tiff;
  }
  if (isHeif(head)) return SourceKind::Heif;
  if (head.starts_with("\xff\x0a") || head.starts_with("\0\0\0\x0cJXL \r\n\x87\n"sv)) return SourceKind::Jxl;
  if (isArchive(head)) return SourceKind::Archive;
  if (head.substr(0, kSniffBytes).find("%PDF-") != std::string_view::npos) return SourceKind::Pdf;
  if (!videoFormat(head).empty()) return SourceKind::Video;
  if (head.size() >= 26 && head.starts_with("BM")) return SourceKind::Bmp;
  if (isSvg(head)) return SourceKind::Svg;
  return SourceKind::Unknown;
}

std::string_view videoFormat(std::string_view head) {
  if (head.starts_with("\x1a\x45\xdf\xa3")) return "matroska";  // and webm
  if (head.size() >= 12 && (head.substr(4, 4) == "ftyp" || head.substr(4, 4) == "moov") && !isHeif(head)) return "mov";
  if (head.size() >= 12 && head.starts_with("RIFF") && head.substr(8, 4) == "AVI ") return "avi";
  if (head.starts_with("FLV\x01")) return "flv";
  if (head.starts_with("\0\0\x01\xba"sv)) return "mpeg";
  if (head.starts_with("OggS")) return "ogg";
  if (head.starts_with("\x30\x26\xb2\x75\x8e\x66\xcf\x11")) return "asf";
  return isTransportStream(head) ? "mpegts" : "";
}

const char* toString(SourceKind kind) {
  switch (kind) {
    case SourceKind::Unknown:
      return "unknown";
    case SourceKind::Jpeg:
      return "jpeg";
    case SourceKind::Png:
      return "png";
    case SourceKind::Gif:
      return "gif";
    case SourceKind::Webp:
      return "webp";
    case SourceKind::Tiff:
      return "tiff";
    case SourceKind::Heif:
      return "heif";
    case SourceKind::Jxl:
      return "jxl";
    case SourceKind::Bmp:
      return "bmp";
    case SourceKind::Svg:
      return "svg";
    case SourceKind::Pdf:
      return "pdf";
    case SourceKind::Archive:
      return "archive";
    case SourceKind::Video:
      return "video";
  }
  return "unknown";
}

std::optional<ImageFormat> parseFormat(std::string_view name) {
  if (name == "jpeg") return ImageFormat::Jpeg;
  if (name == "png") return ImageFormat::Png;
  if (name == "webp") return ImageFormat::Webp;
  if (name == "avif") return ImageFormat::Avif;
  return std::nullopt;
}

const char* toString(ImageFormat format) {
  switch (format) {
    case ImageFormat::Jpeg:
      return "jpeg";
    case ImageFormat::Png:
      return "png";
    case ImageFormat::Webp:
      return "webp";
    case ImageFormat::Avif:
      return "avif";
  }
  return "jpeg";
}

const char* mimeType(ImageFormat format) {
  switch (format) {
    case ImageFormat::Jpeg:
      return "image/jpeg";
    case ImageFormat::Png:
      return "image/png";
    case ImageFormat::Webp:
      return "image/webp";
    case ImageFormat::Avif:
      return "image/avif";
  }
  return "image/jpeg";
}

const char* fileEnding(ImageFormat format) {
  return format == ImageFormat::Jpeg ? "jpg" : toString(format);
}

std::optional<Fit> parseFit(std::string_view name) {
  if (name == "inside") return Fit::Inside;
  if (name == "cover") return Fit::Cover;
  if (name == "pad") return Fit::Pad;
  if (name == "stretch") return Fit::Stretch;
  return std::nullopt;
}

std::optional<Colour> parseColour(std::string_view text) {
  if (text == "white") return Colour{};
  if (text == "black") return Colour{0, 0, 0, 255};
  if (text == "transparent") return Colour{255, 255, 255, 0};
  if (!text.starts_with('#') || (text.size() != 4 && text.size() != 7 && text.size() != 9)) return std::nullopt;
  text.remove_prefix(1);
  const std::size_t width = text.size() == 3 ? 1 : 2;
  std::array<std::uint8_t, 4> parts{255, 255, 255, 255};
  for (std::size_t i = 0; i * width < text.size(); ++i) {
    const auto value = hexByte(text.substr(i * width, width));
    if (!value) return std::nullopt;
    parts[i] = static_cast<std::uint8_t>(width == 1 ? *value * 17 : *value);
  }
  return Colour{parts[0], parts[1], parts[2], parts[3]};
}

}  // namespace jobhost::support
