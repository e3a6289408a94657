// Jobs that only make others.
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "fetch-novel/jobs.hpp"
#include "fetch-novel/settings.hpp"
#include "fetch-novel/shelf.hpp"
#include "fetch-novel/steps.hpp"

namespace jobhost::novel {
namespace {

/// The titles of novels, each looked up once.
class Titles {
 public:
  explicit Titles(const Shelf& shelf) : shelf_(shelf) {}
  /// Null when it is not known.
  Json of(const std::string& novel) {
    const auto [at, fresh] = known_.try_emplace(novel);
    if (!fresh) return at->second;
    if (const auto record = shelf_.novels.get(novel)) at->second = record->value["title"];
    return at->second;
  }

 private:
  const Shelf& shelf_;
  std::map<std::string, Json> known_;
};

Json volumeParams(const Record& volume, Titles& titles) {
  const std::string novel(volume.value["novel_id"].stringOr(""));
  return picked(Json{{"volume_id", volume.key},
                     {"volume_serial", volume.value["serial"]},
                     {"novel_id", novel},
                     {"novel_title", titles.of(novel)}},
                {"volume_id", "volume_serial", "novel_id", "novel_title"});
}

Json chapterParams(const Record& chapter, Titles& titles) {
  const std::string novel(chapter.value["novel_id"].stringOr(""));
  return picked(Json{{"chapter_id", chapter.key},
                     {"chapter_serial", chapter.value["serial"]},
                     {"novel_id", novel},
                     {"novel_title", titles.of(novel)}},
                {"chapter_id", "chapter_serial", "novel_id", "novel_title"});
}

Json imageParams(const Record& image, Titles& titles, const Shelf& shelf) {
  const std::string novel(image.value["novel_id"].stringOr(""));
  const std::string chapter(image.value["chapter_id"].stringOr(""));
  Json title;
  if (const auto record = shelf.chapters.get(chapter)) title = record->value["title"];
  return picked(Json{{"image_id", image.key},
                     {"url", image.value["url"]},
                     {"novel_id", novel},
                     {"novel_title", titles.of(novel)},
                     {"chapter_id", chapter},
                     {"chapter_title", title}},
                {"image_id", "url", "novel_id", "novel_title", "chapter_id", "chapter_title"});
}

/// One job for each id of the param `list`. All must be there before the first job is made.
template <class ParamsOf>
Json runForEach(Job& job, const char* list, const char* what, const char* type, const Records& records,
                ParamsOf&& params_of) {
  std::vector<std::pair<std::string, Json>> wanted;
  std::set<std::string> seen;
  for (const std::string& id : job.params()[list].strings()) {
    if (!seen.insert(id).second) continue;
    const auto record = records.get(id);
    if (!record) throw failed(kRequestsFailed, std::string("No such ") + what + ": " + id);
    wanted.emplace_back(id, params_of(*record));
    if (seen.size() % 100 == 0) job.progress(0, static_cast<double>(seen.size()), "looking up");
  }
  Children children(job);
  for (const auto& [id, params] : wanted) children.make(type, params, id);
  return Json{{"jobs", children.size()}};
}

}  // namespace

Json runVolumeBatch(Job& job) {
  return step(job, kRequestsFailed, [&] {
    const Files files(readSettings(job).dir);
    const Shelf shelf(job, files);
    Titles titles(shelf);
    return runForEach(job, "volume_ids", "volume", "volume", shelf.volumes,
                      [&](const Record& one) { return volumeParams(one, titles); });
  });
}

Json runVolume(Job& job) {
  return step(job, kRequestsFailed, [&] {
    const Files files(readSettings(job).dir);
    const Shelf shelf(job, files);
    Titles titles(shelf);
    const std::string id = job.params()["volume_id"].str();
    if (!shelf.volumes.get(id)) throw failed(kRequestsFailed, "No such volume: " + id);
    std::vector<std::pair<std::string, Json>> wanted;
    shelf.chapters.each(RecordQuery::having("volume_id", id).limit(1000),
                        [&](const Record& one) { wanted.emplace_back(one.key, chapterParams(one, titles)); });
    Children children(job);
    for (const auto& [chapter, params] : wanted) children.make("chapter", params, chapter);
    return Json{{"jobs", children.size()}};
  });
}

Json runChapterBatch(Job& job) {
  return step(job, kRequestsFailed, [&] {
    const Files files(readSettings(job).dir);
    const Shelf shelf(job, files);
    Titles titles(shelf);
    return runForEach(job, "chapter_ids", "chapter", "chapter", shelf.chapters,
                      [&](const Record& one) { return chapterParams(one, titles); });
  });
}

Json runImageBatch(Job& job) {
  return step(job, kRequestsFailed, [&] {
    const Files files(readSettings(job).dir);
    const Shelf shelf(job, files);
    Titles titles(shelf);
    return runForEach(job, "image_ids", "image", "image", shelf.images,
                      [&](const Record& one) { return imageParams(one, titles, shelf); });
  });
}

}  // namespace jobhost::novel
