#include "fetch-novel/refresh.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <unordered_map>

namespace jobhost::novel {

std::vector<int> matchChapters(const std::vector<StoredChapter>& stored, const std::vector<Chapter>& fresh) {
  std::vector<int> out(fresh.size(), -1);
  std::vector<bool> taken(stored.size(), false);
  const auto pair = [&](std::size_t of_fresh, std::size_t of_stored) {
    out[of_fresh] = static_cast<int>(of_stored);
    taken[of_stored] = true;
  };
  std::unordered_map<std::string_view, std::size_t> by_url;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    if (!stored[i].url.empty()) by_url.emplace(stored[i].url, i);
  }
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    const auto found = by_url.find(fresh[i].url);
    if (found != by_url.end() && !taken[found->second]) pair(i, found->second);
  }
  // Counted over the whole lists: of two "Interlude", one of which is known by its address, the other is a third one.
  struct Bearer {
    std::size_t stored = 0, fresh = 0;  // how many have the title
    std::size_t of_stored = 0, of_fresh = 0;
  };
  std::unordered_map<std::string, Bearer> by_title;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    if (stored[i].untitled) continue;
    Bearer& one = by_title[cleanTitle(stored[i].title)];
    ++one.stored;
    one.of_stored = i;
  }
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    if (fresh[i].untitled) continue;
    Bearer& one = by_title[cleanTitle(fresh[i].title)];
    ++one.fresh;
    one.of_fresh = i;
  }
  for (const auto& [title, one] : by_title) {
    const bool tells = !title.empty() && one.stored == 1 && one.fresh == 1;
    if (tells && out[one.of_fresh] < 0 && !taken[one.of_stored]) pair(one.of_fresh, one.of_stored);
  }
  return out;
}

std::string whyKept(const Novel& novel, std::size_t stored, std::size_t lacking) {
  if (lacking == 0) return {};
  if (!novel.cut.empty()) return "the list of chapters was cut: " + novel.cut;
  if (lacking > stored / 2) return "the list of chapters lacks more than half of those that are stored";
  return {};
}

void keepLacking(Novel& novel, const std::vector<StoredChapter>& stored, std::vector<int>& matched) {
  // What of the fresh list comes before each stored chapter: its last one, 0 for the front.
  std::vector<std::size_t> place(stored.size(), 0);
  for (std::size_t i = 0; i < matched.size(); ++i) {
    if (matched[i] >= 0) place[static_cast<std::size_t>(matched[i])] = i + 1;
  }
  std::vector<std::vector<std::size_t>> behind(novel.chapters.size() + 1);
  std::size_t last = 0;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    if (place[i] > 0) {
      last = place[i];
    } else {
      behind[last].push_back(i);
    }
  }

  // The volumes in order, by numbers that only hold in here: the fresh ones' own, then those that come back.
  std::vector<int> order;
  std::map<std::string, int, std::less<>> by_title;
  std::vector<Volume> volumes = novel.volumes;
  for (const Volume& one : volumes) {
    order.push_back(one.serial);
    by_title.emplace(one.title, one.serial);
  }
  const auto volumeOf = [&](const StoredChapter& one, int after) {
    const std::string title = cleanTitle(one.volume_title);
    if (const auto found = by_title.find(title); found != by_title.end()) return found->second;
    const int number = static_cast<int>(volumes.size()) + 1;
    volumes.push_back({number, title, 0});
    by_title.emplace(title, number);
    const auto at = std::find(order.begin(), order.end(), after);
    order.insert(at == order.end() ? order.begin() : at + 1, number);
    return number;
  };

  std::vector<Chapter> chapters;
  std::vector<int> origin;
  int volume = 0;
  for (std::size_t i = 0; i < behind.size(); ++i) {
    if (i > 0) {
      volume = novel.chapters[i - 1].volume;
      chapters.push_back(std::move(novel.chapters[i - 1]));
      origin.push_back(matched[i - 1]);
    }
    for (const std::size_t index : behind[i]) {
      const StoredChapter& one = stored[index];
      Chapter& chapter = chapters.emplace_back();
      chapter.title = one.title;
      chapter.url = one.url;
      chapter.extra = one.extra;
      chapter.untitled = one.untitled;
      chapter.volume = volume = novel.volume_size > 0 ? 0 : volumeOf(one, volume);
      origin.push_back(static_cast<int>(index));
    }
  }
  std::map<int, int> serials;
  for (const int number : order) serials[number] = static_cast<int>(serials.size()) + 1;
  for (Volume& one : volumes) one.serial = serials[one.serial];
  for (Chapter& one : chapters) one.volume = serials[one.volume];
  novel.chapters = std::move(chapters);
  novel.volumes = std::move(volumes);
  matched = std::move(origin);
  renumber(novel);
}

}  // namespace jobhost::novel
