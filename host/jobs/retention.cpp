#include "jobs/retention.hpp"

#include <algorithm>
#include <charconv>
#include <string>

#include "core/job_paths.hpp"
#include "telemetry/log.hpp"

namespace jobhost::jobs {
namespace fs = std::filesystem;
namespace {

// From a file's last byte to the commit of its job, at most.
constexpr auto kUploadTakes = std::chrono::hours(1);

// A name that is all digits; folders of other names are not ours to judge.
std::optional<core::JobId> jobIdOf(const fs::path& folder) {
  const auto name = folder.filename().string();
  std::int64_t value = 0;
  const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), value);
  if (failed != std::errc() || end != name.data() + name.size() || value <= 0) return std::nullopt;
  return core::JobId{value};
}

core::Instant modifiedAt(const fs::path& path, std::error_code& failed) {
  const auto file_time = fs::last_write_time(path, failed);
  if (failed) return {};
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::file_clock::to_sys(file_time));
}

}  // namespace

Retention::Retention(store::JobStore& store, store::PrincipalStore* principals, const core::Clock& clock,
                     Options options)
    : store_(store), principals_(principals), clock_(clock), options_(std::move(options)) {}

void Retention::start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void Retention::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    sweep(stop);
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, options_.every, [] { return false; });
  }
}

Retention::Swept Retention::sweep(const std::stop_token& stop) {
  Swept swept;
  if (options_.finished.count() > 0) swept.jobs = sweepJobs(stop);
  swept.orphans = sweepOrphans(stop);
  if (options_.inputs.count() > 0) swept.inputs = sweepInputs(stop);
  if (options_.inputs.count() > 0) swept.uploads = sweepUploads(stop);
  swept.audit_lines = sweepAudit(stop);
  swept.sessions = sweepSessions(stop);
  if (options_.keys.count() > 0) swept.keys = sweepKeys(stop);
  if (swept.jobs + swept.orphans + swept.inputs + swept.uploads > 0) {
    telemetry::log("jobs").info("old jobs removed jobs={} orphan_folders={} inputs={} uploads={}", swept.jobs,
                                swept.orphans, swept.inputs, swept.uploads);
  }
  return swept;
}

int Retention::sweepAudit(const std::stop_token& stop) {
  const auto cutoff = options_.audit.count() > 0 ? clock_.now() - options_.audit : core::Instant{};
  int removed = 0;
  while (principals_ != nullptr && !stop.stop_requested()) {
    const auto purged = principals_->purgeAudit(cutoff, options_.audit_lines, options_.batch);
    if (!purged) {
      telemetry::log("jobs").warn("old audit lines stay reason={}", purged.error().message);
      break;
    }
    removed += *purged;
    if (*purged < options_.batch) break;
  }
  return removed;
}

int Retention::sweepSessions(const std::stop_token& stop) {
  int removed = 0;
  while (principals_ != nullptr && !stop.stop_requested()) {
    const auto purged = principals_->purgeSessions(clock_.now(), options_.batch);
    if (!purged) {
      telemetry::log("jobs").warn("ended sessions stay reason={}", purged.error().message);
      break;
    }
    removed += *purged;
    if (*purged < options_.batch) break;
  }
  return removed;
}

int Retention::sweepKeys(const std::stop_token& stop) {
  int removed = 0;
  while (principals_ != nullptr && !stop.stop_requested()) {
    const auto purged = principals_->purgeKeys(clock_.now() - options_.keys, options_.batch);
    if (!purged) {
      telemetry::log("jobs").warn("ended keys stay reason={}", purged.error().message);
      break;
    }
    removed += *purged;
    if (*purged < options_.batch) break;
  }
  return removed;
}

int Retention::sweepJobs(const std::stop_token& stop) {
  const auto cutoff = clock_.now() - options_.finished;
  int removed = 0;
  while (!stop.stop_requested()) {
    const auto purged = store_.purge(cutoff, options_.batch);
    if (!purged) {
      telemetry::log("jobs").warn("old jobs not removed reason=\"{}\"", purged.error().message);
      break;
    }
    for (const auto id : *purged) {
      std::error_code ignored;  // what stays is an orphan, which the next sweep takes
      fs::remove_all(core::jobPaths(options_.data_folder, id).folder, ignored);
    }
    removed += static_cast<int>(purged->size());
    if (purged->empty()) break;
  }
  return removed;
}

int Retention::sweepOrphans(const std::stop_token& stop) {
  int removed = 0;
  std::error_code failed;
  for (const auto& shard : fs::directory_iterator(options_.data_folder / "jobs", failed)) {
    std::error_code unreadable;
    for (const auto& folder : fs::directory_iterator(shard.path(), unreadable)) {
      if (stop.stop_requested()) return removed;
      const auto id = jobIdOf(folder.path());
      if (!id) continue;
      const auto job = store_.get(*id);
      if (job || job.error().code != core::ErrorCode::NotFound) continue;
      std::error_code ignored;
      fs::remove_all(folder.path(), ignored);
      ++removed;
    }
  }
  return removed;
}

int Retention::sweepInputs(const std::stop_token& stop) {
  const auto cutoff = clock_.now() - options_.inputs;
  int removed = 0;
  std::error_code failed;
  for (const auto& folder : fs::directory_iterator(options_.data_folder / "inputs", failed)) {
    if (stop.stop_requested()) return removed;
    std::error_code gone;
    const auto at = modifiedAt(folder.path(), gone);
    if (gone || at >= cutoff) continue;
    // A job that waits, or that may be retried, still needs its upload; it goes after the job's row has gone.
    store::JobFilter taken_over;
    taken_over.input_id = folder.path().filename().string();
    const auto users = store_.list(taken_over, {.limit = 1, .with_documents = false});
    if (!users || !users->jobs.empty()) continue;
    fs::remove_all(folder.path(), gone);
    ++removed;
  }
  return removed;
}

int Retention::sweepUploads(const std::stop_token& stop) {
  if (options_.uploads_folder.empty() || !fs::exists(options_.uploads_folder)) return 0;
  // A job names its file by path alone. Files are put there before their jobs are made, so what is older than the
  // oldest job that may still want one is nobody's.
  auto cutoff = clock_.now() - options_.inputs;
  store::JobFilter waiting;
  waiting.types = options_.upload_types;
  waiting.states = {core::JobState::Queued, core::JobState::Running, core::JobState::Waiting,
                    core::JobState::Suspended};
  const auto oldest = store_.list(waiting, {.ascending = true, .limit = 1, .with_documents = false});
  if (!oldest) return 0;
  if (!oldest->jobs.empty()) cutoff = std::min(cutoff, oldest->jobs.front().created_at - kUploadTakes);
  int removed = 0;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(options_.uploads_folder, failed)) {
    if (stop.stop_requested()) return removed;
    const auto name = entry.path().filename().string();
    const auto& ours = options_.upload_prefixes;
    std::error_code gone;
    if (!entry.is_directory(gone) || entry.is_symlink(gone)) continue;
    if (std::none_of(ours.begin(), ours.end(), [&](const auto& prefix) { return name.starts_with(prefix); })) continue;
    const auto at = modifiedAt(entry.path(), gone);
    if (gone || at >= cutoff) continue;
    fs::remove_all(entry.path(), gone);
    ++removed;
  }
  return removed;
}

}  // namespace jobhost::jobs
