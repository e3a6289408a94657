// Runs programs as its params say and tells what came.
#include <jobhost/plugin.hpp>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#ifdef PROCESSKIT_MUTE
#define PROCESSKIT_ID "test.processkit-mute"
#define PROCESSKIT_TYPE "program-mute"
#define PROCESSKIT_PERMISSIONS ""
#else
#define PROCESSKIT_ID "test.processkit"
#define PROCESSKIT_TYPE "program"
#define PROCESSKIT_PERMISSIONS "\"permissions\": {\"exec\": [\"tool\", \"absent-tool\"]}, "
#endif

JOBHOST_MANIFEST("{\"manifest\": 1, \"id\": \"" PROCESSKIT_ID
                 "\", \"version\": \"1.0.0\", \"abi\": {\"major\": 1, \"min_minor\": 1}, " PROCESSKIT_PERMISSIONS
                 "\"requires\": [\"jobhost.process/1\"], \"job_types\": [{\"name\": \"" PROCESSKIT_TYPE "\"}]}");

namespace {

jobhost::ProcessOptions optionsOf(const jobhost::Json& from) {
  jobhost::ProcessOptions to;
  if (!from["stdin"].isNull()) to.in.json = from["stdin"];
  if (!from["stdout"].isNull()) to.out.json = from["stdout"];
  if (!from["stderr"].isNull()) to.err.json = from["stderr"];
  to.input = from["input"].stringOr("");
  for (std::size_t i = 0; i < from["env"].size(); ++i) {
    to.set(from["env"].names()[i], std::string(from["env"].items()[i].stringOr("")));
  }
  const auto number = [&](const char* name, std::optional<std::int64_t>& value) {
    if (from[name].isInt()) value = from[name].intOr(0);
  };
  number("timeout_ms", to.timeout_ms);
  number("grace_ms", to.grace_ms);
  number("memory_bytes", to.memory_bytes);
  number("cpu_s", to.cpu_s);
  number("max_output_bytes", to.max_output_bytes);
  return to;
}

jobhost::Json toJson(const jobhost::ProcessEnd& end) {
  return {{"exit_code", end.exit_code ? jobhost::Json(*end.exit_code) : jobhost::Json()},
          {"signal", end.signal ? jobhost::Json(*end.signal) : jobhost::Json()},
          {"timed_out", end.timed_out},
          {"cpu_ms", end.cpu_ms},
          {"max_rss_kib", end.max_rss_kib}};
}

/// {"argv": […], "options": {…}, "how": "run", "unread", "write", "leave" or "many", "file": name}
jobhost::Json program(jobhost::Job& job) {
  const auto params = job.params();
  std::vector<std::string> argv;
  for (const auto& one : params["argv"].items()) argv.push_back(one.str());
  if (const auto repeat = params["repeat"].integer(0, 1'000'000, 0); repeat > 0) {
    argv.resize(argv.size() + static_cast<std::size_t>(repeat), params["argument"].str("x"));
  }
  const auto options = optionsOf(params["options"].json());
  const std::string how = params["how"].str("run");
  if (how == "run") {
    const auto done = job.run(argv, options);
    jobhost::Json all = toJson(done);
    all.set("out", done.out.substr(0, 10'000));
    all.set("err", done.err.substr(0, 10'000));
    all.set("out_bytes", done.out.size());
    if (params["file"]) {
      std::ifstream in(job.tempDir() + "/" + params["file"].str());
      all.set("file", std::string(std::istreambuf_iterator<char>(in), {}));
    }
    return all;
  }
  if (how == "many") {  // until there are too many
    std::vector<jobhost::Process> all;
    for (;;) all.push_back(job.spawn(argv, options));
  }
  if (how == "leave") {
    const auto* api = jobhost::detail::need<jh_process_v1>(JH_EXT_PROCESS);
    jh_process* process = nullptr;
    const std::string list = params["argv"].json().dump();
    const jh_result result = api->spawn(job.raw(), {list.data(), list.size()}, {}, &process);
    char first = 0;
    std::size_t got = 0;
    if (result == JH_OK) api->read(process, JH_STREAM_OUT, &first, 1, &got, nullptr);
    return {{"spawned", result == JH_OK}, {"read", got}};
  }
  auto process = job.spawn(argv, options);
  job.note("started", true);
  if (how == "write") {
    std::string failed;
    try {
      for (int i = 0; i < 64; ++i) process.write(std::string(64 * 1024, 'x'));
    } catch (const jobhost::Error& error) {
      failed = error.code();
    }
    process.closeInput();
    jobhost::Json end = toJson(process.wait());
    end.set("failed", failed);
    return end;
  }
  return toJson(process.wait());  // "unread"
}

}  // namespace

JOBHOST_JOB(PROCESSKIT_TYPE, program);
JOBHOST_PLUGIN(&jh_t_program)
