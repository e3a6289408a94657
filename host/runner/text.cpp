#include "runner/text.hpp"

#include "core/text.hpp"
#include "core/utf8.hpp"

namespace jobhost::runner {

std::string cleanText(std::string_view text, std::size_t limit) {
  std::string out;
  out.reserve(text.size() < limit ? text.size() : limit);
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = core::utf8Length(text, i);
    const auto c = static_cast<unsigned char>(text[i]);
    const bool control = c != '\t' && c != '\n' && core::hasControl(text.substr(i, length));
    const std::string_view piece = length == 0 ? std::string_view("\xef\xbf\xbd")
                                   : control   ? std::string_view(" ")
                                               : text.substr(i, length);
    if (out.size() + piece.size() > limit) break;
    out += piece;
    i += length == 0 ? 1 : length;
  }
  return out;
}

std::string outputNameProblem(std::string_view name) {
  constexpr std::size_t kMaxBytes = 1024;
  constexpr std::size_t kMaxPartBytes = 255;
  constexpr int kMaxParts = 8;
  if (name.empty()) return "the name is empty";
  if (name.size() > kMaxBytes) return "the name is longer than 1024 bytes";
  if (!core::isUtf8(name)) return "the name is not UTF-8";
  if (core::hasControl(name)) return "the name has a control character";
  if (name.find('\\') != std::string_view::npos) return "the name has a backslash";
  if (name.front() == '/') return "the name is an absolute path";
  int parts = 0;
  for (std::string_view rest = name;;) {
    const std::size_t slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    if (part.empty()) return "a part of the name is empty";
    if (part == "." || part == "..") return "the name has a '" + std::string(part) + "' part";
    if (part.substr(0, 4) == ".jh-") return "a part of the name begins with '.jh-'";
    if (part.size() > kMaxPartBytes) return "a part of the name is longer than 255 bytes";
    if (++parts > kMaxParts) return "the name has more than 8 parts";
    if (slash == std::string_view::npos) return {};
    rest.remove_prefix(slash + 1);
  }
}

}  // namespace jobhost::runner
