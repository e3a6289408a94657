#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "jobhost/abi.h"
#include "jobhost/json.hpp"
#include "runner/attempt.hpp"

namespace jobhost::runner {

class PluginLibrary;

/// Watches a plugin for `plugin check` and `plugin run`: stands between it and the host's tables, writes every call
/// down, lets chosen ones fail, asks the job to stop at a chosen call, answers from a record, and describes the process
/// around each step. What it does is WELCOME's `inspection` (docs/protocol.md, "Inspection"). A runner of a serving
/// host has none.
///
/// Lines go to the file `log` of the plan, one JSON object a line, each written at once so that a crash loses none.
/// Threads: calls come from any thread of the plugin. Lives until the process ends.
class Inspector {
 public:
  /// Null for an empty plan. Throws Error when the plan cannot be read or its files cannot be opened. Call before the
  /// process is confined.
  static Inspector* start(std::string_view plan_json);
  /// The one of this process; null: none.
  static Inspector* get();

  /// The table the plugin gets in place of `real`, which must live on.
  const jh_host* wrap(const jh_host* real);

  /// Waits until a debugger is attached, where the plan says so.
  void awaitDebugger();
  /// Writes what can be seen of the process now: "start", "loaded", "attempt".
  void state(const char* when, const Attempt* attempt = nullptr);
  /// What the module says when it is asked again, and for what it cannot have.
  void module(const PluginLibrary& plugin, const jh_host* host);
  void line(const char* what);

  /// Runs the attempt, by several threads at once where the plan says so.
  jh_result run(const std::shared_ptr<Attempt>& attempt, jh_result(JH_CALL* function)(jh_job*));

  // For the tables (inspected_tables.cpp).

  enum class Mode { Real, Fail, Replay };
  struct Step {
    const char* name = "";
    Mode mode = Mode::Real;
    jh_result code = JH_OK;          ///< of Fail and Replay
    const Json* recorded = nullptr;  ///< of Replay: the line
    std::uint64_t number = 0;        ///< of the call within the attempt, from 1
    std::uint64_t begin_us = 0;
  };
  Step begin(const char* name);
  void end(const Step& step, jh_result code, Json arguments, Json answers);
  /// Counts one cancelled(), which is asked too often to be written down each time.
  std::int32_t cancelledAsked(std::int32_t real);
  /// From now on these bytes are written down as ***, wherever they come.
  void hide(std::string_view secret);
  /// Text that stays until the process ends.
  jh_str keep(std::string_view text);
  [[nodiscard]] bool full() const { return full_; }
  [[nodiscard]] bool longer() const { return longer_; }
  [[nodiscard]] bool shorter() const { return shorter_; }
  [[nodiscard]] bool isAbsent(std::string_view extension) const;

 private:
  /// What one job of the plan is put through; by the job's number, from 1.
  struct Ordeal {
    std::int64_t cancel_at = -1;  ///< the call before which it is asked to stop; 0: before run(); -1: never
    std::string fail_call;        ///< empty: none
    std::uint64_t fail_nth = 1;
    jh_result fail_code = JH_E_IO;
  };

  explicit Inspector(const Json& plan);
  void readRecord(const std::string& path);
  void write(const Json& line);
  void cancelBefore(std::uint64_t number);

  int log_ = -1;
  bool calls_ = false;
  bool states_ = false;
  bool full_ = false;
  bool longer_ = false;
  bool shorter_ = false;
  bool debugger_ = false;
  unsigned parallel_ = 1;
  std::uint32_t abi_minor_;
  std::uint32_t flags_ = 0;
  std::vector<std::string> absent_;
  std::vector<Ordeal> ordeals_;

  std::mutex mutex_;  ///< guards what follows
  std::uint64_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
  Ordeal ordeal_;
  std::map<std::string, std::uint64_t, std::less<>> counts_;  ///< calls of this attempt by name
  std::map<std::string, std::deque<Json>, std::less<>> record_;
  std::deque<Json> answered_;  ///< lines of the record that steps point at
  std::deque<std::string> kept_;
  std::vector<std::string> hidden_;  ///< as they are spelt inside JSON strings

  bool replays_ = false;
  std::vector<std::pair<std::uint64_t, std::int32_t>> recorded_cancels_;  ///< from that cancelled() on, that answer
  std::shared_ptr<Attempt> attempt_;  ///< job thread writes it; calls of the plugin come while it is set
  std::atomic<std::uint64_t> number_{0};
  std::atomic<std::uint64_t> asked_{0};
  std::atomic<std::int32_t> last_cancelled_{0};
};

/// The watched host table over `real` (inspected_tables.cpp).
const jh_host* inspectedHost(const jh_host* real, std::uint32_t abi_minor, std::uint32_t flags);

/// What can be seen of this process from inside: open files, threads, memory, umask, folder, locale, environment,
/// signals, limits, children, files that lie where none should. `folder`: the work folder; `slot`: of the attempt.
Json processState(const std::string& folder, std::uint32_t slot);

}  // namespace jobhost::runner
