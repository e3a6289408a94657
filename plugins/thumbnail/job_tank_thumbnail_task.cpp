#include "support/job/job_failures.hpp"
#include "thumbnail/archive_jobs.hpp"
#include "thumbnail/cover.hpp"
#include "thumbnail/jobs.hpp"

namespace jobhost::thumbnail {
namespace {

Json run(Job& job) {
  const Value params = job.params();
  const Settings settings = readSettings(job);
  const std::string tank = params["id"].str();
  try {
    checkThumbDir(params["thumbdir"], settings);
    job.progress(0, 1, "cover of " + tank);
    const std::string answer = makeTankCover(job, settings, tank);
    job.progress(1, 1);
    return Json(answer);
  } catch (const support::Failure& failure) {
    if (failure.kind() == support::FailureKind::Denied) throw support::toMinionError(failure, "path not allowed");
    throw support::toMinionError(failure, "Error building tank thumbnail for " + tank + ": " + failure.what());
  }
}

}  // namespace

Json runTankThumbnailTask(Job& job) {
  return support::translated(job, run);
}

}  // namespace jobhost::thumbnail
