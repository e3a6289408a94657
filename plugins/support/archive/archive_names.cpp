#include "support/archive/archive_names.hpp"

#include <algorithm>

namespace jobhost::support {
namespace {

// ASCII only, whatever the locale: names are bytes.
char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

std::string_view archiveEndingOf(std::string_view name) {
  if (const auto slash = name.find_last_of('/'); slash != std::string_view::npos) name.remove_prefix(slash + 1);
  for (const std::string_view ending : kArchiveEndings) {
    if (name.size() <= ending.size() + 1) continue;
    const std::string_view tail = name.substr(name.size() - ending.size() - 1);
    const auto is_same = [](char ours, char theirs) { return ours == lower(theirs); };
    if (tail.front() == '.' && std::equal(ending.begin(), ending.end(), tail.begin() + 1, is_same)) return tail;
  }
  return {};
}

bool isArchiveName(std::string_view name) {
  return !archiveEndingOf(name).empty();
}

}  // namespace jobhost::support
