// jobhost SDK, for tests: the host behind the C functions. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../abi.h"
#include "../json.hpp"
#include "attempt.hpp"
#include "fake_cancel.hpp"
#include "fake_files.hpp"
#include "fake_http.hpp"
#include "fake_process.hpp"
#include "fake_records.hpp"
#include "module.hpp"

namespace jobhost::testing::detail {

inline std::string text(jh_str from) {
  return from.data != nullptr ? std::string(from.data, from.len) : std::string();
}
inline std::string& lastError() {
  thread_local std::string value;
  return value;
}

/// What the test wants of the next run.
struct Plan {
  struct Failure {
    jh_result code;
    std::string why;
  };
  std::size_t cancel_at_call = 0;   // 0: none
  std::size_t cancel_at_check = 0;  // 0: none
  std::int32_t cancel_reason = JH_CANCEL_USER;
  std::map<std::size_t, Failure> by_number;
  std::map<std::pair<std::string, std::size_t>, Failure> by_name;  // the n-th call of that name
};

/// Everything a FakeHost knows. The C functions find it by active(): the ABI has no context pointer, and a plugin knows
/// one host for the life of the process. `mutex` guards all members but `cancel`; callbacks of the test run without it.
struct State {
  static State*& active() noexcept {
    static State* state = nullptr;
    return state;
  }

  // What the test set.
  Json manifest;
  std::string config_json = "{}";
  std::map<std::string, std::string> secrets;
  std::set<std::string> withheld;
  std::map<std::string, const void*> offered;
  Json info_overrides = Json::object();
  std::function<void(const Call&)> on_call;
  std::function<void(const std::string&)> on_note;
  std::function<ChildEnd(const Child&)> on_child;
  std::function<FetchEnd(const Fetch&)> on_fetch;
  std::function<SpawnEnd(const Spawn&)> on_spawn;
  Plan plan;
  FakeFiles files;
  FakeResponses http;
  FakeProcesses processes;
  FakeRecords records;
  Json foreign_indexes = Json::object();  // what other plugins' collections are indexed by
  std::string init_log;

  // The job, over its attempts.
  std::int64_t last_id = 1000;
  std::int64_t job_id = 0;
  std::string type;
  std::string params_json;
  std::int64_t attempt_number = 1;
  bool resumed = false;
  std::int64_t rescues = 0;
  std::optional<std::string> checkpoint;
  std::map<std::string, std::int64_t> dedupe;
  std::vector<Child> children;

  // The attempt that runs, or ran.
  std::mutex mutex;
  FakeCancel cancel;
  std::uintptr_t current = 0;  // what the plugin holds as jh_job*; 0: no attempt runs
  std::uintptr_t serial = 0;
  std::deque<std::string> kept;
  std::size_t made = 0;
  std::map<std::string, std::size_t> made_by_name;
  Attempt attempt;

  static constexpr std::size_t kMaxKept = 100'000;

  [[nodiscard]] bool isCurrent(const jh_job* job) const {
    return current != 0 && reinterpret_cast<std::uintptr_t>(job) == current;
  }

  /// A string the plugin may read until run() returns. Call with the lock held.
  jh_str keep(std::string value) {
    kept.push_back(std::move(value));
    return {kept.back().data(), kept.back().size()};
  }
  void complain(std::string what) {
    if (attempt.complaints.size() < 1000) attempt.complaints.push_back(std::move(what));
  }

  /// Counts a call, cancels and calls back where the test wants it. Answers the failure to give instead, if any.
  std::optional<Plan::Failure> enter(Call& call, std::unique_lock<std::mutex>& lock) {
    call.number = ++made;
    if (attempt.calls.size() < kMaxKept) attempt.calls.push_back(call);
    std::optional<Plan::Failure> failure;
    const std::size_t nth = ++made_by_name[call.name];
    if (const auto planned = plan.by_number.find(call.number); planned != plan.by_number.end()) {
      failure = planned->second;
    }
    if (const auto planned = plan.by_name.find({call.name, nth}); planned != plan.by_name.end()) {
      failure = planned->second;
    }
    if (call.number == plan.cancel_at_call) cancel.ask(plan.cancel_reason);
    if (const auto hook = on_call) {
      lock.unlock();
      hook(call);
      lock.lock();
    }
    return failure;
  }

  jh_result leave(const Call& call, Reply reply) {
    if (call.number > 0 && call.number <= attempt.calls.size()) attempt.calls[call.number - 1].result = reply.code;
    if (reply.code != JH_OK) lastError() = std::move(reply.why);
    return reply.code;
  }

  /// A call that answers a code. `body` runs with the lock held and answers a Reply.
  template <class Body>
  jh_result call(const char* name, jh_job* job, bool blocking, Body body) noexcept {
    try {
      std::unique_lock lock(mutex);
      Call one{name, 0, true, JH_OK};
      if (!isCurrent(job)) {
        complain(one.name + " was called with a job that is not running");
        return leave(one, {JH_E_MISUSE, "this job is not running (any more)"});
      }
      if (auto failure = enter(one, lock)) return leave(one, {failure->code, failure->why});
      if (blocking && cancel.reason() != JH_CANCEL_NO) {
        return leave(one, {JH_E_CANCELLED, "the job was asked to stop"});
      }
      Reply reply = body(lock);
      if (reply.code == JH_E_MISUSE) complain(one.name + ": " + reply.why);
      return leave(one, std::move(reply));
    } catch (const Error& error) {  // of Json::parse
      lastError() = error.message();
      return JH_E_INVALID;
    } catch (const std::exception& error) {
      lastError() = error.what();
      return JH_E_FAILED;
    }
  }

  /// A call that answers a string the plugin may read until run() returns.
  template <class Body>
  jh_str words(const char* name, jh_job* job, Body body) noexcept {
    try {
      std::unique_lock lock(mutex);
      Call one{name, 0, false, JH_OK};
      if (!isCurrent(job)) {
        complain(one.name + " was called with a job that is not running");
        lastError() = "this job is not running (any more)";
        return {};
      }
      enter(one, lock);
      return keep(body());
    } catch (const std::exception& error) {
      lastError() = error.what();
      return {};
    }
  }

  Child* childOf(std::int64_t id) {
    for (auto& child : children) {
      if (child.id == id) return &child;
    }
    return nullptr;
  }

  /// Asks the test how the child ends. False: it never does.
  bool endChild(std::int64_t id, std::unique_lock<std::mutex>& lock) {
    const Child asked = *childOf(id);
    if (asked.ended()) return true;
    ChildEnd end = asked.canceled ? ChildEnd::canceled() : ChildEnd::succeeded();
    if (const auto hook = on_child; hook && !asked.canceled) {
      lock.unlock();
      end = hook(asked);
      lock.lock();
    }
    if (end.state.empty()) return false;
    Child& child = *childOf(id);
    child.state = std::move(end.state);
    child.result = std::move(end.result);
    child.error = std::move(end.error);
    return true;
  }

  Json makeInfo() const {
    const Json& declared = typeOf(manifest, type);
    Json info{{"id", job_id},
              {"type", type},
              {"attempt", attempt_number},
              {"max_attempts", declared["retry"]["max_attempts"].intOr(1)},
              {"priority", 0},
              {"deadline_ms", nullptr},
              {"parent", nullptr},
              {"root", job_id},
              {"resumed", resumed},
              {"rescues", rescues},
              {"tags", Json::array()},
              {"limits", declared["limits"].isObject() ? declared["limits"] : Json::object()}};
    for (std::size_t i = 0; i < info_overrides.size(); ++i) {
      info.set(info_overrides.names()[i], info_overrides.items()[i]);
    }
    return info;
  }
};

/// Whether the manifest asks for children of this type: by name, or by what the test's configuration says that it
/// provides ("providers"), as a real host knows it from the type's manifest.
inline bool permitsChild(const State& state, std::string_view type) {
  if (permits(state.manifest, "children", type)) return true;
  const Json config = Json::parse(state.config_json);
  const Json& providers = config["providers"];
  for (std::size_t i = 0; i < providers.size(); ++i) {
    if (!permits(state.manifest, "children", "provides:" + providers.names()[i])) continue;
    for (const Json& one : providers.items()[i].items()) {
      if (one.stringOr("") == type) return true;
    }
  }
  return false;
}

}  // namespace jobhost::testing::detail
