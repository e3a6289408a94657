#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "devtools/local_services.hpp"
#include "devtools/program_watch.hpp"
#include "devtools/local_web.hpp"
#include "devtools/subject.hpp"
#include "fetch/client.hpp"
#include "jobhost/json.hpp"
#include "pool/runner_pool.hpp"

namespace jobhost::devtools {

/// A folder that is gone with its owner.
class ScratchFolder {
 public:
  /// Throws std::system_error when it cannot be made.
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// A file given to a job.
struct InputSpec {
  std::string name;
  std::filesystem::path file;
};

/// One job of a Lab and what the runner puts it through (runner/inspector.hpp).
struct JobSpec {
  std::string type;
  std::string params = "{}";
  std::int64_t cancel_at = -1;  ///< the SDK call before which it is asked to stop; 0: before run(); -1: never
  std::string fail_call;        ///< the call made to fail; empty: none
  int fail_nth = 1;
  int fail_code = -7;
};

/// How the runner watches. All off: only what the pool tells.
struct WatchPlan {
  bool calls = false;
  bool state = false;
  bool full = false;     ///< answers whole, for a record
  bool longer = false;   ///< tables of a later version
  bool shorter = false;  ///< extension tables with one function
  int abi_minor = -1;    ///< -1: what there is
  int flags = 0;         ///< more of jh_host.flags
  int parallel = 1;
  bool debugger = false;            ///< wait for one before the plugin is loaded
  std::vector<std::string> absent;  ///< extensions not offered
  std::string replay;               ///< a record; empty: none
};

/// What a job finds when it runs a program that its manifest asks for.
enum class Programs {
  Real,     ///< those of this machine
  Failing,  ///< each ends with status 1 at once
  Hanging,  ///< none ends
};

struct LabOptions {
  std::filesystem::path runner;      ///< jobhost-runner; absolute
  core::Millis job_timeout{20'000};  ///< 0: none
  /// Not 0: a job is asked to stop so long after it began to wait for what never comes (Web::Silent,
  /// Programs::Hanging); one that never does has job_timeout.
  core::Millis waiting_timeout{0};
  core::Millis load_timeout{20'000};
  std::int64_t max_output_bytes = 16LL << 30;
  std::string config_json = "{}";
  std::map<std::string, std::string> secrets;
  std::vector<InputSpec> inputs;  ///< of every job
  Web web = Web::Fine;            ///< what jobs find when they fetch
  Programs programs = Programs::Real;
  bool allow_private = false;  ///< of Web::Real: loopback and private addresses too
  std::vector<std::string> runner_prefix;
  bool limit_memory = true;
  int host_flags = 1;
  core::Millis drain_timeout{2'000};  ///< for a process to end when told to
  /// A job that wants to run again later waits as long and as often as it likes; else a moment, and some times.
  bool real_pauses = false;
  bool in_process = false;  ///< the plugin runs in this process (devtools/in_process.hpp)
};

struct JobReport {
  dispatch::AttemptEnd end;
  bool timed_out = false;                ///< asked to stop by the lab
  std::vector<std::string> log;          ///< the lines, as JSON
  std::vector<std::string> printed;      ///< to stdout and stderr
  std::vector<core::Progress> progress;  ///< as a host would hear it: coalesced
  std::map<std::string, std::string> notes;
  std::filesystem::path outputs;  ///< the folder; gone with the Lab
  [[nodiscard]] bool succeeded() const { return end.kind == dispatch::AttemptEnd::Kind::Succeeded; }
  /// "failed: class 3, code pdf.encrypted: it is encrypted", for people.
  [[nodiscard]] std::string describe() const;
  /// The process ended under it.
  [[nodiscard]] bool crashed() const;
};

/// Runs jobs of one plugin in runner processes of its own, through the pool a host uses, without a host. Jobs run one
/// at a time in the same process as long as it stays healthy. Blocks; one thread. Everything it made is gone with it.
class Lab {
 public:
  /// `jobs`: what runs, in order, by run(). Throws std::system_error when a folder or thread cannot be had.
  Lab(const Subject& subject, LabOptions options, WatchPlan plan, std::vector<JobSpec> jobs);
  ~Lab();
  Lab(const Lab&) = delete;
  Lab& operator=(const Lab&) = delete;

  /// Loads the plugin in a process and lets it end in good order.
  core::Result<pool::RunnerPool::Probed> load();
  /// Runs job number `index` of those given, again when it suspends itself.
  JobReport run(std::size_t index);
  std::vector<JobReport> runAll();
  /// Lets the process end in good order, which ~Lab() does not. No job runs after it. False: it did not in time.
  bool finish();

  // For a caller on another thread or with a terminal.
  struct Watcher {
    std::function<void(const core::Progress&)> progressed;
    std::function<void(const std::string& line_json)> logged;
    std::function<void(const std::string& key, const std::string& json)> noted;
    std::function<void()> started;
    std::function<void(core::Millis time, const std::string& reason)> pausing;  ///< on the caller's thread
  };
  void setWatcher(Watcher watcher);  ///< before run(); called on the pool's thread
  /// Asks the job that runs to stop; one that waits to be run again is not. Any thread.
  void stop();
  /// Ends the process of the job that runs. Any thread.
  void kill();
  [[nodiscard]] int runnerPid();

  /// What the runner, or who watches a program, wrote down so far: calls, states, steps.
  [[nodiscard]] std::vector<Json> watched() const;
  [[nodiscard]] const std::filesystem::path& folder() const { return scratch_.path(); }

 private:
  class Listener;
  void publish(const Subject& subject);
  [[nodiscard]] std::string standIns(const Subject& subject) const;
  [[nodiscard]] std::string inspection(const WatchPlan& plan) const;
  [[nodiscard]] bool waits() const;
  [[nodiscard]] bool endsInTime();
  bool pause(core::Millis time);

  const LabOptions options_;
  const std::vector<JobSpec> jobs_;
  const std::string plugin_id_;
  ScratchFolder scratch_;
  core::SystemClock clock_;
  catalog::Catalog catalog_;
  catalog::GenerationRef generation_;
  std::unique_ptr<fetch::Client> client_;  ///< of Web::Real
  std::unique_ptr<pool::HttpServices> web_;
  LocalServices services_{clock_};
  std::unique_ptr<ProgramWatch> outside_;  ///< of a program; null: the runner's inspector watches
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<pool::RunnerPool> pool_;
  std::atomic<std::int64_t> running_{0};
  std::atomic<bool> fetch_waits_{false};
  std::mutex pause_mutex_;
  std::condition_variable stopped_;
  bool stop_asked_ = false;  ///< guarded by pause_mutex_
};

}  // namespace jobhost::devtools
