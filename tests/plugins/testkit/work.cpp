// Jobs that do what the SDK is for: files, children, checkpoints.
#include "testkit.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>

using jobhost::Json;

jobhost::Json files(jobhost::Job& job) {
  Json copied = Json::array();
  for (const auto& input : job.inputs()) {
    job.output("copy/" + input.name, input.media_type) << job.input(input.name).readAll(64 << 20);
    copied.push(input.name);
    if (job.params()["spoil"].boolean(false)) {
      // What a plugin does to its inputs must not reach the upload: another attempt reads it again.
      const std::string path = job.inputPath(input.name);
      std::filesystem::permissions(path, std::filesystem::perms::owner_all);
      std::ofstream(path) << "spoiled";
      std::filesystem::remove(path);
    }
  }
  for (const auto& output : job.params()["outputs"].items()) {
    job.output(output["name"].str(), "text/plain") << output["text"].str("");
  }
  std::ofstream(job.outputDir() + "/by-path.txt") << "written by path\n";
  job.publish("by-path.txt", "text/plain");
  std::ofstream(job.tempDir() + "/scratch") << "gone after the job\n";
  if (job.params()["fail"].boolean(false)) throw jobhost::Error::permanent("failed after writing");
  return {{"copied", copied}};
}

jobhost::Json spawn(jobhost::Job& job) {
  const auto params = job.params();
  const auto count = params["children"].integer(0, 10000, 2);
  const std::string how = params["how"].str("suspend");
  const Json child_params = params["params"] ? params["params"].json() : Json::object();
  std::vector<std::int64_t> ids;
  for (std::int64_t i = 0; i < count; ++i) {
    jobhost::ChildOptions options;
    options.dedupe_key = "child-" + std::to_string(i);  // a second run finds the same children
    ids.push_back(job.submit(params["type"].str("noop"), child_params, options));
  }
  if (how == "suspend" && !job.resumed()) {
    job.saveCheckpoint("spawned " + std::to_string(count));
    job.suspend();
  }
  if (how == "wait" || how == "wait_any") job.waitChildren(ids, how == "wait_any");
  Json states = Json::array();
  for (const auto id : ids) {
    const auto result = how == "leave" ? std::nullopt : job.childResult(id);
    states.push(result ? (*result)["state"] : Json());
  }
  return {{"children", count}, {"states", states}};
}

jobhost::Json checkpoint(jobhost::Job& job) {
  const auto until = job.params()["until"].integer(1, 1000, 2);
  const auto bytes = static_cast<std::size_t>(job.params()["bytes"].integer(0, 1 << 30, 0));
  const auto before = job.loadCheckpoint();
  const auto runs = (before ? std::stoll(*before) : 0) + 1;
  std::string text = std::to_string(runs);
  if (text.size() < bytes) text.append(bytes - text.size(), ' ');
  job.saveCheckpoint(text);
  if (!before) {
    job.log("saved the first checkpoint");
    rest(job, job.params()["hold_ms"].integer(0, INT64_MAX, 0));
  }
  const auto later_ms = job.params()["later_ms"].integer(-1, INT64_MAX, -1);
  if (runs < until && later_ms >= 0) {
    job.runAgainIn(std::chrono::milliseconds(later_ms), "busy, says run " + std::to_string(runs));
  }
  if (runs < until) throw jobhost::Error::transient("run " + std::to_string(runs)).retryAfterMs(0);
  Json result{{"runs", runs}, {"rescues", job.rescues()}};
  if (later_ms >= 0) result.set("attempt", job.attempt()).set("resumed", job.resumed());
  return result;
}
