#include "support/image/bmp.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

namespace jobhost::support {
namespace {

constexpr std::size_t kFileHeader = 14;
constexpr std::size_t kMaxHeader = 2048;  // file header, largest info header, masks and 256 palette entries
constexpr std::uint32_t kPlain = 0;
constexpr std::uint32_t kBitFields = 3;
constexpr std::uint32_t kAlphaBitFields = 6;

Failure damaged(const char* why) {
  return {FailureKind::Damaged, "image.damaged", std::string("the image cannot be read: bmp: ") + why};
}

// Reads at any offset of a descriptor or a piece of memory.
class Bytes {
 public:
  explicit Bytes(const ImageInput& input) : input_(input) {}

  // Fills `out` from `offset`; false when the file ends before.
  bool read(std::uint64_t offset, unsigned char* out, std::size_t size) const {
    if (input_.fd < 0) {
      if (offset > input_.bytes.size() || size > input_.bytes.size() - offset) return false;
      input_.bytes.copy(reinterpret_cast<char*>(out), size, offset);
      return true;
    }
    for (std::size_t have = 0; have < size;) {
      const ssize_t got = pread(input_.fd, out + have, size - have, static_cast<off_t>(offset + have));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      have += static_cast<std::size_t>(got);
    }
    return true;
  }

 private:
  const ImageInput& input_;
};

std::uint32_t u16(const unsigned char* at) {
  return std::uint32_t{at[0]} | std::uint32_t{at[1]} << 8;
}
std::uint32_t u32(const unsigned char* at) {
  return u16(at) | u16(at + 2) << 16;
}

struct Header {
  int width = 0;
  int height = 0;
  bool top_down = false;
  int bits = 0;
  std::uint32_t pixels_at = 0;
  std::array<std::uint32_t, 3> masks{};                     // red, green, blue; 16 and 32 bits
  std::array<std::array<unsigned char, 3>, 256> palette{};  // red, green, blue
  [[nodiscard]] std::uint64_t rowBytes() const {
    return (static_cast<std::uint64_t>(width) * static_cast<std::uint64_t>(bits) + 31) / 32 * 4;
  }
};

void readSize(Header& header, const unsigned char* info, std::uint32_t info_size) {
  std::int64_t height = 0;
  if (info_size == 12) {
    header.width = static_cast<int>(u16(info + 4));
    height = u16(info + 6);
    header.bits = static_cast<int>(u16(info + 10));
  } else {
    header.width = static_cast<std::int32_t>(u32(info + 4));
    height = static_cast<std::int32_t>(u32(info + 8));
    header.bits = static_cast<int>(u16(info + 14));
  }
  header.top_down = height < 0;
  height = height < 0 ? -height : height;
  if (header.width <= 0 || height <= 0 || height > INT32_MAX) throw damaged("no valid size");
  header.height = static_cast<int>(height);
}

void readMasks(Header& header, const Bytes& bytes, std::uint32_t compression) {
  header.masks = header.bits == 16 ? std::array<std::uint32_t, 3>{0x7c00, 0x03e0, 0x001f}
                                   : std::array<std::uint32_t, 3>{0xff0000, 0x00ff00, 0x0000ff};
  if (compression == kPlain) return;
  std::array<unsigned char, 12> raw{};
  if (!bytes.read(kFileHeader + 40, raw.data(), raw.size())) throw damaged("the file ends in its header");
  for (std::size_t i = 0; i < 3; ++i) header.masks[i] = u32(raw.data() + i * 4);
}

void readPalette(Header& header, const Bytes& bytes, std::uint32_t info_size, std::uint32_t used) {
  const std::size_t entry = info_size == 12 ? 3 : 4;
  std::size_t count = std::size_t{1} << header.bits;
  if (used != 0 && used < count) count = used;
  const std::uint64_t start = kFileHeader + info_size;
  if (header.pixels_at > start) count = std::min<std::size_t>(count, (header.pixels_at - start) / entry);
  std::vector<unsigned char> raw(count * entry);
  if (!bytes.read(start, raw.data(), raw.size())) throw damaged("the file ends in its palette");
  for (std::size_t i = 0; i < count; ++i) {
    header.palette[i] = {raw[i * entry + 2], raw[i * entry + 1], raw[i * entry]};
  }
}

Header readHeader(const Bytes& bytes) {
  std::array<unsigned char, kFileHeader + 40> raw{};
  if (!bytes.read(0, raw.data(), kFileHeader + 12)) throw damaged("the file ends in its header");
  const unsigned char* info = raw.data() + kFileHeader;
  const std::uint32_t info_size = u32(info);
  if (info_size != 12 && (info_size < 40 || info_size > kMaxHeader)) throw damaged("an unknown header");
  if (info_size >= 40 && !bytes.read(0, raw.data(), raw.size())) throw damaged("the file ends in its header");
  Header header;
  header.pixels_at = u32(raw.data() + 10);
  readSize(header, info, info_size);
  const std::uint32_t compression = info_size == 12 ? kPlain : u32(info + 16);
  const bool fields = compression == kBitFields || compression == kAlphaBitFields;
  if (compression != kPlain && !(fields && (header.bits == 16 || header.bits == 32))) {
    throw Failure(FailureKind::Unsupported, "image.unsupported", "compressed bitmaps are not supported");
  }
  switch (header.bits) {
    case 1:
    case 4:
    case 8:
      readPalette(header, bytes, info_size, info_size == 12 ? 0 : u32(info + 32));
      break;
    case 16:
    case 32:
      readMasks(header, bytes, compression);
      break;
    case 24:
      break;
    default:
      throw damaged("an unknown number of bits");
  }
  return header;
}

unsigned char channel(std::uint32_t pixel, std::uint32_t mask) {
  if (mask == 0) return 0;
  const std::uint64_t value = (pixel & mask) >> std::countr_zero(mask);
  const std::uint64_t top = mask >> std::countr_zero(mask);
  return static_cast<unsigned char>(value * 255 / top);
}

void convertRow(const Header& header, const unsigned char* row, unsigned char* out) {
  const std::size_t width = static_cast<std::size_t>(header.width);
  for (std::size_t x = 0; x < width; ++x, out += 3) {
    switch (header.bits) {
      case 24:
        out[0] = row[x * 3 + 2];
        out[1] = row[x * 3 + 1];
        out[2] = row[x * 3];
        break;
      case 16:
      case 32: {
        const std::uint32_t pixel = header.bits == 16 ? u16(row + x * 2) : u32(row + x * 4);
        for (std::size_t i = 0; i < 3; ++i) out[i] = channel(pixel, header.masks[i]);
        break;
      }
      default: {
        const std::size_t bit = x * static_cast<std::size_t>(header.bits);
        const unsigned shift = 8U - static_cast<unsigned>(header.bits) - static_cast<unsigned>(bit % 8);
        const std::size_t index = (row[bit / 8] >> shift) & ((1U << header.bits) - 1U);
        std::copy(header.palette[index].begin(), header.palette[index].end(), out);
      }
    }
  }
}

}  // namespace

ImagePtr decodeBmp(const ImageInput& input, const std::function<void(int width, int height)>& check) {
  const Bytes bytes(input);
  const Header header = readHeader(bytes);
  check(header.width, header.height);
  const std::size_t out_row = static_cast<std::size_t>(header.width) * 3;
  std::vector<unsigned char> row(header.rowBytes());
  std::vector<unsigned char> pixels;
  // The last row first: a file that is too short for what it declares costs one row, not a whole picture.
  const std::uint64_t last = header.pixels_at + header.rowBytes() * static_cast<std::uint64_t>(header.height - 1);
  if (!bytes.read(last, row.data(), row.size())) throw damaged("the file is truncated");
  pixels.resize(out_row * static_cast<std::size_t>(header.height));
  for (int y = 0; y < header.height; ++y) {
    const auto at = header.pixels_at + header.rowBytes() * static_cast<std::uint64_t>(y);
    if (!bytes.read(at, row.data(), row.size())) throw damaged("the file is truncated");
    const int target = header.top_down ? y : header.height - 1 - y;
    convertRow(header, row.data(), pixels.data() + out_row * static_cast<std::size_t>(target));
  }
  VipsImage* image =
      vips_image_new_from_memory_copy(pixels.data(), pixels.size(), header.width, header.height, 3, VIPS_FORMAT_UCHAR);
  if (image == nullptr) throw vipsFailure();
  image->Type = VIPS_INTERPRETATION_sRGB;
  return ImagePtr(image);
}

}  // namespace jobhost::support
