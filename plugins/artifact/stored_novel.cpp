#include "artifact/stored_novel.hpp"

#include <algorithm>
#include <climits>
#include <set>
#include <utility>

namespace jobhost::artifact {
namespace {

using support::Failure;
using support::FailureKind;

constexpr int kPage = 500;
constexpr const char* kNovels = "org.jobhost.fetch-novel/novels";
constexpr const char* kVolumes = "org.jobhost.fetch-novel/volumes";
constexpr const char* kChapters = "org.jobhost.fetch-novel/chapters";

/// What every object of the read routes begins with.
Json objectOf(const Record& record) {
  Json extra = Json::object();
  if (const Json& version = record.value["crawler_version"]; !version.isNull()) extra.set("crawler_version", version);
  return Json{{"id", record.key},
              {"created_at", record.created_ms},
              {"updated_at", record.updated_ms},
              {"extra", std::move(extra)}};
}

void take(Json& object, const Record& record, std::initializer_list<const char*> names) {
  for (const char* name : names) object.set(name, record.value[name]);
}

std::string textOf(const Json& value) {
  return std::string(value.stringOr(""));
}

int serialOf(const Record& record) {
  return static_cast<int>(std::clamp<std::int64_t>(record.value["serial"].intOr(0), 0, 1'000'000'000));
}

std::vector<std::string> split(std::string_view text, std::string_view separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = text.find(separator);
    if (end != 0) parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + separator.size());
  }
  return parts;
}

Failure noNovel(const std::string& id) {
  return {FailureKind::NotFound, "artifact.no_novel", "No such novel: " + id};
}

/// Gives what has the serial of one before it a new one, behind the last. In the order of `all`.
template <class T>
void makeSerialsUnique(std::vector<T>& all) {
  std::set<int> taken;
  int last = 0;
  for (const T& one : all) last = std::max(last, one.serial);
  for (T& one : all) {
    if (!taken.insert(one.serial).second) taken.insert(one.serial = ++last);
  }
}

}  // namespace

class StoredNovel::Cursor final : public ChapterCursor {
 public:
  explicit Cursor(const std::vector<Row>& rows) : rows_(rows) {}
  std::optional<Chapter> next() override {
    if (at_ == rows_.size()) return std::nullopt;
    const Row& row = rows_[at_++];
    return Chapter{row.id, row.serial, row.volume_serial, row.title, Json::parse(row.record)};
  }

 private:
  const std::vector<Row>& rows_;
  std::size_t at_ = 0;
};

StoredNovel::StoredNovel(Job& job, const Settings& settings, const std::string& novel_id, const BookLimits& limits)
    : job_(job), folder_(settings.novel(novel_id)), id_(novel_id), limits_(limits), files_(settings.novel(novel_id)) {
  const auto record = job.records(kNovels).get(novel_id);
  if (!record) throw noNovel(novel_id);
  readNovel(*record);
  readVolumes();
  readChapters();
}

void StoredNovel::checkThere() const {
  if (!job_.records(kNovels).get(id_)) throw noNovel(id_);
}

void StoredNovel::readNovel(const Record& record) {
  const Json& value = record.value;
  novel_.id = record.key;
  novel_.title = textOf(value["title"]);
  novel_.authors = split(value["authors"].stringOr(""), ", ");
  novel_.synopsis_html = textOf(value["synopsis"]);
  for (const Json& tag : value["tags"].items()) novel_.tags.push_back(textOf(tag));
  if (value["language"].isString()) novel_.language = textOf(value["language"]);
  novel_.url = textOf(value["url"]);
  novel_.rtl = value["rtl"].boolOr(false);
  novel_.modified_ms = record.updated_ms;
  Json object = objectOf(record);
  take(object, record,
       {"domain", "url", "title", "authors", "synopsis", "tags", "cover_url", "mtl", "rtl", "manga", "language",
        "volume_count", "chapter_count"});
  object.set("cover_file", "novels/" + id_ + "/cover.jpg");
  object.set("cover_available", files_.hasCover());
  novel_.record = std::move(object);
}

void StoredNovel::readVolumes() {
  std::vector<std::string> ids;
  job_.records(kVolumes).each(RecordQuery::childrenOf(id_).limit(kPage), [&](const Record& record) {
    if (volumes_.size() > limits_.max_volumes) return;  // the writers say that these are too many
    Json object = objectOf(record);
    take(object, record, {"novel_id", "serial", "title", "chapter_count"});
    volumes_.push_back({serialOf(record), textOf(record.value["title"]), std::move(object)});
    ids.push_back(record.key);
  });
  makeSerialsUnique(volumes_);
  for (std::size_t i = 0; i < ids.size(); ++i) volume_ids_.emplace_back(ids[i], volumes_[i].serial);
  std::sort(volume_ids_.begin(), volume_ids_.end());
}

void StoredNovel::readChapters() {
  job_.records(kChapters).each(RecordQuery::childrenOf(id_).limit(kPage), [&](const Record& record) {
    if (chapters_.size() > limits_.max_chapters) return;
    Row row;
    row.id = record.key;
    row.title = textOf(record.value["title"]);
    row.serial = serialOf(record);
    const auto volume =
        std::lower_bound(volume_ids_.begin(), volume_ids_.end(), std::pair(textOf(record.value["volume_id"]), INT_MIN));
    if (volume != volume_ids_.end() && volume->first == record.value["volume_id"].stringOr("")) {
      row.volume_serial = volume->second;
    }
    Json object = objectOf(record);
    take(object, record, {"novel_id", "serial", "volume_id", "url", "title", "is_done"});
    object.set("content_file", "novels/" + id_ + "/chapters/" + record.key + ".zst");
    object.set("is_available", true);  // those that are not are left out
    row.record = object.dump();
    chapters_.push_back(std::move(row));
  });
  std::stable_sort(chapters_.begin(), chapters_.end(), [](const Row& a, const Row& b) {
    return std::pair(a.volume_serial.value_or(-1), a.serial) < std::pair(b.volume_serial.value_or(-1), b.serial);
  });
  makeSerialsUnique(chapters_);
}

std::unique_ptr<ChapterCursor> StoredNovel::chapters() {
  return std::make_unique<Cursor>(chapters_);
}

std::optional<std::string> StoredNovel::body(const Chapter& chapter) {
  try {
    return files_.body(chapter.id, limits_.max_body_bytes);
  } catch (const Failure& failure) {
    if (failure.kind() != FailureKind::Damaged) throw;
    job_.warn("chapter " + std::to_string(chapter.serial) + " is left out: " + failure.what());
    return std::nullopt;
  }
}

std::filesystem::path StoredNovel::coverPath() const {
  return files_.hasCover() ? folder_ / "cover.jpg" : std::filesystem::path();
}

}  // namespace jobhost::artifact
