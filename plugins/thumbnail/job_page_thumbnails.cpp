#include <algorithm>
#include <chrono>
#include <set>

#include "support/files/atomic_file.hpp"
#include "support/job/job_failures.hpp"
#include "thumbnail/archive_jobs.hpp"
#include "thumbnail/error_list.hpp"
#include "thumbnail/jobs.hpp"
#include "thumbnail/page_batch.hpp"

namespace jobhost::thumbnail {
namespace {

namespace fs = std::filesystem;
using support::Failure;

// What an attempt that was killed left behind. An hour: no attempt writes one file for that long.
void removeOldTemporaries(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator at(folder, error); !error && at != fs::directory_iterator(); at.increment(error)) {
    std::error_code unknown;
    const std::string name = at->path().filename().string();
    if (!name.starts_with('.') || !name.ends_with(".tmp")) continue;
    const auto written = fs::last_write_time(at->path(), unknown);
    if (!unknown && fs::file_time_type::clock::now() - written > std::chrono::hours(1)) fs::remove(at->path(), unknown);
  }
}

/// Tells the job's watchers page by page, in the form the Minion clients know: strings only.
class Teller {
 public:
  Teller(Job& job, std::string id, int total) : job_(job), id_(std::move(id)), total_(total) {}

  void processed(int page, const std::string& error) {
    const bool first = told_.empty();
    if (!told_.insert(page).second) return;
    if (!error.empty()) {
      const std::string what = "page " + std::to_string(page) + ": " + error;
      if (errors_.add(what)) job_.warn(what);
    }
    job_.note(std::to_string(page), "processed");
    if (first) {
      job_.note("total_pages", std::to_string(total_));
      job_.note("id", id_);
    }
    job_.progress(static_cast<double>(told_.size()), total_, "page " + std::to_string(page));
  }
  [[nodiscard]] bool told(int page) const { return told_.contains(page); }
  [[nodiscard]] Json result() const { return errors_.result(); }

 private:
  Job& job_;
  const std::string id_;
  const int total_;
  std::set<int> told_;
  ErrorList errors_;
};

Json makePages(Job& job, const Settings& settings, PageSource& source, const std::string& id, bool force) {
  const int total = source.pageCount();
  Teller teller(job, id, total);
  removeOldTemporaries(thumbnailPath(settings, id, 1).parent_path());
  std::vector<int> wanted;
  for (int page = 1; page <= total; ++page) {
    if (!force && isMade(thumbnailPath(settings, id, page))) {
      teller.processed(page, "");
    } else {
      wanted.push_back(page);
    }
  }
  PageBatch::Options options;
  options.threads = settings.threads;
  options.thumbnail = archiveThumbnail(settings.hq_page_thumbs);
  PageBatch(source, settings, options, support::stopCheckOf(job))
      .run(
          wanted,
          [&](int page, const support::Thumbnail& made) {
            support::writeFileAtomically(thumbnailPath(settings, id, page), made.bytes);
          },
          [&](int page, const std::string& error) { teller.processed(page, error); });
  for (const int page : wanted) {
    if (!teller.told(page)) teller.processed(page, "out of memory");
  }
  return teller.result();
}

Json run(Job& job) {
  const Value params = job.params();
  const std::string id = params["id"].str();
  const bool force = readForce(params["force"]);
  const Settings settings = readSettings(job);
  const auto stop = support::stopCheckOf(job);
  job.progress(0, 0, "looking for the archive");
  auto file = openArchive(job, settings, id, stop);
  if (!file) return Json{{"errors", Json::array()}};
  try {
    PageSource source(*std::move(file), settings, stop);
    return makePages(job, settings, source, id, force);
  } catch (const Failure& failure) {
    // The archive as a whole cannot be read: the job has finished, its errors tell why, as for single pages.
    if (failure.kind() == support::FailureKind::Io) throw;
    ErrorList errors;
    errors.add(failure.what());
    return errors.result();
  }
}

}  // namespace

Json runPageThumbnails(Job& job) {
  return support::translated(job, run);
}

}  // namespace jobhost::thumbnail
