#include "pool/runner.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cmath>

#include "catalog/plugin_package.hpp"
#include "pool/calls.hpp"
#include "pool/http_calls.hpp"
#include "pool/process_calls.hpp"
#include "core/json_text.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

namespace jobhost::pool {
namespace {

constexpr std::size_t kReadBytes = 128 * 1024;
constexpr int kReadsPerTurn = 4;
constexpr std::size_t kPrintedKept = 20;
constexpr std::int64_t kCreditBytes = 1 << 20;
constexpr std::int64_t kCreditSlack = kCreditBytes;  // the runner sends a whole message while any credit is left
constexpr std::int64_t kCreditGrant = kCreditBytes / 4;
constexpr std::chrono::milliseconds kCreditInterval{20};
constexpr std::size_t kMaxNoteBytes = 256 * 1024;
constexpr std::int64_t kMaxNotes = 100'000;
constexpr int kMaxPings = 1000;  // a second
constexpr std::chrono::seconds kExitWait{2};

std::string shortText(std::string_view text) {
  return core::cleanText(text, 1024);
}

}  // namespace

void Runner::protocolError(const std::string& what) {
  if (broken_) return;
  broken_ = true;
  telemetry::metrics().add(telemetry::Counter::RunnerProtocolErrors);
  telemetry::log("pool").warn("protocol error runner={} plugin={} reason=\"{}\"", name_, pluginId(), what);
  core::JobError error;
  error.code = "plugin_protocol_error";
  error.message = "plugin \"" + pluginId() + "\" broke the protocol between runner and host: " + what;
  if (state_ != State::Ending) {
    endWith(std::move(error));
  } else if (!killed_ && !failure_) {
    failure_ = std::move(error);
  }
}

core::JobError Runner::closedError() const {
  core::JobError error;
  error.code = "plugin_closed_connection";
  error.message = "plugin \"" + pluginId() + "\" closed the connection between runner and host";
  return error;
}

Attempt* Runner::find(std::uint32_t slot) {
  for (const auto& attempt : attempts_) {
    if (attempt->slot == slot && attempt->sent) return attempt.get();
  }
  return nullptr;
}

void Runner::readControl() {
  if (control_closed_ || broken_) return;
  bool closed = false;
  for (int i = 0; i < kReadsPerTurn; ++i) {
    const ssize_t got = ::recv(control_.get(), reader_.prepare(kReadBytes), kReadBytes, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) break;
    if (got <= 0) {
      closed = true;
      break;
    }
    last_byte_ = EventLoop::Steady::now();
    reader_.commit(static_cast<std::size_t>(got));
    if (static_cast<std::size_t>(got) < kReadBytes) break;
  }
  readPipes();  // what was printed before an attempt's end belongs to it
  processFrames();
  if (closed && !control_closed_) {
    control_closed_ = true;
    context_.loop.unwatch(control_.get());
    if (reader_.midMessage() && !broken_) {
      telemetry::log("pool").warn("connection cut inside a frame runner={} plugin={}", name_, pluginId());
    }
    if (state_ == State::Ending || state_ == State::Draining || !pidfd_) return;
    context_.loop.cancel(kill_timer_);
    kill_timer_ = context_.loop.after(kExitWait, weakly([](Runner& self) {
                                        self.kill_timer_ = 0;
                                        self.endWith(self.closedError());
                                      }));
    return;
  }
  watchStall();
}

void Runner::watchStall() {
  if (broken_ || control_closed_ || !reader_.midMessage()) {
    context_.loop.cancel(stall_timer_);
    return;
  }
  if (stall_timer_ != 0) return;
  const auto due = last_byte_ + context_.options.stall_timeout - EventLoop::Steady::now();
  stall_timer_ =
      context_.loop.after(std::chrono::ceil<std::chrono::milliseconds>(due), weakly([](Runner& self) {
                            self.stall_timer_ = 0;
                            const auto silent = EventLoop::Steady::now() - self.last_byte_;
                            if (!self.reader_.midMessage()) return;
                            if (silent < self.context_.options.stall_timeout) return self.watchStall();
                            self.protocolError("stopped in the middle of a frame for " +
                                               std::to_string(self.context_.options.stall_timeout.count()) + " ms");
                          }));
}

void Runner::processFrames() {
  wire::Frame frame;
  while (!broken_) {
    const auto status = reader_.next(frame);
    if (status == wire::FrameReader::Status::NeedMore) return;
    if (status == wire::FrameReader::Status::Broken) return protocolError(reader_.error());
    onFrame(frame);
  }
}

void Runner::onFrame(const wire::Frame& frame) {
  using enum wire::FrameType;
  if (!shook_hands_ && frame.type != Hello) {
    return protocolError("sent " + std::string(wire::toString(frame.type)) + " before HELLO");
  }
  switch (frame.type) {
    case Hello:
      return onHello(frame);
    case Loaded:
      return onLoaded(frame);
    case LoadFailed:
      return onLoadFailed(frame);
    case Done:
      return onDone(frame);
    case Recalled:
      return onRecalled(frame);
    case Log:
      return onLog(frame);
    case Progress:
      return onProgress(frame);
    case Note:
      return onNote(frame);
    case Started:
      return tellStarted(frame.job);
    case Call:
      return onCall(frame);
    case Ping:
      return onPing(frame);
    case Pong:
      return;
    case Bye:
      said_bye_ = true;
      return;
    default:
      return protocolError("sent " + std::string(wire::toString(frame.type)) + ", which is the host's to send");
  }
}

void Runner::onHello(const wire::Frame& frame) {
  wire::Hello hello;
  if (shook_hands_ || !wire::decode(frame.payload, hello)) return protocolError("HELLO cannot be read");
  if (hello.version_min > wire::kProtocolMax || hello.version_max < wire::kProtocolMin) {
    return failLoad({core::ErrorCode::Unavailable,
                     "the runner speaks protocol " + std::to_string(hello.version_min) + "-" +
                         std::to_string(hello.version_max) + ", this host " + std::to_string(wire::kProtocolMin) + "-" +
                         std::to_string(wire::kProtocolMax),
                     {},
                     {}});
  }
  shook_hands_ = true;
  const auto& options = context_.options;
  wire::Welcome welcome;
  welcome.version = std::min(hello.version_max, wire::kProtocolMax);
  welcome.host_version = options.host_version;
  welcome.work_dir = work_.string();
  welcome.max_result_bytes = static_cast<std::uint64_t>(options.max_result_bytes);
  welcome.max_output_bytes = static_cast<std::uint64_t>(options.max_output_bytes);
  welcome.max_outputs = static_cast<std::uint32_t>(options.max_outputs);
  welcome.log_lines_per_s = static_cast<std::uint32_t>(options.log_lines_per_s);
  welcome.log_burst = static_cast<std::uint32_t>(options.log_burst);
  welcome.credit_bytes = static_cast<std::uint64_t>(kCreditBytes);
  welcome.host_flags = options.host_flags;
  welcome.inspection = options.inspection;
  credit_left_ = kCreditBytes + kCreditSlack;
  wire::FrameWriter to(out_, wire::FrameType::Welcome, frame.id, 0);
  wire::encode(to.payload(), welcome);
  to.finish();

  wire::Load load;
  const auto command = catalog::commandOf(*generation_);
  load.path = command.empty() ? generation_->private_path.string() : command.front();
  load.plugin_dir = (options.data_folder / "plugins" / pluginId()).string();
  load.manifest = generation_->manifest_json;
  std::error_code ignored;
  std::filesystem::create_directories(load.plugin_dir, ignored);
  wire::FrameWriter second(out_, wire::FrameType::Load, next_id_++, 0);
  wire::encode(second.payload(), load);
  second.finish();
  if (state_ == State::Starting) state_ = State::Loading;
  flushOut();
}

void Runner::onLoaded(const wire::Frame& frame) {
  if (state_ == State::Ending) return;
  if (state_ != State::Loading || !wire::decode(frame.payload, loaded_)) return protocolError("LOADED out of place");
  const std::string level(wire::toString(loaded_.sandbox));
  const auto rank = [](const std::string& word) {
    for (int i = 0; i <= 3; ++i) {
      if (wire::toString(static_cast<wire::SandboxLevel>(i)) == word) return i;
    }
    return 0;
  };
  if (rank(level) < rank(context_.options.require_sandbox)) {
    return failLoad({core::ErrorCode::Unavailable,
                     "reached the sandbox level \"" + level + "\", the configuration requires \"" +
                         context_.options.require_sandbox + "\": " + shortText(loaded_.sandbox_missing),
                     {},
                     {}});
  }
  context_.loop.cancel(load_timer_);
  for (std::size_t i = 0; i < loaded_.types.size(); ++i)
    type_index_.emplace(loaded_.types[i], static_cast<std::uint32_t>(i));
  if (context_.services != nullptr) redaction_ = Redaction(context_.services->redactions(pluginId()));
  state_ = State::Ready;
  idle_since_ = EventLoop::Steady::now();
  telemetry::log("pool").info("runner ready runner={} pid={} plugin={} version={} sandbox={} load_us={} init_us={}",
                              name_, pid_, pluginId(), generation_->version, level, loaded_.load_us, loaded_.init_us);
  owner_.runnerReady(*this);
  if (leave_soon_) drain();
}

void Runner::onLoadFailed(const wire::Frame& frame) {
  wire::LoadFailed failed;
  if (state_ == State::Ending) return;
  if (state_ != State::Loading || !wire::decode(frame.payload, failed))
    return protocolError("LOAD_FAILED out of place");
  const bool setup = failed.stage == wire::LoadStage::Setup;
  failLoad({setup ? core::ErrorCode::Unavailable : core::ErrorCode::InvalidArgument,
            shortText(failed.message),
            std::string(wire::toString(failed.stage)) + " " + shortText(failed.code) + ": " + shortText(failed.detail),
            {}});
}

void Runner::spend(const wire::Frame& frame) {
  const auto bytes = static_cast<std::int64_t>(frame.payload.size() + wire::kHeaderBytes);
  credit_left_ -= bytes;
  credit_spent_ += bytes;
  if (credit_left_ < 0) return protocolError("sent more log, progress and notes than it had credit for");
  if (credit_spent_ < kCreditGrant || credit_timer_ != 0) return;
  credit_timer_ =
      context_.loop.after(kCreditInterval, weakly([](Runner& self) {
                            self.credit_timer_ = 0;
                            wire::FrameWriter to(self.out_, wire::FrameType::Credit, 0, 0);
                            wire::encode(to.payload(), wire::Credit{static_cast<std::uint64_t>(self.credit_spent_)});
                            to.finish();
                            self.credit_left_ += self.credit_spent_;
                            self.credit_spent_ = 0;
                          }));
}

void Runner::onLog(const wire::Frame& frame) {
  spend(frame);
  wire::Log line;
  if (!wire::decode(frame.payload, line)) return protocolError("LOG cannot be read");
  Attempt* attempt = find(frame.job);
  if (attempt == nullptr) {
    if (frame.job == 0) printed(logLevelName(line.level), shortText(line.text));
    return;
  }
  const auto now = context_.clock.now();
  const auto at = core::fromMicros(line.time_us);
  const bool plausible = at <= now && now - at < std::chrono::hours(1);
  logLine(*attempt, plausible ? at : now, logLevelName(line.level), line.text);
}

void Runner::onProgress(const wire::Frame& frame) {
  spend(frame);
  wire::Progress message;
  if (!wire::decode(frame.payload, message)) return protocolError("PROGRESS holds numbers that cannot be");
  Attempt* attempt = find(frame.job);
  if (attempt == nullptr || context_.listener == nullptr) return;
  core::Progress progress;
  progress.done = message.done;
  progress.total = message.total;
  progress.fraction = message.total > 0 ? std::clamp(message.done / message.total, 0.0, 1.0) : -1.0;
  progress.message = redaction_.empty() ? shortText(message.message) : shortText(redaction_.text(message.message));
  context_.listener->progressed(attempt->id(), attempt->assignment.job.lease, std::move(progress));
}

void Runner::onNote(const wire::Frame& frame) {
  spend(frame);
  wire::Note note;
  if (!wire::decode(frame.payload, note)) return protocolError("NOTE cannot be read");
  Attempt* attempt = find(frame.job);
  if (attempt == nullptr) return;
  if (note.json.size() > kMaxNoteBytes || !core::isJson(note.json) || core::cleanText(note.key, 1024) != note.key) {
    return logLine(*attempt, context_.clock.now(), "host", "a note was dropped: it is too long or not valid JSON");
  }
  if (++attempt->notes > kMaxNotes) {
    if (attempt->notes == kMaxNotes + 1)
      logLine(*attempt, context_.clock.now(), "host", "too many notes: the rest is dropped");
    return;
  }
  if (!redaction_.empty()) note.json = redaction_.json(note.json);
  if (context_.listener != nullptr) {
    context_.listener->noted(attempt->id(), attempt->assignment.job.lease, std::move(note.key), std::move(note.json));
  }
}

void Runner::onCall(const wire::Frame& frame) {
  wire::Call call;
  if (!wire::decode(frame.payload, call)) return protocolError("CALL cannot be read");
  Attempt* attempt = find(frame.job);
  const std::uint32_t slot = frame.job;
  const auto answer = weakly([slot, id = frame.id](Runner& self, const CallAnswer& reply) {
    if (Attempt* caller = self.find(slot)) --caller->open_calls;
    if (self.state_ == State::Ending || self.state_ == State::Gone) return;
    wire::FrameWriter to(self.out_, wire::FrameType::Return, id, slot);
    wire::encode(to.payload(), wire::Return{reply.result, reply.error, reply.body});
    to.finish();
    self.flushOut();
  });
  if (attempt == nullptr) return;
  ++attempt->open_calls;
  if (attempt->open_calls > kMaxOpenCalls) return answer(CallAnswer{kCallLimit, "too many calls at once", {}});
  if (call.method == wire::Method::HttpFetch) return fetchForAttempt(context_, *attempt, work_, call, answer);
  if (call.method == wire::Method::ProcessFind) return findProgramForAttempt(context_, *attempt, call, answer);
  handleCall(context_, *attempt, call, answer);
}

void Runner::tellStarted(std::uint32_t slot) {
  if (attempts_.empty() || context_.listener == nullptr || state_ != State::Ready) return;
  auto& front = *attempts_.front();
  if (front.slot != slot || !front.sent || std::exchange(front.told_started, true)) return;
  context_.listener->attemptStarted(front.id(), front.assignment.job.lease);
}

void Runner::onPing(const wire::Frame& frame) {
  const auto now = EventLoop::Steady::now();
  if (now - ping_window_ > std::chrono::seconds(1)) {
    ping_window_ = now;
    pings_ = 0;
  }
  if (++pings_ > kMaxPings) return protocolError("sent over " + std::to_string(kMaxPings) + " PINGs in a second");
  wire::appendFrame(out_, wire::FrameType::Pong, frame.id, 0, {});
}

void Runner::readPipes() {
  std::vector<std::string> lines;
  for (auto* pipe : {&stdout_, &stderr_}) {
    if (pipe->fd() < 0) continue;
    const auto status = pipe->read(lines);
    for (auto& line : lines) printed(pipe == &stdout_ ? "stdout" : "stderr", std::move(line));
    lines.clear();
    if (status == OutputPipe::Status::Closed) {
      context_.loop.unwatch(pipe->fd());
      pipe->close();
    } else if (status == OutputPipe::Status::Paused) {
      context_.loop.unwatch(pipe->fd());
      context_.loop.after(OutputPipe::kWindow, weakly([pipe](Runner& self) {
                            if (pipe->fd() >= 0) self.context_.loop.watch(pipe->fd(), EPOLLIN, &self);
                          }));
    }
  }
}

void Runner::printed(std::string_view level, std::string line) {
  if (!redaction_.empty()) line = redaction_.text(line);
  Attempt* attempt = attempts_.empty() ? nullptr : attempts_.front().get();
  if (attempt != nullptr && attempt->sent) {
    logLine(*attempt, context_.clock.now(), level, line);
  } else {
    telemetry::log("pool").debug("printed runner={} plugin={} text=\"{}\"", name_, pluginId(), shortText(line));
  }
  if (level == "stdout" || level == "stderr") {
    piped_.push_back(shortText(line));
    if (piped_.size() > kPrintedKept) piped_.pop_front();
  }
  last_printed_.push_back(shortText(line));
  if (last_printed_.size() > kPrintedKept) last_printed_.pop_front();
}

void Runner::flushOut() {
  if (control_closed_ || !control_) return;
  while (out_sent_ < out_.size()) {
    const ssize_t sent =
        ::send(control_.get(), out_.data() + out_sent_, out_.size() - out_sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) break;
    out_sent_ += static_cast<std::size_t>(sent);
  }
  if (out_sent_ == out_.size()) {
    out_.clear();
    out_sent_ = 0;
  } else if (out_sent_ > (1u << 20)) {
    out_.erase(0, out_sent_);
    out_sent_ = 0;
  }
  const bool wants = !out_.empty();
  if (wants != wants_write_) {
    wants_write_ = wants;
    context_.loop.change(control_.get(), wants ? EPOLLIN | EPOLLOUT : EPOLLIN);
  }
}

}  // namespace jobhost::pool
