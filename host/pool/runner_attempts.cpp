#include "pool/runner.hpp"

#include <algorithm>
#include <limits>

#include "core/job_paths.hpp"
#include "core/sanitized.hpp"
#include "core/json_text.hpp"
#include "pool/process_tree.hpp"
#include "pool/work_dir.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

namespace jobhost::pool {
namespace {

using dispatch::AttemptEnd;
using dispatch::StopReason;

constexpr std::size_t kMaxCodeBytes = 128;
constexpr std::size_t kMaxMessageBytes = 4096;
constexpr std::size_t kMaxDetailsBytes = 64 * 1024;
constexpr std::size_t kMaxReasonBytes = 512;
constexpr std::chrono::milliseconds kWorthALook{5};  // attempts at least this long are looked after one by one

wire::CancelReason wireReason(StopReason reason) {
  switch (reason) {
    case StopReason::Canceled:
      return wire::CancelReason::User;
    case StopReason::TimedOut:
      return wire::CancelReason::Deadline;
    case StopReason::Shutdown:
    case StopReason::Suspended:
      return wire::CancelReason::Shutdown;
  }
  return wire::CancelReason::User;
}

std::int64_t bounded(std::uint64_t value) {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(value, std::numeric_limits<std::int64_t>::max() / 2));
}

core::Millis retryAfterOf(const wire::Done& done) {
  return core::Millis(std::clamp<std::int64_t>(done.retry_after_ms, -1, 366LL * 24 * 3600 * 1000));
}

core::ErrorClass errorClass(int number) {
  return number >= 1 && number <= 6 ? static_cast<core::ErrorClass>(number) : core::ErrorClass::Internal;
}

core::JobError errorOf(const wire::Done& done) {
  core::JobError error;
  error.error_class = errorClass(done.error_class);
  error.code = core::cleanText(done.error_code, kMaxCodeBytes);
  error.message = core::cleanText(done.error_message, kMaxMessageBytes);
  if (error.code.empty()) error.code = "failed";
  if (error.message.empty()) error.message = "the plugin gave no reason";
  if (done.error_details_json.size() <= kMaxDetailsBytes && core::isJson(done.error_details_json)) {
    error.details_json = done.error_details_json;
  }
  return error;
}

std::string textArray(const std::vector<std::string>& texts) {
  if (texts.empty()) return {};
  std::string out = "[";
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) out.push_back(',');
    core::appendJsonString(out, texts[i]);
  }
  return out + "]";
}

}  // namespace

AttemptEnd Runner::endOf(const Attempt& attempt) const {
  AttemptEnd end;
  end.id = attempt.id();
  end.lease = attempt.assignment.job.lease;
  end.finished_at = context_.clock.now();
  end.generation = generation_->id;
  return end;
}

void Runner::send(std::unique_ptr<Attempt> attempt) {
  attempt->runner = this;
  attempt->slot = next_slot_++;
  if (next_slot_ == 0) next_slot_ = 1;
  Attempt& added = *attempt;
  attempts_.push_back(std::move(attempt));
  if (attempts_.size() == 1) added.front_since = EventLoop::Steady::now();
  if (added.assignment.job.input_id.empty()) {
    sendRun(added, {});
  } else {
    stageThenRun(added);
  }
}

void Runner::stageThenRun(Attempt& attempt) {
  const auto from = core::inputFolder(context_.options.data_folder, attempt.assignment.job.input_id);
  const auto to = work_ / "in" / std::to_string(attempt.slot);
  context_.files.post([from, to, limit = context_.options.max_input_bytes, slot = attempt.slot, &loop = context_.loop,
                       self = weak_from_this()] {
    auto staged = std::make_shared<core::Result<std::vector<wire::InputFile>>>(stageInputs(from, to, limit));
    loop.post([staged, slot, self] {
      const auto runner = self.lock();
      if (!runner) return;
      const auto found = std::find_if(runner->attempts_.begin(), runner->attempts_.end(),
                                      [&](const auto& one) { return one->slot == slot; });
      if (found == runner->attempts_.end() || runner->state_ == State::Ending) return;
      if (*staged && !(*found)->stop && !(*found)->give_back) return runner->sendRun(**found, **staged);
      auto given = runner->take(static_cast<std::size_t>(found - runner->attempts_.begin()));
      if (*staged) return runner->owner_.attemptReturned(std::move(given));
      auto end = runner->endOf(*given);
      end.kind = AttemptEnd::Kind::Failed;
      end.error = core::JobError{core::ErrorClass::Resource, "inputs_unavailable", staged->error().message, {}};
      runner->tell(std::move(given), std::move(end));
      runner->owner_.runnerHasRoom(*runner);
    });
  });
}

void Runner::sendRun(Attempt& attempt, const std::vector<wire::InputFile>& inputs) {
  const auto& job = attempt.assignment.job;
  const auto type = type_index_.find(job.type);
  wire::Run run;
  run.job_id = static_cast<std::uint64_t>(job.id.value);
  run.attempt = static_cast<std::uint32_t>(job.attempt);
  run.max_attempts = static_cast<std::uint32_t>(job.max_attempts);
  run.type_index = type == type_index_.end() ? 0 : type->second;
  // An attempt that did not count (rescued, suspended, drained) may have left one too: the store knows, so always ask.
  run.flags = wire::kRunHasCheckpoint | (job.resumed ? wire::kRunResumed : 0);
  run.priority = job.priority;
  const auto timeout = attempt.assignment.timeout;
  if (timeout.count() > 0) run.deadline_us = core::toMicros(context_.clock.now() + timeout);
  run.parent_id = job.parent ? static_cast<std::uint64_t>(job.parent->value) : 0;
  const std::string tags = textArray(job.tags);
  run.tags_json = tags;
  run.params = job.params_json;
  run.inputs = inputs;
  run.owner = job.owner;
  run.rescues = static_cast<std::uint32_t>(job.rescues);
  wire::FrameWriter to(out_, wire::FrameType::Run, next_id_++, attempt.slot);
  wire::encode(to.payload(), run);
  to.finish();
  attempt.sent = true;
  attempt.sent_at = EventLoop::Steady::now();
}

std::unique_ptr<Attempt> Runner::take(std::size_t index) {
  const auto at = attempts_.begin() + static_cast<std::ptrdiff_t>(index);
  auto attempt = std::move(*at);
  attempts_.erase(at);
  attempt->runner = nullptr;
  if (attempt->http) attempt->http->stop();
  context_.loop.cancel(attempt->grace);
  if (index == 0) frontChanged();
  if (attempts_.empty()) idle_since_ = EventLoop::Steady::now();
  return attempt;
}

void Runner::frontChanged() {
  if (attempts_.empty()) return;
  auto& front = *attempts_.front();
  front.front_since = EventLoop::Steady::now();
  if (front.stop) cancelNow(front);
}

void Runner::cancelNow(Attempt& attempt) {
  const auto reason = wireReason(*attempt.stop);
  if (&attempt == attempts_.front().get() && page_.get() != nullptr) {
    page_.get()->cancel.store((std::uint64_t{attempt.slot} << 8) | static_cast<std::uint64_t>(reason));
  }
  if (std::exchange(attempt.cancel_sent, true)) return;
  if (attempt.http) attempt.http->stop();
  wire::FrameWriter to(out_, wire::FrameType::Cancel, next_id_++, attempt.slot);
  wire::encode(to.payload(), wire::Cancel{reason});
  to.finish();
  flushOut();
}

void Runner::stop(Attempt& attempt, StopReason reason) {
  const bool again = attempt.stop.has_value();
  attempt.stop = reason;
  if (again || state_ == State::Ending || state_ == State::Gone) return;
  if (!attempt.sent) return;  // inputs are being staged: it is not sent any more
  cancelNow(attempt);
  attempt.grace = context_.loop.after(attempt.type->info.cancel_grace,
                                      weakly([slot = attempt.slot](Runner& self) { self.graceOver(slot); }));
  if (&attempt == attempts_.front().get()) recallAllBehindFront();
}

void Runner::graceOver(std::uint32_t slot) {
  Attempt* attempt = find(slot);
  if (attempt == nullptr) return;
  attempt->grace = 0;
  if (attempt != attempts_.front().get()) {  // it has not begun: those before it come first
    attempt->grace =
        context_.loop.after(attempt->type->info.cancel_grace, weakly([slot](Runner& self) { self.graceOver(slot); }));
    return;
  }
  telemetry::log("pool").warn("attempt did not stop job={} runner={} plugin={}", attempt->id().value, name_,
                              pluginId());
  kill_slot_ = slot;
  askTerm();
}

void Runner::recall(const std::vector<std::uint32_t>& slots) {
  if (slots.empty() || state_ == State::Ending || state_ == State::Gone) return;
  wire::FrameWriter to(out_, wire::FrameType::Recall, next_id_++, 0);
  wire::encode(to.payload(), wire::SlotList{slots});
  to.finish();
  flushOut();
}

void Runner::recallAllBehindFront() {
  std::vector<std::uint32_t> slots;
  for (std::size_t i = 1; i < attempts_.size(); ++i) {
    if (attempts_[i]->sent) slots.push_back(attempts_[i]->slot);
  }
  recall(slots);
}

void Runner::onRecalled(const wire::Frame& frame) {
  wire::SlotList list;
  if (!wire::decode(frame.payload, list)) return protocolError("RECALLED cannot be read");
  std::vector<std::unique_ptr<Attempt>> returned;
  for (const auto slot : list.slots) {
    const auto found = std::find_if(attempts_.begin(), attempts_.end(),
                                    [&](const auto& one) { return one->slot == slot && one->sent; });
    if (found == attempts_.end())
      return protocolError("gave back attempt " + std::to_string(slot) + ", which it does not have");
    returned.push_back(take(static_cast<std::size_t>(found - attempts_.begin())));
  }
  // Last first: each goes to the front of the queue, so the order stays.
  std::reverse(returned.begin(), returned.end());
  for (auto& attempt : returned) owner_.attemptReturned(std::move(attempt));
  if (!returned.empty()) owner_.runnerHasRoom(*this);
}

void Runner::onDone(const wire::Frame& frame) {
  wire::Done done;
  if (!wire::decode(frame.payload, done)) return protocolError("DONE cannot be read");
  const auto found = std::find_if(attempts_.begin(), attempts_.end(),
                                  [&](const auto& one) { return one->slot == frame.job && one->sent; });
  if (found == attempts_.end())
    return protocolError("ended attempt " + std::to_string(frame.job) + ", which it does not have");
  const bool begun = done.started_us != 0;
  if (begun && found != attempts_.begin())
    return protocolError("ended attempt " + std::to_string(frame.job) + " out of order");
  auto attempt = take(static_cast<std::size_t>(found - attempts_.begin()));
  ++attempts_done_;
  ++finishing_;
  finish(std::move(attempt), std::move(done));
}

void Runner::finish(std::unique_ptr<Attempt> attempt, wire::Done done) {
  const auto lasted = EventLoop::Steady::now() - attempt->front_since;
  const bool left_children =
      (attempts_.empty() || lasted >= kWorthALook) && state_ != State::Ending && pidfd_ && hasChildren(pid_);
  if (left_children) {
    leave_soon_ = true;
    if (attempts_.empty()) {
      auto kept = std::make_shared<std::unique_ptr<Attempt>>(std::move(attempt));
      context_.warden.endChildren(pid_, [self = shared_from_this(), kept, done](int count) {
        if (count > 0) {
          self->logLine(**kept, self->context_.clock.now(), "host",
                        std::to_string(count) + " processes it left behind were ended");
        }
        self->settle(std::move(*kept), done);
      });
      return;
    }
  }
  settle(std::move(attempt), done);
}

void Runner::settle(std::unique_ptr<Attempt> attempt, const wire::Done& done) {
  auto end = endOf(*attempt);
  const auto now = end.finished_at;
  if (done.started_us != 0) {
    const auto sent =
        now - std::chrono::duration_cast<std::chrono::microseconds>(EventLoop::Steady::now() - attempt->sent_at);
    end.started_at = std::clamp(core::fromMicros(done.started_us), std::min(sent, now), now);
  }
  end.usage = {bounded(done.cpu_us), bounded(done.peak_rss_bytes), bounded(done.read_bytes),
               bounded(done.written_bytes)};
  switch (done.status) {
    case wire::DoneStatus::Succeeded:
      end.kind = AttemptEnd::Kind::Succeeded;
      judgeResult(end, done);
      break;
    case wire::DoneStatus::Failed:
      end.kind = AttemptEnd::Kind::Failed;
      end.error = errorOf(done);
      redact(*end.error);
      end.retry_after = retryAfterOf(done);
      break;
    case wire::DoneStatus::Canceled:
      end.kind = AttemptEnd::Kind::Stopped;
      if (!attempt->stop) {
        end.kind = AttemptEnd::Kind::Failed;
        end.error = core::JobError{core::ErrorClass::Permanent,
                                   "stopped_itself",
                                   "the plugin ended as canceled, but nobody asked it to stop",
                                   {}};
      }
      break;
    case wire::DoneStatus::Suspended:
      end.kind = AttemptEnd::Kind::Suspended;
      end.retry_after = retryAfterOf(done);
      if (end.retry_after.count() >= 0) {
        end.reason = core::cleanText(redaction_.text(done.error_message), kMaxReasonBytes);
      }
      break;
  }
  if (attempt->writes) {
    attempt->writes->seal();  // calls that still wait for their turn come too late
    const bool counts = end.kind == AttemptEnd::Kind::Succeeded || end.kind == AttemptEnd::Kind::Suspended;
    if (counts && !attempt->writes->empty()) end.writes = attempt->writes;
  }
  if (done.dropped_log_lines > 0) {
    logLine(*attempt, now, "host",
            std::to_string(bounded(done.dropped_log_lines)) + " lines dropped: too many a second");
  }
  lookAfter(*attempt, end, done);
  const bool keep = end.kind == AttemptEnd::Kind::Succeeded && !done.outputs.empty();
  auto shared_attempt = std::make_shared<std::unique_ptr<Attempt>>(std::move(attempt));
  if (keep) return collect(shared_attempt, std::make_shared<AttemptEnd>(std::move(end)), done);
  if ((done.flags & wire::kDoneHasWorkFiles) != 0 || !(*shared_attempt)->assignment.job.input_id.empty()) {
    removeSlotFolders((*shared_attempt)->slot);
  }
  --finishing_;
  tell(std::move(*shared_attempt), std::move(end));
  afterAttempt();
}

void Runner::redact(core::JobError& error) const {
  if (redaction_.empty()) return;
  error.code = redaction_.text(error.code);
  error.message = redaction_.text(error.message);
  if (!error.details_json.empty()) error.details_json = redaction_.json(error.details_json);
}

void Runner::judgeResult(AttemptEnd& end, const wire::Done& done) const {
  const auto limit = static_cast<std::size_t>(context_.options.max_result_bytes);
  if (done.result_json.size() > limit) {
    end.kind = AttemptEnd::Kind::Failed;
    end.error = core::JobError{core::ErrorClass::Permanent,
                               "result_too_large",
                               "the result has " + std::to_string(done.result_json.size()) + " bytes, at most " +
                                   std::to_string(limit) + " are kept",
                               {}};
  } else if (!done.result_json.empty() && !core::isJson(done.result_json)) {
    end.kind = AttemptEnd::Kind::Failed;
    end.error = core::JobError{core::ErrorClass::Internal, "bad_result", "the result is not valid JSON", {}};
  } else {
    end.result_json = done.result_json.empty() ? "null" : done.result_json;
    if (!redaction_.empty()) end.result_json = redaction_.json(end.result_json);
  }
}

void Runner::collect(std::shared_ptr<std::unique_ptr<Attempt>> attempt, std::shared_ptr<AttemptEnd> end,
                     const wire::Done& done) {
  const auto from = work_ / "out" / std::to_string((*attempt)->slot);
  const auto to = core::jobPaths(context_.options.data_folder, end->id).output;
  OutputLimits limits{context_.options.max_outputs, context_.options.max_output_bytes, context_.options.sync_outputs};
  if (const auto own = (*attempt)->type->info.limits.output_bytes; own > 0)
    limits.max_bytes = std::min(limits.max_bytes, own);
  context_.files.post([from, to, limits, attempt, end, files = done.outputs, self = shared_from_this()] {
    auto kept = collectOutputs(from, to, files, limits);
    if (kept) {
      end->outputs = *std::move(kept);
    } else {
      const auto code = kept.error().code;
      end->kind = AttemptEnd::Kind::Failed;
      end->result_json.clear();
      end->writes.reset();
      const bool disk = code == core::ErrorCode::Unavailable;
      const char* name = code == core::ErrorCode::TooLarge ? "output_limit" : disk ? "output_not_kept" : "bad_output";
      const auto kind =
          code == core::ErrorCode::InvalidArgument ? core::ErrorClass::Permanent : core::ErrorClass::Resource;
      end->error = core::JobError{kind, name, kept.error().message, {}};
    }
    self->context_.loop.post([self, attempt, end] {
      self->removeSlotFolders((*attempt)->slot);
      --self->finishing_;
      self->tell(std::move(*attempt), std::move(*end));
      self->afterAttempt();
    });
  });
}

void Runner::removeSlotFolders(std::uint32_t slot) {
  context_.files.post([work = work_, name = std::to_string(slot)] {
    for (const char* part : {"in", "out", "tmp"}) removeTree(work / part / name);
  });
}

void Runner::tell(std::unique_ptr<Attempt> attempt, AttemptEnd end) {
  if (attempt->log) {
    if (const auto line = attempt->log->finish(); line && context_.listener != nullptr) {
      context_.listener->logged(attempt->id(), *line);
    }
    attempt->log.reset();
  }
  owner_.attemptEnded(std::move(attempt), std::move(end));
}

void Runner::afterAttempt() {
  if (leave_soon_) {
    drain();
    return;
  }
  if (state_ == State::Ready) owner_.runnerHasRoom(*this);
}

/// Whether the runner can be used again after this attempt.
void Runner::lookAfter(const Attempt& attempt, const AttemptEnd& end, const wire::Done& done) {
  const auto& options = context_.options;
  const char* why = nullptr;
  const bool failed = end.kind == AttemptEnd::Kind::Failed && end.error;
  if (attempt.type->info.isolation == catalog::Isolation::Fresh) why = "fresh";
  if ((done.flags & wire::kDoneLeftThreads) != 0) why = "left_threads";
  if ((done.flags & wire::kDoneRecycle) != 0) why = "asked";
  if (failed &&
      (end.error->error_class == core::ErrorClass::Internal || end.error->error_class == core::ErrorClass::Resource))
    why = "failed";
  if (attempts_done_ >= options.recycle_after_attempts) why = "attempts";
  const auto lasted = EventLoop::Steady::now() - attempt.front_since;
  if (why == nullptr && pidfd_ && (attempts_done_ == 1 || lasted >= kWorthALook || attempts_done_ % 256 == 0)) {
    const std::int64_t rss = residentBytes(pid_);
    if (attempts_done_ == 1) first_rss_ = rss;
    const auto limit =
        static_cast<double>(first_rss_) * options.recycle_rss_factor + static_cast<double>(options.recycle_rss_bytes);
    if (static_cast<double>(rss) > limit) why = "memory";
  }
  if (why == nullptr || leave_soon_) return;
  leave_soon_ = true;
  telemetry::log("pool").debug("runner recycled runner={} plugin={} reason={} attempts={}", name_, pluginId(), why,
                               attempts_done_);
}

void Runner::logLine(Attempt& attempt, core::Instant at, std::string_view level, std::string_view text) {
  if (!attempt.log) {
    attempt.log = std::make_unique<JobLog>(
        core::jobPaths(context_.options.data_folder, attempt.id()).log,
        JobLog::Limits{context_.options.max_log_bytes, context_.options.log_lines_per_s, context_.options.log_burst});
  }
  auto line = attempt.log->append(at, level, redaction_.empty() ? text : std::string_view(redaction_.text(text)));
  if (line && context_.listener != nullptr) context_.listener->logged(attempt.id(), *std::move(line));
}

void Runner::endTurn() {
  flushOut();
  if (attempts_.empty()) return;
  for (const auto& attempt : attempts_) {
    if (attempt->log) attempt->log->flush();
  }
  // What lasts says so by STARTED too; the status page shows it at once.
  if (page_.get() != nullptr) tellStarted(page_.get()->slot.load());
}

void Runner::measured(const TreeUsage& usage) {
  if (attempts_.empty() || state_ != State::Ready || usage.pid != pid_) return;
  auto& attempt = *attempts_.front();
  const auto& limits = attempt.type->info.limits;
  const std::int64_t memory = core::kSanitized          ? 0
                              : limits.memory_bytes > 0 ? limits.memory_bytes
                                                        : context_.options.memory_bytes;
  const int processes = limits.processes > 0 ? limits.processes : context_.options.processes;
  if (!attempt.cpu_before) attempt.cpu_before = usage.cpu;
  core::JobError error{core::ErrorClass::Resource, {}, {}, {}};
  if (memory > 0 && usage.rss_bytes > memory) {
    error.code = "memory_limit";
    error.message = "the job used " + std::to_string(usage.rss_bytes >> 20) + " MiB of memory, at most " +
                    std::to_string(memory >> 20) + " MiB are allowed";
  } else if (usage.processes > processes || usage.forks_refused) {
    error.code = "process_limit";
    error.message = "the job started more than the " + std::to_string(processes) + " processes that are allowed";
  } else if (limits.cpu.count() > 0 && usage.cpu - *attempt.cpu_before > limits.cpu) {
    error.code = "cpu_limit";
    error.message = "the job used more than " + std::to_string(limits.cpu.count()) + " ms of CPU time";
  } else {
    return;
  }
  kill_slot_ = attempt.slot;
  endWith(std::move(error));
}

}  // namespace jobhost::pool
