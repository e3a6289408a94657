#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Makes the files the support and thumbnail tests read: pictures, archives, documents, and hostile ones of each.
/// Everything is made at test time, except real photos and books, which come from Debian packages.
namespace jobhost::samples {

using Files = std::vector<std::pair<std::string, std::string>>;  // name, bytes; in archive order

/// A folder that goes with its owner.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// Writes a file (and its folders) and answers where it is.
  std::filesystem::path write(const std::string& name, std::string_view bytes) const;

 private:
  std::filesystem::path path_;
};

[[nodiscard]] std::string readAll(const std::filesystem::path& path);
[[nodiscard]] std::string gunzip(const std::filesystem::path& path);

// Real files; each throws std::runtime_error naming the Debian package when it is not installed.
[[nodiscard]] std::filesystem::path photo();                         ///< 600 × 450 or so, JPEG, a real photograph
[[nodiscard]] std::filesystem::path orientedPhoto(int orientation);  ///< EXIF orientation 0 (none) to 8, same picture
[[nodiscard]] std::filesystem::path realEpub();
[[nodiscard]] std::filesystem::path realPdf(const TempFolder& folder);

// Pictures. `suffix` is libvips' for the format (".jpg[Q=90]", ".png", ".webp", ".tif", ".gif", ".avif", ".heic").
[[nodiscard]] std::string picture(int width, int height, const std::string& suffix);
[[nodiscard]] std::string quadrants(int width, int height, const std::string& suffix);  ///< red, green / blue, white
[[nodiscard]] std::string plain(int width, int height, std::vector<double> colour, const std::string& suffix);
[[nodiscard]] std::string cmykJpeg(int width, int height);       ///< pure cyan, libvips' CMYK profile embedded
[[nodiscard]] std::string deepPng(int width, int height);        ///< 16 bits a channel, mid grey-blue
[[nodiscard]] std::string wideGamutJpeg(int width, int height);  ///< Display P3 profile, its (255,0,0)
[[nodiscard]] std::string animatedGif(int width, int height);    ///< first frame red, then green, then blue
[[nodiscard]] std::string multipageTiff(int width, int height);  ///< pages red, green, blue
[[nodiscard]] std::string bmp(int width, int height, int bits);  ///< left half red, right half blue
[[nodiscard]] std::string pngHeaderOnly(std::uint32_t width, std::uint32_t height);
[[nodiscard]] std::string svg(const std::string& width, const std::string& height, const std::string& body);

// Documents.
[[nodiscard]] std::string pdf(const std::vector<std::pair<double, double>>& page_sizes_pt);  ///< each a red rectangle
[[nodiscard]] std::string encryptedPdf();
[[nodiscard]] std::string epub(const std::string& opf_manifest, const std::string& opf_metadata, const Files& files,
                               const std::string& opf_tail = "");

// Archives. `format`: zip zip-stored 7z tar tar.gz tar.xz tar.zst tar.bz2 lzma, by libarchive's writer; rar4 and rar5
// are stored.
[[nodiscard]] std::string archive(const std::string& format, const Files& files);
[[nodiscard]] std::string encryptedZip(const Files& files);
[[nodiscard]] std::string rar4(const Files& files, bool encrypted = false);
[[nodiscard]] std::string rar5(const Files& files);
[[nodiscard]] std::string zipOfZeros(std::uint64_t size_bytes);
[[nodiscard]] std::string zipWithManyEntries(std::size_t count);

/// What a picture shows at one place, as sRGB; for checks that say "the corner is red".
struct Pixel {
  int red, green, blue, alpha;
};
struct Decoded {
  int width = 0, height = 0, bands = 0;
  [[nodiscard]] Pixel at(double x_part, double y_part) const;  ///< parts of width and height, 0..1
  std::string pixels;                                          // RGBA
  bool has_profile = false, has_exif = false;
};
[[nodiscard]] Decoded decode(std::string_view bytes);

}  // namespace jobhost::samples
