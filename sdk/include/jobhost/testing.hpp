// jobhost SDK: tests a plugin without a server. SPDX-License-Identifier: Apache-2.0
//
//   #include <jobhost/testing.hpp>
//   jobhost::testing::FakeHost host("build/greet.so");           // or: host(jobhost_plugin_entry_v1), linked in
//   const auto done = host.run("greet", {{"name", "world"}});
//   assert(done.succeeded() && done.result["greeted"].stringOr("") == "world" && done.complaints.empty());
//
// Header-only C++17, for any test framework or none. sdk/README.md shows more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "abi.h"
#include "json.hpp"
#include "testing/attempt.hpp"
#include "testing/fake_calls.hpp"
#include "testing/fake_state.hpp"
#include "testing/module.hpp"

namespace jobhost::testing {

/// A host that lives in the test: runs job types of one plugin, answers what they ask, and collects what they say.
/// It keeps the host's rules (names, limits, permissions of the manifest, defaults of the params' schema) but does not
/// validate params: a test may hand over wrong ones and see what the plugin's own checks say.
///
/// Threads: made, run and destroyed by one thread; cancel() from any, also from callbacks. One run at a time in a
/// process. Errors of the test itself (no such file, no such job type, a plugin that refuses to start) throw
/// std::runtime_error. What belongs to "the next run" is forgotten when that run ends.
class FakeHost {
 public:
  /// A plugin file; it stays loaded. `plugin_dir`: the plugin's own folder; empty: a temporary one.
  explicit FakeHost(const std::string& plugin_file, const std::filesystem::path& plugin_dir = {})
      : FakeHost(detail::loadEntry(plugin_file), plugin_dir) {}
  /// A plugin that is linked into the test: pass jobhost_plugin_entry_v1.
  explicit FakeHost(jh_entry_fn entry, const std::filesystem::path& plugin_dir = {}) {
    detail::State::active() = &state_;
    module_ = entry(detail::hostTable());
    if (module_ == nullptr) throw std::runtime_error("the plugin's entry refused this host");
    if (module_->abi_major != JH_ABI_MAJOR) throw std::runtime_error("the plugin is built for another ABI");
    if (!JH_HAS(module_, jh_module, job_type)) throw std::runtime_error("the plugin's jh_module has no job_type");
    state_.manifest = detail::readManifest(*module_);
    const std::string dir = plugin_dir.empty() ? state_.files.pluginDir() : plugin_dir.string();
    if (module_->init == nullptr) return;
    if (const jh_result result = module_->init(detail::hostTable(), {dir.data(), dir.size()}); result != JH_OK) {
      throw std::runtime_error("the plugin's init() answered " + std::to_string(result) +
                               (state_.init_log.empty() ? "" : ": " + state_.init_log));
    }
  }
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;
  ~FakeHost() {
    if (detail::State::active() == &state_) detail::State::active() = nullptr;
  }

  // What jobs find.
  void setConfig(const Json& config) { state_.config_json = config.dump(); }
  /// The manifest must ask for it in permissions.secrets, as on a real host.
  void setSecret(const std::string& name, const std::string& value) { state_.secrets[name] = value; }
  void addInput(const std::string& name, const std::filesystem::path& path, const std::string& media_type = {}) {
    state_.files.addInput(name, path, media_type);
  }
  void addInputBytes(const std::string& name, std::string_view bytes, const std::string& media_type = {}) {
    state_.files.addInputBytes(name, bytes, media_type);
  }
  /// A member of info(): "priority", "tags", "deadline_ms", "parent" …
  void setInfo(const std::string& name, Json value) { state_.info_overrides.set(name, std::move(value)); }
  void setOutputLimits(std::uint64_t bytes, std::size_t files = 10'000) { state_.files.setLimits(bytes, files); }
  /// Behaves as a host without the extension, or one that does not permit it: withhold(JH_EXT_CHILDREN).
  void withhold(const std::string& extension) { state_.withheld.insert(extension); }
  /// Offers an extension of the test's own, also in place of one of these; the table must outlive the host.
  void offer(const std::string& extension, const void* table) { state_.offered[extension] = table; }
  /// The checkpoint the next job finds, as an earlier attempt left it.
  void setCheckpoint(std::string bytes) { next_checkpoint_ = std::move(bytes); }
  /// What the job saved last.
  [[nodiscard]] const std::optional<std::string>& checkpoint() const { return state_.checkpoint; }

  /// A record the next job finds; of another plugin's collection ("com.example.library/books") too. Answers its version.
  std::int64_t putRecord(const std::string& collection, const std::string& key, const Json& value,
                         const std::string& parent = {}, const Json& sort = {}) {
    return state_.records.store(collection, key, value.dump(), parent, sort);
  }
  /// The fields another plugin's collection is indexed by; the plugin's own are in its manifest.
  void setIndexes(const std::string& collection, const std::vector<std::string>& fields) {
    Json list = Json::array();
    for (const auto& field : fields) list.push(field);
    state_.foreign_indexes.set(collection, std::move(list));
  }
  /// What is stored, by key: what jobs wrote that succeeded, and what they wrote at once.
  [[nodiscard]] std::map<std::string, Json> records(const std::string& collection) const {
    std::map<std::string, Json> all;
    for (const auto& [key, entry] : state_.records.stored(collection)) all[key] = Json::parse(entry.body);
    return all;
  }
  /// Keys of the plugin (jobhost.kv/1), as setCheckpoint and checkpoint.
  void putKey(const std::string& key, std::string bytes) { state_.records.store("#", key, std::move(bytes), {}, {}); }
  [[nodiscard]] std::map<std::string, std::string> keys() const {
    std::map<std::string, std::string> all;
    for (const auto& [key, entry] : state_.records.stored("#")) all[key] = entry.body;
    return all;
  }
  /// How many records one attempt may write that are stored when it succeeds.
  void setRecordLimit(std::size_t writes) { state_.records.setMaxWrites(writes); }

  // What happens while they run. Callbacks run on the thread that called the host.
  /// Called for each call before it is answered; may cancel().
  void onCall(std::function<void(const Call&)> callback) { state_.on_call = std::move(callback); }
  void onNote(std::function<void(const std::string& key)> callback) { state_.on_note = std::move(callback); }
  /// Says how a child ends, once somebody waits for it or the job has suspended. Without it children succeed with null.
  void onChild(std::function<ChildEnd(const Child&)> callback) { state_.on_child = std::move(callback); }
  /// Answers what the plugin fetches; called only for hosts that the manifest's permissions.net names. Without it every
  /// fetch fails as if there were no network.
  ///   host.onFetch([](const Fetch& asked) { return FetchEnd::json({{"page", 1}}); });
  void onFetch(std::function<FetchEnd(const Fetch&)> callback) { state_.on_fetch = std::move(callback); }
  /// Answers for the programs the plugin starts; called only for those that the manifest's permissions.exec names.
  /// Without it there is none of them.
  ///   host.onSpawn([](const Spawn& asked) { return SpawnEnd::ok("ffmpeg version 5").leaves("frame.png", png); });
  void onSpawn(std::function<SpawnEnd(const Spawn&)> callback) { state_.on_spawn = std::move(callback); }
  /// Asks the run that is going on to stop, or the next one before it begins.
  void cancel(std::int32_t reason = JH_CANCEL_USER) { state_.cancel.ask(reason); }
  /// … the next run, at its n-th call to the host, or its n-th look at cancelled().
  void cancelAtCall(std::size_t n, std::int32_t reason = JH_CANCEL_USER) {
    state_.plan.cancel_at_call = n;
    state_.plan.cancel_reason = reason;
  }
  void cancelAtCheck(std::size_t n, std::int32_t reason = JH_CANCEL_USER) {
    state_.plan.cancel_at_check = n;
    state_.plan.cancel_reason = reason;
  }
  /// Makes the n-th call of the next run fail, if it is one that can; or the n-th of that name ("output.write").
  void failCall(std::size_t n, jh_result code, const std::string& why = "made to fail by the test") {
    state_.plan.by_number[n] = {code, why};
  }
  void failCall(const std::string& name, std::size_t n, jh_result code,
                const std::string& why = "made to fail by the test") {
    state_.plan.by_name[{name, n}] = {code, why};
  }

  // Running.
  /// Makes a job and runs its first attempt.
  Attempt run(const std::string& job_type, const Json& params = Json::object()) {
    state_.type = job_type;
    state_.params_json = detail::withDefaults(params, detail::typeOf(state_.manifest, job_type)["params"]).dump();
    state_.job_id = ++state_.last_id;
    state_.attempt_number = 1;
    state_.resumed = false;
    state_.rescues = 0;
    state_.children.clear();
    state_.dedupe.clear();
    state_.checkpoint = std::exchange(next_checkpoint_, std::nullopt);
    return attempt();
  }
  /// Runs the same job again, with the checkpoint and the children it has: the next attempt, or, after it suspended,
  /// the same one resumed with its children ended.
  Attempt runAgain() {
    if (state_.job_id == 0) throw std::logic_error("runAgain() before run()");
    state_.resumed = last_code_ == JH_E_SUSPENDED;
    if (!state_.resumed) ++state_.attempt_number;
    if (state_.resumed) {
      std::unique_lock lock(state_.mutex);
      for (std::size_t i = 0; i < state_.children.size(); ++i) {
        if (state_.endChild(state_.children[i].id, lock)) continue;
        throw std::logic_error("the job has suspended and waits for ever: its child " +
                               std::to_string(state_.children[i].id) + " never ends");
      }
    }
    return attempt();
  }
  /// Runs the same attempt again as after the death of its host: with the checkpoint and the children it has.
  Attempt runRescued() {
    if (state_.job_id == 0) throw std::logic_error("runRescued() before run()");
    ++state_.rescues;
    return attempt();
  }
  /// Makes a job and runs it until it no longer suspends; throws when it does so more than `most` times.
  Attempt runToEnd(const std::string& job_type, const Json& params = Json::object(), int most = 100) {
    Attempt last = run(job_type, params);
    for (int runs = 0; last.code == JH_E_SUSPENDED; ++runs) {
      if (runs == most) throw std::runtime_error(job_type + " suspended more than " + std::to_string(most) + " times");
      last = runAgain();
    }
    return last;
  }
  /// Calls deinit, where the plugin has one. Not done by the destructor: a real host does not always get to it.
  void deinit() {
    if (JH_HAS(module_, jh_module, deinit)) module_->deinit();
  }

  [[nodiscard]] const Json& manifest() const { return state_.manifest; }
  /// What init logged.
  [[nodiscard]] const std::string& initLog() const { return state_.init_log; }
  [[nodiscard]] const jh_module& module() const { return *module_; }

 private:
  const jh_job_type& find(const std::string& name) const {
    std::string known;
    for (std::uint32_t i = 0; i < 1000; ++i) {
      const jh_job_type* type = module_->job_type(i);
      if (type == nullptr) break;
      if (name == type->name) return *type;
      known += (known.empty() ? "" : ", ") + std::string(type->name);
    }
    throw std::runtime_error("the plugin has no job type \"" + name + "\" (it has: " + known + ")");
  }

  Attempt attempt() {
    const jh_job_type& type = find(state_.type);
    if (state_.current != 0) throw std::logic_error("run() while a job of this host is running");
    detail::State::active() = &state_;
    {
      const std::lock_guard lock(state_.mutex);
      state_.current = (++state_.serial << 4) | 0x8;  // a number, never an address: one that has ended is not found
      state_.made = 0;
      state_.made_by_name.clear();
      state_.files.begin();
      state_.records.begin();
    }
    const jh_result code = type.run(reinterpret_cast<jh_job*>(state_.current));
    return finish(code);
  }

  Attempt finish(jh_result code) {
    std::unique_lock lock(state_.mutex);
    state_.current = 0;
    Attempt done = std::exchange(state_.attempt, {});
    done.code = last_code_ = code;
    state_.files.finish(code == JH_OK, done.outputs, done.media_types, done.complaints);
    if (!state_.http.open.empty()) {
      done.complaints.push_back(std::to_string(state_.http.open.size()) + " HTTP responses were left open");
      state_.http.open.clear();
    }
    if (!state_.processes.open.empty()) {
      done.complaints.push_back(std::to_string(state_.processes.open.size()) + " processes were left open");
      state_.processes.open.clear();
    }
    state_.records.finish(code == JH_OK || code == JH_E_SUSPENDED);
    if (code == JH_E_FAILED && done.error_class == 0) {
      done.complaints.push_back("run() answered JH_E_FAILED without set_error");
    }
    if (code == JH_E_CANCELLED && state_.cancel.reason() == JH_CANCEL_NO) {
      done.complaints.push_back("run() says it was cancelled, but nobody asked it to stop");
    }
    if (code > 0 || code < JH_E_SUSPENDED) {
      done.complaints.push_back("run() returned " + std::to_string(code) + ", which is no code");
    }
    if (code != JH_OK) done.result = {};
    done.children = state_.children;
    state_.kept.clear();
    state_.plan = {};
    lock.unlock();
    state_.cancel.reset();  // waits for callbacks, which may call the host
    return done;
  }

  detail::State state_;
  const jh_module* module_ = nullptr;
  jh_result last_code_ = JH_OK;
  std::optional<std::string> next_checkpoint_;
};

}  // namespace jobhost::testing
