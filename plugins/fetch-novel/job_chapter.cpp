#include "fetch-novel/body.hpp"
#include "fetch-novel/jobs.hpp"
#include "fetch-novel/reader.hpp"
#include "fetch-novel/shelf.hpp"
#include "fetch-novel/source_list.hpp"
#include "fetch-novel/steps.hpp"
#include "fetch-novel/utf8.hpp"

namespace jobhost::novel {
namespace {

constexpr std::size_t kMostImages = 5000;

class ChapterJob {
  /// What goes wrong between us and the site is told as such.
  template <class Step>
  auto contents(Step&& run) {
    return step(job_, kContentsFailed, [&] {
      try {
        return run();
      } catch (const CrawlError& error) {
        throw failed(kContentsFailed, causeOf(error, web_.refusal()));
      }
    });
  }

 public:
  ChapterJob(Job& job, const Settings& settings)
      : job_(job), files_(settings.dir), shelf_(job, files_), settings_(settings), web_(job, settings) {}

  Json run(const std::string& id) {
    const auto row = shelf_.chapters.get(id);
    if (!row) throw failed(kChapterFailed, "No such chapter: " + id);
    const std::string novel_id(row->value["novel_id"].stringOr(""));
    const auto novel = shelf_.novels.get(novel_id);
    if (!novel) throw failed(kChapterFailed, "No such novel: " + novel_id);
    const std::string novel_url(novel->value["url"].stringOr(""));
    const Json title = novel->value["title"];

    const auto sources = loadSources(settings_);
    auto spec = contents([&] { return sourceFor(*sources, settings_, novel_url); });
    const int version = crawlerVersion(spec.get());
    const bool stored = row->value["is_done"].boolOr(false) && files_.has(Files::chapter(novel_id, id)) &&
                        row->value["crawler_version"] == Json(version);
    // Who asks for this chapter alone wants it anew; but not twice when this very job has stored it and was killed.
    const bool has_parent = !job_.info()["parent"].json().isNull();
    if (stored && (has_parent || row->value["job"] == Json(job_.id()))) return kept(*row, title, "skipped");

    if (stored)
      web_.ifChanged(std::string(row->value["url"].stringOr("")), std::string(row->value["etag"].stringOr("")));
    try {
      Reader reader(settings_, web_, std::move(spec), novel_url);
      const Body body = contents([&] { return fetched(reader, novel_url, *row); });
      store(*row, body, version);
      makeImages(*row, title, body.images);
      return Json{{"chapter_id", id}, {"bytes", body.html.size()}, {"images", body.images.size()}};
    } catch (const NotModified&) {
      return kept(*row, title, "unchanged");
    }
  }

 private:
  Body fetched(Reader& reader, const std::string& novel_url, const Record& row) {
    Chapter chapter;
    chapter.serial = static_cast<int>(row.value["serial"].intOr(0));
    chapter.title = row.value["title"].stringOr("");
    chapter.url = row.value["url"].stringOr("");
    if (const auto volume = shelf_.volumes.get(row.value["volume_id"].stringOr("-")))
      chapter.volume = static_cast<int>(volume->value["serial"].intOr(0));
    const Json& fields = row.value["fields"];
    for (std::size_t i = 0; i < fields.names().size(); ++i)
      chapter.extra.emplace_back(fields.names()[i], fields.items()[i].stringOr(""));
    const std::string text = reader.chapter(novel_url, chapter);
    for (const std::string& warning : reader.warnings()) job_.warn(warning);
    Body body = cleanBody(text, {.site = reader.site(), .chapter_url = chapter.url, .text_blocklist = {}});
    if (isBlank(body.html))
      throw CrawlError(CrawlError::Kind::Missing, chapter.url + ": what was found has no text and no pictures");
    if (body.images.size() > kMostImages) {
      throw CrawlError(CrawlError::Kind::Limit,
                       chapter.url + " has more than " + std::to_string(kMostImages) + " pictures");
    }
    return body;
  }

  // The text is in its place before the record says so; what the new text does not show goes in between.
  void store(const Record& row, const Body& body, int version) {
    const std::string novel(row.value["novel_id"].stringOr(""));
    const std::string file = Files::chapter(novel, row.key);
    const std::string etag = web_.etagOf(row.value["url"].stringOr(""));
    shelf_.keepImages(novel, row.key, body.images, version);
    files_.write(file, compressed(body.html));
    shelf_.dropImages(novel, row.key, body.images);
    bool there = true;
    shelf_.change(shelf_.chapters, row.key, [&](const std::optional<Record>& now) -> std::optional<Shelf::Row> {
      there = now.has_value();
      if (!there) return std::nullopt;
      Json value = now->value;
      value.set("is_done", true);
      value.set("crawler_version", version);
      value.set("job", job_.id());
      value.set("etag", etag.empty() || value["url"] != row.value["url"] ? Json() : Json(etag));
      return Shelf::Row{value, now->parent, now->sort};
    });
    if (there) return;
    // A refresh found that the site has it no more, and has removed what was there.
    files_.remove(file);
    shelf_.dropImages(novel, row.key, {});
    throw failed(kChapterFailed, "the chapter is no longer in the novel's list");
  }

  /// The text stays; pictures that an earlier job did not get are asked for again.
  Json kept(const Record& row, const Json& novel_title, const char* how) {
    const std::string novel(row.value["novel_id"].stringOr(""));
    std::vector<BodyImage> all;
    bool missing = false;
    shelf_.images.each(RecordQuery::childrenOf(row.key).limit(1000), [&](const Record& one) {
      all.push_back({one.key, std::string(one.value["url"].stringOr(""))});
      missing = missing || !files_.has(Files::image(novel, one.key));
    });
    if (missing) makeImages(row, novel_title, all);
    Json out{{"chapter_id", row.key}, {"images", all.size()}};
    out.set(how, true);
    return out;
  }

  void makeImages(const Record& row, const Json& novel_title, const std::vector<BodyImage>& images) {
    if (images.empty()) return;
    step(job_, kChapterFailed, [&] {
      Json ids = Json::array();
      for (const BodyImage& image : images) ids.push(image.id);
      Children(job_).make("image_batch",
                          picked(Json{{"image_ids", ids},
                                      {"novel_id", row.value["novel_id"]},
                                      {"novel_title", novel_title},
                                      {"chapter_id", row.key},
                                      {"chapter_title", row.value["title"]}},
                                 {"image_ids", "novel_id", "novel_title", "chapter_id", "chapter_title"}),
                          "images");
    });
  }

  Job& job_;
  Files files_;
  Shelf shelf_;
  const Settings& settings_;
  Web web_;
};

}  // namespace

Json runChapter(Job& job) {
  const Settings settings = readSettings(job);
  return step(job, kChapterFailed, [&] { return ChapterJob(job, settings).run(job.params()["chapter_id"].str()); });
}

}  // namespace jobhost::novel
