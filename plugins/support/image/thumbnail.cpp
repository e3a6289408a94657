#include "support/image/thumbnail.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "support/image/bmp.hpp"
#include "support/image/encode.hpp"
#include "support/image/vips_handle.hpp"

namespace jobhost::support {
namespace {

SourcePtr openSource(const ImageInput& input) {
  VipsSource* source = nullptr;
  if (input.fd >= 0) {
    if (lseek(input.fd, 0, SEEK_SET) != 0) throw Failure(FailureKind::Io, "file.read", "the file cannot be read");
    source = vips_source_new_from_descriptor(input.fd);
  } else {
    source = vips_source_new_from_memory(input.bytes.data(), input.bytes.size());
  }
  if (source == nullptr) throw vipsFailure();
  return SourcePtr(source);
}

bool hasPages(SourceKind kind) {
  return kind == SourceKind::Pdf || kind == SourceKind::Tiff || kind == SourceKind::Heif || kind == SourceKind::Gif ||
         kind == SourceKind::Webp;
}

bool isVector(SourceKind kind) {
  return kind == SourceKind::Pdf || kind == SourceKind::Svg;
}

std::string loadOptions(SourceKind kind, int page) {
  // Said here and not to vips_thumbnail_source: libvips 8.14 does not pass its own fail_on to the loader.
  if (page == 1) return "[fail_on=error]";
  if (!hasPages(kind)) throw Failure(FailureKind::NotFound, "image.no_page", "the file has no such page");
  return "[fail_on=error,page=" + std::to_string(page - 1) + "]";
}

ImagePtr openHeader(const SourcePtr& source, const std::string& load_options) {
  VipsImage* image =
      vips_image_new_from_source(source.get(), load_options.c_str(), "access", VIPS_ACCESS_SEQUENTIAL, nullptr);
  if (image == nullptr) throw vipsFailure();
  return ImagePtr(image);
}

void checkPixels(double width, double height, const ImageLimits& limits) {
  if (width * height <= static_cast<double>(limits.max_pixels) && std::max(width, height) <= limits.max_side) return;
  throw Failure(FailureKind::Limit, "image.too_many_pixels",
                "the image is " + std::to_string(std::llround(width)) + " × " + std::to_string(std::llround(height)) +
                    " pixels; at most " + std::to_string(limits.max_pixels) + " pixels are accepted");
}

// Raster pictures are decoded at their own size (or shrunk while loading, which only helps); drawings are rendered at
// the size the box asks for, which a thin page and Fit::Cover can make enormous.
void checkLimits(const VipsImage* image, SourceKind kind, const ThumbnailOptions& options, const ImageLimits& limits) {
  double width = image->Xsize;
  double height = image->Ysize;
  if (isVector(kind)) {
    const double across = options.width > 0 ? options.width / width : 0;
    const double down = options.height > 0 ? options.height / height : 0;
    double scale = std::max(across, down);
    if ((options.fit == Fit::Inside || options.fit == Fit::Pad) && across > 0 && down > 0)
      scale = std::min(across, down);
    width *= scale;
    height *= scale;
  }
  checkPixels(width, height, limits);
}

struct Box {
  int width;
  int height;
  VipsSize size;
  VipsInteresting crop;
};

Box boxOf(const ThumbnailOptions& options, SourceKind kind) {
  Box box{options.width > 0 ? options.width : VIPS_MAX_COORD, options.height > 0 ? options.height : VIPS_MAX_COORD,
          options.enlarge || isVector(kind) ? VIPS_SIZE_BOTH : VIPS_SIZE_DOWN, VIPS_INTERESTING_NONE};
  if (options.fit == Fit::Cover) box.crop = VIPS_INTERESTING_CENTRE;
  if (options.fit == Fit::Stretch) box.size = VIPS_SIZE_FORCE;
  return box;
}

/// libvips 8.14 with SIZE_DOWN takes the smallest level of a pyramidal TIFF, however small: no level would be enlarged.
/// Where the whole picture is larger than the box nothing grows anyway, and SIZE_BOTH picks the right level.
void allowPyramid(Box& box, VipsImage* header) {
  if (box.size != VIPS_SIZE_DOWN) return;
  double across = header->Xsize;
  double down = header->Ysize;
  if (vips_image_get_orientation_swap(header)) std::swap(across, down);
  across /= box.width;
  down /= box.height;
  const double shrink = box.crop == VIPS_INTERESTING_NONE ? std::max(across, down) : std::min(across, down);
  if (shrink > 1) box.size = VIPS_SIZE_BOTH;
}

void checkOptions(const ThumbnailOptions& options) {
  const bool one_side = options.width <= 0 || options.height <= 0;
  if ((options.width <= 0 && options.height <= 0) || (one_side && options.fit != Fit::Inside)) {
    throw Failure(FailureKind::BadInput, "image.box", "width and height are needed for this fit");
  }
  if (options.page < 1) throw Failure(FailureKind::BadInput, "image.no_page", "pages count from 1");
}

// Colours are converted where the file says how they are meant. Without a profile RGB and grey are taken for sRGB as
// they are; giving libvips 8.14 an export profile then would shift them. CMYK always needs one.
struct Profiles {
  const char* fallback = nullptr;  // when the embedded one is broken
  const char* target = nullptr;
};

Profiles profilesOf(const VipsImage* header) {
  if (header->Type == VIPS_INTERPRETATION_CMYK) return {"cmyk", "srgb"};
  if (vips_image_get_typeof(header, VIPS_META_ICC_NAME) == 0) return {};
  return {header->Bands >= 3 ? "srgb" : nullptr, "srgb"};
}

ImagePtr shrinkSource(const ImageInput& input, SourceKind kind, const ThumbnailOptions& options,
                      const ImageLimits& limits) {
  const SourcePtr source = openSource(input);
  const std::string load_options = loadOptions(kind, options.page);
  Profiles profiles;
  Box box = boxOf(options, kind);
  {
    const ImagePtr header = openHeader(source, load_options);
    checkLimits(header.get(), kind, options, limits);
    profiles = profilesOf(header.get());
    if (kind == SourceKind::Tiff) allowPyramid(box, header.get());
  }
  return made([&](VipsImage** out) {
    return vips_thumbnail_source(source.get(), out, box.width, "option_string", load_options.c_str(), "height",
                                 box.height, "size", box.size, "crop", box.crop, "import_profile", profiles.fallback,
                                 "export_profile", profiles.target, nullptr);
  });
}

ImagePtr shrinkBmp(const ImageInput& input, const ThumbnailOptions& options, const ImageLimits& limits) {
  if (options.page != 1) throw Failure(FailureKind::NotFound, "image.no_page", "the file has no such page");
  const ImagePtr image = decodeBmp(input, [&](int width, int height) { checkPixels(width, height, limits); });
  const Box box = boxOf(options, SourceKind::Bmp);
  return made([&](VipsImage** out) {
    return vips_thumbnail_image(image.get(), out, box.width, "height", box.height, "size", box.size, "crop", box.crop,
                                nullptr);
  });
}

}  // namespace

std::string_view videoFormatOf(int fd) {
  std::array<char, kSniffBytes> head{};
  const ssize_t got = pread(fd, head.data(), head.size(), 0);
  if (got < 0) throw Failure(FailureKind::Io, "file.read", "the file cannot be read");
  return videoFormat({head.data(), static_cast<std::size_t>(got)});
}

SourceKind kindOf(const ImageInput& input) {
  if (input.fd < 0) return sniff(input.bytes.substr(0, kSniffBytes));
  std::array<char, kSniffBytes> head{};
  const ssize_t got = pread(input.fd, head.data(), head.size(), 0);
  if (got < 0) throw Failure(FailureKind::Io, "file.read", "the file cannot be read");
  return sniff({head.data(), static_cast<std::size_t>(got)});
}

int countPages(const ImageInput& input) {
  const SourceKind kind = kindOf(input);
  if (!hasPages(kind)) return 1;
  const SourcePtr source = openSource(input);
  return std::max(1, vips_image_get_n_pages(openHeader(source, loadOptions(kind, 1)).get()));
}

std::string renderPage(const ImageInput& input, int page, const ImageLimits& limits, const StopCheck& stop) {
  checkStop(stop);
  const SourceKind kind = kindOf(input);
  const SourcePtr source = openSource(input);
  std::string load_options = loadOptions(kind, page);
  if (kind == SourceKind::Pdf) load_options.insert(load_options.size() - 1, ",dpi=200");
  ImagePtr image = openHeader(source, load_options);
  checkPixels(image->Xsize, image->Ysize, limits);
  ThumbnailOptions options;
  return finishAndEncode(std::move(image), options, stop).bytes;
}

Thumbnail makeThumbnail(const ImageInput& input, const ThumbnailOptions& options, const ImageLimits& limits,
                        const StopCheck& stop) {
  checkOptions(options);
  checkStop(stop);
  const SourceKind kind = kindOf(input);
  if (kind == SourceKind::Unknown || kind == SourceKind::Archive || kind == SourceKind::Video) {
    throw Failure(FailureKind::Unsupported, "image.unsupported", "the file is no image this plugin reads");
  }
  ImagePtr image =
      kind == SourceKind::Bmp ? shrinkBmp(input, options, limits) : shrinkSource(input, kind, options, limits);
  return finishAndEncode(std::move(image), options, stop);
}

}  // namespace jobhost::support
