#include <vips/vips.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>

#include "samples.hpp"

namespace jobhost::samples {
namespace {

struct Unref {
  void operator()(void* object) const { g_object_unref(object); }
};
using Image = std::unique_ptr<VipsImage, Unref>;

// Before anything else in a test: the samples come first.
const bool kStarted = VIPS_INIT("tests") == 0;

[[noreturn]] void fail() {
  throw std::runtime_error(std::string("libvips: ") + vips_error_buffer());
}

template <class Operation>
Image make(Operation&& operation) {
  VipsImage* out = nullptr;
  if (operation(&out) != 0) fail();
  return Image(out);
}

std::string save(const Image& image, const std::string& suffix) {
  void* data = nullptr;
  std::size_t size = 0;
  if (vips_image_write_to_buffer(image.get(), suffix.c_str(), &data, &size, nullptr) != 0) fail();
  std::string bytes(static_cast<const char*>(data), size);
  g_free(data);
  return bytes;
}

// A picture with detail everywhere: a zone plate tinted by its position.
Image detailed(int width, int height) {
  const Image zone = make([&](VipsImage** o) { return vips_zone(o, width, height, "uchar", TRUE, nullptr); });
  const Image grey = make([&](VipsImage** o) { return vips_grey(o, width, height, "uchar", TRUE, nullptr); });
  const Image turned =
      make([&](VipsImage** o) { return vips_flip(grey.get(), o, VIPS_DIRECTION_HORIZONTAL, nullptr); });
  VipsImage* bands[] = {zone.get(), grey.get(), turned.get()};
  return make([&](VipsImage** o) {
    if (vips_bandjoin(bands, o, 3, nullptr) != 0) return -1;
    VipsImage* joined = *o;
    const int status = vips_copy(joined, o, "interpretation", VIPS_INTERPRETATION_sRGB, nullptr);
    g_object_unref(joined);
    return status;
  });
}

Image solid(int width, int height, const std::vector<double>& colour, VipsInterpretation interpretation) {
  const Image black = make(
      [&](VipsImage** o) { return vips_black(o, width, height, "bands", static_cast<int>(colour.size()), nullptr); });
  const std::vector<double> ones(colour.size(), 1.0);
  const Image filled = make([&](VipsImage** o) {
    return vips_linear(black.get(), o, ones.data(), colour.data(), static_cast<int>(colour.size()), "uchar", TRUE,
                       nullptr);
  });
  return make([&](VipsImage** o) { return vips_copy(filled.get(), o, "interpretation", interpretation, nullptr); });
}

Image joined(const Image& a, const Image& b, VipsDirection direction) {
  return make([&](VipsImage** o) { return vips_join(a.get(), b.get(), o, direction, nullptr); });
}

// Red, green and blue above each other, marked as three pages.
Image threePages(int width, int height) {
  const Image red = solid(width, height, {255, 0, 0}, VIPS_INTERPRETATION_sRGB);
  const Image green = solid(width, height, {0, 255, 0}, VIPS_INTERPRETATION_sRGB);
  const Image blue = solid(width, height, {0, 0, 255}, VIPS_INTERPRETATION_sRGB);
  Image all = joined(joined(red, green, VIPS_DIRECTION_VERTICAL), blue, VIPS_DIRECTION_VERTICAL);
  Image own = make([&](VipsImage** o) { return vips_copy(all.get(), o, nullptr); });
  vips_image_set_int(own.get(), VIPS_META_PAGE_HEIGHT, height);
  return own;
}

void putLe(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

void putChunk(std::string& out, const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const auto be = [&](std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
  };
  be(static_cast<std::uint32_t>(data.size()));
  out += body;
  be(static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()))));
}

}  // namespace

std::string picture(int width, int height, const std::string& suffix) {
  return save(detailed(width, height), suffix);
}

std::string plain(int width, int height, std::vector<double> colour, const std::string& suffix) {
  return save(solid(width, height, colour, colour.size() < 3 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB),
              suffix);
}

std::string quadrants(int width, int height, const std::string& suffix) {
  const auto part = [&](std::vector<double> colour) {
    return solid(width / 2, height / 2, colour, VIPS_INTERPRETATION_sRGB);
  };
  const Image top = joined(part({255, 0, 0}), part({0, 255, 0}), VIPS_DIRECTION_HORIZONTAL);
  const Image bottom = joined(part({0, 0, 255}), part({255, 255, 255}), VIPS_DIRECTION_HORIZONTAL);
  return save(joined(top, bottom, VIPS_DIRECTION_VERTICAL), suffix);
}

std::string cmykJpeg(int width, int height) {
  const Image cyan = solid(width, height, {255, 0, 0, 0}, VIPS_INTERPRETATION_CMYK);
  return save(cyan, ".jpg[Q=95,profile=cmyk]");
}

std::string deepPng(int width, int height) {
  const Image image = solid(width, height, {100, 150, 200}, VIPS_INTERPRETATION_sRGB);
  return save(make([&](VipsImage** o) { return vips_colourspace(image.get(), o, VIPS_INTERPRETATION_RGB16, nullptr); }),
              ".png");
}

std::string wideGamutJpeg(int width, int height) {
  const Image image = solid(width, height, {200, 60, 60}, VIPS_INTERPRETATION_sRGB);
  return save(image, ".jpg[Q=95,profile=p3]");
}

std::string animatedGif(int width, int height) {
  return save(threePages(width, height), ".gif");
}
std::string multipageTiff(int width, int height) {
  return save(threePages(width, height), ".tif[compression=deflate]");
}

std::string bmp(int width, int height, int bits) {
  const int palette = bits <= 8 ? 1 << bits : 0;
  const int row = (width * bits + 31) / 32 * 4;
  const std::uint32_t start = static_cast<std::uint32_t>(14 + 40 + palette * 4);
  std::string out = "BM";
  putLe(out, start + static_cast<std::uint32_t>(row * height), 4);
  putLe(out, 0, 4);
  putLe(out, start, 4);
  putLe(out, 40, 4);
  putLe(out, static_cast<std::uint32_t>(width), 4);
  putLe(out, static_cast<std::uint32_t>(height), 4);
  putLe(out, 1, 2);
  putLe(out, static_cast<std::uint32_t>(bits), 2);
  out.append(24, '\0');
  for (int i = 0; i < palette; ++i) putLe(out, i == 0 ? 0xff0000 : 0x0000ff, 4);  // 0x00rrggbb, little endian
  for (int y = 0; y < height; ++y) {
    std::string line(static_cast<std::size_t>(row), '\0');
    for (int x = 0; x < width; ++x) {
      const bool red = x < width / 2;
      const std::size_t at = static_cast<std::size_t>(x);
      if (bits >= 24) {
        line[at * static_cast<std::size_t>(bits / 8) + (red ? 2 : 0)] = '\xff';
      } else if (bits == 16) {
        const unsigned value = red ? 0x7c00 : 0x001f;
        line[at * 2] = static_cast<char>(value & 0xff);
        line[at * 2 + 1] = static_cast<char>(value >> 8);
      } else if (!red) {
        const std::size_t bit = at * static_cast<std::size_t>(bits);
        line[bit / 8] = static_cast<char>(line[bit / 8] | (1 << (8 - bits - static_cast<int>(bit % 8))));
      }
    }
    out += line;
  }
  return out;
}

std::string pngHeaderOnly(std::uint32_t width, std::uint32_t height) {
  std::string out = "\x89PNG\r\n\x1a\n";
  std::string header;
  for (const std::uint32_t value : {width, height}) {
    for (int shift = 24; shift >= 0; shift -= 8) header += static_cast<char>(value >> shift & 0xff);
  }
  header += std::string("\x08\x02\0\0\0", 5);
  putChunk(out, "IHDR", header);
  putChunk(out, "IDAT", std::string("\x78\x9c\x03\0\0\0\0\x01", 8));
  putChunk(out, "IEND", "");
  return out;
}

std::string svg(const std::string& width, const std::string& height, const std::string& body) {
  return "<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" "
         "xmlns:xlink=\"http://www.w3.org/1999/xlink\" width=\"" +
         width + "\" height=\"" + height + "\">" + body + "</svg>\n";
}

Pixel Decoded::at(double x_part, double y_part) const {
  const int x = std::min(width - 1, static_cast<int>(x_part * width));
  const int y = std::min(height - 1, static_cast<int>(y_part * height));
  const auto* p =
      reinterpret_cast<const unsigned char*>(pixels.data()) + (static_cast<std::ptrdiff_t>(y) * width + x) * 4;
  return {p[0], p[1], p[2], p[3]};
}

Decoded decode(std::string_view bytes) {
  const Image image(vips_image_new_from_buffer(bytes.data(), bytes.size(), "", nullptr));
  if (!image) fail();
  Decoded out{image->Xsize, image->Ysize, image->Bands, {}};
  out.has_profile = vips_image_get_typeof(image.get(), VIPS_META_ICC_NAME) != 0;
  out.has_exif = vips_image_get_typeof(image.get(), VIPS_META_EXIF_NAME) != 0;
  Image rgb = make([&](VipsImage** o) { return vips_colourspace(image.get(), o, VIPS_INTERPRETATION_sRGB, nullptr); });
  if (vips_image_hasalpha(rgb.get()) == FALSE) {
    rgb = make([&](VipsImage** o) { return vips_addalpha(rgb.get(), o, nullptr); });
  }
  rgb = make([&](VipsImage** o) { return vips_cast_uchar(rgb.get(), o, nullptr); });
  std::size_t size = 0;
  void* data = vips_image_write_to_memory(rgb.get(), &size);
  if (data == nullptr) fail();
  out.pixels.assign(static_cast<const char*>(data), size);
  g_free(data);
  return out;
}

}  // namespace jobhost::samples
