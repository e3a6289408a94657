#include "api/lncrawl/user_libraries.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "api/auth/secrets.hpp"
#include "api/lncrawl/record_slice.hpp"
#include "telemetry/log.hpp"

namespace jobhost::api::lncrawl {
namespace {

constexpr std::size_t kMaxName = 200;
constexpr std::size_t kMaxDescription = 5'000;
constexpr std::int64_t kMostLibraries = 100;  ///< of one user
constexpr std::int64_t kMostNovels = 2'000;   ///< of one library; its page of novels looks at each

/// What is the same below every library.
constexpr std::string_view kParent = "libraries";

std::string linkOf(const std::string& library, const std::string& novel) {
  return library + "/" + novel;
}

std::string bodyOf(const std::string& owner, const std::string& name, const std::optional<std::string>& description,
                   bool is_public) {
  JsonWriter json;
  json.beginObject().key("user_id").string(owner).key("name").string(name).key("description");
  description ? json.string(*description) : json.null();
  json.key("is_public").boolean(is_public).endObject();
  return json.take();
}

std::optional<std::string> unlessEmpty(std::optional<std::string> text) {
  if (text) text = std::string(trimmed(*text));
  return text && !text->empty() ? text : std::nullopt;
}

/// What a library and its short form share.
void writeName(JsonWriter& json, const RecordDoc& library) {
  json.key("name").string(library.text("name").value_or("")).key("description").raw(library.raw("description"));
  json.key("is_public").boolean(library.isTrue("is_public"));
}

}  // namespace

store::RecordWrite UserLibraries::dated(std::string key, std::string body) const {
  const auto now = core::toMicros(parts_.deps.clock.now());
  return writeOf(kLibraries, std::move(key), std::move(body), std::string(kParent), now);
}

store::RecordWrite UserLibraries::touched(const RecordDoc& library) const {
  return dated(library.key(), library.record().body);
}

core::Result<void> UserLibraries::write(JsonWriter& json, const RecordDoc& library) const {
  const auto novels = parts_.records.count(kLibraryNovels.childrenOf(library.key()));
  if (!novels) return novels.error();
  const auto owner_id = library.text("user_id").value_or("");
  const auto owner = parts_.deps.accounts.find(owner_id);
  json.beginObject().key("id").string(library.key()).key("created_at").number(library.createdMs());
  json.key("updated_at").number(library.updatedMs()).key("extra").beginObject();
  json.key("novel_count").number(*novels).key("owner_name");
  owner ? json.string(owner->name) : json.null();
  json.endObject().key("user_id").string(owner_id);
  writeName(json, library);
  json.endObject();
  return {};
}

bool UserLibraries::isOrphan(const RecordDoc& library) const {
  const auto owner = library.text("user_id");
  return !owner || !parts_.deps.accounts.find(*owner);
}

core::Result<void> UserLibraries::erase(const std::string& id) const {
  if (auto marked = records_.write({writeOf(kLibraries, id, "{}")}); !marked) return marked;
  if (auto cleared = removeAll(records_.store(), kLibraryNovels.childrenOf(id)); !cleared) return cleared;
  return records_.write({writeOf(kLibraries, id)});
}

void UserLibraries::sweepOnce() const {
  std::call_once(swept_, [this] {
    std::vector<std::string> orphans;
    core::Result<void> done =
        eachRecord(records_.store(), kLibraries.all(), kMostScanned, [&](const store::Record& record) {
          const auto library = RecordDoc::open(record);
          if (!library || isOrphan(*library)) orphans.push_back(record.key);
          return true;
        });
    for (const auto& id : orphans) {
      if (done) done = erase(id);
    }
    if (!done) telemetry::log("api").warn("libraries of nobody stay reason=\"{}\"", done.error().message);
  });
}

UserLibraries::Found UserLibraries::find(const Call& call, For purpose) const {
  sweepOnce();
  auto library = parts_.records.find(kLibraries.plugin, kLibraries.collection, call.captures[0]);
  if (!library) return {std::nullopt, failure(library.error())};
  if (!*library || isOrphan(**library)) return {std::nullopt, noSuch("library")};
  const bool visible = purpose == For::Reading && (*library)->isTrue("is_public");
  if (!visible && !call.principal->reaches((*library)->text("user_id").value_or(""))) {
    return {std::nullopt, forbidden()};
  }
  return {*std::move(library), {}};
}

Response UserLibraries::list(const Call& call, Whose whose) const {
  sweepOnce();
  QueryFields query(call.request);
  const auto span = query.span();
  auto name = query.filter("query");
  if (!query.faults().empty()) return invalid(query.faults());
  auto wanted = whose == Whose::Callers      ? kLibraries.having("user_id", call.principal->id)
                : whose == Whose::Everybodys ? kLibraries.havingJson("is_public", "true")
                                             : std::optional(kLibraries.childrenOf(std::string(kParent)));
  if (!wanted) return answerList(0, span, [](JsonWriter&) {});
  wanted->descending = true;
  const auto limit = static_cast<int>(span.limit);
  if (name) name = folded(*std::move(name));
  const auto slice = name ? sliceOf(records_.store(), *std::move(wanted), span.offset, limit,
                                    [&](const store::Record& record) { return hasPart(record, "name", *name); })
                          : sliceOf(records_.store(), *std::move(wanted), span.offset, limit);
  if (!slice) return failure(slice.error());
  core::Result<void> written;
  std::vector<std::string> orphans;
  auto response = answerList(slice->total, span, [&](JsonWriter& json) {
    for (const auto& record : slice->records) {
      const auto library = RecordDoc::open(record);
      if (library && isOrphan(*library)) orphans.push_back(record.key);
      if (library && orphans.empty() && written) written = write(json, *library);
    }
  });
  for (const auto& id : orphans) {
    if (written) written = erase(id);
  }
  if (!written) return failure(written.error());
  return orphans.empty() ? std::move(response) : list(call, whose);
}

Response UserLibraries::names(const Call& call) const {
  auto mine = kLibraries.having("user_id", call.principal->id);
  if (!mine) return answer("[]");
  mine->descending = true;
  JsonWriter json;
  json.beginArray();
  const auto read = eachRecord(records_.store(), *std::move(mine), kMostScanned, [&](const store::Record& record) {
    if (const auto library = RecordDoc::open(record)) {
      json.beginObject().key("id").string(library->key());
      writeName(json, *library);
      json.endObject();
    }
    return true;
  });
  return read ? answer(json.endArray().take()) : failure(read.error());
}

Response UserLibraries::answerLibrary(const std::string& id) const {
  const auto library = parts_.records.find(kLibraries.plugin, kLibraries.collection, id);
  if (!library) return failure(library.error());
  if (!*library) return noSuch("library");
  JsonWriter json;
  const auto written = write(json, **library);
  return written ? answer(json.take()) : failure(written.error());
}

Response UserLibraries::create(const Call& call) {
  const auto body = call.request.body->all(parts_.options.http.body_bytes);
  if (!body) return failure(body.error());
  BodyFields fields(*body);
  const auto name = fields.title("name", kMaxName);
  const auto description = unlessEmpty(fields.textOrNull("description", kMaxDescription));
  const bool is_public = fields.boolean("is_public", false);
  if (!fields.faults().empty()) return invalid(fields.faults());
  const auto id = randomUuid();
  if (!id) return failure(id.error());
  const std::lock_guard lock(changing_);
  const auto mine = kLibraries.having("user_id", call.principal->id);
  const auto count = mine ? parts_.records.count(*mine) : core::Result<std::int64_t>(kMostLibraries);
  if (!count) return failure(count.error());
  if (*count >= kMostLibraries)
    return failure(403, "Too many libraries", "One user can have " + std::to_string(kMostLibraries));
  const auto written = records_.write({dated(*id, bodyOf(call.principal->id, *name, description, is_public))});
  return written ? answerLibrary(*id) : failure(written.error());
}

Response UserLibraries::show(const Call& call) const {
  auto found = find(call, For::Reading);
  if (!found.library) return std::move(found.refusal);
  return answerLibrary(found.library->key());
}

Response UserLibraries::change(const Call& call) {
  const auto body = call.request.body->all(parts_.options.http.body_bytes);
  if (!body) return failure(body.error());
  const std::lock_guard lock(changing_);
  auto found = find(call, For::Changing);
  if (!found.library) return std::move(found.refusal);
  const auto& library = *found.library;
  BodyFields fields(*body);
  // What is absent or null stays; an empty description is none.
  const auto name = fields.has("name") ? fields.title("name", kMaxName) : library.text("name");
  const auto description =
      fields.has("description") ? fields.textOrNull("description", kMaxDescription) : library.text("description");
  const auto is_public = fields.booleanOrNull("is_public").value_or(library.isTrue("is_public"));
  if (!fields.faults().empty()) return invalid(fields.faults());
  const auto owner = library.text("user_id").value_or("");
  const auto written =
      records_.write({dated(library.key(), bodyOf(owner, name.value_or(""), unlessEmpty(description), is_public))});
  return written ? answerLibrary(library.key()) : failure(written.error());
}

Response UserLibraries::remove(const Call& call) {
  const std::lock_guard lock(changing_);
  auto found = find(call, For::Changing);
  if (!found.library) return std::move(found.refusal);
  const auto removed = erase(found.library->key());
  return removed ? answerTrue() : failure(removed.error());
}

core::Result<std::vector<std::string>> UserLibraries::novelsOf(const std::string& library) const {
  auto links = kLibraryNovels.childrenOf(library);
  links.with_bodies = false;
  std::vector<std::pair<core::Instant, std::string>> found;
  core::Result<void> looked;
  const auto read = eachRecord(records_.store(), std::move(links), kMostScanned, [&](const store::Record& link) {
    const auto id = link.key.substr(library.size() + 1);
    const auto novel = peekRecord(records_.store(), kNovels.at(id));
    if (novel && *novel) found.emplace_back((*novel)->updated_at, id);
    if (!novel) looked = novel.error();
    return looked.ok();
  });
  if (!read) return read.error();
  if (!looked) return looked.error();
  std::sort(found.begin(), found.end(), std::greater<>());
  std::vector<std::string> ids;
  for (auto& [at, id] : found) ids.push_back(std::move(id));
  return ids;
}

Response UserLibraries::novels(const Call& call) const {
  QueryFields query(call.request);
  const auto span = query.span();
  if (!query.faults().empty()) return invalid(query.faults());
  auto found = find(call, For::Reading);
  if (!found.library) return std::move(found.refusal);
  const auto ids = novelsOf(found.library->key());
  if (!ids) return failure(ids.error());
  const auto total = static_cast<std::int64_t>(ids->size());
  core::Result<void> read;
  auto response = answerList(total, span, [&](JsonWriter& json) {
    for (auto at = span.offset; at < total && at - span.offset < span.limit && read; ++at) {
      const auto& id = (*ids)[static_cast<std::size_t>(at)];
      const auto novel = parts_.records.find(kNovels.plugin, kNovels.collection, id);
      if (!novel) read = novel.error();
      if (novel && *novel) novels_.showNovel(json, **novel);
    }
  });
  return read ? std::move(response) : failure(read.error());
}

Response UserLibraries::addNovel(const Call& call) {
  const auto& novel = call.captures[1];
  const std::lock_guard lock(changing_);
  auto found = find(call, For::Changing);
  if (!found.library) return std::move(found.refusal);
  const auto& library = *found.library;
  const auto isThere = [&] { return peekRecord(records_.store(), kNovels.at(novel)); };
  const auto there = isThere();
  if (!there) return failure(there.error());
  if (!*there) return noSuch("novel");
  const auto key = linkOf(library.key(), novel);
  const auto linked = peekRecord(records_.store(), kLibraryNovels.at(key));
  if (!linked) return failure(linked.error());
  if (*linked) return answerTrue();
  const auto count = parts_.records.count(kLibraryNovels.childrenOf(library.key()));
  if (!count) return failure(count.error());
  if (*count >= kMostNovels)
    return failure(403, "Too many novels", "A library can have " + std::to_string(kMostNovels));
  JsonWriter json;
  json.beginObject().key("novel_id").string(novel).endObject();
  const auto written = records_.write({writeOf(kLibraryNovels, key, json.take(), library.key()), touched(library)});
  if (!written) return failure(written.error());
  // One that was deleted meanwhile took its links with it, maybe before this one was made.
  const auto still = isThere();
  if (still && !*still) {
    if (auto undone = unlink(library, novel); !undone) return failure(undone.error());
    return noSuch("novel");
  }
  return answerTrue();
}

core::Result<void> UserLibraries::unlink(const RecordDoc& library, const std::string& novel) {
  return records_.write({writeOf(kLibraryNovels, linkOf(library.key(), novel)), touched(library)});
}

Response UserLibraries::takeNovel(const Call& call) {
  const auto& novel = call.captures[1];
  const std::lock_guard lock(changing_);
  auto found = find(call, For::Changing);
  if (!found.library) return std::move(found.refusal);
  const auto key = linkOf(found.library->key(), novel);
  const auto linked = peekRecord(records_.store(), kLibraryNovels.at(key));
  if (!linked) return failure(linked.error());
  if (!*linked) return answer("false");
  const auto removed = unlink(*found.library, novel);
  return removed ? answerTrue() : failure(removed.error());
}

}  // namespace jobhost::api::lncrawl
