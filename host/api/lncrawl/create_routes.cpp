// The routes that make jobs (contract 1.4): each checks what it can tell at once, and answers the new job.
#include <algorithm>
#include <memory>
#include <mutex>
#include <unordered_set>

#include "api/lncrawl/formats.hpp"
#include "api/lncrawl/job_make.hpp"
#include "api/lncrawl/job_render.hpp"
#include "api/lncrawl/parts.hpp"
#include "api/lncrawl/source_scan.hpp"
#include "api/lncrawl/url.hpp"
#include "store/record_value.hpp"

namespace jobhost::api::lncrawl {
namespace {

constexpr std::size_t kMaxItems = 100'000;
constexpr std::size_t kMaxId = 64;
constexpr std::size_t kMaxFormat = 16;

/// An object of params, member by member.
class Params {
 public:
  Params() { json_.beginObject(); }
  Params& text(std::string_view name, std::string_view value) {
    json_.key(name).string(value);
    return *this;
  }
  /// JSON as it is; left out where it is null.
  Params& raw(std::string_view name, std::string_view value) {
    if (value != "null") json_.key(name).raw(value);
    return *this;
  }
  Params& texts(std::string_view name, const std::vector<std::string>& values) {
    json_.key(name).beginArray();
    for (const auto& value : values) json_.string(value);
    json_.endArray();
    return *this;
  }
  std::string take() {
    json_.endObject();
    return json_.take();
  }

 private:
  JsonWriter json_;
};

/// Each once, in the order they came.
std::vector<std::string> distinct(const std::vector<std::string>& all) {
  std::vector<std::string> once;
  std::unordered_set<std::string_view> seen;
  for (const auto& one : all) {
    if (seen.insert(one).second) once.push_back(one);
  }
  return once;
}

const JobKind& kind(int number) {
  return *kindOf(number);
}

/// A URL of a body; nullopt: it is none (a fault was added).
std::optional<NormalUrl> readUrl(BodyFields& fields, std::vector<std::string> where, const JsonValue& value) {
  if (value.kind != JsonKind::String) {
    fields.fault({"url_type", std::move(where), "URL input should be a string or URL", std::string(value.raw)});
    return std::nullopt;
  }
  auto url = normalUrl(unescape(value.raw));
  if (url) return *std::move(url);
  const auto& why = url.error();
  Fault fault{why.detail, std::move(where), why.message, std::string(value.raw)};
  if (why.detail == "url_parsing") {
    fault.context_json = R"({"error":)" + jsonText(why.message) + "}";
    fault.message = "Input should be a valid URL, " + why.message;
  } else if (why.detail == "url_scheme") {
    fault.context_json = R"({"expected_schemes":"'http' or 'https'"})";
  } else {
    fault.input_json = "null";
    fault.context_json = R"({"max_length":)" + std::to_string(kMaxUrl) + "}";
  }
  fields.fault(std::move(fault));
  return std::nullopt;
}

/// Why nothing is fetched from this host; nullopt: it may be.
std::optional<Response> refuseSource(const Parts& parts, const std::string& host) {
  parts.scan.wanted();
  const auto name = sourceHost(host);
  const auto source = parts.records.find(kNovelPlugin, "sources", name);
  if (!source) return failure(source.error());
  if (*source) {
    if (!(*source)->isTrue("is_disabled")) return std::nullopt;
    return failure(422, "The requested domain is rejected", (*source)->text("disable_reason").value_or(""));
  }
  if (parts.options.lncrawl.any_site) return std::nullopt;
  return failure(422, "No crawler found for the domain", name);
}

/// The novel that was fetched from this URL before; "" is none.
core::Result<std::string> novelOf(const Parts& parts, const std::string& url) {
  const auto value = store::orderKey(jsonText(url));
  if (!value) return std::string();  // too long to be indexed
  store::RecordQuery query;
  query.plugin = kNovelPlugin;
  query.collection = "novels";
  query.by = store::RecordQuery::By::Value;
  query.field = "url";
  query.value = *value;
  query.limit = 1;
  query.with_bodies = false;
  const auto found = parts.records.list(query);
  if (!found) {
    // Only a convenience: the job finds its novel by itself.
    if (found.error().code == core::ErrorCode::Unavailable) return std::string();
    return found.error();
  }
  return found->records.empty() ? std::string() : found->records.front().key();
}

core::Result<std::string_view> bodyOf(const Parts& parts, const Call& call) {
  return call.request.body->all(parts.options.http.body_bytes);
}

Response fetchNovel(const Parts& parts, Call& call) {
  const auto body = bodyOf(parts, call);
  if (!body) return failure(body.error());
  BodyFields fields(*body);
  const auto* given = fields.value("url", true);
  const auto url = given != nullptr ? readUrl(fields, {"body", "url"}, *given) : std::nullopt;
  const bool full = fields.boolean("full", false);
  if (!fields.faults().empty()) return invalid(fields.faults());
  if (auto refused = refuseSource(parts, url->host)) return *std::move(refused);
  const auto novel = novelOf(parts, url->text);
  if (!novel) return failure(novel.error());
  Params params;
  params.text("url", url->text);
  if (!novel->empty()) params.text("novel_id", *novel);
  return makeJob(parts, call, kind(full ? 5 : 0), params.take());
}

Response fetchNovels(const Parts& parts, Call& call) {
  const auto body = bodyOf(parts, call);
  if (!body) return failure(body.error());
  BodyFields fields(*body);
  std::vector<std::string> urls;
  const auto values = fields.list("urls", kMaxItems);
  for (std::size_t i = 0; values && i < values->size() && fields.faults().size() < 100; ++i) {
    if (auto url = readUrl(fields, {"body", "urls", std::to_string(i)}, (*values)[i])) {
      urls.push_back(std::move(url->text));
    }
  }
  const bool full = fields.boolean("full", false);
  if (!fields.faults().empty()) return invalid(fields.faults());
  if (urls.empty()) return failure(422, "No novels to download");
  const auto user = parts.credentials.userOf(*call.principal);
  if (full && user && tierOf(*user) == 0) return failure(403, "Full novel is not allowed for this user");
  parts.scan.wanted();
  return makeJob(parts, call, kind(full ? 6 : 1), Params().texts("urls", distinct(urls)).take(), {}, "urls");
}

/// A record of the novel plugin; nullopt: it is not there.
core::Result<std::optional<RecordDoc>> novelRecord(const Parts& parts, std::string_view collection,
                                                   std::string_view id) {
  return parts.records.find(kNovelPlugin, collection, id);
}

/// What jobs of a novel's parts say of it.
core::Result<void> addNovel(const Parts& parts, Params& params, const RecordDoc& part) {
  const auto id = part.text("novel_id").value_or("");
  const auto novel = novelRecord(parts, "novels", id);
  if (!novel) return novel.error();
  if (!id.empty()) params.text("novel_id", id);
  if (*novel) params.raw("novel_title", (*novel)->raw("title"));
  return {};
}

Response fetchVolume(const Parts& parts, const Call& call, const std::string& id) {
  const auto volume = novelRecord(parts, "volumes", id);
  if (!volume) return failure(volume.error());
  if (!*volume) return noSuch("volume");
  Params params;
  params.text("volume_id", id).raw("volume_serial", (*volume)->raw("serial"));
  if (auto added = addNovel(parts, params, **volume); !added) return failure(added.error());
  return makeJob(parts, call, kind(20), params.take());
}

Response fetchChapter(const Parts& parts, const Call& call, const std::string& id) {
  const auto chapter = novelRecord(parts, "chapters", id);
  if (!chapter) return failure(chapter.error());
  if (!*chapter) return noSuch("chapter");
  Params params;
  params.text("chapter_id", id).raw("chapter_serial", (*chapter)->raw("serial"));
  if (auto added = addNovel(parts, params, **chapter); !added) return failure(added.error());
  return makeJob(parts, call, kind(10), params.take());
}

Response fetchImage(const Parts& parts, const Call& call, const std::string& id) {
  const auto image = novelRecord(parts, "images", id);
  if (!image) return failure(image.error());
  if (!*image) return noSuch("file");
  Params params;
  params.text("image_id", id).raw("url", (*image)->raw("url"));
  return makeJob(parts, call, kind(30), params.take());
}

/// What the three routes over lists of ids share.
struct Several {
  std::string_view member;   ///< of the body
  std::string_view nothing;  ///< the error of an empty list
  Response (*one)(const Parts&, const Call&, const std::string&);
  int batch;               ///< the kind of a job over several
  std::string_view param;  ///< its ids
};
constexpr Several kVolumes{"volumes", "No volumes to download", fetchVolume, 21, "volume_ids"};
constexpr Several kChapters{"chapters", "No chapters to download", fetchChapter, 11, "chapter_ids"};
constexpr Several kImages{"images", "No images to download", fetchImage, 31, "image_ids"};

Response fetchSeveral(const Parts& parts, Call& call, const Several& what) {
  const auto body = bodyOf(parts, call);
  if (!body) return failure(body.error());
  BodyFields fields(*body);
  const auto given = fields.texts(what.member, kMaxItems, kMaxId);
  if (!fields.faults().empty()) return invalid(fields.faults());
  const auto ids = distinct(*given);
  if (ids.empty()) return failure(422, what.nothing);
  if (ids.size() == 1) return what.one(parts, call, ids.front());
  return makeJob(parts, call, kind(what.batch), Params().texts(what.param, ids).take(), {}, what.member);
}

std::string formatWords() {
  std::string words;
  const auto all = formats();
  for (std::size_t i = 0; i < all.size(); ++i) {
    words += i == 0 ? "" : i + 1 == all.size() ? " or " : ", ";
    words += "'" + std::string(all[i].name) + "'";
  }
  return words;
}

Response makeArtifacts(const Parts& parts, Call& call) {
  const auto body = bodyOf(parts, call);
  if (!body) return failure(body.error());
  BodyFields fields(*body);
  const auto id = fields.text("novel_id", kMaxId);
  const auto given = fields.texts("formats", kMaxItems, kMaxFormat);
  for (std::size_t i = 0; given && i < given->size() && fields.faults().size() < 100; ++i) {
    if (findFormat((*given)[i]) != nullptr) continue;
    const auto words = formatWords();
    fields.fault({"enum",
                  {"body", "formats", std::to_string(i)},
                  "Input should be " + words,
                  jsonText((*given)[i]),
                  R"({"expected":)" + jsonText(words) + "}"});
  }
  if (!fields.faults().empty()) return invalid(fields.faults());
  const auto user = parts.credentials.userOf(*call.principal);
  auto wanted = distinct(*given);
  std::erase_if(wanted, [&](const auto& name) { return !user || findFormat(name)->tier > tierOf(*user); });
  const auto novel = novelRecord(parts, "novels", *id);
  if (!novel) return failure(novel.error());
  if (!*novel) return noSuch("novel");
  if (wanted.empty()) return failure(422, "No artifacts to create");
  Params params;
  params.text("novel_id", *id).texts("formats", wanted).raw("novel_title", (*novel)->raw("title"));
  return makeJob(parts, call, kind(41), params.take());
}

/// What the reader of a chapter asks for: the caller's own job for it, unless that one came to nothing.
Response fetchChapterOnce(const Parts& parts, Call& call, std::mutex& asking) {
  const auto& id = call.captures[0];
  const std::lock_guard lock(asking);  // who asks twice at once gets one job too
  store::JobFilter filter;
  filter.types = {std::string(kind(10).type)};
  filter.owner = call.principal->id;
  filter.tag = kTag;
  filter.roots_only = true;
  filter.words = {id};
  filter.states = {core::JobState::Queued, core::JobState::Running, core::JobState::Waiting, core::JobState::Suspended,
                   core::JobState::Succeeded};
  store::ListOptions options;
  options.limit = 10;
  const auto page = parts.deps.jobs.list(filter, options);
  if (!page) return failure(page.error());
  for (const auto& job : page->jobs) {
    // A word may stand anywhere.
    if (job.params_json.find(R"("chapter_id":)" + jsonText(id)) == std::string::npos) continue;
    JsonWriter json;
    writeJob(json, job, kind(10), parts.ids);
    return answer(json.take());
  }
  return fetchChapter(parts, call, id);
}

/// For rows that a GET makes something by: a HEAD must not.
Handler unlessHead(Handler handler) {
  return [handler = std::move(handler)](Call& call) {
    return call.request.method == Method::Head ? Response(405, {}, "") : handler(call);
  };
}

}  // namespace

void addCreateRoutes(RouteTable& routes, const Parts& parts) {
  const auto post = [&](std::string path, Response (*handler)(const Parts&, Call&)) {
    routes.add(Method::Post, std::move(path), Privilege::RunJobs,
               [parts, handler](Call& call) { return handler(parts, call); });
  };
  const auto several = [&](std::string path, const Several& what) {
    routes.add(Method::Post, std::move(path), Privilege::RunJobs,
               [parts, &what](Call& call) { return fetchSeveral(parts, call, what); });
  };
  post("/api/job/create/fetch-novel", fetchNovel);
  post("/api/job/create/fetch-novels", fetchNovels);
  several("/api/job/create/fetch-volumes", kVolumes);
  several("/api/job/create/fetch-chapters", kChapters);
  several("/api/job/create/fetch-images", kImages);
  post("/api/job/create/make-artifacts", makeArtifacts);
  routes.add(Method::Get, "/api/volume/{id}/fetch", Privilege::RunJobs,
             unlessHead([parts](Call& call) { return fetchVolume(parts, call, call.captures[0]); }));
  routes.add(Method::Get, "/api/chapter/{id}/fetch", Privilege::RunJobs,
             unlessHead([parts, asking = std::make_shared<std::mutex>()](Call& call) {
               return fetchChapterOnce(parts, call, *asking);
             }));
}

}  // namespace jobhost::api::lncrawl
