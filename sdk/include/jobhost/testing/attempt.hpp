// jobhost SDK, for tests: what one attempt did. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "../abi.h"
#include "../json.hpp"
#include "fake_http.hpp"
#include "fake_process.hpp"

namespace jobhost::testing {

/// One call to the host: "progress", "note", "output.write", "child.submit" … as in the ABI's structs, with what it
/// answered. Only the first 100000 of an attempt are kept.
struct Call {
  std::string name;
  std::size_t number = 0;  ///< within its attempt, from 1; what failCall() and cancelAtCall() count
  bool can_fail = true;    ///< false: it answers a string or nothing, and no code
  jh_result result = JH_OK;
};

struct Progress {
  double done = 0;
  double total = 0;  ///< 0: not known
  std::string note;
};

struct LogLine {
  std::int32_t level = JH_LOG_INFO;
  std::string text;
};

/// A job the attempt made below itself.
struct Child {
  std::int64_t id = 0;
  std::string type;
  Json params;
  Json options;           ///< an object; empty where none were given
  std::string state;      ///< "queued" until it ends; then "succeeded", "failed" or "canceled"
  Json result;            ///< null unless it succeeded
  Json error;             ///< {"class", "code", "message"}, or null
  bool canceled = false;  ///< the plugin asked it to stop
  [[nodiscard]] bool ended() const { return state != "queued"; }
};

/// How a child ends: what a FakeHost::onChild callback answers.
struct ChildEnd {
  std::string state;  ///< empty: it never does
  Json result;
  Json error;

  static ChildEnd succeeded(Json result = {}) { return {"succeeded", std::move(result), {}}; }
  static ChildEnd failed(std::string code, std::string message, std::int32_t error_class = JH_CLASS_PERMANENT) {
    return {"failed", {}, Json{{"class", error_class}, {"code", std::move(code)}, {"message", std::move(message)}}};
  }
  static ChildEnd canceled() { return {"canceled", {}, {}}; }
  static ChildEnd never() { return {}; }
};

/// What one run() did, as a host would see it. A copy: it stays when the host is gone.
struct Attempt {
  jh_result code = JH_OK;  ///< what run() returned
  Json result;             ///< of JH_OK; null when none was set
  std::int32_t error_class = 0;
  std::string error_code, error_message;
  Json error_details;
  std::int64_t retry_after_ms = -1;  ///< of an error, and of handedBack(), whose reason is error_message

  std::vector<std::pair<std::string, Json>> notes;  ///< in the order they came
  std::vector<Progress> progress;
  std::vector<LogLine> log;
  std::map<std::string, std::string> outputs;      ///< bytes by name; none unless the attempt succeeded
  std::map<std::string, std::string> media_types;  ///< by output name
  std::vector<Child> children;                     ///< of the job, also of its earlier attempts
  std::vector<Fetch> fetches;                      ///< requests that were allowed to go out
  std::vector<Spawn> spawns;                       ///< programs that were allowed to start
  std::vector<Call> calls;
  std::size_t cancel_checks = 0;  ///< how often cancelled() was asked
  /// Rules of the ABI that were broken without harm here: an output left open, a call with a job that has ended …
  /// A clean plugin leaves this empty.
  std::vector<std::string> complaints;

  [[nodiscard]] bool succeeded() const { return code == JH_OK; }
  /// Asked to be run again, after retry_after_ms: Job::runAgainIn(). FakeHost::runAgain() does not wait for it.
  [[nodiscard]] bool handedBack() const { return code == JH_E_SUSPENDED && retry_after_ms >= 0; }
  /// The job's notes as the API shows them.
  [[nodiscard]] Json notesObject() const {
    Json all = Json::object();
    for (const auto& [key, value] : notes) all.set(key, value);
    return all;
  }
  /// How often the host was called by that name.
  [[nodiscard]] std::size_t count(const std::string& name) const {
    std::size_t all = 0;
    for (const auto& call : calls) all += call.name == name ? 1 : 0;
    return all;
  }
};

}  // namespace jobhost::testing
