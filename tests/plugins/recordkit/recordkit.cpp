// Does with records what its params say, by the ABI's own functions, and answers what each of them answered. One
// source, several manifests: RECORDKIT_TYPE is the name of the job type.
#include <jobhost/plugin.hpp>

#include <jobhost_manifest.h>
#include <poll.h>

#include <cstdlib>
#include <string>

JOBHOST_MANIFEST(JOBHOST_MANIFEST_JSON);

using jobhost::Job;
using jobhost::Json;
namespace detail = jobhost::detail;

static Json outcome(Job& job, jh_result code, Json value) {
  if (code == JH_OK) return value;
  return {{"code", code}, {"text", detail::view(detail::host()->last_error(job.raw()))}};
}

static Json onRecords(Job& job, const Json& step) {
  const auto* table = detail::need<jh_records_v1>(JH_EXT_RECORDS);
  const std::string what(step["do"].stringOr(""));
  const std::string collection(step["in"].stringOr("books"));
  const std::string key(step["key"].stringOr(""));
  const std::string options = step["options"].isNull() ? std::string() : step["options"].dump();
  const std::string value = step["raw"].isString() ? std::string(step["raw"].stringOr("")) : step["value"].dump();
  jh_str answer{};
  std::int64_t number = 0;
  if (what == "put") {
    const auto code = table->put(job.raw(), detail::str(collection), detail::str(key), detail::str(value),
                                 detail::str(options), &number);
    return outcome(job, code, {{"version", number}});
  }
  if (what == "del") {
    return outcome(job, table->del(job.raw(), detail::str(collection), detail::str(key), detail::str(options)), "ok");
  }
  if (what == "count") {
    const auto code = table->count(job.raw(), detail::str(collection), detail::str(options), &number);
    return outcome(job, code, {{"n", number}});
  }
  const auto code = what == "get" ? table->get(job.raw(), detail::str(collection), detail::str(key), &answer)
                                  : table->list(job.raw(), detail::str(collection), detail::str(options), &answer);
  return outcome(job, code, code == JH_OK ? Json::parse(detail::view(answer)) : Json());
}

static Json onKeys(Job& job, const Json& step) {
  const auto* table = detail::need<jh_kv_v1>(JH_EXT_KV);
  const std::string what(step["do"].stringOr(""));
  const std::string key(step["key"].stringOr(""));
  const std::string options = step["options"].isNull() ? std::string() : step["options"].dump();
  const std::string value(step["value"].stringOr(""));
  const auto space = static_cast<std::int32_t>(step["space"].intOr(JH_KV_PLUGIN));
  std::int64_t version = 0;
  if (what == "kput") {
    const auto code =
        table->put(job.raw(), space, detail::str(key), value.data(), value.size(), detail::str(options), &version);
    return outcome(job, code, {{"version", version}});
  }
  if (what == "kdel") return outcome(job, table->del(job.raw(), space, detail::str(key), detail::str(options)), "ok");
  if (what == "kget") {
    const void* data = nullptr;
    std::size_t size = 0;
    const auto code = table->get(job.raw(), space, detail::str(key), &data, &size, &version);
    return outcome(job, code,
                   {{"version", version}, {"value", std::string_view(static_cast<const char*>(data), size)}});
  }
  jh_str page{};
  const auto code = table->list(job.raw(), space, detail::str(options), &page);
  return outcome(job, code, code == JH_OK ? Json::parse(detail::view(page)) : Json());
}

static Json putMany(Job& job, const Json& step) {
  const auto records = job.records(step["in"].stringOr("books"));
  const auto n = step["n"].intOr(1);
  const std::string filler(static_cast<std::size_t>(step["bytes"].intOr(0)), 'x');
  for (std::int64_t i = 0; i < n; ++i) {
    jobhost::PutOptions options;
    options.now = step["now"].boolOr(false);
    options.sort = i;
    options.parent = step["parent"].stringOr("");
    records.put(std::string(step["prefix"].stringOr("k")) + std::to_string(i), {{"n", i}, {"filler", filler}}, options);
  }
  return {{"put", n}};
}

/// Until it is asked to stop or killed; the log says when it begins.
static void hold(Job& job) {
  job.log("holding");
  pollfd fd{static_cast<int>(job.cancelHandle()), POLLIN, 0};
  while (job.cancelled() == 0) poll(&fd, 1, 1000);
  job.check();
}

static Json records(Job& job) {
  const Json params = job.params().json();
  Json answers = Json::array();
  for (const Json& step : params["steps"].items()) {
    const std::string what(step["do"].stringOr(""));
    if (what == "many") {
      answers.push(putMany(job, step));
    } else if (what == "hold") {
      hold(job);
    } else if (what == "crash") {
      std::abort();
    } else if (what == "fail") {
      throw jobhost::Error::permanent("failed as asked");
    } else if (what == "suspend") {
      if (!job.resumed()) job.suspend();
    } else if (what == "retry") {
      if (job.attempt() <= step["times"].intOr(1)) throw jobhost::Error::transient("again");
    } else if (what == "child") {  // another job, which ends before this one goes on
      job.waitChildren({job.submit(RECORDKIT_TYPE, {{"steps", step["steps"]}})});
    } else {
      answers.push(!what.empty() && what[0] == 'k' ? onKeys(job, step) : onRecords(job, step));
    }
  }
  return {{"answers", std::move(answers)}};
}

JOBHOST_JOB(RECORDKIT_TYPE, records);
JOBHOST_PLUGIN(&jh_t_records)
