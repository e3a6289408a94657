#pragma once

#include <map>
#include <string>

#include "core/clock.hpp"

namespace jobhost::dispatch {

/// What the dispatcher keeps to. Zero means: no limit of its own, where a limit is meant.
struct Options {
  int max_running = 0;                               ///< attempts at once over all plugins
  std::map<std::string, int> max_running_by_plugin;  ///< beside what the runner side offers; by plugin id
  int max_per_key = 1;                               ///< jobs of one queue key at once
  int max_claim = 1024;                              ///< jobs taken by one claim
  core::Millis lease{30'000};                        ///< renewed after a third of it
  core::Millis default_timeout{0};                   ///< of an attempt whose job and type name none
  /// Attempts that take less than this on average are handed over ahead, so that a runner never waits for a commit.
  core::Millis short_attempt{5};
  int read_ahead = 128;                  ///< attempts outstanding per slot at most; 1 switches it off
  core::Millis stall{20};                ///< an attempt running this long gives back those behind it
  core::Millis progress_interval{250};   ///< between two stored progress values of a job
  core::Millis poll{5'000};              ///< the longest sleep towards a due moment: wall time may jump
  core::Millis settle_patience{10'000};  ///< how long drain() waits for the store after the last attempt
};

}  // namespace jobhost::dispatch
