#include "fetch-novel/novel.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <unordered_map>

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

void normalise(Novel& novel, int chapters_per_volume) {
  const int size = std::max(chapters_per_volume, 1);
  int serial = 0;
  for (Chapter& chapter : novel.chapters) {
    chapter.serial = ++serial;
    chapter.title = cleanTitle(chapter.title);
    if (chapter.title.empty()) chapter.title = "Chapter " + std::to_string(serial);
  }
  if (novel.volumes.empty()) {
    groupBySize(novel, size);
  } else {
    placeStrays(novel, size);
  }
  renumberVolumes(novel);
  for (Volume& volume : novel.volumes) {
    volume.title = cleanTitle(volume.title);
    if (volume.title.empty()) volume.title = "Volume " + std::to_string(volume.serial);
  }
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

std::vector<int> matchChapters(const std::vector<StoredChapter>& stored, const std::vector<Chapter>& fresh) {
  std::vector<int> out(fresh.size(), -1);
  std::vector<bool> taken(stored.size(), false);
  // Of several with the same key the first stored goes to the first fresh, so a list that did not change matches
  // itself.
  const auto pass = [&](auto stored_key, auto fresh_key) {
    std::unordered_map<std::string, std::vector<int>> by_key;
    for (std::size_t i = stored.size(); i-- > 0;) {
      if (!taken[i] && !stored_key(stored[i]).empty()) by_key[stored_key(stored[i])].push_back(static_cast<int>(i));
    }
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      if (out[i] >= 0) continue;
      const auto found = by_key.find(fresh_key(fresh[i]));
      if (found == by_key.end() || found->second.empty()) continue;
      out[i] = found->second.back();
      found->second.pop_back();
      taken[static_cast<std::size_t>(out[i])] = true;
    }
  };
  pass([](const StoredChapter& one) { return one.url; }, [](const Chapter& one) { return one.url; });
  pass([](const StoredChapter& one) { return cleanTitle(one.title); },
       [](const Chapter& one) { return cleanTitle(one.title); });
  return out;
}

}  // namespace jobhost::novel
