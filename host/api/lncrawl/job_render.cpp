#include "api/lncrawl/job_render.hpp"

#include <algorithm>

#include "api/json_reader.hpp"
#include "core/job_codes.hpp"
#include "core/units.hpp"

namespace jobhost::api::lncrawl {
namespace {

/// The members of a checked object; empty for anything else.
std::vector<JsonMember> membersOf(std::string_view json) {
  const auto document = parseJson(json);
  if (!document || document->root.kind != JsonKind::Object) return {};
  return document->members;  // views into `json`
}

std::string_view rawOf(const std::vector<JsonMember>& members, std::string_view name) {
  for (const auto& member : members) {
    if (member.raw_key.size() == name.size() + 2 && member.raw_key.substr(1, name.size()) == name) {
      return member.value.raw;
    }
  }
  return {};
}

/// A text as it is, a number as it is spelt; empty: there is none.
std::string textOf(const std::vector<JsonMember>& members, std::string_view name) {
  const auto raw = rawOf(members, name);
  if (raw.empty() || raw == "null") return {};
  return raw.starts_with('"') ? unescape(raw) : std::string(raw);
}

std::vector<std::string> listOf(const std::vector<JsonMember>& members, std::string_view name) {
  std::vector<std::string> list;
  const auto document = parseJson(rawOf(members, name));
  if (!document || document->root.kind != JsonKind::Array) return list;
  for (const auto& item : document->members) list.push_back(unescape(item.value.raw));
  return list;
}

/// "a, b & 3 more": the first few, and how many there are beyond.
std::string some(const std::vector<std::string>& list, std::size_t shown) {
  std::string text;
  for (std::size_t i = 0; i < std::min(shown, list.size()); ++i) text += (i == 0 ? "" : ", ") + list[i];
  if (list.size() > shown) text += " & " + std::to_string(list.size() - shown) + " more";
  return text;
}

std::string counted(const std::vector<JsonMember>& members, std::string_view ids, std::string_view what) {
  return std::to_string(listOf(members, ids).size()) + ' ' + std::string(what);
}

std::string numbered(std::string_view what, const std::string& serial) {
  return std::string(what) + (serial.empty() ? "" : " " + serial);
}

/// What was given at the start, and what the job added since.
void writeExtra(JsonWriter& json, const core::Job& job) {
  const auto notes = membersOf(job.notes_json);
  json.beginObject();
  for (const auto& member : membersOf(job.params_json)) {
    const auto name = unescape(member.raw_key);
    if (rawOf(notes, name).empty()) json.key(name).raw(member.value.raw);
  }
  for (const auto& member : notes) json.key(unescape(member.raw_key)).raw(member.value.raw);
  json.endObject();
}

/// The last line is for people; what caused it stands before.
void writeError(JsonWriter& json, const core::Job& job) {
  if (!job.error || (job.state != core::JobState::Failed && job.state != core::JobState::Canceled)) {
    json.null();
    return;
  }
  if (job.error->code == core::kParentFailed) {
    json.string(kCanceledByParent);
    return;
  }
  const auto cause = textOf(membersOf(job.error->details_json), "cause");
  const auto& summary = job.error->message.empty() ? job.error->code : job.error->message;
  json.string(cause.empty() ? summary : cause + '\n' + summary);
}

void writeMillis(JsonWriter& json, const std::optional<core::Instant>& at) {
  at ? json.number(core::toMicros(*at) / 1000) : json.null();
}

void writeId(JsonWriter& json, const std::optional<core::JobId>& id, const JobUuids& ids) {
  id ? json.string(ids.spell(*id)) : json.null();
}

/// The first job that must be done before; this surface has room for one.
std::optional<core::JobId> dependency(const core::Job& job) {
  if (!job.depends_on.empty()) return job.depends_on.front();
  return job.after.empty() ? std::nullopt : std::optional(job.after.front());
}

}  // namespace

int statusOf(core::JobState state) {
  switch (state) {
    case core::JobState::Queued:
    case core::JobState::Suspended:
      return 0;
    case core::JobState::Running:
    case core::JobState::Waiting:
      return 1;
    case core::JobState::Succeeded:
      return 2;
    case core::JobState::Failed:
      return 3;
    case core::JobState::Canceled:
      return 4;
  }
  return 0;
}

std::string jobTitle(const JobKind& kind, std::string_view params_json) {
  const auto params = membersOf(params_json);
  const auto novel = textOf(params, "novel_title");
  const auto prefix = novel.empty() ? "Fetch " : novel + " · ";
  switch (kind.number) {
    case 0:
    case 5:
    case 30:
      return textOf(params, "url");
    case 1:
    case 6:
      return some(listOf(params, "urls"), 1);
    case 10:
      return prefix + numbered("Chapter", textOf(params, "chapter_serial"));
    case 11:
      return prefix + counted(params, "chapter_ids", "Chapters");
    case 20:
      return prefix + numbered("Volume", textOf(params, "volume_serial"));
    case 21:
      return prefix + counted(params, "volume_ids", "Volumes");
    case 31:
      return prefix + counted(params, "image_ids", "Images");
    case 40:
      return prefix + textOf(params, "format");
    case 41:
      return prefix + some(listOf(params, "formats"), 2);
    default:
      return {};
  }
}

void writeJob(JsonWriter& json, const core::Job& job, const JobKind& kind, const JobUuids& ids) {
  const bool ended = core::isTerminal(job.state);
  const int status = statusOf(job.state);
  const auto units = core::unitsOf(job);
  const auto finished = ended ? job.finished_at : std::nullopt;
  json.beginObject().key("id").string(ids.spell(job.id));
  json.key("created_at").number(core::toMicros(job.created_at) / 1000);
  json.key("updated_at").number(core::toMicros(job.updated_at) / 1000);
  json.key("extra");
  writeExtra(json, job);
  json.key("user_id").string(job.owner).key("parent_job_id");
  writeId(json, job.parent, ids);
  json.key("depends_on");
  writeId(json, dependency(job), ids);
  json.key("type").number(std::int64_t{kind.number});
  json.key("priority").number(std::int64_t{std::clamp(job.priority, 0, 2)});
  json.key("status").number(std::int64_t{status}).key("is_done").boolean(ended).key("error");
  writeError(json, job);
  json.key("started_at");
  writeMillis(json, job.started_at ? job.started_at : finished);
  json.key("finished_at");
  writeMillis(json, finished);
  json.key("done").number(units.done).key("failed").number(units.failed).key("total").number(units.total);
  json.key("is_running").number(std::int64_t{status == 1}).key("is_pending").number(std::int64_t{status == 0});
  json.key("progress").number(units.total > 0 ? 100 * units.done / units.total : 0);
  json.key("job_title").string(jobTitle(kind, job.params_json)).endObject();
}

}  // namespace jobhost::api::lncrawl
