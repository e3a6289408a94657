#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "catalog/job_type.hpp"
#include "core/result.hpp"
#include "pool/attempt.hpp"
#include "pool/crash_report.hpp"
#include "pool/output_pipe.hpp"
#include "pool/pool_context.hpp"
#include "pool/redaction.hpp"
#include "pool/status_memory.hpp"
#include "wire/frame.hpp"
#include "wire/messages.hpp"

namespace jobhost::pool {

/// One runner process, from the spawn until nothing of it is left: its sockets and pipes, the attempts it has, the kill
/// ladder, and the judgement of how it ended. What it sends is untrusted: the first thing that cannot be ends it.
///
/// Belongs to the loop's thread. Its owner drops it after runnerGone(); work of other threads keeps it alive until
/// then.
class Runner final : public IoHandler, public std::enable_shared_from_this<Runner> {
 public:
  enum class State {
    Starting,  ///< being spawned, or spawned and not yet heard of
    Loading,   ///< shook hands; loads the plugin
    Ready,     ///< takes attempts
    Draining,  ///< finishes what it has, then ends
    Ending,    ///< was sent SIGKILL, or is dead and what it left is being removed
    Gone,
  };

  /// Told on the loop's thread. Calls may start, stop or send to the same runner.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void runnerReady(Runner& runner) = 0;
    virtual void runnerHasRoom(Runner& runner) = 0;
    virtual void attemptEnded(std::unique_ptr<Attempt> attempt, dispatch::AttemptEnd end) = 0;
    /// Not begun (as far as is known): the runner is going, or gave it back.
    virtual void attemptReturned(std::unique_ptr<Attempt> attempt) = 0;
    /// The process and all below it are gone. `load_error`: why it never became ready; else nullopt.
    virtual void runnerGone(Runner& runner, const std::optional<core::Error>& load_error) = 0;
  };

  Runner(PoolContext& context, Owner& owner, catalog::GenerationRef generation, std::int64_t number);
  ~Runner() override;

  /// `memory_bytes`, `processes`: the most any type of the plugin may use.
  void start(std::int64_t memory_bytes, int processes);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool takesAttempts() const { return state_ == State::Ready; }
  [[nodiscard]] std::size_t inFlight() const { return attempts_.size(); }
  [[nodiscard]] bool isIdle() const { return state_ == State::Ready && attempts_.empty() && finishing_ == 0; }
  /// Takes no more attempts, though it may have some.
  [[nodiscard]] bool leavesSoon() const { return leave_soon_ || state_ == State::Draining; }
  [[nodiscard]] std::size_t unsentBytes() const { return out_.size(); }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const wire::Loaded& loaded() const { return loaded_; }
  /// Whether it said that it leaves before it ended, and ended by itself.
  [[nodiscard]] bool leftInOrder() const { return said_bye_ && !killed_; }
  /// The last lines it wrote to stdout and stderr.
  [[nodiscard]] const std::deque<std::string>& piped() const { return piped_; }
  [[nodiscard]] EventLoop::Steady::time_point idleSince() const { return idle_since_; }
  [[nodiscard]] const Attempt* front() const { return attempts_.empty() ? nullptr : attempts_.front().get(); }

  /// Takes the attempt (state Ready); the frame leaves at the end of the loop's turn.
  void send(std::unique_ptr<Attempt> attempt);
  /// The attempt is one of this runner's: flag, CANCEL, after the grace SIGTERM, after the term grace SIGKILL.
  void stop(Attempt& attempt, dispatch::StopReason reason);
  /// Asks for those back that have not begun: each ends in attemptReturned or in attemptEnded.
  void recall(const std::vector<std::uint32_t>& slots);
  void recallAllBehindFront();

  /// Ends it once it has finished what it has.
  void drain();
  /// SIGKILL to the process group now; attempts end with `error`, or as returned where they had not begun.
  void endWith(core::JobError error);
  void endNow() { hardKill(); }

  /// Writes what waits and tells what has begun. At the end of each turn of the loop.
  void endTurn();
  /// What the warden measured of the tree.
  void measured(const TreeUsage& usage);

  void onIo(int fd, std::uint32_t events) override;

 private:
  // runner.cpp: the process
  core::Result<void> prepare(SpawnRequest& request);
  [[nodiscard]] std::vector<std::string> environment() const;
  [[nodiscard]] std::vector<std::pair<int, std::uint64_t>> limits() const;
  void spawned(core::Result<SpawnedProcess> spawned);
  void failLoad(core::Error error);
  void hardKill();
  void askTerm();
  void onExit();
  void afterSweep();
  void reportAttempts();
  std::size_t runningIndex() const;
  [[nodiscard]] CrashContext crashContext(const Attempt* attempt) const;
  [[nodiscard]] const std::string& pluginId() const { return generation_->plugin_id; }

  // runner_frames.cpp: the socket and the pipes
  void readControl();
  void readPipes();
  void processFrames();
  void onFrame(const wire::Frame& frame);
  void onHello(const wire::Frame& frame);
  void onLoaded(const wire::Frame& frame);
  void onLoadFailed(const wire::Frame& frame);
  void onLog(const wire::Frame& frame);
  void onProgress(const wire::Frame& frame);
  void onNote(const wire::Frame& frame);
  void onCall(const wire::Frame& frame);
  void onRecalled(const wire::Frame& frame);
  void onPing(const wire::Frame& frame);
  void printed(std::string_view level, std::string line);
  void tellStarted(std::uint32_t slot);
  [[nodiscard]] core::JobError closedError() const;
  void spend(const wire::Frame& frame);
  void watchStall();
  void flushOut();
  void protocolError(const std::string& what);
  Attempt* find(std::uint32_t slot);

  // runner_attempts.cpp: the attempts
  void sendRun(Attempt& attempt, const std::vector<wire::InputFile>& inputs);
  void stageThenRun(Attempt& attempt);
  void onDone(const wire::Frame& frame);
  void finish(std::unique_ptr<Attempt> attempt, wire::Done done);
  void settle(std::unique_ptr<Attempt> attempt, const wire::Done& done);
  void redact(core::JobError& error) const;
  void judgeResult(dispatch::AttemptEnd& end, const wire::Done& done) const;
  void removeSlotFolders(std::uint32_t slot);
  void afterAttempt();
  void collect(std::shared_ptr<std::unique_ptr<Attempt>> attempt, std::shared_ptr<dispatch::AttemptEnd> end,
               const wire::Done& done);
  void tell(std::unique_ptr<Attempt> attempt, dispatch::AttemptEnd end);
  void lookAfter(const Attempt& attempt, const dispatch::AttemptEnd& end, const wire::Done& done);
  std::unique_ptr<Attempt> take(std::size_t index);
  void frontChanged();
  void cancelNow(Attempt& attempt);
  void graceOver(std::uint32_t slot);
  void logLine(Attempt& attempt, core::Instant at, std::string_view level, std::string_view text);
  [[nodiscard]] dispatch::AttemptEnd endOf(const Attempt& attempt) const;
  template <class F>
  auto weakly(F f) {
    return [self = weak_from_this(), f = std::move(f)](auto&&... args) {
      if (const auto runner = self.lock()) f(*runner, std::forward<decltype(args)>(args)...);
    };
  }

  PoolContext& context_;
  Owner& owner_;
  const catalog::GenerationRef generation_;  ///< keeps the private copy on disk
  const std::string name_;                   ///< "r-17": the work folder's name and the cgroup's
  const std::filesystem::path work_;
  State state_ = State::Starting;
  std::int64_t memory_bytes_ = 0;
  int processes_ = 0;

  pid_t pid_ = 0;
  UniqueFd pidfd_;
  UniqueFd control_;
  OutputPipe stdout_;
  OutputPipe stderr_;
  StatusMemory page_;
  wire::FrameReader reader_;
  std::string out_;
  std::size_t out_sent_ = 0;
  bool wants_write_ = false;
  bool control_closed_ = false;
  bool broken_ = false;  ///< what it sends is not listened to any more

  bool shook_hands_ = false;
  bool said_bye_ = false;
  wire::Loaded loaded_;
  std::unordered_map<std::string, std::uint32_t> type_index_;
  std::deque<std::string> last_printed_;  ///< to stdout and stderr, and logged while loading
  std::deque<std::string> piped_;         ///< to stdout and stderr alone
  Redaction redaction_;                   ///< of the plugin's secrets

  std::deque<std::unique_ptr<Attempt>> attempts_;  ///< in the order sent
  int finishing_ = 0;                              ///< attempts whose DONE came and whose end is not told yet
  std::uint32_t next_slot_ = 1;
  std::uint32_t next_id_ = 1;
  std::int64_t attempts_done_ = 0;
  std::int64_t first_rss_ = 0;
  bool leave_soon_ = false;  ///< drained once the attempts in flight are through

  std::int64_t credit_spent_ = 0;  ///< since the last grant
  std::int64_t credit_left_ = 0;
  EventLoop::TimerId credit_timer_ = 0;
  EventLoop::TimerId load_timer_ = 0;
  EventLoop::TimerId kill_timer_ = 0;
  EventLoop::TimerId stall_timer_ = 0;
  EventLoop::Steady::time_point last_byte_;
  EventLoop::Steady::time_point idle_since_;
  EventLoop::Steady::time_point ping_window_;
  int pings_ = 0;

  bool killed_ = false;                    ///< by us
  std::uint32_t kill_slot_ = 0;            ///< the attempt that would not stop; 0: none
  std::optional<core::JobError> failure_;  ///< why we ended it
  std::optional<core::Error> load_error_;
  ProcessEnd end_;
};

}  // namespace jobhost::pool
