#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace jobhost::support {

/// What a file is by its first bytes; its name is never asked.
enum class SourceKind { Unknown, Jpeg, Png, Gif, Webp, Tiff, Heif, Jxl, Bmp, Svg, Pdf, Archive, Video };

/// How much of a file sniff() wants to see; less is fine for shorter files.
inline constexpr std::size_t kSniffBytes = 1024;

[[nodiscard]] SourceKind sniff(std::string_view head);
/// ffmpeg's name of the container of a Video ("mov", "matroska", "avi", …); empty for anything else.
[[nodiscard]] std::string_view videoFormat(std::string_view head);
[[nodiscard]] const char* toString(SourceKind kind);  ///< "jpeg"

/// Formats we write.
enum class ImageFormat { Jpeg, Png, Webp, Avif };
[[nodiscard]] std::optional<ImageFormat> parseFormat(std::string_view name);
[[nodiscard]] const char* toString(ImageFormat format);    ///< "jpeg"
[[nodiscard]] const char* mimeType(ImageFormat format);    ///< "image/jpeg"
[[nodiscard]] const char* fileEnding(ImageFormat format);  ///< "jpg"

/// How the picture meets the box.
enum class Fit {
  Inside,   ///< whole picture, aspect kept, within the box
  Cover,    ///< box filled, aspect kept, the overhang cut off around the centre
  Pad,      ///< as Inside, then filled up to the box with the background
  Stretch,  ///< exactly the box, aspect not kept
};
[[nodiscard]] std::optional<Fit> parseFit(std::string_view name);

struct Colour {
  std::uint8_t red = 255, green = 255, blue = 255, alpha = 255;
  bool operator==(const Colour&) const = default;
};
/// "#rgb", "#rrggbb", "#rrggbbaa", "white", "black" or "transparent".
[[nodiscard]] std::optional<Colour> parseColour(std::string_view text);

}  // namespace jobhost::support
