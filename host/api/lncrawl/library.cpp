#include "api/lncrawl/library.hpp"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "api/encoding.hpp"
#include "api/lncrawl/library_render.hpp"
#include "core/content_disposition.hpp"
#include "telemetry/log.hpp"

namespace jobhost::api::lncrawl {
namespace {

constexpr int kSourcesAge = 14'400;  ///< seconds

Response noPage(const QueryFields::Span& span) {
  return answerList(0, span, [](JsonWriter&) {});
}

}  // namespace

Library::Library(const Parts& parts, store::RecordStore& store)
    : parts_(parts), store_(store), files_(parts.options.lncrawl.dir), marks_(store) {}

core::Result<std::optional<RecordDoc>> Library::find(const Shelf& shelf, const std::string& id) const {
  return parts_.records.find(shelf.plugin, shelf.collection, id);
}

void Library::showNovel(JsonWriter& json, const RecordDoc& record) const {
  writeNovel(json, record, files_.has(coverPath(record.key())));
}

void Library::showChapter(JsonWriter& json, const RecordDoc& record) const {
  writeChapter(json, record, files_.has(chapterPath(record.text("novel_id").value_or(""), record.key())));
}

std::optional<std::string> Library::jobOf(const RecordDoc& artifact) const {
  const auto number = artifact.integer("job_id");
  if (!number || *number <= 0 || !parts_.deps.jobs.owner({*number})) return std::nullopt;
  return parts_.ids.spell({*number});
}

void Library::showArtifact(JsonWriter& json, const RecordDoc& record) const {
  const auto file = artifactPath(record.text("novel_id").value_or(""), record.text("file_name").value_or(""));
  writeArtifact(json, record, jobOf(record), files_.has(file));
}

Response Library::one(const Shelf& shelf, const std::string& id, std::string_view what, const Write& write) const {
  const auto found = find(shelf, id);
  if (!found) return failure(found.error());
  if (!*found) return noSuch(what);
  JsonWriter json;
  write(json, **found);
  return answer(json.take());
}

Response Library::page(const core::Result<Slice>& slice, const QueryFields::Span& span, const Write& write) const {
  if (!slice) return failure(slice.error());
  return answerList(slice->total, span, [&](JsonWriter& json) {
    for (const auto& record : slice->records) {
      if (const auto document = RecordDoc::open(record)) write(json, *document);
    }
  });
}

Response Library::array(store::RecordQuery query, const Write& write) const {
  JsonWriter json;
  json.beginArray();
  const auto read = eachRecord(store_, std::move(query), kMostScanned, [&](const store::Record& record) {
    if (const auto document = RecordDoc::open(record)) write(json, *document);
    return true;
  });
  return read ? answer(json.endArray().take()) : failure(read.error());
}

Response Library::novels(const Request& request) const {
  QueryFields query(request);
  const auto span = query.span();
  auto title = query.filter("search");
  auto url = query.filter("domain");
  if (!query.faults().empty()) return invalid(query.faults());
  auto wanted = kNovels.childrenOf("novels");
  wanted.descending = true;
  const auto limit = static_cast<int>(span.limit);
  const auto write = [this](JsonWriter& json, const RecordDoc& record) { showNovel(json, record); };
  if (!title && !url) return page(sliceOf(store_, std::move(wanted), span.offset, limit), span, write);
  if (title) title = folded(*std::move(title));
  if (url) url = folded(*std::move(url));
  return page(sliceOf(store_, std::move(wanted), span.offset, limit,
                      [&](const store::Record& record) {
                        return (!title || hasPart(record, "title", *title)) && (!url || hasPart(record, "url", *url));
                      }),
              span, write);
}

Response Library::novel(const std::string& id) const {
  return one(kNovels, id, "novel", [this](JsonWriter& json, const RecordDoc& record) { showNovel(json, record); });
}

Response Library::novelVolumes(const std::string& id) const {
  const auto found = find(kNovels, id);
  if (!found) return failure(found.error());
  if (!*found) return noSuch("novel");
  return array(kVolumes.childrenOf(id), writeVolume);
}

Response Library::novelChapters(const Request& request, const std::string& id) const {
  QueryFields query(request);
  const auto span = query.span();
  if (!query.faults().empty()) return invalid(query.faults());
  const auto found = find(kNovels, id);
  if (!found) return failure(found.error());
  if (!*found) return noSuch("novel");
  return page(sliceOf(store_, kChapters.childrenOf(id), span.offset, static_cast<int>(span.limit)), span,
              [this](JsonWriter& json, const RecordDoc& record) { showChapter(json, record); });
}

Response Library::novelArtifacts(const std::string& id) const {
  const auto found = find(kNovels, id);
  if (!found) return failure(found.error());
  if (!*found) return noSuch("novel");
  auto query = kArtifacts.having("novel_id", id);
  std::map<std::string, RecordDoc> latest;
  if (query) {
    query->descending = true;
    const auto read = eachRecord(store_, *std::move(query), kMostScanned, [&](const store::Record& record) {
      auto document = RecordDoc::open(record);
      const auto format = document ? document->text("format") : std::nullopt;
      if (format) latest.emplace(*format, *std::move(document));
      return true;
    });
    if (!read) return failure(read.error());
  }
  JsonWriter json;
  json.beginArray();
  for (const auto& [format, document] : latest) showArtifact(json, document);
  return answer(json.endArray().take());
}

Response Library::volume(const std::string& id) const {
  return one(kVolumes, id, "volume", writeVolume);
}

Response Library::volumeChapters(const Request& request, const std::string& id) const {
  QueryFields query(request);
  const auto span = query.span();
  if (!query.faults().empty()) return invalid(query.faults());
  const auto found = find(kVolumes, id);
  if (!found) return failure(found.error());
  auto chapters = kChapters.having("volume_id", id);
  if (!*found || !chapters) return noSuch("volume");
  return page(sliceOf(store_, *std::move(chapters), span.offset, static_cast<int>(span.limit)), span,
              [this](JsonWriter& json, const RecordDoc& record) { showChapter(json, record); });
}

Response Library::chapter(const std::string& id) const {
  return one(kChapters, id, "chapter",
             [this](JsonWriter& json, const RecordDoc& record) { showChapter(json, record); });
}

Response Library::chapterImages(const Request& request, const std::string& id) const {
  QueryFields query(request);
  const bool available_only = query.boolean("available_only").value_or(false);
  if (!query.faults().empty()) return invalid(query.faults());
  const auto found = find(kChapters, id);
  if (!found) return failure(found.error());
  if (!*found) return noSuch("chapter");
  return array(kImages.childrenOf(id), [&](JsonWriter& json, const RecordDoc& record) {
    const bool available = files_.has(imagePath(record.text("novel_id").value_or(""), record.key()));
    if (available || !available_only) writeImage(json, record, available);
  });
}

core::Result<std::string> Library::neighbour(const store::Record& chapter, const std::string& novel,
                                             bool before) const {
  auto query = kChapters.childrenOf(novel);
  query.after = {chapter.sort, chapter.key};
  query.descending = before;
  query.limit = 1;
  query.with_bodies = false;
  const auto page = store_.records(query);
  if (!page) return page.error();
  return page->records.empty() ? std::string() : page->records.front().key;
}

Response Library::readChapter(const Principal& caller, const std::string& id) {
  const auto chapter = find(kChapters, id);
  if (!chapter) return failure(chapter.error());
  if (!*chapter) return noSuch("chapter");
  const auto novel_id = (*chapter)->text("novel_id").value_or("");
  const auto novel = find(kNovels, novel_id);
  if (!novel) return failure(novel.error());
  if (!*novel) return noSuch("novel");
  const auto text = lncrawl::readChapter(files_, novel_id, id);
  if (!text) {
    const auto& why = text.error();
    telemetry::log("api").warn("chapter unreadable chapter={} reason=\"{}\" {}", id, why.message, why.detail);
  }
  const auto next = neighbour((*chapter)->record(), novel_id, false);
  if (!next) return failure(next.error());
  const auto previous = neighbour((*chapter)->record(), novel_id, true);
  if (!previous) return failure(previous.error());
  if (const auto marked = marks_.mark(caller.id, novel_id, id); !marked) {
    telemetry::log("api").warn("read mark lost chapter={} reason=\"{}\"", id, marked.error().message);
  }
  JsonWriter json;
  json.beginObject().key("novel");
  showNovel(json, **novel);
  json.key("chapter");
  showChapter(json, **chapter);
  json.key("content");
  text&&* text ? json.string(**text) : json.null();
  json.key("next_id");
  next->empty() ? json.null() : json.string(*next);
  json.key("previous_id");
  previous->empty() ? json.null() : json.string(*previous);
  return answer(json.endObject().take());
}

Response Library::readHistory(const Principal& caller, const Request& request) {
  QueryFields query(request);
  const auto novel = query.text("novel_id");
  if (!novel) query.fault({"missing", {"query", "novel_id"}, "Field required", "null"});
  if (!query.faults().empty()) return invalid(query.faults());
  auto marks = marks_.ofNovel(caller.id, *novel);
  return marks ? answer(*std::move(marks)) : failure(marks.error());
}

Response Library::artifacts(const Request& request) const {
  QueryFields query(request);
  const auto span = query.span();
  const auto job = query.filter("job_id");
  // The most telling first: its index leads, the others are looked at record by record.
  std::vector<std::pair<std::string, std::string>> filters;
  if (job) {
    const auto id = parts_.ids.read(*job);
    filters.emplace_back("job_id", id ? std::to_string(id->value) : "null");
  }
  for (const char* name : {"novel_id", "user_id", "format"}) {
    if (const auto text = query.filter(name)) filters.emplace_back(name, core::quoteJson(*text));
  }
  if (!query.faults().empty()) return invalid(query.faults());
  if (job && filters.front().second == "null") return noPage(span);
  const auto lead = filters.empty() ? kArtifacts.childrenOf("artifacts")
                                    : kArtifacts.havingJson(filters.front().first, filters.front().second);
  if (!lead) return noPage(span);
  auto wanted = *lead;
  wanted.descending = true;
  const auto limit = static_cast<int>(span.limit);
  const auto write = [this](JsonWriter& json, const RecordDoc& record) { showArtifact(json, record); };
  if (filters.size() < 2) return page(sliceOf(store_, std::move(wanted), span.offset, limit), span, write);
  return page(sliceOf(store_, std::move(wanted), span.offset, limit,
                      [&](const store::Record& record) {
                        return std::all_of(filters.begin() + 1, filters.end(), [&](const auto& filter) {
                          return isMember(record, filter.first, filter.second);
                        });
                      }),
              span, write);
}

Response Library::artifact(const std::string& id) const {
  return one(kArtifacts, id, "artifact",
             [this](JsonWriter& json, const RecordDoc& record) { showArtifact(json, record); });
}

core::Result<std::string> Library::sourcesJson() const {
  JsonWriter json;
  json.beginArray();
  core::Result<void> counted;
  const auto read = eachRecord(store_, kSources.all(), kMostScanned, [&](const store::Record& record) {
    const auto document = RecordDoc::open(record);
    if (!document) return true;
    const auto novels = kNovels.having("domain", document->text("domain").value_or(record.key));
    const auto total = novels ? parts_.records.count(*novels) : core::Result<std::int64_t>(0);
    if (!total) counted = total.error();
    if (total) writeSource(json, *document, *total);
    return total.ok();
  });
  if (!read) return read.error();
  if (!counted) return counted.error();
  return json.endArray().take();
}

Response Library::sources() const {
  auto json = sourcesJson();
  return json ? answer(*std::move(json)) : failure(json.error());
}

Response Library::supportedSources(const Request& request) const {
  auto json = sourcesJson();
  if (!json) return failure(json.error());
  const auto etag = "\"" + sha256Hex(*json).substr(0, 32) + "\"";
  const auto known = request.header("If-None-Match");
  const bool same = known && (*known == "*" || known->find(etag) != std::string_view::npos);
  auto response = same ? Response(304, {}, "") : answer(*std::move(json));
  response.with("ETag", etag).with("Cache-Control", "private, max-age=" + std::to_string(kSourcesAge));
  return response;
}

Response Library::file(const Request& request, const std::string& path) const {
  if (!path.starts_with("novels/")) return noSuch("file");
  auto file = files_.open(path);
  if (!file) return failure(file.error());
  if (!*file) return noSuch("file");
  const auto query = Query::parse(request.query);
  const auto token = query ? query->last("token") : std::nullopt;
  if (!token || token->empty()) return forbidden();
  if (!parts_.credentials.byToken(*token)) return unauthorized();
  Response response;
  const auto name = path.substr(path.rfind('/') + 1);
  response.content_type = mediaTypeOf(name);
  response.with("X-Content-Type-Options", "nosniff");
  // What was fetched or made may be a page with scripts; it must not act in our origin.
  response.with("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox");
  response.with("Cache-Control", "private, no-cache");  // kept, and asked about: a file may be made anew
  response.with("Referrer-Policy", "no-referrer");      // the token stands in the address
  if (path.find("/artifacts/") != std::string::npos) {
    response.with("Content-Disposition", core::contentDisposition("attachment", name));
  }
  answerWith(std::move(**file), request, response);
  if (response.status == 416) {
    auto refused = failure(416, "The range lies outside the file");
    for (auto& header : response.headers) {
      if (header.first == "Content-Range") refused.with(header.first, header.second);
    }
    return refused;
  }
  return response;
}

}  // namespace jobhost::api::lncrawl
