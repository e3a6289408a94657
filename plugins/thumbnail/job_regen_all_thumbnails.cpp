#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/image/image_engine.hpp"
#include "support/job/job_failures.hpp"
#include "thumbnail/archive_jobs.hpp"
#include "thumbnail/cover.hpp"
#include "thumbnail/error_list.hpp"
#include "thumbnail/jobs.hpp"

namespace jobhost::thumbnail {
namespace {

/// Pictures are made side by side, so each is worked on by one thread.
struct OneThreadPerImage {
  OneThreadPerImage() { support::setThreadsPerImage(1); }
  ~OneThreadPerImage() { support::setThreadsPerImage(0); }
  OneThreadPerImage(const OneThreadPerImage&) = delete;
  OneThreadPerImage& operator=(const OneThreadPerImage&) = delete;
};

/// What is to be done for an archive: its cover, or, where that is there, what the library's record of it lacks.
struct CoverTask {
  std::string id;
  bool is_made = false;
};

/// Covers of many archives on several threads; errors are collected, a cancel ends it all.
class CoverBatch {
 public:
  CoverBatch(Job& job, const Settings& settings, const std::vector<CoverTask>& tasks)
      : job_(job), settings_(settings), tasks_(tasks) {}

  void run(ErrorList& errors) {
    const OneThreadPerImage quiet;
    std::vector<std::jthread> threads;
    const auto count = std::min<std::size_t>(static_cast<std::size_t>(settings_.threads), tasks_.size());
    for (std::size_t i = 0; i < count; ++i) threads.emplace_back([this, &errors] { work(errors); });
    std::size_t told = 0;
    std::unique_lock lock(mutex_);
    while (told < tasks_.size() && !stopped_) {
      changed_.wait(lock, [&] { return done_ > told || stopped_; });
      told = done_;
      lock.unlock();
      tell(told);
      lock.lock();
    }
    lock.unlock();
    threads.clear();
    if (failed_) std::rethrow_exception(failed_);
    job_.check();
  }

 private:
  // Cancelled is heard by the workers too, so that here it only ends the telling.
  void tell(std::size_t done) {
    try {
      job_.progress(static_cast<double>(done), static_cast<double>(tasks_.size()), "covers");
    } catch (const Cancelled&) {
      stop(nullptr);
    }
  }
  void stop(const std::exception_ptr& failed) {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    if (failed && !failed_) failed_ = failed;
    changed_.notify_all();
  }
  std::size_t next() {
    const std::lock_guard lock(mutex_);
    return stopped_ ? tasks_.size() : next_ == tasks_.size() ? next_ : next_++;
  }
  void made(ErrorList& errors, const std::string& error) {
    const std::lock_guard lock(mutex_);
    if (!error.empty()) errors.add(error);
    ++done_;
    changed_.notify_all();
  }
  void work(ErrorList& errors) {
    for (std::size_t at = next(); at < tasks_.size(); at = next()) {
      std::string error;
      try {
        if (tasks_[at].is_made) {
          addThumbhash(job_, settings_, tasks_[at].id);
        } else {
          (void)makeCover(job_, settings_, tasks_[at].id);
        }
      } catch (const support::Stopped&) {
        return stop(nullptr);
      } catch (const Cancelled&) {
        return stop(nullptr);
      } catch (const std::exception& failure) {
        error = tasks_[at].id + ": " + failure.what();
      } catch (...) {
        return stop(std::current_exception());
      }
      made(errors, error);
    }
  }

  Job& job_;
  const Settings& settings_;
  const std::vector<CoverTask>& tasks_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t next_ = 0;
  std::size_t done_ = 0;
  bool stopped_ = false;
  std::exception_ptr failed_;
};

std::vector<std::string> tanksOf(Job& job) {
  std::vector<std::string> tanks;
  try {
    job.records(kTankoubons).each(RecordQuery::all("TANK_").withoutValues(), [&](const Record& record) {
      tanks.push_back(record.key);
    });
  } catch (const Error& error) {
    if (error.code() != "extension_missing" && error.code() != "invalid" && error.code() != "denied") throw;
  }
  return tanks;
}

Json run(Job& job) {
  const Value params = job.params();
  const Settings settings = readSettings(job);
  const bool force = readForce(params["force"]);
  try {
    checkThumbDir(params["thumbdir"], settings);
  } catch (const support::Failure& failure) {
    throw support::toMinionError(failure, "path not allowed");
  }
  job.progress(0, 0, "looking for archives");
  std::vector<CoverTask> tasks;
  for (auto archive : allArchives(job, settings, support::stopCheckOf(job))) {
    const bool is_made = !force && isMade(thumbnailPath(settings, archive.id, 0));
    // A cover may be older than the archive's record.
    if (!is_made || archive.lacks_thumbhash) tasks.push_back({std::move(archive.id), is_made});
  }

  ErrorList errors;
  CoverBatch(job, settings, tasks).run(errors);
  for (const std::string& tank : tanksOf(job)) {
    job.check();
    try {
      (void)makeTankCover(job, settings, tank);
    } catch (const std::exception& failure) {  // the host's refusals too; Cancelled and Stopped are none
      errors.add("Error building tank thumbnail for " + tank + ": " + failure.what());
    }
  }
  return errors.result();
}

}  // namespace

Json runRegenAllThumbnails(Job& job) {
  return support::translated(job, run);
}

}  // namespace jobhost::thumbnail
