#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/attempt.hpp"
#include "runner/cancel_callbacks.hpp"
#include "runner/channel.hpp"
#include "runner/status.hpp"
#include "wire/frame.hpp"
#include "wire/messages.hpp"

namespace jobhost::runner {

/// The runner's side of the protocol after the handshake: the queue of attempts, the one that runs, and calls to the
/// host.
///
/// Threads: protocolLoop() runs on the protocol thread for ever; nextAttempt(), begin() and finish() belong to the job
/// thread; the rest may be called from any thread. Locks are never held across calls into the plugin.
class Session {
 public:
  struct Options {
    int socket_fd;
    int wake_fd;
    wire::Welcome welcome;
  };
  Session(Options options, wire::FrameReader reader, Status& status);

  /// Reads frames and acts on them; ends the process when the host leaves or speaks nonsense.
  [[noreturn]] void protocolLoop();

  /// The next attempt to run; null when the session is over and the runner should leave in good order.
  std::shared_ptr<Attempt> nextAttempt();
  /// Makes it the current one: from now on its handle is good.
  void begin(const std::shared_ptr<Attempt>& attempt);
  /// Ends it: its handle is void, DONE is sent.
  void finish(Attempt& attempt, wire::Done done);
  void say(const std::string& bye_reason);

  /// The attempt a plugin's jh_job* stands for; null for any other value.
  [[nodiscard]] std::shared_ptr<Attempt> find(const jh_job* job);
  /// The attempt that runs now, whatever a plugin holds; null between attempts.
  [[nodiscard]] std::shared_ptr<Attempt> current();
  /// JH_CANCEL_* for a handle; SHUTDOWN for one that has ended, so that threads left behind stop.
  [[nodiscard]] std::int32_t cancelled(const jh_job* job) const;
  /// Whether, by frame or page, this attempt was asked to stop.
  [[nodiscard]] std::int32_t cancelled(const Attempt& attempt) const;

  // What an attempt says. Call without its mutex.
  void log(const Attempt* attempt, std::int32_t level, std::string text);
  void progress(Attempt& attempt, wire::Progress progress);
  /// False: the attempt ended or was asked to stop while waiting for credit.
  bool note(Attempt& attempt, wire::Note note);

  struct Answer {
    jh_result code = JH_OK;
    std::string error;
    std::string body;
  };
  /// Asks the host and waits. `interruptible`: answers JH_E_CANCELLED when the attempt is asked to stop meanwhile.
  Answer call(Attempt& attempt, wire::Method method, std::string_view body, bool interruptible);

  /// Asks the attempt that runs to stop, as a CANCEL from the host would. Any thread.
  void cancelRunning(std::int32_t reason);

  CancelCallbacks& cancelCallbacks() { return callbacks_; }
  [[nodiscard]] const wire::Welcome& welcome() const { return welcome_; }
  Status& status() { return status_; }
  Channel& channel() { return channel_; }

 private:
  struct Pending {
    bool answered = false;
    Answer answer;
  };
  void handle(const wire::Frame& frame, std::vector<std::shared_ptr<Attempt>>& runs);
  void onCancel(std::uint32_t slot, std::string_view payload);
  void onRecall(const wire::Frame& frame);
  void onReturn(const wire::Frame& frame);
  void enqueue(std::vector<std::shared_ptr<Attempt>>& runs);
  void cancelCurrent(const std::shared_ptr<Attempt>& attempt, std::int32_t reason);
  void tellLateThings();
  [[nodiscard]] int pollTimeout();
  void sendProgress(Attempt& attempt, bool wait);
  void sendLogSummary(Attempt& attempt);
  void announce(Attempt& attempt, Channel::When when);
  [[noreturn]] void broken(const std::string& why);

  const int socket_;
  const int wake_;
  const wire::Welcome welcome_;
  wire::FrameReader reader_;
  Status& status_;
  Channel channel_;
  CancelCallbacks callbacks_;

  std::mutex mutex_;
  std::condition_variable work_;      ///< queue_, draining_
  std::condition_variable returned_;  ///< calls_, cancels
  std::deque<std::shared_ptr<Attempt>> queue_;
  std::shared_ptr<Attempt> current_;
  bool draining_ = false;
  bool protocol_dozes_ = false;  ///< the protocol thread polls with a time-out: it will flush what is left for later
  std::uint64_t flushed_us_ = 0;
  std::uint32_t next_call_ = 0;
  std::map<std::uint32_t, Pending*> calls_;

  std::atomic<std::uintptr_t> current_handle_{0};
  std::atomic<std::uint32_t> current_slot_{0};
  std::atomic<std::int32_t> current_cancel_{0};
  std::uintptr_t last_handle_ = 0;  ///< job thread
};

}  // namespace jobhost::runner
