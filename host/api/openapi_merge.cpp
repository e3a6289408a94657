#include "api/openapi_merge.hpp"

#include <utility>
#include <vector>

#include "api/json_reader.hpp"
#include "api/json_writer.hpp"

namespace jobhost::api {
namespace {

core::Error broken(std::string why) {
  return {core::ErrorCode::Internal, "the OpenAPI documents do not go together: " + std::move(why), "", {}};
}

/// Members of objects gathered by name, in the order in which names came.
struct Members {
  std::vector<std::pair<std::string, std::string_view>> list;

  /// False: the name is there with another value.
  bool add(std::string name, std::string_view raw) {
    for (const auto& [known, value] : list) {
      if (known == name) return value == raw;
    }
    list.emplace_back(std::move(name), raw);
    return true;
  }
  void write(JsonWriter& json) const {
    json.beginObject();
    for (const auto& [name, raw] : list) json.key(name).raw(raw);
    json.endObject();
  }
};

struct Merged {
  Members rest, paths;
  std::vector<std::pair<std::string, Members>> components;
  std::vector<std::string_view> tags;

  core::Result<void> addComponents(std::string_view raw) {
    const auto kinds = parseJson(raw);
    if (!kinds) return broken(kinds.error().message);
    for (const auto& kind : kinds->members) {
      const auto name = unescape(kind.raw_key);
      Members* known = nullptr;
      for (auto& [of, members] : components) known = of == name ? &members : known;
      if (known == nullptr) known = &components.emplace_back(name, Members{}).second;
      if (auto added = addTo(*known, kind.value.raw); !added) return added;
    }
    return {};
  }

  static core::Result<void> addTo(Members& members, std::string_view raw) {
    const auto object = parseJson(raw);
    if (!object || object->root.kind != JsonKind::Object) return broken("an object is missing");
    for (const auto& member : object->members) {
      auto name = unescape(member.raw_key);
      if (!members.add(name, member.value.raw)) return broken(name + " is described twice");
    }
    return {};
  }

  core::Result<void> addDocument(std::string_view text, bool first) {
    const auto document = parseJson(text);
    if (!document) return broken(document.error().message);
    for (const auto& member : document->members) {
      const auto name = unescape(member.raw_key);
      core::Result<void> added;
      if (name == "paths") {
        added = addTo(paths, member.value.raw);
      } else if (name == "components") {
        added = addComponents(member.value.raw);
      } else if (name == "tags") {
        const auto list = parseJson(member.value.raw);
        if (!list) return broken(list.error().message);
        for (const auto& tag : list->members) tags.push_back(tag.value.raw);
      } else if (first) {
        rest.add(name, member.value.raw);
      }
      if (!added) return added;
    }
    return {};
  }
};

}  // namespace

core::Result<std::string> mergeOpenApi(std::span<const std::string_view> documents) {
  Merged merged;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    if (documents[i].empty()) continue;
    if (auto added = merged.addDocument(documents[i], i == 0); !added) return added.error();
  }
  JsonWriter json;
  json.beginObject();
  for (const auto& [name, raw] : merged.rest.list) json.key(name).raw(raw);
  json.key("tags").beginArray();
  for (const auto tag : merged.tags) json.raw(tag);
  json.endArray().key("paths");
  merged.paths.write(json);
  json.key("components").beginObject();
  for (const auto& [kind, members] : merged.components) {
    json.key(kind);
    members.write(json);
  }
  json.endObject().endObject();
  return json.take();
}

}  // namespace jobhost::api
