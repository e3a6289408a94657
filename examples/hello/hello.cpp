// The smallest useful plugin: typed params with a default, a result.
#include <jobhost/plugin.hpp>

JOBHOST_MANIFEST(R"json({
  "manifest": 1, "id": "com.example.hello", "version": "1.0.0", "name": "Hello", "abi": {"major": 1, "min_minor": 0},
  "job_types": [{"name": "hello", "title": "Greet somebody", "idempotent": true,
    "params": {"type": "object", "required": ["name"], "additionalProperties": false, "properties": {
      "name": {"type": "string", "minLength": 1, "maxLength": 100},
      "greeting": {"type": "string", "maxLength": 100, "default": "hello"}}},
    "result": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}},
    "examples": [{"name": "world"}]}]
})json");

static jobhost::Json hello(jobhost::Job& job) {
  const auto params = job.params();
  job.progress(1, 1, "greeting");
  return {{"text", params["greeting"].str("hello") + " " + params["name"].str()}};
}
JOBHOST_JOB_FLAGS("hello", hello, JH_TYPE_IDEMPOTENT);
JOBHOST_PLUGIN(&jh_t_hello)
