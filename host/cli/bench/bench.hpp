#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/bench/figures.hpp"
#include "cli/bench/own_host.hpp"
#include "cli/context.hpp"

namespace jobhost::cli::bench {

struct BenchArgs {
  ClientArgs client;              ///< with a URL: that host is measured
  std::string plugins;            ///< folder with testkit; empty: test-plugins beside the program's folder
  std::string scratch;            ///< where the own host's data lies: the disk that is measured
  std::vector<std::string> set;   ///< key=value for the own host
  std::vector<std::string> only;  ///< names of scenarios; empty: all
  int seconds = 5;                ///< of each throughput figure
  int watchers = 10'000;
  int queue = 200'000;  ///< jobs of the drain figure
  bool strict = false;  ///< exit 1 when a figure is missed
};

/// `jobhost bench`: runs the scenarios one after another and prints design's figures with what was measured.
int bench(const BenchArgs& args);

/// The host under measurement.
struct Target {
  Client client;
  std::string host;  ///< address without port
  unsigned short port = 0;
  std::string key;
  pid_t pid = -1;  ///< -1: another machine's or user's, so no figures from /proc
  const BenchArgs& args;
};

/// A group of figures measured together. Stops at the first error, which becomes the figures' note.
using Figures = std::vector<Figure>;
Figures durableSubmits(Target& target);
Figures bulkSubmits(Target& target);
Figures drain(Target& target);
Figures sustained(Target& target);
Figures startLatency(Target& target);
Figures idle(Target& target);
Figures watchers(Target& target);
Figures endings(Target& target);  ///< cancel, crash, forced kill

// ---- shared by the scenarios
/// The same figures, not measured, with the reason.
Figures missing(Figures figures, const std::string& why);
std::string submitRequest(const Target& target, const std::string& type, const std::string& params);
core::Result<std::int64_t> submitOne(Target& target, const std::string& type, const std::string& params);
/// Polls until the job's state is one of those named; the job's document. Unavailable after 60 s.
core::Result<std::string> awaitState(Target& target, std::int64_t id, const std::vector<std::string>& states);
/// Attempts that ended, by the host's own counters.
core::Result<double> endedJobs(Target& target);
/// Polls until no attempt has ended for 300 ms or `jobs` in all have; seconds it took to the last one.
core::Result<double> awaitEnded(Target& target, double jobs);
/// Microseconds since the epoch of a time member ("…T12:00:00.123Z"); 0 when it is none.
std::int64_t micros(const std::string& rfc3339);
std::int64_t wallMicros();

}  // namespace jobhost::cli::bench
