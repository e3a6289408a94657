// A job of hours: says how far it is, stops when asked to, and goes on where an attempt before it ended.
#include <jobhost/plugin.hpp>

#include <string>

JOBHOST_MANIFEST(R"json({
  "manifest": 1, "id": "com.example.long-job", "version": "1.0.0", "name": "Long job", "abi": {"major": 1, "min_minor": 0},
  "requires": ["jobhost.checkpoint/1"],
  "job_types": [{"name": "count-primes", "title": "Count primes", "idempotent": true, "retry": {"max_attempts": 5},
    "params": {"type": "object", "required": ["below"], "additionalProperties": false, "properties": {
      "below": {"type": "integer", "minimum": 2, "maximum": 100000000}}},
    "result": {"type": "object", "required": ["primes"], "properties": {"primes": {"type": "integer"}}},
    "examples": [{"below": 20000}]}]
})json");

namespace {

constexpr std::int64_t kStep = 10'000;  // a few milliseconds of work: how long a cancel may wait

bool isPrime(std::int64_t n) {
  if (n < 4) return n > 1;
  if (n % 2 == 0) return false;
  for (std::int64_t d = 3; d * d <= n; d += 2) {
    if (n % d == 0) return false;
  }
  return true;
}

/// What survives the attempt. The version tells an older plugin's checkpoint from ours.
struct State {
  std::int64_t next = 0;
  std::int64_t primes = 0;
};

State load(jobhost::Job& job) {
  const auto saved = job.loadCheckpoint();
  if (!saved) return {};
  const auto json = jobhost::Json::parse(*saved);
  if (json["version"].intOr(0) != 1) return {};
  return {json["next"].intOr(0), json["primes"].intOr(0)};
}

jobhost::Json countPrimes(jobhost::Job& job) {
  const auto below = job.params()["below"].integer(2, 100'000'000);
  State state = load(job);
  if (state.next > 0) job.log("going on at " + std::to_string(state.next));
  while (state.next < below) {
    // Throws when the job was asked to stop; what was saved stays.
    job.progress(static_cast<double>(state.next), static_cast<double>(below));
    const std::int64_t end = state.next + kStep < below ? state.next + kStep : below;
    for (; state.next < end; ++state.next) state.primes += isPrime(state.next) ? 1 : 0;
    job.saveCheckpoint(jobhost::Json{{"version", 1}, {"next", state.next}, {"primes", state.primes}}.dump());
  }
  job.progress(static_cast<double>(below), static_cast<double>(below));
  return {{"primes", state.primes}};
}

}  // namespace

JOBHOST_JOB_FLAGS("count-primes", countPrimes, JH_TYPE_IDEMPOTENT);
JOBHOST_PLUGIN(&jh_t_countPrimes)
