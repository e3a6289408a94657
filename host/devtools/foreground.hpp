#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "devtools/lab.hpp"
#include "devtools/subject.hpp"

namespace jobhost::devtools {

/// One job run here and now, without a host.
struct ForegroundOptions {
  LabOptions lab;
  std::string type;
  std::string params = "{}";
  std::filesystem::path out;     ///< folder its outputs are copied to; empty: nowhere
  std::filesystem::path trace;   ///< file for a trace of its calls; empty: none
  std::filesystem::path record;  ///< file for a record; empty: none
  std::filesystem::path replay;  ///< a record to answer from; its type, params, inputs and config are used
  bool gdb = false;
  bool valgrind = false;
};

struct ForegroundReport {
  JobReport job;
  std::vector<std::filesystem::path> outputs;  ///< as copied
  std::vector<std::string> diverged;           ///< of a replay: calls the record does not answer
  std::string valgrind;                        ///< what it said; empty: nothing
};

/// Runs jobs in the foreground. run() blocks; stop() and kill() may come from any thread meanwhile.
class Foreground {
 public:
  /// Errors: InvalidArgument (no such type, params the schema refuses with every field, a plugin that cannot be run, an
  /// option that a program has no use for),
  /// NotFound (record, gdb or valgrind), Unavailable (a file that cannot be written).
  core::Result<ForegroundReport> run(const Subject& subject, const ForegroundOptions& options, Lab::Watcher watcher);
  /// Asks the job to stop as a host would: after its grace its process is ended.
  void stop();
  /// Ends its process.
  void kill();

 private:
  std::mutex mutex_;  ///< guards lab_
  Lab* lab_ = nullptr;
};

}  // namespace jobhost::devtools
