#include "api/lncrawl/library_render.hpp"

#include <cstdint>
#include <string_view>

#include "api/lncrawl/library_files.hpp"

namespace jobhost::api::lncrawl {
namespace {

/// A record's members as JSON of the type asked for.
class Members {
 public:
  explicit Members(const RecordDoc& record) : record_(record) {}

  [[nodiscard]] std::string_view text(std::string_view name) const { return ofKind(name, '"', "\"\""); }
  [[nodiscard]] std::string_view textOrNull(std::string_view name) const { return ofKind(name, '"', "null"); }
  [[nodiscard]] std::string_view list(std::string_view name) const { return ofKind(name, '[', "[]"); }
  [[nodiscard]] std::string_view flag(std::string_view name) const { return record_.isTrue(name) ? "true" : "false"; }
  [[nodiscard]] std::int64_t number(std::string_view name) const { return record_.integer(name).value_or(0); }
  [[nodiscard]] std::string string(std::string_view name) const { return record_.text(name).value_or(""); }

 private:
  [[nodiscard]] std::string_view ofKind(std::string_view name, char first, std::string_view otherwise) const {
    const auto value = record_.raw(name);
    return value.starts_with(first) ? value : otherwise;
  }

  const RecordDoc& record_;
};

/// What every object begins with. `with_version`: of what a crawler made.
void writeHead(JsonWriter& json, const RecordDoc& record, bool with_version) {
  json.beginObject().key("id").string(record.key());
  json.key("created_at").number(record.createdMs()).key("updated_at").number(record.updatedMs());
  json.key("extra").beginObject();
  const auto version = with_version ? record.integer("crawler_version") : std::nullopt;
  if (version) json.key("crawler_version").number(*version);
  json.endObject();
}

}  // namespace

void writeNovel(JsonWriter& json, const RecordDoc& novel, bool cover_available) {
  const Members fields(novel);
  writeHead(json, novel, true);
  json.key("domain").raw(fields.text("domain")).key("url").raw(fields.text("url"));
  json.key("title").raw(fields.text("title")).key("authors").raw(fields.textOrNull("authors"));
  json.key("synopsis").raw(fields.textOrNull("synopsis")).key("tags").raw(fields.list("tags"));
  json.key("cover_url").raw(fields.textOrNull("cover_url")).key("mtl").raw(fields.flag("mtl"));
  json.key("rtl").raw(fields.flag("rtl")).key("manga").raw(fields.flag("manga"));
  json.key("language").raw(fields.textOrNull("language"));
  json.key("volume_count").number(fields.number("volume_count"));
  json.key("chapter_count").number(fields.number("chapter_count"));
  json.key("cover_file").string(coverPath(novel.key())).key("cover_available").boolean(cover_available).endObject();
}

void writeVolume(JsonWriter& json, const RecordDoc& volume) {
  const Members fields(volume);
  writeHead(json, volume, false);
  json.key("novel_id").raw(fields.text("novel_id")).key("serial").number(fields.number("serial"));
  json.key("title").raw(fields.text("title"));
  json.key("chapter_count").number(fields.number("chapter_count")).endObject();
}

void writeChapter(JsonWriter& json, const RecordDoc& chapter, bool available) {
  const Members fields(chapter);
  writeHead(json, chapter, true);
  json.key("novel_id").raw(fields.text("novel_id")).key("serial").number(fields.number("serial"));
  json.key("volume_id").raw(fields.textOrNull("volume_id")).key("url").raw(fields.text("url"));
  json.key("title").raw(fields.text("title")).key("is_done").raw(fields.flag("is_done"));
  json.key("content_file").string(chapterPath(fields.string("novel_id"), chapter.key()));
  json.key("is_available").boolean(available).endObject();
}

void writeImage(JsonWriter& json, const RecordDoc& image, bool available) {
  const Members fields(image);
  writeHead(json, image, true);
  json.key("novel_id").raw(fields.text("novel_id")).key("chapter_id").raw(fields.text("chapter_id"));
  json.key("url").raw(fields.text("url")).key("is_done").raw(fields.flag("is_done"));
  json.key("image_file").string(imagePath(fields.string("novel_id"), image.key()));
  json.key("is_available").boolean(available).endObject();
}

void writeArtifact(JsonWriter& json, const RecordDoc& artifact, const std::optional<std::string>& job, bool available) {
  const Members fields(artifact);
  writeHead(json, artifact, false);
  json.key("novel_id").raw(fields.text("novel_id")).key("job_id");
  job ? json.string(*job) : json.null();
  json.key("user_id").raw(fields.textOrNull("user_id")).key("format").raw(fields.text("format"));
  json.key("file_name").raw(fields.text("file_name")).key("file_size").number(fields.number("file_size"));
  json.key("output_file").string(artifactPath(fields.string("novel_id"), fields.string("file_name")));
  json.key("is_available").boolean(available).endObject();
}

void writeSource(JsonWriter& json, const RecordDoc& source, std::int64_t total_novels) {
  const Members fields(source);
  json.beginObject().key("url").raw(fields.text("url")).key("domain").raw(fields.text("domain"));
  json.key("version").number(fields.number("version"));
  json.key("has_manga").raw(fields.flag("has_manga")).key("has_mtl").raw(fields.flag("has_mtl"));
  json.key("language").raw(fields.text("language")).key("is_disabled").raw(fields.flag("is_disabled"));
  json.key("disable_reason").raw(fields.textOrNull("disable_reason"));
  json.key("can_search").raw(fields.flag("can_search")).key("can_login").raw(fields.flag("can_login"));
  json.key("total_commits").number(fields.number("total_commits"));
  json.key("contributors").raw(fields.list("contributors")).key("total_novels").number(total_novels).endObject();
}

}  // namespace jobhost::api::lncrawl
