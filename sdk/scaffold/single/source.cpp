// The plugin {{name}}, all in one file. With the SDK installed (else PKG_CONFIG_PATH=PREFIX/share/pkgconfig):
//   c++ -std=c++17 -shared -fPIC {{source}} $(pkg-config --cflags --libs jobhost-sdk) -o {{name}}.so
//   c++ -std=c++17 -DSELF_TEST {{source}} $(pkg-config --cflags jobhost-sdk) -o {{name}}_test && ./{{name}}_test
//   jobhost plugin check {{name}}.so
#include <jobhost/plugin.hpp>

JOBHOST_MANIFEST(R"json({
  "manifest": 1, "id": "{{id}}", "version": "0.1.0", "name": "{{name}}",
  "abi": {"major": 1, "min_minor": 0}, "requires": ["jobhost.output/1"],
  "job_types": [{
    "name": "{{type}}", "title": "{{type}}", "description": "Writes a text into a file, line by line.",
    "params": {"type": "object", "required": ["text"], "additionalProperties": false, "properties": {
      "text": {"type": "string", "maxLength": 10000, "description": "What to write"},
      "times": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1, "description": "How often"}}},
    "result": {"type": "object", "required": ["lines"], "properties": {"lines": {"type": "integer"}}},
    "idempotent": true, "examples": [{"text": "hello", "times": 3}]}]
})json");

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

#ifdef SELF_TEST
#include <jobhost/testing.hpp>

#include <cstdio>

int main() {
  jobhost::testing::FakeHost host(&jobhost_plugin_entry_v1);
  const auto done = host.run("{{type}}", {{"text", "hello"}, {"times", 2}});
  host.cancelAtCheck(1);
  const auto stopped = host.run("{{type}}", {{"text", "hello"}});
  const bool good = done.succeeded() && done.outputs.at("text.txt") == "hello\nhello\n" && done.complaints.empty() &&
                    stopped.code == JH_E_CANCELLED;
  std::puts(good ? "good" : "failed");
  return good ? 0 : 1;
}
#endif
