#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/result.hpp"

namespace jobhost::cli::bench {

/// A `jobhost serve` of this very program on a free port, with a data folder of its own that goes with it. The bench
/// measures it from outside, as a client would. Destroying it stops the process (SIGTERM, after 10 s SIGKILL).
class OwnHost {
 public:
  struct Options {
    std::filesystem::path plugins;
    std::filesystem::path scratch;  ///< where the data folder is made; empty: the system's temporary folder
    std::vector<std::string> set;   ///< key=value
  };
  /// Unavailable: it did not become ready; the last of its log is in the message.
  static core::Result<std::unique_ptr<OwnHost>> start(const Options& options);
  ~OwnHost();
  OwnHost(const OwnHost&) = delete;
  OwnHost& operator=(const OwnHost&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] std::string key() const;

 private:
  OwnHost() = default;
  core::Result<void> spawn(const Options& options);
  core::Result<void> awaitReady(int output);
  [[nodiscard]] std::string lastOfLog() const;

  pid_t pid_ = -1;
  int pidfd_ = -1;
  int output_ = -1;
  std::filesystem::path folder_;
  std::string url_;
};

/// What a process has used so far, from /proc; zeros when it is gone.
struct ProcessStats {
  double cpu_seconds = 0;
  double rss_mib = 0;
  int threads = 0;
};
ProcessStats processStats(pid_t pid);
/// The processes it started that are alive, and theirs.
std::vector<pid_t> descendants(pid_t pid);

}  // namespace jobhost::cli::bench
