#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/process_request.hpp"
#include "runner/work_files.hpp"

namespace jobhost::runner {

/// The programs one attempt runs, each under a keeper (keeper.hpp) that ends it with all it started. Pipes lead
/// straight to the program: what nobody reads waits in them, and the program with it.
///
/// Thread-safety: any thread; reads and writes of one process as the ABI says. Whatever blocks ends when `cancel_fd`
/// becomes readable, with JH_E_CANCELLED. Errors: Outcome, ProcessFailure.
class Processes {
 public:
  /// What the host said of a program, and where it runs.
  struct Place {
    std::string program;  ///< absolute
    std::string keeper;   ///< the jobhost-runner to start; absolute
    std::string search_path;
    std::vector<std::string> environment;  ///< of keeper and program: what the host finds them by
    std::string temp_dir;
    std::size_t most = 8;  ///< open at once
  };

  Processes() = default;
  ~Processes();
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

  std::optional<ProcessFailure> spawn(const Json& argv, const Json& options, const ProcessRequest& request,
                                      const Place& place, int cancel_fd, std::uintptr_t& handle);
  Outcome write(std::uintptr_t handle, const void* data, std::size_t size, int cancel_fd);
  Outcome closeInput(std::uintptr_t handle);
  Outcome read(std::uintptr_t handle, std::int32_t stream, void* buffer, std::size_t size, std::size_t& got,
               std::int32_t& from, int cancel_fd);
  /// `end_json` is valid until the process is closed.
  Outcome wait(std::uintptr_t handle, std::int64_t timeout_ms, std::string_view& end_json, int cancel_fd);
  Outcome kill(std::uintptr_t handle, bool force);
  /// Ends it; once stop() was called, with the grace it has, which end() waits for.
  Outcome close(std::uintptr_t handle);

  /// The job was asked to stop: asks all of them to end. Does not block; also those that come later.
  void stop();
  /// The attempt is over: ends all, those that were asked to stop when their grace is over, and waits for that.
  void end();

 private:
  struct Process;
  std::shared_ptr<Process> find(std::uintptr_t handle);

  std::mutex mutex_;
  std::uintptr_t serial_ = 0;
  std::size_t starting_ = 0;
  bool stopped_ = false;
  std::map<std::uintptr_t, std::shared_ptr<Process>> open_;
  std::vector<std::shared_ptr<Process>> closing_;  ///< closed, and still ending
};

}  // namespace jobhost::runner
