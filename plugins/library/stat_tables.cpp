#include "library/stat_tables.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "library/names.hpp"
#include "support/tags/tags.hpp"

namespace jobhost::library {
namespace {

constexpr std::size_t kChunkBytes = 400 * 1024;  // a record may have 1 MiB, in which text may need escapes
constexpr std::string_view kSource = "source:";

// Of these namespaces every archive may have tags that nobody gave it for what it shows.
bool saysNothing(std::string_view tag) {
  static constexpr std::array<std::string_view, 9> kSpaces{"artist", "parody",     "series",    "language", "event",
                                                           "group",  "date_added", "timestamp", "source"};
  const auto colon = tag.find(':');
  return colon != std::string_view::npos &&
         std::find(kSpaces.begin(), kSpaces.end(), tag.substr(0, colon)) != kSpaces.end();
}

// Not cut within a letter: what would stand for it sorts behind all others.
std::string beginningOf(const std::string& name) {
  std::size_t end = std::min<std::size_t>(name.size(), 200);
  while (end > 0 && end < name.size() && (static_cast<unsigned char>(name[end]) & 0xC0U) == 0x80U) --end;
  return name.substr(0, end);
}

}  // namespace

StatTables StatTables::make(const std::vector<ArchiveEntry>& archives,
                            const std::map<std::string, std::vector<std::string>>& tanks,
                            const std::function<void()>& step) {
  StatTables all;
  std::set<std::string_view> in_tank;
  for (const auto& [tank, members] : tanks) {
    all.visible.push_back(tank);
    in_tank.insert(members.begin(), members.end());
  }
  for (std::size_t i = 0; i < archives.size(); ++i) {
    const ArchiveEntry& archive = archives[i];
    step();
    bool tagged = false;
    std::set<std::string> own;
    for (const auto& given : support::splitTags(archive.tags)) {
      std::string tag = support::lowerCase(given);
      if (tag.starts_with(kSource)) {
        // A URL keeps its case: servers tell paths apart by it.
        const std::string url = normalUrl(std::string_view(given).substr(kSource.size()));
        if (!url.empty()) all.urls.emplace(url, i);
        tag = std::string(kSource) + support::lowerCase(url);
      }
      tagged = tagged || !saysNothing(tag);
      own.insert(std::move(tag));
    }
    for (const auto& tag : own) all.tags[tag].push_back(i);
    if (!tagged) all.untagged.push_back(i);
    if (archive.isnew) all.fresh.push_back(i);
    all.titles.emplace_back(support::lowerCase(support::tidied(archive.title)), i);
    if (!in_tank.contains(archive.id)) all.visible.push_back(archive.id);
  }
  for (const auto& [tag, members] : all.tags) all.cloud.emplace_back(tag, members.size());
  std::stable_sort(all.cloud.begin(), all.cloud.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::sort(all.titles.begin(), all.titles.end(), [&](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : archives[a.second].id < archives[b.second].id;
  });
  std::sort(all.visible.begin(), all.visible.end());
  return all;
}

void ChunkWriter::begin(const std::string& table) {
  table_ = table;
  chunks_ = Json::array();
}

void ChunkWriter::row(const std::string& name, Json value, std::size_t bytes) {
  if (bytes_ > 0 && bytes_ + bytes > kChunkBytes) flush();
  if (bytes_ == 0) first_ = name;
  rows_.push(std::move(value));
  bytes_ += bytes + 1;
}

void ChunkWriter::flush() {
  if (rows_.size() == 0) return;
  std::array<char, 16> number{};
  std::snprintf(number.data(), number.size(), "%06zu", chunks_.size() + 1);
  const std::string key = generation_ + "." + table_ + "." + number.data();
  chunks_.push(Json{{"key", key}, {"first", beginningOf(first_)}, {"rows", rows_.size()}});
  Json value = Json::object();
  value.set("rows", std::exchange(rows_, Json::array()));
  bytes_ = 0;
  put_(key, value);
}

Json ChunkWriter::end() {
  flush();
  return std::exchange(chunks_, Json::array());
}

}  // namespace jobhost::library
