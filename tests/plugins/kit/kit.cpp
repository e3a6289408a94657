// A small plugin that uses everything the glue wraps: what the compiler matrix builds and FakeHost is tested with.
// C++17, and nothing but the SDK and the standard library.
#include <jobhost/plugin.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include <poll.h>

JOBHOST_MANIFEST(R"json({
  "manifest": 1, "id": "test.kit", "version": "1.0.0", "abi": {"major": 1, "min_minor": 0},
  "permissions": {"secrets": ["TOKEN", "UNSET"], "children": ["leaf"]},
  "job_types": [
    {"name": "everything", "retry": {"max_attempts": 3}, "params": {"type": "object", "properties": {
      "size": {"type": "integer", "default": 3}, "deep": {"type": "object", "properties": {
        "ratio": {"type": "number", "default": 0.5}}}}}},
    {"name": "fan"}, {"name": "count"}, {"name": "fail"}, {"name": "watch"}, {"name": "clumsy"}, {"name": "later"}
  ]})json");

namespace {

using jobhost::Error;
using jobhost::Job;
using jobhost::Json;

std::atomic<int> started{0};

jobhost::Json files(Job& job) {
  std::string all;
  for (const auto& input : job.inputs()) {
    all += input.name + ":" + std::to_string(input.size_bytes) + ":" + job.input(input.name).readAll(1 << 20) + ";";
    if (job.input(input.name).size() != input.size_bytes) throw Error::internal("sizes differ");
    if (!job.hasInput(input.name) || job.inputPath(input.name).empty()) throw Error::internal("no such input");
  }
  job.reserveOutput(1024);
  job.output("a/streamed.txt", "text/plain") << "number " << 7 << '\n';
  const std::array<char, 4> bytes{'\0', '\xff', 'x', '\n'};
  auto raw = job.output("raw.bin");
  raw.append(bytes.data(), bytes.size());
  raw.commit();
  auto dropped = job.output("dropped.txt");
  dropped << "never seen";
  dropped.abort();
  std::ofstream(job.outputDir() + "/by-path.txt") << "by path";
  job.publish("by-path.txt", "text/plain");
  std::ofstream(job.tempDir() + "/scratch") << all;
  return all;
}

Json everything(Job& job) {
  const auto params = job.params();
  const auto size = params["size"].integer(1, 100);
  const double ratio = params["deep"]["ratio"].number(0, 1, 0.25);
  for (std::int64_t i = 0; i < size; ++i) {
    job.progress(static_cast<double>(i + 1), static_cast<double>(size), "step");
  }
  job.log("info");
  job.debug("debug");
  job.warn("warn");
  job.error("error");
  job.note("size", size);
  const auto config = job.config();
  config.onlyKnown({"words"});
  std::string words;
  for (const auto& word : config["words"].strings()) words += word;
  const auto child = job.submit("leaf", {{"n", 1}});
  job.submit("leaf", {{"n", 2}});
  const bool ended = job.childResult(child).has_value();
  job.waitChildren({child});
  job.waitChildren();
  job.cancelChild(child);
  job.saveCheckpoint("v1:done");
  Json result{{"files", files(job)},
              {"size", size},
              {"ratio", ratio},
              {"words", words},
              {"secret", job.secret("TOKEN")},
              {"child", job.childResult(child).value()["result"]},
              {"ended_before", ended},
              {"checkpoint", job.loadCheckpoint().value_or("")},
              {"attempt", job.attempt()},
              {"type", job.type()}};
  job.setResult(result);
  return result;
}

/// Makes `n` children, suspends, and adds up what they answered.
Json fan(Job& job) {
  const auto n = job.params()["n"].integer(0, 1000, 3);
  if (!job.resumed()) {
    std::string ids;
    for (std::int64_t i = 0; i < n; ++i) {
      jobhost::ChildOptions options;
      options.dedupe_key = "leaf-" + std::to_string(i);
      ids += std::to_string(job.submit("leaf", {{"n", i}}, options)) + " ";
    }
    job.saveCheckpoint(ids);
    job.suspend();
  }
  std::int64_t sum = 0;
  const std::string ids = job.loadCheckpoint().value();
  for (std::size_t at = 0; at < ids.size(); at = ids.find(' ', at) + 1) {
    const auto child = job.childResult(std::stoll(ids.substr(at))).value();
    if (child["state"].stringOr("") != "succeeded") {
      throw Error::upstream("child failed: " + std::string(child["error"]["message"].stringOr("?")));
    }
    sum += child["result"]["n"].intOr(0);
  }
  return {{"sum", sum}};
}

/// Hands itself back once; later, with what `ms` says.
Json later(Job& job) {
  if (!job.resumed())
    job.runAgainIn(std::chrono::milliseconds(job.params()["ms"].integer(-1000, 1000000, 2000)), "busy");
  return {{"attempt", job.attempt()}};
}

/// Counts to `to`, saving how far it came, so that the next attempt goes on from there.
Json count(Job& job) {
  const auto to = job.params()["to"].integer(0, 1'000'000);
  const std::int64_t from = std::stoll(job.loadCheckpoint().value_or("0"));
  for (std::int64_t i = from; i < to; ++i) {
    job.saveCheckpoint(std::to_string(i + 1));
    job.progress(static_cast<double>(i + 1), static_cast<double>(to));
  }
  return {{"from", from}, {"to", to}};
}

void fail(Job& job) {
  const auto how = job.params()["how"].oneOf({"error", "std", "memory", "other", "late"}, "error");
  auto half = job.output("half.txt");
  half << "half";
  if (how == "error") {
    throw Error::transient("later, please").code("kit.later").details(R"({"a":1})").retryAfterMs(250);
  }
  if (how == "std") throw std::runtime_error("a std::exception");
  if (how == "memory") throw std::bad_alloc();
  if (how == "other") throw 7;
}

/// Waits, on three ways at once, until it is asked to stop.
void watch(Job& job) {
  std::atomic<int> called{0};
  const auto callback = job.onCancel([&](std::int32_t reason) { called = reason; });
  pollfd handle{static_cast<int>(job.cancelHandle()), POLLIN, 0};
  job.note("waiting", true);
  while (::poll(&handle, 1, 10'000) == 0) job.warn("still waiting");
  try {
    job.check();
  } catch (const std::exception&) {
    throw Error::internal("Cancelled must not be a std::exception");
  }
  throw Error::internal("nobody asked to stop");
}

/// Breaks rules a host stands: FakeHost has to complain.
jh_result JH_CALL clumsy(jh_job* job) noexcept {
  const auto* output = static_cast<const jh_output_v1*>(jobhost::detail::host()->get_extension(JH_EXT_OUTPUT));
  jh_output* out = nullptr;
  output->create(job, {"open.txt", 8}, {}, &out);
  output->create(job, {"twice.txt", 9}, {}, &out);
  output->commit(out);
  output->commit(out);
  jobhost::detail::host()->progress(job, -1, 0, {});
  return JH_E_FAILED;
}
const jh_job_type jh_t_clumsy = {sizeof(jh_job_type), 0, "clumsy", &clumsy};

void begin(jobhost::Init& init) {
  if (init.pluginDir().empty()) throw std::runtime_error("no folder");
  ++started;
  init.log(jobhost::Level::Info, "kit ready");
}
void end() {
  --started;
}

}  // namespace

JOBHOST_JOB_FLAGS("everything", everything, JH_TYPE_REENTRANT | JH_TYPE_IDEMPOTENT);
JOBHOST_JOB("fan", fan);
JOBHOST_JOB("count", count);
JOBHOST_JOB("later", later);
JOBHOST_JOB("fail", fail);
JOBHOST_JOB("watch", watch);

JOBHOST_PLUGIN_WITH_DEINIT(begin, end, &jh_t_everything, &jh_t_fan, &jh_t_count, &jh_t_fail, &jh_t_watch, &jh_t_clumsy,
                           &jh_t_later)
