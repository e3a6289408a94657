#include "cli/log_lines.hpp"

#include <algorithm>
#include <utility>

#include "cli/json.hpp"

namespace jobhost::cli {
namespace {

constexpr std::size_t kLevelWidth = 6;

std::string shown(const std::string& line) {
  const auto object = parseObject(line);
  std::string text = object ? textAt(object, "text") : line;
  for (char& c : text) {
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f) c = ' ';
  }
  if (!object) return text;
  const auto at = textAt(object, "at");  // 2026-11-22T23:36:43.436Z
  const auto day_end = at.find('T');
  std::string time = day_end == std::string::npos ? at : at.substr(day_end + 1);
  if (!time.empty() && time.back() == 'Z') time.pop_back();
  auto level = textAt(object, "level");
  level.resize(std::max(level.size(), kLevelWidth), ' ');
  return time + " " + level + " " + text;
}

}  // namespace

std::string LogLines::feed(std::string_view bytes) {
  std::string out;
  open_ += bytes;
  std::size_t begin = 0;
  for (auto end = open_.find('\n'); end != std::string::npos; end = open_.find('\n', begin)) {
    out += shown(open_.substr(begin, end - begin)) + "\n";
    begin = end + 1;
  }
  open_.erase(0, begin);
  return out;
}

std::string LogLines::rest() {
  return open_.empty() ? std::string() : shown(std::exchange(open_, {})) + "\n";
}

}  // namespace jobhost::cli
