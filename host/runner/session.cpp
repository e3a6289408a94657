#include "runner/session.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "runner/text.hpp"

namespace jobhost::runner {
namespace {

constexpr std::size_t kReadBytes = 128 * 1024;
constexpr std::uint64_t kFlushEveryUs = 1'000;     ///< how long a DONE may wait for company
constexpr std::uint64_t kAnnounceAfterUs = 2'000;  ///< an attempt this old is announced by STARTED
/// A plugin that closes the control socket while poll() waits on it wakes nobody, and the host sees no end of it, since
/// poll() holds the socket. So while an attempt runs the wait is not endless.
constexpr int kLookAtSocketMs = 250;
constexpr std::size_t kMaxQueued = 100'000;

}  // namespace

Session::Session(Options options, wire::FrameReader reader, Status& status)
    : socket_(options.socket_fd),
      wake_(options.wake_fd),
      welcome_(std::move(options.welcome)),
      reader_(std::move(reader)),
      status_(status),
      channel_(socket_, wake_) {
  channel_.addCredit(welcome_.credit_bytes);
}

void Session::broken(const std::string& why) {
  std::fprintf(stderr, "jobhost-runner: protocol: %s\n", why.c_str());
  leaveWithGroup(70);
}

// ---------------------------------------------------------------------------------------------- the protocol thread

int Session::pollTimeout() {
  const std::lock_guard lock(mutex_);
  const bool unannounced = current_ && !current_->announced.load(std::memory_order_relaxed);
  const bool progress_waits = current_ && [&] {
    const std::lock_guard attempt_lock(current_->mutex);
    return current_->progress.has_value();
  }();
  protocol_dozes_ = unannounced || !queue_.empty() || channel_.pending();
  if (protocol_dozes_) return 1;
  if (progress_waits) return static_cast<int>(1'000 / std::max<std::uint32_t>(1, welcome_.progress_per_s));
  return current_ ? kLookAtSocketMs : -1;
}

void Session::tellLateThings() {
  std::shared_ptr<Attempt> attempt;
  {
    const std::lock_guard lock(mutex_);
    attempt = current_;
    flushed_us_ = steadyMicros();
  }
  if (attempt) {
    if (!attempt->announced.load(std::memory_order_relaxed) &&
        steadyMicros() - attempt->started_steady_us >= kAnnounceAfterUs) {
      announce(*attempt, Channel::When::Later);
    }
    sendProgress(*attempt, false);
  }
  channel_.flush();
}

void Session::protocolLoop() {
  channel_.protocolThreadIsMe();
  std::vector<std::shared_ptr<Attempt>> runs;
  for (;;) {
    wire::Frame frame;
    wire::FrameReader::Status status = wire::FrameReader::Status::NeedMore;
    while ((status = reader_.next(frame)) == wire::FrameReader::Status::Message) handle(frame, runs);
    if (status == wire::FrameReader::Status::Broken) broken(reader_.error());
    enqueue(runs);
    tellLateThings();

    const int timeout = pollTimeout();
    const short events = channel_.pending() ? POLLIN | POLLOUT : POLLIN;
    pollfd fds[2] = {{socket_, events, 0}, {wake_, POLLIN, 0}};
    if (poll(fds, 2, timeout) < 0 && errno != EINTR) broken("poll failed");
    if ((fds[0].revents & POLLNVAL) != 0) broken("the control socket was closed by the plugin");
    if ((fds[1].revents & POLLIN) != 0) {
      std::uint64_t count = 0;
      [[maybe_unused]] const ssize_t ignored = read(wake_, &count, sizeof(count));
    }
    if ((fds[0].revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
    const ssize_t n = recv(socket_, reader_.prepare(kReadBytes), kReadBytes, MSG_DONTWAIT);
    if (n == 0) leaveWithGroup(0);  // the host is gone: nothing of this runner may stay
    if (n < 0 && errno != EAGAIN && errno != EINTR) leaveWithGroup(0);
    if (n > 0) reader_.commit(static_cast<std::size_t>(n));
  }
}

void Session::handle(const wire::Frame& frame, std::vector<std::shared_ptr<Attempt>>& runs) {
  using wire::FrameType;
  if (frame.type != FrameType::Run) enqueue(runs);  // frames act in the order they came
  switch (frame.type) {
    case FrameType::Run:
      runs.push_back(std::make_shared<Attempt>(frame.job, std::string(frame.payload), welcome_));
      if (!runs.back()->valid || frame.job == 0) broken("a RUN that cannot be read");
      return;
    case FrameType::Cancel:
      return onCancel(frame.job, frame.payload);
    case FrameType::Recall:
      return onRecall(frame);
    case FrameType::Return:
      return onReturn(frame);
    case FrameType::Ping: {
      channel_.put(FrameType::Pong, frame.id, 0, wire::Ping{}, Channel::When::Now);
      return;
    }
    case FrameType::Pong:
      return;
    case FrameType::Credit: {
      wire::Credit credit;
      if (!decode(frame.payload, credit)) broken("a CREDIT that cannot be read");
      channel_.addCredit(credit.bytes);
      return;
    }
    case FrameType::Drain: {
      const std::lock_guard lock(mutex_);
      draining_ = true;
      work_.notify_all();
      return;
    }
    case FrameType::Bye: {
      std::unique_lock lock(mutex_);
      if (current_) leaveWithGroup(0);
      queue_.clear();
      draining_ = true;
      work_.notify_all();
      return;
    }
    default:
      broken("a " + std::string(toString(frame.type)) + " frame, which only a runner sends");
  }
}

void Session::enqueue(std::vector<std::shared_ptr<Attempt>>& runs) {
  if (runs.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() + runs.size() > kMaxQueued) broken("more than 100000 attempts in flight");
    for (auto& run : runs) queue_.push_back(std::move(run));
  }
  runs.clear();
  work_.notify_one();
}

void Session::cancelCurrent(const std::shared_ptr<Attempt>& attempt, std::int32_t reason) {
  std::int32_t none = 0;
  if (!attempt->cancel.compare_exchange_strong(none, reason)) return;
  if (current_slot_.load() == attempt->slot) current_cancel_.store(reason);
  {
    const std::lock_guard lock(attempt->mutex);
    const std::uint64_t one = 1;
    if (attempt->cancel_event >= 0) {
      [[maybe_unused]] const ssize_t ignored = write(attempt->cancel_event, &one, sizeof(one));
    }
  }
  attempt->processes.stop();
  callbacks_.fire(attempt->slot, reason);
  channel_.wakeAll();
  { const std::lock_guard lock(mutex_); }
  returned_.notify_all();
}

void Session::cancelRunning(std::int32_t reason) {
  if (const auto attempt = current()) cancelCurrent(attempt, reason);
}

void Session::onCancel(std::uint32_t slot, std::string_view payload) {
  wire::Cancel cancel;
  if (!decode(payload, cancel)) broken("a CANCEL that cannot be read");
  const auto reason = static_cast<std::int32_t>(cancel.reason);
  std::shared_ptr<Attempt> running;
  bool dropped = false;
  {
    const std::lock_guard lock(mutex_);
    if (current_ && current_->slot == slot) running = current_;
    const auto found =
        std::find_if(queue_.begin(), queue_.end(), [&](const auto& attempt) { return attempt->slot == slot; });
    if (!running && found != queue_.end()) {
      queue_.erase(found);
      dropped = true;
    }
  }
  if (running) cancelCurrent(running, reason);
  if (dropped) {
    wire::Done done;
    done.status = wire::DoneStatus::Canceled;
    done.finished_us = wallMicros();
    channel_.put(wire::FrameType::Done, 0, slot, done, Channel::When::Now);
  }
}

void Session::onRecall(const wire::Frame& frame) {
  wire::SlotList wanted;
  if (!decode(frame.payload, wanted)) broken("a RECALL that cannot be read");
  wire::SlotList given;
  {
    const std::lock_guard lock(mutex_);
    std::deque<std::shared_ptr<Attempt>> kept;
    for (auto& attempt : queue_) {
      const bool asked = wanted.slots.empty() ||
                         std::find(wanted.slots.begin(), wanted.slots.end(), attempt->slot) != wanted.slots.end();
      if (asked) {
        given.slots.push_back(attempt->slot);
      } else {
        kept.push_back(std::move(attempt));
      }
    }
    queue_.swap(kept);
    work_.notify_all();
  }
  channel_.put(wire::FrameType::Recalled, frame.id, 0, given, Channel::When::Now);
}

void Session::onReturn(const wire::Frame& frame) {
  wire::Return answer;
  if (!decode(frame.payload, answer)) broken("a RETURN that cannot be read");
  const std::lock_guard lock(mutex_);
  const auto found = calls_.find(frame.id);
  if (found == calls_.end()) return;  // its caller gave up
  found->second->answered = true;
  found->second->answer = {answer.result, std::string(answer.error), std::string(answer.body)};
  returned_.notify_all();
}

// ---------------------------------------------------------------------------------------------- the job thread

std::shared_ptr<Attempt> Session::nextAttempt() {
  std::unique_lock lock(mutex_);
  work_.wait(lock, [&] { return !queue_.empty() || draining_; });
  if (queue_.empty()) return nullptr;
  auto attempt = std::move(queue_.front());
  queue_.pop_front();
  attempt->handle = (++last_handle_ << 4) | 0x8U;
  attempt->started_us = wallMicros();
  attempt->started_steady_us = steadyMicros();
  current_ = attempt;  // here, not in begin(): a CANCEL must find it in the queue or as current, never nowhere
  return attempt;
}

void Session::begin(const std::shared_ptr<Attempt>& attempt) {
  auto& page = status_.page();
  page.slot.store(attempt->slot, std::memory_order_relaxed);
  page.attempt.store(attempt->run.attempt, std::memory_order_relaxed);
  page.started_us.store(static_cast<std::uint64_t>(attempt->started_us), std::memory_order_relaxed);
  page.deadline_us.store(static_cast<std::uint64_t>(std::max<std::int64_t>(0, attempt->run.deadline_us)),
                         std::memory_order_relaxed);
  page.job_id.store(attempt->run.job_id, std::memory_order_release);
  status_.phase(wire::Phase::Running);
  current_cancel_.store(0);
  current_slot_.store(attempt->slot);
  if (const std::int32_t reason = attempt->cancel.load(); reason != 0) current_cancel_.store(reason);
  current_handle_.store(attempt->handle);
  // What an earlier attempt left for later goes out before this one may take long, and tells that this one began.
  bool dozes = false;
  {
    const std::lock_guard lock(mutex_);
    dozes = protocol_dozes_;
  }
  if (!dozes && channel_.pending()) announce(*attempt, Channel::When::Now);
  if (!dozes && !attempt->announced.load()) channel_.stir();
}

void Session::finish(Attempt& attempt, wire::Done done) {
  current_handle_.store(0);
  callbacks_.clear();
  sendProgress(attempt, true);
  sendLogSummary(attempt);
  {
    const std::lock_guard lock(attempt.mutex);
    attempt.ended.store(true);
    done.dropped_log_lines = attempt.lines_dropped_total;
  }
  channel_.wakeAll();
  Channel::When when = Channel::When::Now;
  {
    const std::lock_guard lock(mutex_);
    const std::uint64_t now = steadyMicros();
    if (!queue_.empty() && protocol_dozes_ && now - flushed_us_ < kFlushEveryUs) {
      when = Channel::When::Later;
    } else {
      flushed_us_ = now;
    }
    current_.reset();
  }
  returned_.notify_all();
  status_.page().job_id.store(0, std::memory_order_release);
  status_.phase(wire::Phase::Idle);
  channel_.put(wire::FrameType::Done, 0, attempt.slot, done, when);
  if (when == Channel::When::Now) return;
  const std::lock_guard lock(mutex_);
  if (!protocol_dozes_) channel_.flush();  // it went to sleep in between: a recall emptied the queue
}

void Session::say(const std::string& bye_reason) {
  channel_.put(wire::FrameType::Bye, 0, 0, wire::Bye{bye_reason}, Channel::When::Now);
  while (!channel_.flush()) {
    pollfd fd{socket_, POLLOUT, 0};
    if (poll(&fd, 1, 1'000) <= 0) return;
  }
}

// ---------------------------------------------------------------------------------------------- any thread

std::shared_ptr<Attempt> Session::find(const jh_job* job) {
  const auto handle = reinterpret_cast<std::uintptr_t>(job);
  if (handle == 0 || handle != current_handle_.load()) return nullptr;
  const std::lock_guard lock(mutex_);
  return current_ && current_->handle == handle ? current_ : nullptr;
}

std::shared_ptr<Attempt> Session::current() {
  const std::lock_guard lock(mutex_);
  return current_;
}

std::int32_t Session::cancelled(const jh_job* job) const {
  if (reinterpret_cast<std::uintptr_t>(job) != current_handle_.load(std::memory_order_relaxed))
    return JH_CANCEL_SHUTDOWN;
  const std::int32_t reason = current_cancel_.load(std::memory_order_relaxed);
  return reason != 0 ? reason : status_.cancelOf(current_slot_.load(std::memory_order_relaxed));
}

std::int32_t Session::cancelled(const Attempt& attempt) const {
  const std::int32_t reason = attempt.cancel.load(std::memory_order_relaxed);
  return reason != 0 ? reason : status_.cancelOf(attempt.slot);
}

void Session::announce(Attempt& attempt, Channel::When when) {
  if (attempt.announced.exchange(true)) return;
  channel_.put(wire::FrameType::Started, 0, attempt.slot, wire::Started{attempt.started_us}, when);
}

void Session::log(const Attempt* attempt, std::int32_t level, std::string text) {
  const wire::Log line{static_cast<std::uint8_t>(std::clamp(level, 0, 5)), wallMicros(), std::move(text)};
  channel_.putCredited(wire::FrameType::Log, attempt != nullptr ? attempt->slot : 0, line,
                       [&] { return attempt == nullptr || (!attempt->ended.load() && cancelled(*attempt) == 0); });
}

void Session::progress(Attempt& attempt, wire::Progress progress) {
  bool first = false;
  bool due = false;
  {
    const std::lock_guard lock(attempt.mutex);
    if (attempt.ended.load()) return;
    first = !attempt.progress.has_value();
    attempt.progress = std::move(progress);
    const std::uint64_t gap = 1'000'000 / std::max<std::uint32_t>(1, welcome_.progress_per_s);
    due = steadyMicros() - attempt.progress_sent_us >= gap;
  }
  if (due) return sendProgress(attempt, false);
  if (first) channel_.stir();  // so that the last value is told though the plugin says no more
}

void Session::sendProgress(Attempt& attempt, bool wait) {
  wire::Progress last;
  {
    const std::lock_guard lock(attempt.mutex);
    const std::uint64_t now = steadyMicros();
    const std::uint64_t gap = 1'000'000 / std::max<std::uint32_t>(1, welcome_.progress_per_s);
    if (!attempt.progress || (!wait && now - attempt.progress_sent_us < gap)) return;
    last = std::move(*attempt.progress);
    attempt.progress.reset();
    attempt.progress_sent_us = now;
  }
  const bool sent = channel_.putCredited(wire::FrameType::Progress, attempt.slot, last,
                                         [&] { return wait && !attempt.ended.load() && cancelled(attempt) == 0; });
  if (sent) return;
  const std::lock_guard lock(attempt.mutex);
  if (!attempt.progress) attempt.progress = std::move(last);  // no credit now: later, if nothing newer comes
}

void Session::sendLogSummary(Attempt& attempt) {
  std::uint64_t dropped = 0;
  {
    const std::lock_guard lock(attempt.mutex);
    dropped = std::exchange(attempt.lines_dropped, 0);
  }
  if (dropped == 0) return;
  log(&attempt, JH_LOG_WARN,
      std::to_string(dropped) + " log lines dropped: more than " + std::to_string(welcome_.log_lines_per_s) +
          " a second");
}

bool Session::note(Attempt& attempt, wire::Note note) {
  return channel_.putCredited(wire::FrameType::Note, attempt.slot, note, [&] { return !attempt.ended.load(); });
}

Session::Answer Session::call(Attempt& attempt, wire::Method method, std::string_view body, bool interruptible) {
  Pending pending;
  std::uint32_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (calls_.size() >= 256) return {JH_E_LIMIT, "more than 256 calls at once", {}};
    id = ++next_call_;
    calls_[id] = &pending;
  }
  channel_.put(wire::FrameType::Call, id, attempt.slot, wire::Call{method, body}, Channel::When::Now);
  std::unique_lock lock(mutex_);
  const auto gave_up = [&] { return attempt.ended.load() || (interruptible && attempt.cancel.load() != 0); };
  returned_.wait(lock, [&] { return pending.answered || gave_up(); });
  calls_.erase(id);
  if (pending.answered) return std::move(pending.answer);
  if (attempt.ended.load()) return {JH_E_MISUSE, "the job has ended", {}};
  return {JH_E_CANCELLED, "the job was asked to stop", {}};
}

}  // namespace jobhost::runner
