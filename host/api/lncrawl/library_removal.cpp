#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "api/lncrawl/job_make.hpp"
#include "api/lncrawl/library.hpp"

namespace jobhost::api::lncrawl {
namespace {

namespace fs = std::filesystem;

constexpr auto kCancelWait = std::chrono::seconds(2);

}  // namespace

/// Asks every job of the novel that has not ended to end, and waits for those that run, but not for long.
core::Result<void> Library::cancelJobsOf(const std::string& novel) const {
  auto& jobs = parts_.deps.jobs;
  store::JobFilter filter;
  filter.types = allTypes();
  filter.words = {"\"novel_id\":" + core::quoteJson(novel)};  // as params and notes have it
  std::optional<core::JobId> cursor;
  do {
    const auto canceled = jobs.applyAll(store::BulkAction::Cancel, filter, cursor, jobs::JobService::kBulkJobs,
                                        "Canceled, as its novel was deleted");
    if (!canceled) return canceled.error();
    cursor = canceled->next;
  } while (cursor);
  const auto until = std::chrono::steady_clock::now() + kCancelWait;
  filter.states = {core::JobState::Running};
  store::ListOptions options;
  options.with_documents = false;
  do {
    const auto page = jobs.list(filter, options);
    if (!page) return page.error();
    for (const auto& job : page->jobs) awaitEnd(parts_, job.id, until);
    options.cursor = page->next;
  } while (options.cursor && std::chrono::steady_clock::now() < until);
  return {};
}

/// All that lies below the novel: records, and its folder.
core::Result<void> Library::clearNovel(const std::string& id) {
  std::vector<store::RecordQuery> below{kVolumes.childrenOf(id), kChapters.childrenOf(id)};
  for (const auto& shelf : {kImages, kArtifacts, kLibraryNovels}) {
    if (auto query = shelf.having("novel_id", id)) below.push_back(*std::move(query));
  }
  for (auto& query : below) {
    if (auto removed = removeAll(store_, std::move(query)); !removed) return removed.error();
  }
  if (auto forgotten = marks_.forgetNovel(id); !forgotten) return forgotten.error();
  // A record's key could be a path; only a folder that bears the key as its whole name is the novel's.
  if (files_.path().empty() || id.find('/') != std::string::npos || id.starts_with('.')) return {};
  std::error_code failed;
  fs::remove_all(files_.path() / "novels" / id, failed);
  if (!failed) return {};
  return core::Error{
      core::ErrorCode::Unavailable, "the novel's files cannot be removed", "novel=" + id + " " + failed.message(), {}};
}

Response Library::removeNovel(const std::string& id) {
  const auto found = find(kNovels, id);
  if (!found) return failure(found.error());
  if (!*found) return noSuch("novel");
  if (auto canceled = cancelJobsOf(id); !canceled) return failure(canceled.error());
  // What lies below it first: a removal that was cut short can be asked for again.
  if (auto cleared = clearNovel(id); !cleared) return failure(cleared.error());
  store::RecordWrite last;
  last.at = kNovels.at(id);
  std::vector<store::RecordWrite> writes;
  writes.push_back(std::move(last));
  if (auto removed = writeNow(store_, std::move(writes)); !removed) return failure(removed.error());
  // And once more, what a job put there meanwhile: those that come later see that there is no novel.
  if (auto cleared = clearNovel(id); !cleared) return failure(cleared.error());
  return answerTrue();
}

}  // namespace jobhost::api::lncrawl
