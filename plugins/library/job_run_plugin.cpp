#include <algorithm>

#include "library/importer.hpp"
#include "library/jobs.hpp"
#include "support/job/job_failures.hpp"
#include "support/tags/tags.hpp"

namespace jobhost::library {
namespace {

constexpr const char* kUnknown = "Plugin not found on system.";

Json answer(const char* type, Json data, const std::string& error) {
  if (!error.empty()) data = Json{{"error", error}};
  return Json{{"data", std::move(data)},
              {"error", error.empty() ? Json() : Json(error)},
              {"success", error.empty() ? 1 : 0},
              {"type", type == nullptr ? Json() : Json(type)}};
}

// An archive's id; callers send 0 for none.
std::string idOf(const Value& id) {
  const std::string text(id.json().stringOr(""));
  return text == "0" ? std::string() : text;
}

// What the plugin found that the archive has not got yet.
Json newMetadata(const Json& found, const std::string& present) {
  Json data{{"new_tags", support::newTagsText(present, support::splitTags(found["new_tags"].stringOr("")))}};
  for (const char* name : {"title", "summary"}) {
    if (found[name].isString()) data.set(name, found[name]);
  }
  return data;
}

/// Runs one child and answers its end; suspends the job until it has one.
PluginEnd runChild(Job& job, const Settings& settings, const std::string& type, const Json& params) {
  ChildOptions options;
  options.max_attempts = 1;
  options.timeout_ms = settings.child_timeout_ms;
  options.priority = static_cast<int>(job.info()["priority"].integer(INT32_MIN, INT32_MAX, 0));
  options.dedupe_key = "plugin-" + std::to_string(job.id());  // when run again this answers the child made first
  try {
    const auto id = job.submit(type, params, options);
    const auto child = job.childResult(id);
    if (!child) {
      job.saveCheckpoint("asked");
      job.suspend();
    }
    return pluginEnd(child);
  } catch (const Error& error) {
    return {{}, error.message()};
  }
}

Json runMetadata(Job& job, const Settings& settings, const std::string& type) {
  const std::string id = idOf(job.params()["id"]);
  if (id.empty()) return answer("metadata", {}, "Tried to call a metadata plugin without providing an id.");
  const auto archive = Shelf(job).archive(id);
  if (!archive) return answer("metadata", {}, "This ID doesn't exist in the Library.");
  const auto end = runChild(job, settings, type, metadataParams(id, *archive, job.params()["arg"].json()));
  if (!end.error.empty()) return answer("metadata", {}, end.error);
  return answer("metadata", newMetadata(end.data, std::string((*archive)["tags"].stringOr(""))), "");
}

Json run(Job& job) {
  const std::string type = job.params()["namespace"].str();
  const Settings settings = readSettings(job);
  const auto among = [&](const std::vector<std::string>& all) {
    return std::find(all.begin(), all.end(), type) != all.end();
  };
  if (among(settings.metadata)) return runMetadata(job, settings, type);
  if (!among(settings.scripts)) return answer(nullptr, {}, kUnknown);
  const auto end = runChild(job, settings, type, Json{{"arg", job.params()["arg"].json()}});
  return answer("script", end.data.isObject() ? end.data : Json::object(), end.error);
}

}  // namespace

Json runRunPlugin(Job& job) {
  return support::translated(job, run);
}

}  // namespace jobhost::library
