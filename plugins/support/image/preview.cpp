#include "support/image/preview.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string_view>

namespace jobhost::support {
namespace {

using std::numbers::pi;

// Rounds as JavaScript's Math.round, which the reference is written for.
int rounded(double value) {
  return static_cast<int>(std::floor(value + 0.5));
}

struct Channel {
  double dc = 0;
  double scale = 0;
  std::vector<double> ac;  ///< 0 to 1
};

/// The low frequencies of a channel: those in the triangle below nx, ny.
Channel frequencies(const std::vector<double>& values, int width, int height, int nx, int ny) {
  Channel channel;
  std::vector<double> across(static_cast<std::size_t>(width));
  for (int cy = 0; cy < ny; ++cy) {
    for (int cx = 0; cx * ny < nx * (ny - cy); ++cx) {
      for (int x = 0; x < width; ++x) across[static_cast<std::size_t>(x)] = std::cos(pi / width * cx * (x + 0.5));
      double sum = 0;
      for (int y = 0; y < height; ++y) {
        const double* row = values.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(width);
        const double down = std::cos(pi / height * cy * (y + 0.5));
        for (int x = 0; x < width; ++x) sum += row[x] * across[static_cast<std::size_t>(x)] * down;
      }
      sum /= width * height;
      if (cx == 0 && cy == 0) {
        channel.dc = sum;
      } else {
        channel.ac.push_back(sum);
        channel.scale = std::max(channel.scale, std::abs(sum));
      }
    }
  }
  if (channel.scale > 0) {
    for (double& value : channel.ac) value = 0.5 + 0.5 / channel.scale * value;
  }
  return channel;
}

std::string base64(std::string_view bytes) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t at) {
      return at < bytes.size() ? static_cast<unsigned>(static_cast<unsigned char>(bytes[at])) : 0U;
    };
    const unsigned three = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    out += kDigits[three >> 18 & 63];
    out += kDigits[three >> 12 & 63];
    out += i + 1 < bytes.size() ? kDigits[three >> 6 & 63] : '=';
    out += i + 2 < bytes.size() ? kDigits[three & 63] : '=';
  }
  return out;
}

void addBase83(std::string& out, int value, int digits) {
  static constexpr std::string_view kDigits =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~";
  int divisor = 1;
  for (int i = 1; i < digits; ++i) divisor *= 83;
  for (; divisor > 0; divisor /= 83) out += kDigits[static_cast<std::size_t>(value / divisor % 83)];
}

double linearOf(int value) {
  const double v = value / 255.0;
  return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
}

int sRgbOf(double linear) {
  const double v = std::clamp(linear, 0.0, 1.0);
  return v <= 0.0031308 ? static_cast<int>(v * 12.92 * 255 + 0.5)
                        : static_cast<int>((1.055 * std::pow(v, 1 / 2.4) - 0.055) * 255 + 0.5);
}

double signedRoot(double value) {
  return std::copysign(std::sqrt(std::abs(value)), value);
}

}  // namespace

std::string thumbHash(const Pixels& pixels) {
  const int w = pixels.width;
  const int h = pixels.height;
  const std::size_t count = static_cast<std::size_t>(w) * static_cast<std::size_t>(h);
  std::array<double, 3> mean{};
  double alpha_sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double alpha = pixels.rgba[i * 4 + 3] / 255.0;
    for (std::size_t c = 0; c < 3; ++c) mean[c] += alpha / 255 * pixels.rgba[i * 4 + c];
    alpha_sum += alpha;
  }
  if (alpha_sum > 0) {
    for (double& one : mean) one /= alpha_sum;
  }

  const bool has_alpha = alpha_sum < static_cast<double>(count);
  const int limit = has_alpha ? 5 : 7;  // luminance gives way to alpha
  const int lx = std::max(1, rounded(static_cast<double>(limit * w) / std::max(w, h)));
  const int ly = std::max(1, rounded(static_cast<double>(limit * h) / std::max(w, h)));
  std::vector<double> l(count);
  std::vector<double> p(count);
  std::vector<double> q(count);
  std::vector<double> a(count);
  for (std::size_t i = 0; i < count; ++i) {
    const double alpha = pixels.rgba[i * 4 + 3] / 255.0;
    const auto over = [&](std::size_t c) { return mean[c] * (1 - alpha) + alpha / 255 * pixels.rgba[i * 4 + c]; };
    const double red = over(0);
    const double green = over(1);
    const double blue = over(2);
    l[i] = (red + green + blue) / 3;
    p[i] = (red + green) / 2 - blue;
    q[i] = red - green;
    a[i] = alpha;
  }
  const Channel light = frequencies(l, w, h, std::max(3, lx), std::max(3, ly));
  const Channel yellow = frequencies(p, w, h, 3, 3);
  const Channel red = frequencies(q, w, h, 3, 3);
  const Channel alpha = has_alpha ? frequencies(a, w, h, 5, 5) : Channel{};

  const bool landscape = w > h;
  const unsigned first = static_cast<unsigned>(rounded(63 * light.dc)) |
                         static_cast<unsigned>(rounded(31.5 + 31.5 * yellow.dc)) << 6 |
                         static_cast<unsigned>(rounded(31.5 + 31.5 * red.dc)) << 12 |
                         static_cast<unsigned>(rounded(31 * light.scale)) << 18 | (has_alpha ? 1U : 0U) << 23;
  const unsigned second = static_cast<unsigned>(landscape ? ly : lx) |
                          static_cast<unsigned>(rounded(63 * yellow.scale)) << 3 |
                          static_cast<unsigned>(rounded(63 * red.scale)) << 9 | (landscape ? 1U : 0U) << 15;
  std::vector<unsigned> bytes{first & 255, first >> 8 & 255, first >> 16, second & 255, second >> 8};
  if (has_alpha) {
    bytes.push_back(static_cast<unsigned>(rounded(15 * alpha.dc)) | static_cast<unsigned>(rounded(15 * alpha.scale))
                                                                        << 4);
  }
  bool high = false;
  for (const Channel* channel : {&light, &yellow, &red, &alpha}) {
    for (const double value : channel->ac) {
      if (!high) bytes.push_back(0);
      bytes.back() |= static_cast<unsigned>(rounded(15 * value)) << (high ? 4 : 0);
      high = !high;
    }
  }
  std::string hash;
  for (const unsigned byte : bytes) hash += static_cast<char>(byte);
  return hash;
}

std::string blurHash(const Pixels& pixels, int across, int down) {
  const int w = pixels.width;
  const int h = pixels.height;
  std::array<double, 256> linear{};
  for (int i = 0; i < 256; ++i) linear[static_cast<std::size_t>(i)] = linearOf(i);

  std::vector<std::array<double, 3>> factors;
  std::vector<double> row(static_cast<std::size_t>(w));
  for (int j = 0; j < down; ++j) {
    for (int i = 0; i < across; ++i) {
      std::array<double, 3> sum{};
      for (int x = 0; x < w; ++x) row[static_cast<std::size_t>(x)] = std::cos(pi * i * x / w);
      for (int y = 0; y < h; ++y) {
        const double column = std::cos(pi * j * y / h);
        for (int x = 0; x < w; ++x) {
          const double basis = row[static_cast<std::size_t>(x)] * column;
          const std::size_t at =
              (static_cast<std::size_t>(y) * static_cast<std::size_t>(w) + static_cast<std::size_t>(x)) * 4;
          for (std::size_t c = 0; c < 3; ++c) sum[c] += basis * linear[pixels.rgba[at + c]];
        }
      }
      const double scale = (i == 0 && j == 0 ? 1.0 : 2.0) / (static_cast<double>(w) * h);
      for (double& one : sum) one *= scale;
      factors.push_back(sum);
    }
  }

  std::string hash;
  addBase83(hash, across - 1 + (down - 1) * 9, 1);
  double most = 1;
  if (factors.size() > 1) {
    double seen = 0;
    for (std::size_t f = 1; f < factors.size(); ++f) {
      for (const double one : factors[f]) seen = std::max(seen, std::abs(one));
    }
    const int quantised = std::clamp(static_cast<int>(std::floor(seen * 166 - 0.5)), 0, 82);
    most = (quantised + 1) / 166.0;
    addBase83(hash, quantised, 1);
  } else {
    addBase83(hash, 0, 1);
  }
  addBase83(hash, sRgbOf(factors[0][0]) << 16 | sRgbOf(factors[0][1]) << 8 | sRgbOf(factors[0][2]), 4);
  for (std::size_t f = 1; f < factors.size(); ++f) {
    int value = 0;
    for (const double one : factors[f]) {
      value = value * 19 + std::clamp(static_cast<int>(std::floor(signedRoot(one / most) * 9 + 9.5)), 0, 18);
    }
    addBase83(hash, value, 2);
  }
  return hash;
}

std::string dominantColour(const Pixels& pixels) {
  struct Bin {
    std::uint64_t weight = 0;
    std::array<std::uint64_t, 3> sum{};
  };
  std::vector<Bin> bins(4096);
  for (std::size_t at = 0; at + 3 < pixels.rgba.size(); at += 4) {
    const std::uint8_t* p = pixels.rgba.data() + at;
    Bin& bin = bins[static_cast<std::size_t>(p[0] >> 4) << 8 | static_cast<std::size_t>(p[1] >> 4) << 4 |
                    static_cast<std::size_t>(p[2] >> 4)];
    bin.weight += p[3];
    for (std::size_t c = 0; c < 3; ++c) bin.sum[c] += std::uint64_t{p[c]} * p[3];
  }
  const auto most = std::max_element(bins.begin(), bins.end(),
                                     [](const Bin& one, const Bin& other) { return one.weight < other.weight; });
  if (most->weight == 0) return "#ffffff";
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string text = "#";
  for (const std::uint64_t sum : most->sum) {
    const std::uint64_t value = (sum + most->weight / 2) / most->weight;
    text += kHex[value >> 4 & 15];
    text += kHex[value & 15];
  }
  return text;
}

Preview previewOf(const Pixels& pixels) {
  const bool tall = pixels.height > pixels.width;
  return {base64(thumbHash(pixels)), blurHash(pixels, tall ? 3 : 4, tall ? 4 : 3), dominantColour(pixels)};
}

}  // namespace jobhost::support
