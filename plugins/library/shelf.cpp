#include "library/shelf.hpp"

#include "library/names.hpp"
#include "support/files/archive_id.hpp"

namespace jobhost::library {
namespace {

constexpr int kMaxTries = 50;  // each lost try is another job's success

std::string textOf(const Json& value, const char* name) {
  return std::string(value[name].stringOr(""));
}

}  // namespace

ArchiveEntry Shelf::entryOf(const std::string& id, const Json& value) {
  ArchiveEntry entry;
  entry.id = id;
  entry.file = textOf(value, "file");
  entry.title = textOf(value, "title");
  entry.tags = textOf(value, "tags");
  entry.thumbhash = textOf(value, "thumbhash");
  entry.phash = textOf(value, "phash");
  entry.phash_of = textOf(value, "phash_of");
  entry.size = value["size"].intOr(0);
  entry.mtime_ms = value["mtime"].intOr(0);
  entry.isnew = value["isnew"].boolOr(false);
  return entry;
}

std::optional<Json> Shelf::archive(const std::string& id) const {
  const auto record = job_.records("archives").get(id);
  return record ? std::optional(record->value) : std::nullopt;
}

std::vector<ArchiveEntry> Shelf::archives() const {
  std::vector<ArchiveEntry> all;
  job_.records("archives").each(RecordQuery::all().limit(1000), [&](const Record& record) {
    if (support::isArchiveId(record.key)) all.push_back(entryOf(record.key, record.value));
    job_.check();
  });
  return all;
}

Json Shelf::update(const std::string& collection, const std::string& key,
                   const std::function<bool(Json& value)>& change) const {
  const Records records = job_.records(collection);
  for (int tries = 0;; ++tries) {
    const auto before = records.get(key);
    Json value = before && before->value.isObject() ? before->value : Json::object();
    if (!change(value)) return before ? before->value : Json();
    PutOptions options;
    options.now = true;
    options.expected = before ? before->version : std::int64_t{JH_VERSION_NONE};
    if (before) {
      options.parent = before->parent;
      options.sort = before->sort;
    }
    try {
      records.put(key, value, options);
      return value;
    } catch (const Error& error) {
      if (error.code() != "conflict" || tries == kMaxTries) throw;
    }
  }
}

std::optional<std::string> Shelf::archiveOfUrl(const std::string& normal_url) const {
  const auto record = job_.records("urls").get(urlKey(normal_url));
  return record ? std::optional(textOf(record->value, "id")) : std::nullopt;
}

void Shelf::rememberUrl(const std::string& normal_url, const std::string& id) const {
  update("urls", urlKey(normal_url), [&](Json& value) {
    if (value["id"].stringOr("") == id) return false;
    value = Json{{"id", id}, {"url", normal_url}};
    return true;
  });
}

}  // namespace jobhost::library
