#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "api/lncrawl/records.hpp"
#include "core/json_text.hpp"
#include "store/record.hpp"
#include "store/record_value.hpp"

namespace jobhost::api::lncrawl {

/// A collection this surface reads, and the queries for it.
struct Shelf {
  std::string_view plugin;
  std::string_view collection;

  [[nodiscard]] store::RecordRef at(std::string key) const {
    return {std::string(plugin), std::string(collection), std::move(key)};
  }
  [[nodiscard]] store::RecordQuery all() const {
    store::RecordQuery query;
    query.plugin = plugin;
    query.collection = collection;
    return query;
  }
  [[nodiscard]] store::RecordQuery childrenOf(std::string parent) const {
    auto query = all();
    query.by = store::RecordQuery::By::Parent;
    query.parent = std::move(parent);
    return query;
  }
  /// `json`: the scalar as JSON. nullopt: no record can have it (longer than what is indexed).
  [[nodiscard]] std::optional<store::RecordQuery> havingJson(std::string field, std::string_view json) const {
    auto value = store::orderKey(json);
    if (!value) return std::nullopt;
    auto query = all();
    query.by = store::RecordQuery::By::Value;
    query.field = std::move(field);
    query.value = *std::move(value);
    return query;
  }
  [[nodiscard]] std::optional<store::RecordQuery> having(std::string field, std::string_view text) const {
    return havingJson(std::move(field), core::quoteJson(text));
  }
};

// What the plugins keep (docs/api/lncrawl.md has the documents).
inline constexpr Shelf kNovels{kNovelPlugin, "novels"};
inline constexpr Shelf kVolumes{kNovelPlugin, "volumes"};
inline constexpr Shelf kChapters{kNovelPlugin, "chapters"};
inline constexpr Shelf kImages{kNovelPlugin, "images"};
inline constexpr Shelf kSources{kNovelPlugin, "sources"};
inline constexpr Shelf kArtifacts{kArtifactPlugin, "artifacts"};
/// And what this surface keeps itself.
inline constexpr std::string_view kOwn = "org.jobhost.lncrawl";
inline constexpr Shelf kReadMarks{kOwn, "read_marks"};
inline constexpr Shelf kLibraries{kOwn, "libraries"};
inline constexpr Shelf kLibraryNovels{kOwn, "library_novels"};
inline constexpr Shelf kReports{kOwn, "reports"};

}  // namespace jobhost::api::lncrawl
