// Fetches a page through the host and keeps it as an output: the host guards where it goes and how much comes back.
#include <jobhost/plugin.hpp>

#include <string>

JOBHOST_MANIFEST(R"json({
  "manifest": 1, "id": "com.example.http-fetcher", "version": "1.0.0", "name": "HTTP fetcher", "abi": {"major": 1, "min_minor": 1},
  "requires": ["jobhost.http/1", "jobhost.output/1"],
  "permissions": {"net": ["*"]},
  "job_types": [{"name": "http-fetch", "title": "Fetch a page", "idempotent": true, "retry": {"max_attempts": 3},
    "params": {"type": "object", "required": ["url"], "additionalProperties": false, "properties": {
      "url": {"type": "string", "format": "uri", "maxLength": 4096},
      "name": {"type": "string", "minLength": 1, "maxLength": 100, "pattern": "^[A-Za-z0-9_-][A-Za-z0-9._-]*$", "default": "page"},
      "max_bytes": {"type": "integer", "minimum": 1, "maximum": 1073741824, "default": 16777216},
      "retries": {"type": "integer", "minimum": 0, "maximum": 5, "default": 0}}},
    "result": {"type": "object", "required": ["status", "bytes"], "properties": {
      "status": {"type": "integer"}, "bytes": {"type": "integer"}, "url": {"type": "string"}, "media_type": {"type": "string"}}},
    "examples": [{"url": "http://www.example.com/"}]}]
})json");

namespace {

jobhost::Json fetchPage(jobhost::Job& job) {
  const auto params = job.params();
  jobhost::HttpRequest request(params["url"].str());
  request.limit(params["max_bytes"].integer(1, 1073741824, 16777216));
  request.retry(static_cast<int>(params["retries"].integer(0, 5, 0)));
  job.progress(0, 2, "fetching");
  // Fails the job with the code http.404 (or whatever the server says) and the right class for its retries.
  auto page = job.fetch(request).requireOk();
  job.progress(1, 2, "keeping");
  const std::string media_type = page.header("content-type").value_or("application/octet-stream");
  auto output = job.output(params["name"].str("page"), media_type.substr(0, media_type.find(';')));
  page.saveTo(output);
  output.commit();
  job.progress(2, 2);
  return {{"status", page.status()}, {"bytes", page.size()}, {"url", page.url()}, {"media_type", media_type}};
}

}  // namespace

JOBHOST_JOB_FLAGS("http-fetch", fetchPage, JH_TYPE_IDEMPOTENT);
JOBHOST_PLUGIN(&jh_t_fetchPage)
