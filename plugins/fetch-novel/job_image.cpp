#include "fetch-novel/jobs.hpp"
#include "fetch-novel/picture.hpp"
#include "fetch-novel/settings.hpp"
#include "fetch-novel/shelf.hpp"
#include "fetch-novel/source_list.hpp"
#include "fetch-novel/steps.hpp"
#include "fetch-novel/url.hpp"
#include "fetch-novel/web.hpp"
#include "support/job/job_failures.hpp"

namespace jobhost::novel {
namespace {

Json run(Job& job, const std::string& id) {
  const Settings settings = readSettings(job);
  const Files files(settings.dir);
  const Shelf shelf(job, files);
  const auto row = shelf.images.get(id);
  if (!row) throw failed(kImageFailed, "No such image: " + id);
  const std::string novel(row->value["novel_id"].stringOr(""));
  const std::string url(row->value["url"].stringOr(""));
  const std::string file = Files::image(novel, id);
  Json result{{"image_id", id}};
  int version = static_cast<int>(row->value["crawler_version"].intOr(1));
  if (files.has(file)) {
    if (row->value["is_done"].boolOr(false)) return result.set("skipped", true);
    result.set("skipped", true);
  } else {
    Web web(job, settings);
    step(job, kDownloadFailed, [&] {
      try {
        std::string referer;
        if (const auto chapter = shelf.chapters.get(row->value["chapter_id"].stringOr("-")))
          referer = chapter->value["url"].stringOr("");
        web.download(url, referer, [&](::jobhost::HttpResponse& response) {
          const support::Thumbnail picture = toJpeg(response, settings.image, support::stopCheckOf(job));
          files.write(file, picture.bytes);
          result.set("width", picture.width);
          result.set("height", picture.height);
          result.set("bytes", picture.bytes.size());
        });
      } catch (const CrawlError& error) {
        throw failed(kDownloadFailed, causeOf(error, web.refusal()));
      }
    });
  }
  bool there = true;
  shelf.change(shelf.images, id, [&](const std::optional<Record>& now) -> std::optional<Shelf::Row> {
    there = now.has_value();
    if (!there) return std::nullopt;
    Json value = now->value;
    value.set("is_done", true);
    value.set("crawler_version", version);
    return Shelf::Row{value, now->parent, now->sort};
  });
  if (there) return result;
  files.remove(file);
  throw failed(kImageFailed, "the picture is no longer in its chapter");
}

}  // namespace

Json runImage(Job& job) {
  return step(job, kImageFailed, [&] { return run(job, job.params()["image_id"].str()); });
}

}  // namespace jobhost::novel
