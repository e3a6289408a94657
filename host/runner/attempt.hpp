#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jobhost/abi.h"
#include "runner/http_responses.hpp"
#include "runner/processes.hpp"
#include "runner/work_files.hpp"
#include "wire/messages.hpp"

namespace jobhost::runner {

struct AttemptError {
  std::int32_t error_class = JH_CLASS_INTERNAL;
  std::int64_t retry_after_ms = -1;
  std::string code;
  std::string message;
  std::string details_json;
};

/// How many log lines may still be sent: a bucket that refills with time.
class LineBudget {
 public:
  LineBudget(std::uint32_t per_s, std::uint32_t burst) : per_s_(per_s), burst_(burst), tokens_(burst) {}
  bool take(std::uint64_t now_us) {
    if (last_us_ != 0 && now_us > last_us_) {
      tokens_ += static_cast<double>(now_us - last_us_) * per_s_ / 1e6;
      if (tokens_ > burst_) tokens_ = burst_;
    }
    last_us_ = now_us;
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  double per_s_;
  double burst_;
  double tokens_;
  std::uint64_t last_us_ = 0;
};

/// One attempt between RUN and DONE: what the plugin said and asked of it. Shared by the job thread, the plugin's
/// threads and the protocol thread, hence held by shared_ptr; `mutex` guards what is not atomic or constant.
struct Attempt {
  Attempt(std::uint32_t slot_number, std::string run_payload, const wire::Welcome& welcome);

  const std::uint32_t slot;
  const std::string payload;  ///< of the RUN frame; `run` has views into it
  wire::Run run;
  bool valid = false;         ///< whether the payload could be read
  std::uintptr_t handle = 0;  ///< what the plugin holds as jh_job*
  std::string type_name;      ///< of run.type_index; set by the job thread before run()
  std::int64_t started_us = 0;
  std::uint64_t started_steady_us = 0;

  std::atomic<std::int32_t> cancel{0};
  std::atomic<bool> announced{false};  ///< STARTED was sent
  std::atomic<bool> ended{false};

  std::mutex mutex;
  std::string info_json;
  std::optional<std::string> result;
  std::optional<AttemptError> error;
  std::deque<std::string> kept;  ///< strings the plugin may read until run() returns
  std::string config_json;
  std::optional<std::string> checkpoint;

  std::optional<wire::Progress> progress;  ///< told last and not yet sent
  std::uint64_t progress_sent_us = 0;
  LineBudget lines;
  std::uint64_t lines_dropped = 0;  ///< since the last summary
  std::uint64_t lines_dropped_total = 0;

  int cancel_event = -1;  ///< eventfd of wait_handle, made when asked for

  WorkFiles files;
  HttpResponses responses;
  Processes processes;

  /// A string that stays until run() returns. Call with the mutex held.
  jh_str keep(std::string text) {
    kept.push_back(std::move(text));
    return {kept.back().data(), kept.back().size()};
  }

  ~Attempt();
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;
};

}  // namespace jobhost::runner
