#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "jobhost/json.hpp"

namespace jobhost::devtools {

// Questions about the lines a watched runner wrote (runner/inspector.hpp).

/// The last line of the step ("module", "begin", "end", "cancel"); of `job` where that is not 0. Null: there is none.
inline Json stepLine(const std::vector<Json>& lines, std::string_view step, std::int64_t job = 0) {
  for (auto at = lines.rbegin(); at != lines.rend(); ++at) {
    if ((*at)["s"].stringOr("") == step && (job == 0 || (*at)["job"].intOr(0) == job)) return *at;
  }
  return {};
}

/// What the process looked like: "start", "loaded", or "attempt" after job number `job`.
inline Json stateAt(const std::vector<Json>& lines, std::string_view when, std::int64_t job = 0) {
  for (const auto& line : lines) {
    if (line["s"].stringOr("") == "state" && line["when"].stringOr("") == when && line["job"].intOr(0) == job) {
      return line["is"];
    }
  }
  return {};
}

/// The lines of calls made while the job ran.
inline std::vector<Json> callsOf(const std::vector<Json>& lines, std::int64_t job) {
  std::vector<Json> calls;
  bool inside = false;
  for (const auto& line : lines) {
    const auto step = line["s"].stringOr("");
    if (step == "begin") inside = line["job"].intOr(0) == job;
    if (step == "end" && line["job"].intOr(0) == job) inside = false;
    if (inside && line["c"].isString()) calls.push_back(line);
  }
  return calls;
}

/// Items of `after` that are not in `before`.
inline std::vector<std::string> added(const Json& before, const Json& after) {
  std::vector<std::string> more;
  for (const auto& item : after.items()) {
    bool known = false;
    for (const auto& old : before.items()) known = known || old == item;
    if (!known) more.emplace_back(item.stringOr(item.dump()));
  }
  return more;
}

}  // namespace jobhost::devtools
