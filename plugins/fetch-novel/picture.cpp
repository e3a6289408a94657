#include "fetch-novel/picture.hpp"

#include <fcntl.h>

#include <array>
#include <vector>

#include "fetch-novel/digest.hpp"
#include "fetch-novel/utf8.hpp"
#include "support/files/unique_fd.hpp"
#include "support/html/dom.hpp"

namespace jobhost::novel {
namespace {

constexpr int kLongestSide = 65'500;  // JPEG has no more
constexpr int kDrawingSide = 2000;
constexpr int kQuality = 88;

std::string escaped(std::string_view text) {
  std::string out;
  support::html::appendEscapedAttribute(out, text);
  return out;
}

// Words, or pieces of them where a line would be too long; at most `most` lines.
std::vector<std::string> linesOf(std::string_view text, std::size_t width, std::size_t most) {
  std::vector<std::string> out;
  std::string line;
  std::size_t used = 0;
  const auto flush = [&] {
    if (!trimmed(line).empty()) out.emplace_back(trimmed(line));
    line.clear();
    used = 0;
  };
  for (std::size_t at = 0; at < text.size() && out.size() < most;) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string_view word = text.substr(at, end - at);
    if (used > 0 && used + 1 + length(word) > width) flush();
    for (std::size_t in = 0; in < word.size();) {
      const std::size_t begin = in;
      decodeUtf8(word, in);
      if (used == width) flush();
      line += word.substr(begin, in - begin);
      ++used;
    }
    line += ' ';
    ++used;
    at = end + 1;
  }
  flush();
  if (out.size() > most) out.resize(most);
  return out;
}

}  // namespace

support::Thumbnail toJpeg(const support::ImageInput& input, const support::ImageLimits& limits,
                          const support::StopCheck& stop) {
  support::ThumbnailOptions options;
  const support::SourceKind kind = support::kindOf(input);
  const bool drawing = kind == support::SourceKind::Svg || kind == support::SourceKind::Pdf;
  options.width = options.height = drawing ? kDrawingSide : kLongestSide;
  options.quality = kQuality;
  return support::makeThumbnail(input, options, limits, stop);
}

support::Thumbnail toJpeg(HttpResponse& response, const support::ImageLimits& limits, const support::StopCheck& stop) {
  const support::UniqueFd fd(::open(response.path().c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw support::Failure(support::FailureKind::Io, "file.read", "the download cannot be read");
  return toJpeg({.fd = fd.get(), .bytes = {}}, limits, stop);
}

std::string drawnCover(const std::string& title, const std::string& authors) {
  static constexpr std::array<const char*, 8> kColours{"#26466d", "#5b2a3c", "#2f5d50", "#6b4a1f",
                                                       "#3d3566", "#7a3b2e", "#1f5f6b", "#4a5a2a"};
  const std::string digest = hexDigest(title);
  const std::string colour = kColours[static_cast<unsigned char>(digest[0]) % kColours.size()];
  std::string svg =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"600\" height=\"800\" viewBox=\"0 0 600 800\">"
      "<rect width=\"600\" height=\"800\" fill=\"" +
      colour +
      "\"/><rect x=\"24\" y=\"24\" width=\"552\" height=\"752\" fill=\"none\" stroke=\"#ffffff\" "
      "stroke-opacity=\"0.5\" stroke-width=\"3\"/>";
  int y = 220;
  const auto write = [&](const std::vector<std::string>& lines, int size) {
    for (const std::string& line : lines) {
      svg += "<text x=\"300\" y=\"" + std::to_string(y) + "\" font-family=\"serif\" font-size=\"" +
             std::to_string(size) + "\" fill=\"#ffffff\" text-anchor=\"middle\">" + escaped(line) + "</text>";
      y += size + size / 3;
    }
  };
  write(linesOf(title, 18, 6), 48);
  y += 40;
  write(linesOf(authors, 30, 2), 28);
  svg += "</svg>";
  support::ThumbnailOptions options;
  options.width = 600;
  options.height = 800;
  options.quality = kQuality;
  return support::makeThumbnail({.fd = -1, .bytes = svg}, options, {}).bytes;
}

}  // namespace jobhost::novel
