// jobhost SDK: what a running attempt can ask of the host. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "abi.h"
#include "error.hpp"
#include "files.hpp"
#include "host.hpp"
#include "http.hpp"
#include "json.hpp"
#include "process.hpp"
#include "records.hpp"
#include "value.hpp"

namespace jobhost {

enum class Level : std::int32_t { Trace = 0, Debug = 1, Info = 2, Warn = 3, Error = 4, Fatal = 5 };

struct InputInfo {
  std::string name;
  std::string media_type;
  std::int64_t size_bytes = 0;
};

/// How a child job differs from the defaults.
struct ChildOptions {
  std::string dedupe_key;  ///< a second submit with it, also by a later attempt, answers the child made first
  std::string queue_key;   ///< jobs with the same key do not run at once
  std::optional<int> priority;
  std::optional<int> max_attempts;
  std::optional<std::int64_t> timeout_ms;
  std::optional<std::int64_t> delay_ms;
  std::vector<std::string> tags;
  std::vector<std::int64_t> after;  ///< jobs, children say, that must have ended first, whatever their outcome
  bool fail_with_child = false;     ///< this job fails when the child does
};

/// Takes a cancel callback back when it goes; after that the callback is not running and will not run.
class CancelCallback {
 public:
  CancelCallback(jh_job* job, std::function<void(std::int32_t)> callback)
      : job_(job), callback_(std::make_unique<std::function<void(std::int32_t)>>(std::move(callback))) {
    const auto* cancel = detail::need<jh_cancel_v1>(JH_EXT_CANCEL);
    detail::check(job, cancel->on_cancel(job, &CancelCallback::call, callback_.get(), &token_), "on_cancel");
  }
  CancelCallback(CancelCallback&& other) noexcept
      : job_(other.job_), callback_(std::move(other.callback_)), token_(std::exchange(other.token_, 0)) {}
  CancelCallback(const CancelCallback&) = delete;
  CancelCallback& operator=(const CancelCallback&) = delete;
  CancelCallback& operator=(CancelCallback&&) = delete;
  ~CancelCallback() {
    if (token_ != 0) detail::find<jh_cancel_v1>(JH_EXT_CANCEL)->remove(job_, token_);
  }

 private:
  static void JH_CALL call(void* context, std::int32_t reason) noexcept {
    (*static_cast<std::function<void(std::int32_t)>*>(context))(reason);
  }
  jh_job* job_;
  std::unique_ptr<std::function<void(std::int32_t)>> callback_;
  std::uint64_t token_ = 0;
};

/// One attempt of one job, while run() is active. Every method may be called from any thread of the plugin, except
/// params() and info() first, which parse once. Methods that talk to the host throw Cancelled when the job was asked to
/// stop.
class Job {
 public:
  explicit Job(jh_job* raw) : raw_(raw) {}
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  jh_job* raw() const noexcept { return raw_; }

  // What was asked for.
  /// The params, valid against the job type's schema.
  Value params() { return {&parsed(params_, paramsText()), ""}; }
  std::string_view paramsText() const { return detail::view(detail::host()->params(raw_)); }
  /// id, type, attempt, max_attempts, deadline_ms, priority, parent, tags, resumed, rescues, limits; owner where it has
  /// one.
  Value info() { return {&parsed(info_, detail::view(detail::host()->info(raw_))), "info"}; }
  std::int64_t id() { return info()["id"].integer(); }
  std::string type() { return info()["type"].str(); }
  std::int64_t attempt() { return info()["attempt"].integer(); }
  /// Whether this attempt has run before and ended that run by suspend() or runAgainIn().
  bool resumed() { return info()["resumed"].boolean(false); }
  /// How often the host or the lease died under an attempt of this job, which was not counted then: above 0, one before
  /// this may have left things half done. From 0 again when a caller retries the job; 0 on hosts before ABI 1.1.
  std::int64_t rescues() { return info()["rescues"].integer(0, INT64_MAX, 0); }

  // Being asked to stop.
  /// JH_CANCEL_*; about a nanosecond.
  std::int32_t cancelled() const noexcept { return detail::host()->cancelled(raw_); }
  /// Throws Cancelled when the job was asked to stop.
  void check() const {
    if (const std::int32_t reason = cancelled(); reason != JH_CANCEL_NO) throw Cancelled{reason};
  }
  /// Runs `callback(reason)` on another thread when the job is asked to stop, while the returned object lives.
  CancelCallback onCancel(std::function<void(std::int32_t)> callback) { return {raw_, std::move(callback)}; }
  /// A file descriptor for poll(), readable once the job is asked to stop; -1 when there is none.
  std::int64_t cancelHandle() const {
    const auto* cancel = detail::find<jh_cancel_v1>(JH_EXT_CANCEL);
    return cancel != nullptr ? cancel->wait_handle(raw_) : -1;
  }

  // Telling how it goes.
  /// total 0: not known. Also the place where the job notices that it should stop. Cheap: call it often.
  void progress(double done, double total = 0, std::string_view note = {}) {
    check();
    detail::check(raw_, detail::host()->progress(raw_, done, total, detail::str(note)), "progress");
  }
  void log(Level level, std::string_view text) const noexcept {
    detail::host()->log(raw_, static_cast<std::int32_t>(level), detail::str(text));
  }
  void log(std::string_view text) const noexcept { log(Level::Info, text); }
  void debug(std::string_view text) const noexcept { log(Level::Debug, text); }
  void warn(std::string_view text) const noexcept { log(Level::Warn, text); }
  void error(std::string_view text) const noexcept { log(Level::Error, text); }
  /// Sets one key of the job's notes object, durably.
  void note(std::string_view key, const Json& value) {
    const std::string json = value.dump();
    detail::check(raw_, detail::host()->note(raw_, detail::str(key), detail::str(json)), "note");
  }

  // Files.
  /// A new output. It is an ostream; it counts once committed, which its end does unless an exception is on its way.
  Output output(std::string_view name, std::string_view media_type = {}) {
    return Output(raw_, name, media_type, &late_error_);
  }
  /// A folder for libraries that want a path; then publish() what was written.
  std::string outputDir() const { return std::string(detail::view(outputs()->dir(raw_))); }
  void publish(std::string_view name, std::string_view media_type = {}) {
    const std::string json = media_type.empty() ? std::string() : Json{{"media_type", media_type}}.dump();
    detail::check(raw_, outputs()->publish(raw_, detail::str(name), detail::str(json)), "publish " + std::string(name));
  }
  /// Throws a resource error when that many bytes more do not fit.
  void reserveOutput(std::int64_t bytes) { detail::check(raw_, outputs()->reserve(raw_, bytes), "reserve"); }

  std::vector<InputInfo> inputs() const {
    std::vector<InputInfo> all;
    const auto* inputs = detail::find<jh_input_v1>(JH_EXT_INPUT);
    if (inputs == nullptr) return all;
    const Json list = Json::parse(detail::view(inputs->list(raw_)));
    for (const Json& item : list.items()) {
      all.push_back({std::string(item["name"].stringOr("")), std::string(item["media_type"].stringOr("")),
                     item["size_bytes"].intOr(0)});
    }
    return all;
  }
  bool hasInput(std::string_view name) const {
    const auto* inputs = detail::find<jh_input_v1>(JH_EXT_INPUT);
    jh_str path{};
    return inputs != nullptr && inputs->path(raw_, detail::str(name), &path) == JH_OK;
  }
  /// Throws a bad-input error when there is no such input.
  std::string inputPath(std::string_view name) const {
    jh_str path{};
    const auto* inputs = detail::need<jh_input_v1>(JH_EXT_INPUT);
    detail::check(raw_, inputs->path(raw_, detail::str(name), &path), "input " + std::string(name));
    return std::string(detail::view(path));
  }
  Input input(std::string_view name) const { return Input(raw_, name); }
  /// A private folder, wiped when the job ends.
  std::string tempDir() const { return std::string(detail::view(detail::need<jh_temp_v1>(JH_EXT_TEMP)->dir(raw_))); }

  // HTTP through the host, where the manifest's permissions.net names the host of the URL.
  /// Blocks until the response is whole; what there is to it and how it fails: http.hpp.
  ///   const auto page = job.fetch("https://example.com/list.json").requireOk().json();
  HttpResponse fetch(const HttpRequest& request) { return HttpResponse(raw_, request); }

  // Programs of the machine, where the manifest's permissions.exec names them. No shell: an argument is an argument.
  /// Runs one to its end, and ends it with all it started when it is not done in time or the job is asked to stop. How
  /// it fails, and what an answer tells: process.hpp.
  ///   const auto probed = job.run({"ffprobe", "-of", "json", "-show_format", path}).requireOk().out;
  ProcessResult run(const std::vector<std::string>& argv, const ProcessOptions& options = {}) {
    return detail::runProgram(raw_, argv, options, options.input.empty() ? std::string() : tempDir());
  }
  /// Starts one, to be fed and listened to while it runs.
  Process spawn(const std::vector<std::string>& argv, const ProcessOptions& options = {}) {
    return Process(raw_, argv, options);
  }

  // Settings.
  Value config() {
    const auto* config = detail::need<jh_config_v1>(JH_EXT_CONFIG);
    return {&parsed(config_, detail::view(config->config(raw_))), "config"};
  }
  std::string secret(std::string_view name) const {
    jh_str value{};
    const auto* config = detail::need<jh_config_v1>(JH_EXT_CONFIG);
    detail::check(raw_, config->secret(raw_, detail::str(name), &value), "secret " + std::string(name));
    return std::string(detail::view(value));
  }

  // Jobs below this one.
  inline std::int64_t submit(std::string_view type, const Json& params, const ChildOptions& options = {});
  /// Waits until all (or any) of them have ended; empty: all children. False on time-out (timeout_ms < 0: none).
  /// Holds the slot; for long waits save a checkpoint and suspend().
  bool waitChildren(const std::vector<std::int64_t>& ids = {}, bool any = false, std::int64_t timeout_ms = -1) {
    const auto* children = detail::need<jh_children_v1>(JH_EXT_CHILDREN);
    const jh_result result = children->wait(raw_, ids.data(), static_cast<std::uint32_t>(ids.size()),
                                            any ? JH_WAIT_ANY : JH_WAIT_ALL, timeout_ms);
    if (result == JH_E_TIMEOUT) return false;
    detail::check(raw_, result, "wait for children");
    return true;
  }
  /// {"id", "type", "state", "result", "error"} of a child; nullopt while it has not ended.
  std::optional<Json> childResult(std::int64_t id) {
    jh_str json{};
    const jh_result result = detail::need<jh_children_v1>(JH_EXT_CHILDREN)->result(raw_, id, &json);
    if (result == JH_E_AGAIN) return std::nullopt;
    detail::check(raw_, result, "result of child " + std::to_string(id));
    return Json::parse(detail::view(json));
  }
  void cancelChild(std::int64_t id) {
    detail::check(raw_, detail::need<jh_children_v1>(JH_EXT_CHILDREN)->cancel(raw_, id), "cancel child");
  }
  /// Ends this run; the job is run again, resumed() true, when its children have ended. Save a checkpoint before.
  [[noreturn]] void suspend() const { throw Suspended{}; }
  /// Ends this run; the job is run again, resumed() true, when so long has gone by (and its children have ended). It
  /// holds no slot meanwhile, the attempt stays the same, and `reason` shows as its progress message: for a wait that
  /// others decide about, instead of blocking here. What is in memory is gone then; a checkpoint is not. Negative times
  /// count as 0.
  [[noreturn]] void runAgainIn(std::chrono::milliseconds time, std::string reason = {}) const {
    throw Suspended{time.count() > 0 ? static_cast<std::int64_t>(time.count()) : 0, std::move(reason)};
  }

  // What survives the attempt.
  void saveCheckpoint(std::string_view bytes) {
    const auto* checkpoint = detail::need<jh_checkpoint_v1>(JH_EXT_CHECKPOINT);
    detail::check(raw_, checkpoint->save(raw_, bytes.data(), bytes.size()), "save the checkpoint");
  }
  std::optional<std::string> loadCheckpoint() {
    const auto* checkpoint = detail::find<jh_checkpoint_v1>(JH_EXT_CHECKPOINT);
    const void* data = nullptr;
    std::size_t size = 0;
    if (checkpoint == nullptr) return std::nullopt;
    const jh_result result = checkpoint->load(raw_, &data, &size);
    if (result == JH_E_NOT_FOUND) return std::nullopt;
    detail::check(raw_, result, "load the checkpoint");
    return std::string(static_cast<const char*>(data), size);
  }

  // What survives the job. The manifest declares collections in "records" and asks for keys by permissions.kv.
  /// A collection of this plugin, or of another as "com.example.library/books".
  Records records(std::string_view collection) const { return {raw_, collection}; }
  Keys kv(KeySpace space = KeySpace::Plugin) const { return {raw_, space}; }

  /// Sets the result before run() returns; a returned value replaces it.
  void setResult(const Json& value) {
    const std::string json = value.dump();
    detail::check(raw_, detail::host()->set_result(raw_, detail::str(json)), "result");
  }

  /// For the glue: throws what the end of an output could not.
  void throwLateError() {
    if (late_error_) throw Error(*std::exchange(late_error_, std::nullopt));
  }

 private:
  static const jh_output_v1* outputs() { return detail::need<jh_output_v1>(JH_EXT_OUTPUT); }
  static const Json& parsed(std::unique_ptr<Json>& cache, std::string_view text) {
    if (!cache) cache = std::make_unique<Json>(text.empty() ? Json() : Json::parse(text));
    return *cache;
  }

  jh_job* raw_;
  std::unique_ptr<Json> params_;
  std::unique_ptr<Json> info_;
  std::unique_ptr<Json> config_;
  std::optional<Error> late_error_;
};

inline std::int64_t Job::submit(std::string_view type, const Json& params, const ChildOptions& options) {
  Json more = Json::object();
  if (!options.dedupe_key.empty()) more.set("dedupe_key", options.dedupe_key);
  if (!options.queue_key.empty()) more.set("queue_key", options.queue_key);
  if (options.priority) more.set("priority", *options.priority);
  if (options.max_attempts) more.set("max_attempts", *options.max_attempts);
  if (options.timeout_ms) more.set("timeout_ms", *options.timeout_ms);
  if (options.delay_ms) more.set("delay_ms", *options.delay_ms);
  if (options.fail_with_child) more.set("on_child_failure", "fail");
  if (!options.tags.empty()) {
    Json tags = Json::array();
    for (const auto& tag : options.tags) tags.push(tag);
    more.set("tags", std::move(tags));
  }
  if (!options.after.empty()) {
    Json after = Json::array();
    for (const auto id : options.after) after.push(id);
    more.set("after", std::move(after));
  }
  const std::string params_json = params.dump();
  const std::string options_json = more.dump();
  std::int64_t id = 0;
  detail::check(raw_,
                detail::need<jh_children_v1>(JH_EXT_CHILDREN)
                    ->submit(raw_, detail::str(type), detail::str(params_json), detail::str(options_json), &id),
                "submit " + std::string(type));
  return id;
}

}  // namespace jobhost
