// Fetches what its params say, one request after another, and tells what came.
#include <jobhost/plugin.hpp>

#include <cstdio>
#include <string>

#ifdef FETCHKIT_MUTE
#define FETCHKIT_ID "test.fetchkit-mute"
#define FETCHKIT_TYPE "fetch-mute"
#define FETCHKIT_PERMISSIONS ""
#else
#define FETCHKIT_ID "test.fetchkit"
#define FETCHKIT_TYPE "fetch"
#define FETCHKIT_PERMISSIONS "\"permissions\": {\"net\": [\"127.0.0.1\"]}, "
#endif

JOBHOST_MANIFEST("{\"manifest\": 1, \"id\": \"" FETCHKIT_ID
                 "\", \"version\": \"1.0.0\", \"abi\": {\"major\": 1, \"min_minor\": 1}, " FETCHKIT_PERMISSIONS
                 "\"requires\": [\"jobhost.http/1\"], \"job_types\": [{\"name\": \"" FETCHKIT_TYPE "\"}]}");

namespace {

/// {"requests": [{"url", "method"?, "body"?, "retries"?}]} → [{"status", "bytes", "text", "file", "file_bytes"}]
jobhost::Json fetchAll(jobhost::Job& job) {
  jobhost::Json all = jobhost::Json::array();
  int number = 0;
  for (const auto& one : job.params()["requests"].items()) {
    jobhost::HttpRequest request(one["method"].str("GET"), one["url"].str());
    request.body = one["body"].str("");
    request.retries = static_cast<int>(one["retries"].integer(0, 10, 0));
    job.progress(number, 0);
    auto response = job.fetch(request);
    const std::string path = response.path();
    long file_bytes = -1;
    if (std::FILE* file = std::fopen(path.c_str(), "rb")) {
      std::fseek(file, 0, SEEK_END);
      file_bytes = std::ftell(file);
      std::fclose(file);
    }
    std::string begin(64, '\0');
    begin.resize(response.read(begin.data(), begin.size()));
    auto rest = job.output("rest-" + std::to_string(number));
    response.saveTo(rest);
    rest.commit();
    all.push(jobhost::Json{{"status", response.status()},
                           {"bytes", response.size()},
                           {"text", begin},
                           {"file", path},
                           {"file_bytes", static_cast<std::int64_t>(file_bytes)}});
    ++number;
  }
  return all;
}

}  // namespace

JOBHOST_JOB(FETCHKIT_TYPE, fetchAll);
JOBHOST_PLUGIN(&jh_t_fetchAll)
