#include "library/importer.hpp"
#include "library/jobs.hpp"
#include "support/common/failure.hpp"
#include "support/job/job_failures.hpp"

namespace jobhost::library {
namespace {

namespace fs = std::filesystem;

Json run(Job& job) {
  const Value params = job.params();
  const Settings settings = readSettings(job);
  Importer importer(job, settings);
  if (auto done = importer.resume()) return *std::move(done);
  static_cast<void>(needContentDir(settings));
  Import what;
  const fs::path path = params["path"].str();
  what.staged = (needUploadDir(settings) / path).lexically_normal();  // an absolute one stays what it is
  what.name = path.filename().string();
  what.category = params["category"].str("");
  try {
    return importer.run(what);
  } catch (const support::Failure& failure) {
    if (failure.kind() == support::FailureKind::Denied) throw support::toMinionError(failure, "path not allowed");
    throw;
  }
}

}  // namespace

Json runHandleUpload(Job& job) {
  return support::translated(job, run);
}

}  // namespace jobhost::library
