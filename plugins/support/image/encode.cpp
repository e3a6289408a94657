#include "support/image/encode.hpp"

#include <array>
#include <cstdint>

namespace jobhost::support {
namespace {

constexpr std::uint64_t kMostKept = 64 << 20;  // bytes of a thumbnail's pixels held in memory; else it is read again
constexpr int kAvifEffort = 2;  // of 0..9: a thumbnail should not take longer to write than to read

bool isOpaque(const std::optional<Colour>& colour) {
  return colour && colour->alpha == 255;
}

ImagePtr toRgb(ImagePtr image) {
  if (image->Type == VIPS_INTERPRETATION_sRGB && image->BandFmt == VIPS_FORMAT_UCHAR) return image;
  ImagePtr rgb =
      made([&](VipsImage** out) { return vips_colourspace(image.get(), out, VIPS_INTERPRETATION_sRGB, nullptr); });
  return made([&](VipsImage** out) { return vips_cast_uchar(rgb.get(), out, nullptr); });
}

ImagePtr flattened(ImagePtr image, const Colour& colour) {
  if (vips_image_hasalpha(image.get()) == FALSE) return image;
  image = toRgb(std::move(image));
  const std::array<double, 3> rgb{double(colour.red), double(colour.green), double(colour.blue)};
  std::unique_ptr<VipsArrayDouble, void (*)(VipsArrayDouble*)> background(
      vips_array_double_new(rgb.data(), 3),
      [](VipsArrayDouble* array) { vips_area_unref(reinterpret_cast<VipsArea*>(array)); });
  return made([&](VipsImage** out) { return vips_flatten(image.get(), out, "background", background.get(), nullptr); });
}

ImagePtr padded(ImagePtr image, const ThumbnailOptions& options, const Colour& colour) {
  image = toRgb(std::move(image));
  if (colour.alpha < 255 && vips_image_hasalpha(image.get()) == FALSE) {
    image = made([&](VipsImage** out) { return vips_addalpha(image.get(), out, nullptr); });
  }
  const std::array<double, 4> rgba{double(colour.red), double(colour.green), double(colour.blue), double(colour.alpha)};
  std::unique_ptr<VipsArrayDouble, void (*)(VipsArrayDouble*)> background(
      vips_array_double_new(rgba.data(), image->Bands),
      [](VipsArrayDouble* array) { vips_area_unref(reinterpret_cast<VipsArea*>(array)); });
  return made([&](VipsImage** out) {
    return vips_gravity(image.get(), out, VIPS_COMPASS_DIRECTION_CENTRE, options.width, options.height, "extend",
                        VIPS_EXTEND_BACKGROUND, "background", background.get(), nullptr);
  });
}

// Libvips tells how far it is while it computes; that is where a stop is heard.
struct Watch {
  const StopCheck* stop;
  bool stopped = false;
};

void onEval(VipsImage* image, VipsProgress*, Watch* watch) {
  if (watch->stopped || !*watch->stop || !(*watch->stop)()) return;
  watch->stopped = true;
  vips_image_set_kill(image, TRUE);
}

/// A picture of at most kPreviewSide a side.
Pixels pixelsOf(ImagePtr small) {
  small = toRgb(std::move(small));
  if (vips_image_hasalpha(small.get()) == FALSE) {
    small = made([&](VipsImage** out) { return vips_addalpha(small.get(), out, nullptr); });
  }
  if (small->BandFmt != VIPS_FORMAT_UCHAR) {
    small = made([&](VipsImage** out) { return vips_cast_uchar(small.get(), out, nullptr); });
  }
  std::size_t size = 0;
  const std::unique_ptr<void, decltype(&g_free)> data(vips_image_write_to_memory(small.get(), &size), &g_free);
  if (!data || small->Bands != 4) throw vipsFailure();
  const auto* bytes = static_cast<const std::uint8_t*>(data.get());
  return {small->Xsize, small->Ysize, {bytes, bytes + size}};
}

Pixels smallPixels(VipsImage* image) {
  return pixelsOf(made([&](VipsImage** out) {
    return vips_thumbnail_image(image, out, kPreviewSide, "height", kPreviewSide, "size", VIPS_SIZE_DOWN, nullptr);
  }));
}

Pixels smallPixels(const std::string& encoded) {
  return pixelsOf(made([&](VipsImage** out) {
    return vips_thumbnail_buffer(const_cast<char*>(encoded.data()), encoded.size(), out, kPreviewSide, "height",
                                 kPreviewSide, "size", VIPS_SIZE_DOWN, nullptr);
  }));
}

int saveTo(VipsImage* image, const ThumbnailOptions& options, void** data, std::size_t* size) {
  const gboolean strip = options.strip ? TRUE : FALSE;
  switch (options.format) {
    case ImageFormat::Jpeg:
      return vips_jpegsave_buffer(image, data, size, "Q", options.quality, "strip", strip, nullptr);
    case ImageFormat::Png:
      return vips_pngsave_buffer(image, data, size, "strip", strip, nullptr);
    case ImageFormat::Webp:
      return vips_webpsave_buffer(image, data, size, "Q", options.quality, "strip", strip, nullptr);
    case ImageFormat::Avif:
      return vips_heifsave_buffer(image, data, size, "Q", options.quality, "strip", strip, "compression",
                                  VIPS_FOREIGN_HEIF_COMPRESSION_AV1, "effort", kAvifEffort, nullptr);
  }
  return -1;
}

Thumbnail encoded(VipsImage* image, const ThumbnailOptions& options, const Watch& watch, Preview preview) {
  void* data = nullptr;
  std::size_t size = 0;
  const int status = saveTo(image, options, &data, &size);
  const std::unique_ptr<void, decltype(&g_free)> owned(data, &g_free);
  if (watch.stopped) {
    vips_error_clear();
    throw Stopped{};
  }
  if (status != 0) throw vipsFailure();
  return {std::string(static_cast<const char*>(data), size), image->Xsize, image->Ysize, options.format,
          std::move(preview)};
}

}  // namespace

Thumbnail finishAndEncode(ImagePtr image, const ThumbnailOptions& options, const StopCheck& stop) {
  const bool can_be_transparent = options.format != ImageFormat::Jpeg;
  Colour background = options.background.value_or(can_be_transparent ? Colour{255, 255, 255, 0} : Colour{});
  if (!can_be_transparent) background.alpha = 255;
  if (!can_be_transparent || isOpaque(options.background)) image = flattened(std::move(image), background);
  if (options.fit == Fit::Pad) image = padded(std::move(image), options, background);
  // Grey stays grey; everything else that is not 8-bit sRGB by now (16 bit, scRGB) becomes it.
  if (image->Type != VIPS_INTERPRETATION_B_W || image->BandFmt != VIPS_FORMAT_UCHAR) image = toRgb(std::move(image));

  Watch watch{&stop};
  vips_image_set_progress(image.get(), TRUE);
  g_signal_connect_data(image.get(), "eval", reinterpret_cast<GCallback>(&onEval), &watch, nullptr,
                        static_cast<GConnectFlags>(0));
  const auto bytes = static_cast<std::uint64_t>(image->Xsize) * static_cast<std::uint64_t>(image->Ysize) *
                     static_cast<std::uint64_t>(image->Bands);
  if (options.preview && bytes > kMostKept) {
    Thumbnail made = encoded(image.get(), options, watch, {});
    made.preview = previewOf(smallPixels(made.bytes));
    return made;
  }
  if (options.preview) {
    // Computed once: the pixels are kept, they are few, and looked at twice.
    VipsImage* kept = vips_image_copy_memory(image.get());
    if (kept == nullptr) {
      if (!watch.stopped) throw vipsFailure();
      vips_error_clear();
      throw Stopped{};
    }
    const ImagePtr pixels(kept);
    return encoded(pixels.get(), options, watch, previewOf(smallPixels(pixels.get())));
  }
  return encoded(image.get(), options, watch, {});
}

}  // namespace jobhost::support
