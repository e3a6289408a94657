#include <charconv>

#include "support/files/atomic_file.hpp"
#include "support/job/job_failures.hpp"
#include "thumbnail/archive_jobs.hpp"
#include "thumbnail/cover.hpp"
#include "thumbnail/jobs.hpp"

namespace jobhost::thumbnail {
namespace {

using support::Failure;
using support::FailureKind;

// Callers send 0, "0", null or nothing for the cover.
int readPage(const Value& page) {
  const Json& json = page.json();
  if (json.isNull()) return 0;
  std::int64_t number = -1;
  if (json.isString()) {
    const std::string_view text = json.stringOr("");
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size()) number = -1;
  } else {
    number = json.intOr(-1);
  }
  if (number < 0 || number > 1'000'000) {
    throw Failure(FailureKind::BadInput, "thumbnail.page", "the page must be 0 for the cover or a page number");
  }
  return static_cast<int>(number);
}

/// A page that is not there, in the words that clients know; else the failure as it is.
Failure notFound(const Failure& failure, const std::string& id, int page) {
  if (failure.code() != "image.no_page") return failure;
  return {failure.kind(), failure.code(), "Requested image not found: " + id + " page " + std::to_string(page)};
}

std::string make(Job& job, const Settings& settings, const std::string& id, int page) {
  job.progress(0, 1, page == 0 ? "cover" : "page " + std::to_string(page));
  if (page == 0) {
    try {
      const std::string path = makeCover(job, settings, id);
      job.progress(1, 1);
      return path;
    } catch (const Failure& failure) {
      throw notFound(failure, id, page);
    }
  }
  const auto stop = support::stopCheckOf(job);
  auto file = openArchive(job, settings, id, stop);
  if (!file) {
    throw Failure(FailureKind::NotFound, "archive.unknown", "no archive in the content folder has the id " + id);
  }
  PageSource source(*std::move(file), settings, stop);
  support::Thumbnail thumbnail;
  try {
    thumbnail = source.make(page, archiveThumbnail(settings.hq_page_thumbs));
  } catch (const Failure& failure) {
    throw notFound(failure, id, page);
  }
  const std::filesystem::path path = thumbnailPath(settings, id, page);
  support::writeFileAtomically(path, thumbnail.bytes);
  job.progress(1, 1);
  return path.string();
}

Json run(Job& job) {
  const Value params = job.params();
  const Settings settings = readSettings(job);
  try {
    checkThumbDir(params["thumbdir"], settings);
    return Json(make(job, settings, params["id"].str(), readPage(params["page"])));
  } catch (const Failure& failure) {
    if (failure.kind() == FailureKind::Denied) throw support::toMinionError(failure, "path not allowed");
    throw support::toMinionError(failure, std::string("Error building thumbnail: ") + failure.what());
  }
}

}  // namespace

Json runThumbnailTask(Job& job) {
  return support::translated(job, run);
}

}  // namespace jobhost::thumbnail
