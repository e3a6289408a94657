#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/job.hpp"
#include "dispatch/job_runner.hpp"
#include "jobhost/abi.h"
#include "jobhost/json.hpp"

namespace jobhost::devtools {

struct JobSpec;

/// Does for a program (a plugin of kind "process") what a runner's inspector does for a library, as far as it can be
/// done from outside: writes down the progress it tells, the services it calls and what /proc says of it, lets chosen
/// calls fail and asks to stop at a chosen one. Its lines are those of docs/protocol.md, "Inspection"; a call is what
/// the host hears of, and the first point to stop at (cancel_at 0) is when the job says that it began.
///
/// Thread-safety: any thread.
class ProgramWatch {
 public:
  /// `work`: the pool's work folder. `states`: look at the process after each job.
  ProgramWatch(std::vector<JobSpec> jobs, std::filesystem::path work, bool states);

  /// Asks the job to stop; must only post. Set before the first job.
  std::function<void(core::JobId)> stop;

  void begin(core::JobId job, std::string_view type);
  void started(core::JobId job);
  void progressed(core::JobId job, const core::Progress& progress);
  void logged(const std::string& line_json);
  void ended(const dispatch::AttemptEnd& end);
  /// A call of a service: JH_OK, or the code it should fail with.
  jh_result called(core::JobId job, std::string_view call, std::string_view subject, bool permitted);
  void loaded(core::Millis took, bool left_in_order);

  [[nodiscard]] std::vector<Json> lines() const;

 private:
  [[nodiscard]] const JobSpec* specOf(core::JobId job) const;
  void write(Json line);
  bool counted(core::JobId job, std::string_view call);
  void look(const char* when, core::JobId job);

  const std::vector<JobSpec> jobs_;
  const std::filesystem::path work_;
  const bool states_;
  mutable std::mutex mutex_;  ///< guards what follows
  std::vector<Json> lines_;
  std::int64_t number_ = 0;  ///< calls of the job that runs
  std::map<std::string, int, std::less<>> counts_;
  std::string left_behind_;  ///< what the pool said of processes that the job left
  std::vector<int> known_;   ///< processes whose first state was written
};

}  // namespace jobhost::devtools
