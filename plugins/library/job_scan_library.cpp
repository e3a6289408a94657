#include "library/jobs.hpp"
#include "library/scan.hpp"
#include "support/job/job_failures.hpp"

namespace jobhost::library {
namespace {

Json run(Job& job) {
  const Settings settings = readSettings(job);
  static_cast<void>(needContentDir(settings));
  const Json& force = job.params()["force"].json();
  const bool forced = force.boolOr(force.intOr(0) != 0);
  const ScanOutcome outcome = scanLibrary(job, settings, forced ? WhenAway::Accept : WhenAway::Refuse);
  return Json{{"files", outcome.files},     {"read", outcome.hashed}, {"added", outcome.added},
              {"changed", outcome.changed}, {"gone", outcome.gone},   {"unreadable", outcome.unreadable}};
}

}  // namespace

Json runScanLibrary(Job& job) {
  return support::translated(job, run);
}

}  // namespace jobhost::library
