// The job type "{{type}}"; plugin.json says what it takes and answers.
#include <jobhost/plugin.hpp>
#include <jobhost_manifest.h>  // made from plugin.json

JOBHOST_MANIFEST(JOBHOST_MANIFEST_JSON);

static jobhost::Json run(jobhost::Job& job) {
  const auto text = job.params()["text"].str();
  const auto times = job.params()["times"].integer(1, 1000, 1);
  auto file = job.output("text.txt", "text/plain");  // visible when the job succeeds
  for (std::int64_t i = 1; i <= times; ++i) {
    file << text << '\n';
    job.progress(static_cast<double>(i), static_cast<double>(times));  // also where the job notices a cancel
  }
  return {{"lines", times}};  // a thrown exception would be the job's error
}
JOBHOST_JOB_FLAGS("{{type}}", run, JH_TYPE_IDEMPOTENT);

JOBHOST_PLUGIN(&jh_t_run)
