// The routes beside the Minion API that hand out job ids and pictures (contracts/minion.md 1.8).
#include <limits>

#include "api/json_reader.hpp"
#include "api/json_writer.hpp"
#include "api/minion/archive_upload.hpp"
#include "api/minion/minion_dialect.hpp"
#include "api/minion/thumbnail_file.hpp"
#include "telemetry/log.hpp"

namespace jobhost::api::minion {
namespace {

constexpr std::int64_t kMaxPage = 1'000'000;
constexpr std::size_t kMaxUrl = 8192;
constexpr int kThumbnailAttempts = 3;
constexpr int kDownloadAttempts = 5;

/// As upstream's document has it: 40 characters, of which each is a hex digit.
void checkArchiveId(const std::string& id, std::vector<Complaint>& complaints) {
  if (isArchiveId(id)) return;
  const auto length = std::to_string(id.size()) + "/40.";
  complaints.push_back({id.size() < 40   ? "String is too short: " + length
                        : id.size() > 40 ? "String is too long: " + length
                                         : "String does not match ^[0-9a-f]{40}$.",
                        "/id"});
}

JsonWriter& textOrNull(JsonWriter& json, std::optional<std::string_view> text) {
  return text && !text->empty() ? json.string(*text) : json.null();
}

}  // namespace

Response MinionDialect::thumbnail(const Visit& visit) {
  const auto& id = visit.target;
  std::vector<Complaint> complaints;
  checkArchiveId(id, complaints);
  const bool no_fallback = readBoolean(visit.parameters.inQuery("no_fallback"), "/no_fallback", complaints);
  const auto page = readInteger(visit.parameters.inQuery("page"), "/page", 0, 0, kMaxPage, complaints);
  if (!complaints.empty()) return complain(400, complaints);
  const auto& folder = options_.thumb_dir;
  if (!folder.empty()) {
    auto picture = servePicture(visit.request, page == 0 ? coverFile(folder, id) : pageFile(folder, id, page));
    if (picture) return *std::move(picture);
  }
  if (!no_fallback) return servePlaceholder();
  JsonWriter args;
  args.beginArray().string(folder.string()).string(id).number(page).endArray();
  const auto job = submit(visit, {.task = "thumbnail_task",
                                  .args_json = args.take(),
                                  .attempts = kThumbnailAttempts,
                                  .unique_key = "thumbnail:" + id + ":" + std::to_string(page)});
  return job ? answer(202, acceptedJson(visit.route.word, *job)) : refusal(job.error(), "/");
}

Response MinionDialect::tankThumbnail(const Visit& visit) {
  const auto& id = visit.target;
  std::vector<Complaint> complaints;
  if (!isTankId(id)) complaints.push_back({"String does not match ^TANK_[0-9]{10}$.", "/id"});
  const bool no_fallback = readBoolean(visit.parameters.inQuery("no_fallback"), "/no_fallback", complaints);
  if (!complaints.empty()) return complain(400, complaints);
  const auto& folder = options_.thumb_dir;
  if (!folder.empty()) {
    if (auto picture = servePicture(visit.request, tankFile(folder, id))) return *std::move(picture);
  }
  if (!no_fallback) return servePlaceholder();
  JsonWriter args;
  args.beginArray().string(folder.string()).string(id).endArray();
  const auto job = submit(visit, {.task = "tank_thumbnail_task",
                                  .args_json = args.take(),
                                  .attempts = kThumbnailAttempts,
                                  .unique_key = "thumbnail:" + id});
  return job ? answer(202, acceptedJson(visit.route.word, *job)) : refusal(job.error(), "/");
}

std::optional<std::int64_t> MinionDialect::pageCount(const std::string& archive) const {
  const auto record = deps_.archive ? deps_.archive(archive) : std::nullopt;
  const auto document = record ? parseJson(*record) : core::Result<JsonDocument>(core::Error{});
  if (!document || document->root.kind != JsonKind::Object) return std::nullopt;
  for (const auto& member : document->members) {
    if (member.raw_key == "\"pagecount\"" && member.value.kind == JsonKind::Number) return toInteger(member.value.raw);
  }
  return std::nullopt;
}

Response MinionDialect::pageThumbnails(const Visit& visit) {
  const auto& id = visit.target;
  std::vector<Complaint> complaints;
  checkArchiveId(id, complaints);
  const bool force = readBoolean(visit.parameters.any("force"), "/force", complaints);
  if (!complaints.empty()) return complain(400, complaints);
  const auto pages = pageCount(id);
  if (!force && pages && *pages > 0 && *pages <= kMaxPage && !options_.thumb_dir.empty()) {
    std::int64_t made = 0;
    while (made < *pages && isThere(pageFile(options_.thumb_dir, id, made + 1))) ++made;
    if (made == *pages) {
      JsonWriter json(true);
      json.beginObject().key("message").string("No job queued, all thumbnails already exist.");
      json.key("operation").string(visit.route.word).key("success").number(std::int64_t{1}).endObject();
      return answer(200, json.take());
    }
  }
  JsonWriter args;
  args.beginArray().string(id).number(std::int64_t{force}).endArray();
  // One job for an archive at a time, forced or not, as upstream keeps it.
  const auto job = submit(visit, {.task = "page_thumbnails",
                                  .args_json = args.take(),
                                  .attempts = kThumbnailAttempts,
                                  .unique_key = "pages:" + id});
  return job ? answer(202, acceptedJson(visit.route.word, *job)) : refusal(job.error(), "/");
}

Response MinionDialect::regenThumbnails(const Visit& visit) {
  std::vector<Complaint> complaints;
  const bool force = readBoolean(visit.parameters.any("force"), "/force", complaints);
  if (!complaints.empty()) return complain(400, complaints);
  JsonWriter args;
  args.beginArray().string(options_.thumb_dir.string()).number(std::int64_t{force}).endArray();
  const auto job = submit(visit, {.task = "regen_all_thumbnails", .args_json = args.take()});
  return job ? answer(200, acceptedJson(visit.route.word, *job)) : refusal(job.error(), "/");
}

Response MinionDialect::downloadUrl(const Visit& visit) {
  if (visit.parameters.badForm()) return failed(*visit.parameters.badForm());
  const auto url = visit.parameters.any("url");
  const auto category = visit.parameters.any("catid");
  if (!url || url->empty()) return complainTwice(visit.route.word, {"No URL specified.", "/url"});
  if (url->size() > kMaxUrl) {
    const auto length = std::to_string(url->size()) + "/" + std::to_string(kMaxUrl);
    return complain(400, {{"String is too long: " + length + ".", "/url"}});
  }
  JsonWriter args;
  textOrNull(args.beginArray().string(*url), category).endArray();
  const auto job =
      submit(visit, {.task = "download_url", .args_json = args.take(), .priority = 1, .attempts = kDownloadAttempts});
  if (!job) return refusal(job.error(), "/");
  JsonWriter json(true);
  textOrNull(json.beginObject().key("category"), category).key("job").number(job->value);
  json.key("operation").string(visit.route.word).key("success").number(std::int64_t{1});
  json.key("url").string(*url).endObject();
  return answer(200, json.take());
}

Response MinionDialect::queuePlugin(const Visit& visit) {
  if (visit.parameters.badForm()) return failed(*visit.parameters.badForm());
  std::vector<Complaint> complaints;
  const auto plugin = visit.parameters.any("plugin");
  if (!plugin || plugin->empty()) complaints.push_back({"Missing property.", "/plugin"});
  const auto priority = readInteger(visit.parameters.any("priority"), "/priority", 0, std::numeric_limits<int>::min(),
                                    std::numeric_limits<int>::max(), complaints);
  if (!complaints.empty()) return complain(400, complaints);
  const auto id = visit.parameters.any("id");
  JsonWriter args;
  args.beginArray().string(*plugin);
  if (id && !id->empty()) {
    args.string(*id);
  } else {
    args.number(std::int64_t{0});
  }
  textOrNull(args, visit.parameters.any("arg")).endArray();
  const auto job =
      submit(visit, {.task = "run_plugin", .args_json = args.take(), .priority = static_cast<int>(priority)});
  return job ? answer(200, acceptedJson(visit.route.word, *job)) : refusal(job.error(), "/");
}

Response MinionDialect::upload(const Visit& visit) {
  if (!deps_.catalog.findType("handle_upload") || options_.upload_dir.empty()) {
    return complain(400, {{"No plugin for this task is installed.", "/"}});
  }
  const auto received = receiveArchive(visit.request, options_.upload_dir, server_.http.upload_bytes);
  if (!received) {
    const auto& error = received.error();
    if (!error.detail.empty()) telemetry::log("api").warn("upload refused reason=\"{}\"", error.detail);
    if (error.fields.empty()) return failed(error);
    return complain(400, {{error.fields.front().message, error.fields.front().pointer}});
  }
  const auto& kind = received->media_type;
  JsonWriter json(true);
  json.beginObject();
  if (!received->accepted) {
    json.key("error").string("Unsupported File Extension. (" + kind + ")").key("name").string(received->name);
    json.key("operation").string(visit.route.word).key("success").number(std::int64_t{0});
    json.key("type").string(kind).endObject();
    return answer(200, json.take());
  }
  JsonWriter args;
  textOrNull(args.beginArray().string(received->file.string()), received->catid).endArray();
  const auto job = submit(visit, {.task = "handle_upload", .args_json = args.take(), .priority = 2});
  if (!job) {
    std::error_code ignored;
    std::filesystem::remove_all(received->file.parent_path(), ignored);
    return refusal(job.error(), "/");
  }
  json.key("debug_name").string(received->safe_name).key("job").number(job->value);
  json.key("name").string(received->name).key("operation").string(visit.route.word);
  json.key("success").number(std::int64_t{1}).key("type").string(kind).endObject();
  return answer(200, json.take());
}

}  // namespace jobhost::api::minion
