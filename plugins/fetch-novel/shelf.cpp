#include "fetch-novel/shelf.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "fetch-novel/digest.hpp"
#include "fetch-novel/refresh.hpp"
#include "fetch-novel/url.hpp"
#include "fetch-novel/utf8.hpp"
#include "support/html/parse.hpp"
#include "support/html/selector.hpp"

namespace jobhost::novel {
namespace {

constexpr int kTries = 20;  // against others that write the same record
constexpr int kPage = 1000;
constexpr std::size_t kTitleBytes = 1000;
constexpr std::size_t kTagBytes = 200;
constexpr std::size_t kNames = 200;
constexpr std::size_t kSynopsisBytes = 256 << 10;
constexpr std::size_t kFieldsBytes = 16 << 10;
constexpr std::size_t kAddressBytes = 512;  // what an index holds

// Whole characters only.
std::string capped(std::string_view text, std::size_t bytes) {
  if (text.size() > bytes) {
    while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) --bytes;
    text = text.substr(0, bytes);
  }
  return std::string(text);
}

Json textOrNull(std::string_view text) {
  return isBlank(text) ? Json() : Json(text);
}

// As a chapter's text, but without pictures: they would need rows of their own.
std::string cleanSynopsis(const std::string& html, const std::string& url) {
  Body body = cleanBody(html, {.site = url, .chapter_url = url, .text_blocklist = {}});
  if (!body.images.empty()) {
    support::html::Document tree = support::html::parseFragment(body.html);
    static const auto kImages = support::html::Selector::parse("img");
    for (support::html::Node* image : kImages.select(tree, tree.root())) support::html::detach(*image);
    // Once more: what held nothing else is empty now.
    body = cleanBody(support::html::innerHtml(tree.root()), {.site = url, .chapter_url = url, .text_blocklist = {}});
  }
  return body.html.size() > kSynopsisBytes ? std::string() : body.html;
}

Json listOf(const std::vector<std::string>& texts) {
  Json out = Json::array();
  for (const std::string& text : texts) {
    if (out.size() < kNames) out.push(capped(text, kTagBytes));
  }
  return out;
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < std::min(names.size(), kNames); ++i)
    out += (out.empty() ? "" : ", ") + capped(names[i], kTagBytes);
  return capped(out, kTitleBytes);
}

Json fieldsOf(const Chapter& chapter) {
  Json out = Json::object();
  for (const auto& [name, value] : chapter.extra) out.set(name, value);
  return out.size() == 0 || out.dump().size() > kFieldsBytes ? Json() : out;
}

std::vector<std::pair<std::string, std::string>> fieldsFrom(const Json& fields) {
  std::vector<std::pair<std::string, std::string>> out;
  for (std::size_t i = 0; i < fields.names().size(); ++i)
    out.emplace_back(fields.names()[i], fields.items()[i].stringOr(""));
  return out;
}

std::int64_t nowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// The same for the same thing, unless another one has it already.
std::string freeId(const std::string& seed, const std::set<std::string>& taken) {
  for (int n = 0;; ++n) {
    std::string id = uuidOf(n == 0 ? seed : seed + "\n" + std::to_string(n));
    if (!taken.contains(id)) return id;
  }
}

}  // namespace

struct Shelf::Known {
  std::string id, volume, url, title, fields;
  std::int64_t serial = 0;
  bool untitled = false;
};

std::string novelId(const std::string& url) {
  return uuidOf("novel\n" + url);
}

Shelf::Shelf(Job& job, const Files& files)
    : novels(job.records("novels")),
      volumes(job.records("volumes")),
      chapters(job.records("chapters")),
      images(job.records("images")),
      job_(job),
      files_(files) {}

void Shelf::change(const Records& in, const std::string& key, const Change& change) const {
  for (int tries = 0;; ++tries) {
    const std::optional<Record> before = in.get(key);
    const std::optional<Row> row = change(before);
    if (!row) return;
    try {
      in.put(key, row->value,
             {.parent = row->parent,
              .sort = row->sort,
              .expected = before ? before->version : JH_VERSION_NONE,
              .now = true});
      return;
    } catch (const Error& error) {
      if (error.code() != "conflict" || tries == kTries) throw;
    }
  }
}

std::vector<Shelf::Known> Shelf::chaptersOf(const std::string& novel) const {
  std::vector<Known> out;
  chapters.each(RecordQuery::childrenOf(novel).limit(kPage), [&](const Record& one) {
    const Json& value = one.value;
    const std::int64_t serial = value["serial"].intOr(0);
    const std::string title(value["title"].stringOr(""));
    // Records that do not say it are older than the member.
    const bool untitled = value["untitled"].boolOr(title == "Chapter " + std::to_string(serial));
    out.push_back({one.key, std::string(value["volume_id"].stringOr("")), std::string(value["url"].stringOr("")), title,
                   value["fields"].dump(), serial, untitled});
  });
  return out;
}

std::vector<std::string> Shelf::volumesOf(const std::string& novel) const {
  std::vector<std::string> out;
  volumes.each(RecordQuery::childrenOf(novel).limit(kPage).withoutValues(),
               [&](const Record& one) { out.push_back(one.key); });
  return out;
}

// A volume is the one of the same title, else of the same place.
std::vector<std::string> Shelf::storeVolumes(const std::string& novel, const std::vector<Volume>& fresh,
                                             std::vector<std::string>& stale) {
  std::vector<Record> stored;
  std::set<std::string> taken;
  volumes.each(RecordQuery::childrenOf(novel).limit(kPage), [&](const Record& one) {
    stored.push_back(one);
    taken.insert(one.key);
  });
  std::vector<std::string> ids(fresh.size());
  const auto claim = [&](auto same) {
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      if (!ids[i].empty()) continue;
      const auto found =
          std::find_if(stored.begin(), stored.end(), [&](const Record& one) { return same(one.value, fresh[i]); });
      if (found == stored.end()) continue;
      ids[i] = found->key;
      stored.erase(found);
    }
  };
  claim([](const Json& value, const Volume& one) {
    return value["title"].stringOr("") == capped(one.title, kTitleBytes);
  });
  claim([](const Json& value, const Volume& one) { return value["serial"].intOr(0) == one.serial; });
  for (const Record& left : stored) stale.push_back(left.key);
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    if (ids[i].empty()) {
      ids[i] = freeId("volume\n" + novel + "\n" + std::to_string(fresh[i].serial), taken);
      taken.insert(ids[i]);
    }
    const Json value{{"novel_id", novel},
                     {"serial", fresh[i].serial},
                     {"title", capped(fresh[i].title, kTitleBytes)},
                     {"chapter_count", fresh[i].chapter_count}};
    change(volumes, ids[i], [&](const std::optional<Record>& before) -> std::optional<Row> {
      if (before && before->value == value) return std::nullopt;
      return Row{value, novel, fresh[i].serial};
    });
  }
  return ids;
}

void Shelf::storeChapter(const std::string& novel, const std::string& id, const std::string& volume,
                         const Chapter& chapter, int version) {
  change(chapters, id, [&](const std::optional<Record>& before) {
    Json value = before ? before->value : Json{{"is_done", false}, {"crawler_version", version}};
    // A page at another address has other ETags.
    if (value["url"].stringOr("") != chapter.url) value.set("etag", nullptr);
    value.set("novel_id", novel);
    value.set("volume_id", volume);
    value.set("serial", chapter.serial);
    value.set("url", chapter.url);
    value.set("title", capped(chapter.title, kTitleBytes));
    value.set("untitled", chapter.untitled);
    value.set("fields", fieldsOf(chapter));
    return Row{value, novel, chapter.serial};
  });
}

// The row last: as long as it is there the next refresh finds what is left to remove.
void Shelf::removeChapter(const std::string& novel, const std::string& id) {
  files_.remove(Files::chapter(novel, id));
  dropImages(novel, id, {});
  chapters.del(id, {.expected = {}, .now = true});
}

std::vector<StoredChapter> Shelf::comparable(const std::string& novel, const std::vector<Known>& known) const {
  std::map<std::string, std::string> titles;
  volumes.each(RecordQuery::childrenOf(novel).limit(kPage),
               [&](const Record& one) { titles[one.key] = one.value["title"].stringOr(""); });
  std::vector<StoredChapter> out;
  for (const Known& one : known)
    out.push_back({one.url, one.title, one.untitled, titles[one.volume], fieldsFrom(Json::parse(one.fields))});
  return out;
}

Shelf::Stored Shelf::storeNovel(Novel novel, int version, const Json& more) {
  if (novel.url.size() > kAddressBytes) {
    throw Error::permanent("the address of the novel has more than " + std::to_string(kAddressBytes) + " bytes")
        .code("novel.url_too_long");
  }
  Stored out;
  out.id = novelId(novel.url);
  out.title = capped(novel.title, kTitleBytes);
  const std::vector<Known> known = chaptersOf(out.id);
  std::set<std::string> taken;
  for (const Known& one : known) taken.insert(one.id);
  const std::vector<StoredChapter> stored = comparable(out.id, known);
  std::vector<int> matched = matchChapters(stored, novel.chapters);
  const auto found =
      static_cast<std::size_t>(std::count_if(matched.begin(), matched.end(), [](int i) { return i >= 0; }));
  if (const std::string why = whyKept(novel, stored.size(), stored.size() - found); !why.empty()) {
    out.kept = static_cast<int>(stored.size() - found);
    job_.warn(why + "; " + std::to_string(out.kept) + " stored chapters that it has not are kept");
    keepLacking(novel, stored, matched);
  }
  out.chapter_count = novel.chapters.size();
  std::vector<std::string> stale;
  out.volumes = storeVolumes(out.id, novel.volumes, stale);
  std::vector<bool> kept(known.size(), false);
  for (std::size_t i = 0; i < novel.chapters.size(); ++i) {
    const Chapter& chapter = novel.chapters[i];
    const std::string& volume = out.volumes.at(static_cast<std::size_t>(chapter.volume) - 1);
    if (matched[i] >= 0) {
      const Known& one = known[static_cast<std::size_t>(matched[i])];
      kept[static_cast<std::size_t>(matched[i])] = true;
      const bool same = one.serial == chapter.serial && one.volume == volume && one.url == chapter.url &&
                        one.title == capped(chapter.title, kTitleBytes) && one.untitled == chapter.untitled &&
                        one.fields == fieldsOf(chapter).dump();
      if (same) continue;
      storeChapter(out.id, one.id, volume, chapter, version);
      ++out.changed;
    } else {
      const std::string id = freeId("chapter\n" + out.id + "\n" + chapter.url, taken);
      taken.insert(id);
      storeChapter(out.id, id, volume, chapter, version);
      ++out.added;
    }
    if (i % 100 == 0)
      job_.progress(static_cast<double>(i), static_cast<double>(novel.chapters.size()), "storing the list of chapters");
  }
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (kept[i]) continue;
    removeChapter(out.id, known[i].id);
    ++out.removed;
  }
  for (const std::string& id : stale) volumes.del(id, {.expected = {}, .now = true});
  Json value{{"url", novel.url},
             {"domain", sourceHost(novel.url)},
             {"title", out.title},
             {"authors", textOrNull(joined(novel.authors))},
             {"synopsis", textOrNull(cleanSynopsis(novel.synopsis, novel.url))},
             {"tags", listOf(novel.tags)},
             {"cover_url", textOrNull(novel.cover_url)},
             {"mtl", novel.mtl},
             {"rtl", novel.rtl},
             {"manga", novel.manga},
             {"language", novel.language.size() == 2 ? Json(novel.language) : Json()},
             {"volume_count", novel.volumes.size()},
             {"chapter_count", novel.chapters.size()},
             {"crawler_version", version}};
  for (std::size_t i = 0; i < more.size(); ++i) value.set(more.names()[i], more.items()[i]);
  change(novels, out.id, [&](const std::optional<Record>&) { return Row{value, "novels", nowMs()}; });
  return out;
}

void Shelf::keepImages(const std::string& novel, const std::string& chapter, const std::vector<BodyImage>& list,
                       int version) {
  int place = 0;
  for (const BodyImage& image : list) {
    ++place;
    change(images, image.id, [&](const std::optional<Record>& before) -> std::optional<Row> {
      if (before && before->parent == chapter && before->sort == Json(place)) return std::nullopt;
      const bool done = before && before->value["is_done"].boolOr(false);
      return Row{Json{{"novel_id", novel},
                      {"chapter_id", chapter},
                      {"url", image.url},
                      {"is_done", done},
                      {"crawler_version", version}},
                 chapter, place};
    });
  }
}

void Shelf::dropImages(const std::string& novel, const std::string& chapter, const std::vector<BodyImage>& list) {
  std::set<std::string> wanted;
  for (const BodyImage& image : list) wanted.insert(image.id);
  std::vector<std::string> gone;
  images.each(RecordQuery::childrenOf(chapter).limit(kPage).withoutValues(), [&](const Record& one) {
    if (!wanted.contains(one.key)) gone.push_back(one.key);
  });
  for (const std::string& id : gone) {
    files_.remove(Files::image(novel, id));
    images.del(id, {.expected = {}, .now = true});
  }
}

}  // namespace jobhost::novel
