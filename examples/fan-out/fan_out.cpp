// A job that makes children, holds no slot while they run, and puts their results together.
#include <jobhost/plugin.hpp>

#include <string>

JOBHOST_MANIFEST(R"json({
  "manifest": 1, "id": "com.example.fan-out", "version": "1.0.0", "name": "Fan-out", "abi": {"major": 1, "min_minor": 0},
  "requires": ["jobhost.children/1", "jobhost.checkpoint/1"],
  "permissions": {"children": ["square"]},
  "job_types": [
    {"name": "sum-of-squares", "title": "Sum of squares", "idempotent": true,
     "params": {"type": "object", "required": ["n"], "additionalProperties": false, "properties": {
       "n": {"type": "integer", "minimum": 0, "maximum": 1000}}},
     "result": {"type": "object", "required": ["sum"], "properties": {"sum": {"type": "integer"}}}},
    {"name": "square", "title": "Square", "idempotent": true,
     "params": {"type": "object", "required": ["n"], "additionalProperties": false, "properties": {
       "n": {"type": "integer", "minimum": 0, "maximum": 1000}}},
     "result": {"type": "integer"},
     "examples": [{"n": 7}]}]
})json");

namespace {

jobhost::Json square(jobhost::Job& job) {
  const auto n = job.params()["n"].integer(0, 1000);
  job.progress(1, 1);
  return n * n;
}

jobhost::Json sumOfSquares(jobhost::Job& job) {
  const auto n = job.params()["n"].integer(0, 1000);
  if (n == 0) return {{"sum", 0}};
  const auto saved = job.loadCheckpoint();
  if (!saved) {
    auto ids = jobhost::Json::array();
    for (std::int64_t i = 1; i <= n; ++i) {
      job.progress(static_cast<double>(i), static_cast<double>(2 * n), "making children");
      jobhost::ChildOptions options;
      options.dedupe_key = "square-" + std::to_string(i);  // an attempt that runs again finds its children again
      ids.push(job.submit("square", {{"n", i}}, options));
    }
    job.saveCheckpoint(ids.dump());
    job.suspend();  // this function is called again when all of them have ended
  }
  std::int64_t sum = 0;
  for (const auto& id : jobhost::Json::parse(*saved).items()) {
    const auto child = job.childResult(id.intOr(0));
    if (!child) job.suspend();  // not yet: an attempt was lost between its checkpoint and its suspend
    if ((*child)["state"].stringOr("") != "succeeded") {
      throw jobhost::Error::permanent("child " + id.dump() + " " + std::string((*child)["state"].stringOr("failed")));
    }
    sum += (*child)["result"].intOr(0);
  }
  job.progress(1, 1, "done");
  return {{"sum", sum}};
}

}  // namespace

JOBHOST_JOB_FLAGS("square", square, JH_TYPE_IDEMPOTENT);
JOBHOST_JOB_FLAGS("sum-of-squares", sumOfSquares, JH_TYPE_IDEMPOTENT);
JOBHOST_PLUGIN(&jh_t_sumOfSquares, &jh_t_square)
