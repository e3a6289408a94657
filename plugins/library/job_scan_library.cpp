#include "library/jobs.hpp"
#include "library/scan.hpp"
#include "support/job/job_failures.hpp"

namespace jobhost::library {
namespace {

Json run(Job& job) {
  const Settings settings = readSettings(job);
  static_cast<void>(needContentDir(settings));
  const ScanOutcome outcome = scanLibrary(job, settings);
  return Json{{"files", outcome.files},     {"read", outcome.hashed}, {"added", outcome.added},
              {"changed", outcome.changed}, {"gone", outcome.gone},   {"unreadable", outcome.unreadable}};
}

}  // namespace

Json runScanLibrary(Job& job) {
  return support::translated(job, run);
}

}  // namespace jobhost::library
