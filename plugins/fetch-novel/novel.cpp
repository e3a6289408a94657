#include "fetch-novel/novel.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "fetch-novel/utf8.hpp"
#include "support/html/parse.hpp"

namespace jobhost::novel {
namespace {

// Entities are decoded once by parsing; doubly escaped titles ("&amp;#39;") are common enough to do it again for what
// still looks like one, but never for what would become markup.
std::string decoded(std::string_view text) {
  if (text.find('&') == std::string_view::npos) return std::string(text);
  std::string safe;
  for (const char c : text) {
    if (c == '<') {
      safe += "&lt;";
    } else {
      safe += c;
    }
  }
  return support::html::textOf(support::html::parseFragment(safe).root());
}

void groupBySize(Novel& novel, int size) {
  novel.volumes.clear();
  for (Chapter& chapter : novel.chapters) {
    chapter.volume = (chapter.serial - 1) / size + 1;
    if (static_cast<std::size_t>(chapter.volume) > novel.volumes.size())
      novel.volumes.push_back({chapter.volume, "", 0});
  }
}

void placeStrays(Novel& novel, int size) {
  std::set<int> known;
  for (const Volume& volume : novel.volumes) known.insert(volume.serial);
  int others = 0;
  for (Chapter& chapter : novel.chapters) {
    if (known.contains(chapter.volume)) continue;
    chapter.volume = (chapter.serial - 1) / size + 1;
    if (known.contains(chapter.volume)) continue;
    if (others == 0) {
      others = *known.rbegin() + 1;
      novel.volumes.push_back({others, "Others", 0});
    }
    chapter.volume = others;
  }
}

void renumberVolumes(Novel& novel) {
  std::stable_sort(novel.volumes.begin(), novel.volumes.end(),
                   [](const Volume& a, const Volume& b) { return a.serial < b.serial; });
  std::map<int, int> counts;
  for (const Chapter& chapter : novel.chapters) ++counts[chapter.volume];
  std::map<int, int> serials;
  std::vector<Volume> kept;
  for (Volume& volume : novel.volumes) {
    const auto count = counts.find(volume.serial);
    if (count == counts.end() || serials.contains(volume.serial)) continue;
    const int serial = static_cast<int>(kept.size()) + 1;
    serials[volume.serial] = serial;
    kept.push_back({serial, std::move(volume.title), count->second});
  }
  for (Chapter& chapter : novel.chapters) chapter.volume = serials[chapter.volume];
  novel.volumes = std::move(kept);
}

}  // namespace

std::string cleanTitle(std::string_view text) {
  return std::string(trimmed(collapsed(withoutControls(normalized(decoded(text), NormalForm::Nfkc)))));
}

void renumber(Novel& novel) {
  int serial = 0;
  for (Chapter& chapter : novel.chapters) {
    chapter.serial = ++serial;
    if (chapter.untitled) chapter.title = "Chapter " + std::to_string(serial);
  }
  if (novel.volume_size > 0) groupBySize(novel, novel.volume_size);
  renumberVolumes(novel);
  for (Volume& volume : novel.volumes) {
    if (volume.title.empty()) volume.title = "Volume " + std::to_string(volume.serial);
  }
}

void normalise(Novel& novel, int chapters_per_volume) {
  const int size = std::max(chapters_per_volume, 1);
  int serial = 0;
  for (Chapter& chapter : novel.chapters) {
    chapter.serial = ++serial;
    chapter.title = cleanTitle(chapter.title);
    chapter.untitled = chapter.title.empty();
  }
  for (Volume& volume : novel.volumes) volume.title = cleanTitle(volume.title);
  novel.volume_size = novel.volumes.empty() ? size : 0;
  if (novel.volume_size == 0) placeStrays(novel, size);
  renumber(novel);
  novel.title = cleanTitle(novel.title);
  const auto distinct = [](std::vector<std::string>& names, auto clean) {
    std::set<std::string> seen;
    std::vector<std::string> out;
    for (const std::string& name : names) {
      std::string one = clean(name);
      if (!one.empty() && seen.insert(one).second) out.push_back(std::move(one));
    }
    names = std::move(out);
  };
  distinct(novel.authors, cleanTitle);
  distinct(novel.tags, [](const std::string& tag) { return folded(cleanTitle(tag)); });
  novel.language = languageCode(novel.language);
  novel.rtl = isRightToLeft(novel.language);
}

bool isRightToLeft(std::string_view language) {
  static constexpr std::array<std::string_view, 13> kRtl{"ar", "he", "iw", "fa", "ur",  "ps", "sd",
                                                         "ug", "yi", "ji", "dv", "ckb", "syr"};
  return std::find(kRtl.begin(), kRtl.end(), languageCode(language)) != kRtl.end();
}

std::string languageCode(std::string_view tag) {
  tag = trimmed(tag);
  const std::string code = asciiLower(tag.substr(0, tag.find_first_of("-_")));
  const bool letters = std::all_of(code.begin(), code.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  return letters && (code.size() == 2 || code.size() == 3) && code != "und" ? code : std::string();
}

}  // namespace jobhost::novel
