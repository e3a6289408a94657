#include "pool/runner.hpp"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "catalog/plugin_package.hpp"
#include "core/sanitized.hpp"
#include "core/json_text.hpp"
#include "pool/work_dir.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

namespace jobhost::pool {
namespace {

constexpr std::size_t kLargestCall = wire::kMaxCheckpointBytes + 64 * 1024;
constexpr std::int64_t kAddressSpaceOver = 1LL << 30;  // thread stacks, arenas and libraries beside the memory in use
constexpr std::int64_t kDefaultAddressSpace = 4LL << 30;

}  // namespace

Runner::Runner(PoolContext& context, Owner& owner, catalog::GenerationRef generation, std::int64_t number)
    : context_(context),
      owner_(owner),
      generation_(std::move(generation)),
      name_("r-" + std::to_string(number)),
      work_(context.options.data_folder / "work" / name_),
      reader_(std::max<std::size_t>(kLargestCall, static_cast<std::size_t>(context.options.max_result_bytes) * 2)),
      idle_since_(EventLoop::Steady::now()) {}

Runner::~Runner() {
  context_.loop.cancel(credit_timer_);
  context_.loop.cancel(load_timer_);
  context_.loop.cancel(kill_timer_);
  context_.loop.cancel(stall_timer_);
  for (const int fd : {control_.get(), pidfd_.get(), stdout_.fd(), stderr_.fd()}) {
    if (fd >= 0) context_.loop.unwatch(fd);
  }
}

void Runner::start(std::int64_t memory_bytes, int processes) {
  memory_bytes_ = memory_bytes;
  processes_ = processes;
  SpawnRequest request;
  if (auto prepared = prepare(request); !prepared) {
    state_ = State::Ending;
    load_error_ = prepared.error();
    context_.loop.post(weakly([](Runner& self) { self.afterSweep(); }));
    return;
  }
  // The runner stays alive until the warden has answered, so that a process can never be started and forgotten.
  context_.warden.spawn(
      std::move(request), name_, processes,
      [self = shared_from_this()](core::Result<SpawnedProcess> result) { self->spawned(std::move(result)); });
  load_timer_ =
      context_.loop.after(context_.options.load_timeout, weakly([](Runner& self) {
                            self.load_timer_ = 0;
                            self.failLoad({core::ErrorCode::DeadlineExceeded,
                                           "did not finish loading within " +
                                               std::to_string(self.context_.options.load_timeout.count()) + " ms",
                                           {},
                                           {}});
                          }));
}

core::Result<void> Runner::prepare(SpawnRequest& request) {
  if (auto made = makeWorkDir(work_); !made) return made.error();
  auto page = page_.create();
  if (!page) return page.error();
  auto sockets = makeSocketPair();
  if (!sockets) return sockets.error();
  auto out = makePipe();
  if (!out) return out.error();
  auto err = makePipe();
  if (!err) return err.error();
  request.program = context_.options.runner;
  if (const auto& prefix = context_.options.runner_prefix; !prefix.empty()) {
    request.program = prefix.front();
    request.arguments.assign(prefix.begin() + 1, prefix.end());
    request.arguments.push_back(context_.options.runner.string());
  }
  request.arguments.push_back("--parent=" + std::to_string(::getpid()));
  if (const auto command = catalog::commandOf(*generation_); !command.empty()) {
    request.arguments.push_back("--exec");
    request.arguments.insert(request.arguments.end(), command.begin(), command.end());
  }
  request.environment = environment();
  request.folder = work_;
  request.limits = limits();
  request.page = *std::move(page);
  control_ = std::move(sockets->first);
  request.control = std::move(sockets->second);
  stdout_.set(std::move(out->first));
  request.out = std::move(out->second);
  stderr_.set(std::move(err->first));
  request.err = std::move(err->second);
  return {};
}

std::vector<std::string> Runner::environment() const {
  const std::string temp = (work_ / "tmp").string();
  const std::string threads = std::to_string(std::max(1, context_.options.cpu_budget));
  std::vector<std::string> lines{"LANG=C.UTF-8",   "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + temp,
                                 "TMPDIR=" + temp, "VIPS_CONCURRENCY=" + threads,       "OMP_NUM_THREADS=" + threads};
  // A script runs from the private store; what was judged there stays all there is.
  lines.push_back("PYTHONDONTWRITEBYTECODE=1");
  if (const char* zone = std::getenv("TZ"); zone != nullptr) lines.push_back(std::string("TZ=") + zone);
  if (core::kSanitized) {
    for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"}) {
      if (const char* value = std::getenv(name); value != nullptr) lines.push_back(std::string(name) + "=" + value);
    }
  }
  for (const auto& [name, value] : context_.options.extra_environment) lines.push_back(name + "=" + value);
  return lines;
}

std::vector<std::pair<int, std::uint64_t>> Runner::limits() const {
  const auto& options = context_.options;
  std::vector<std::pair<int, std::uint64_t>> list{
      {RLIMIT_CORE, 0},
      {RLIMIT_FSIZE, static_cast<std::uint64_t>(options.max_file_bytes)},
  };
  if (options.max_open_files > 0) list.emplace_back(RLIMIT_NOFILE, static_cast<std::uint64_t>(options.max_open_files));
  if (memory_bytes_ > 0 && !core::kSanitized) {
    const std::int64_t space =
        std::max(memory_bytes_, std::min(memory_bytes_ + kAddressSpaceOver, kDefaultAddressSpace));
    list.emplace_back(RLIMIT_AS, static_cast<std::uint64_t>(space));
  }
  return list;
}

void Runner::spawned(core::Result<SpawnedProcess> spawned) {
  if (!spawned) {
    state_ = State::Ending;
    if (!load_error_) load_error_ = spawned.error();
    afterSweep();
    return;
  }
  pid_ = spawned->pid;
  pidfd_ = std::move(spawned->pidfd);
  context_.loop.watch(pidfd_.get(), EPOLLIN, this);
  context_.loop.watch(control_.get(), EPOLLIN, this);
  context_.loop.watch(stdout_.fd(), EPOLLIN, this);
  context_.loop.watch(stderr_.fd(), EPOLLIN, this);
  telemetry::metrics().add(telemetry::Counter::RunnersStarted);
  telemetry::metrics().add(telemetry::Gauge::RunnersAlive, 1);
  if (killed_ || state_ == State::Ending) hardKill();  // its end was decided while it was being started
}

void Runner::failLoad(core::Error error) {
  if (state_ != State::Starting && state_ != State::Loading) return;
  if (!load_error_) load_error_ = std::move(error);
  hardKill();
}

void Runner::endWith(core::JobError error) {
  if (state_ == State::Ending || state_ == State::Gone) return;
  if (state_ == State::Starting || state_ == State::Loading) {
    failLoad({core::ErrorCode::Internal, error.message, {}, {}});
    return;
  }
  if (!failure_) failure_ = std::move(error);
  hardKill();
}

void Runner::hardKill() {
  if (state_ == State::Gone) return;
  state_ = State::Ending;
  context_.loop.cancel(load_timer_);
  context_.loop.cancel(kill_timer_);
  context_.loop.cancel(stall_timer_);
  if (pid_ <= 0 || !pidfd_) {
    killed_ = true;
    return;
  }
  ::kill(-pid_, SIGKILL);  // not reaped yet, so the number is still this group's
  ::kill(pid_, SIGKILL);
  if (!killed_) telemetry::metrics().add(telemetry::Counter::RunnersKilled);
  killed_ = true;
}

void Runner::askTerm() {
  if (state_ == State::Ending || state_ == State::Gone || kill_timer_ != 0) return;
  if (pid_ > 0 && pidfd_) ::kill(-pid_, SIGTERM);
  killed_ = true;
  kill_timer_ = context_.loop.after(context_.options.term_grace, weakly([](Runner& self) {
                                      self.kill_timer_ = 0;
                                      self.hardKill();
                                    }));
}

void Runner::drain() {
  if (state_ == State::Starting || state_ == State::Loading) {
    leave_soon_ = true;
    return;
  }
  if (state_ != State::Ready) return;
  if (!attempts_.empty() || finishing_ > 0) {
    leave_soon_ = true;
    return;
  }
  state_ = State::Draining;
  wire::appendFrame(out_, wire::FrameType::Drain, 0, 0, {});
  flushOut();
  context_.loop.cancel(kill_timer_);
  kill_timer_ = context_.loop.after(context_.options.drain_timeout, weakly([](Runner& self) {
                                      self.kill_timer_ = 0;
                                      self.hardKill();
                                    }));
}

void Runner::onIo(int fd, std::uint32_t events) {
  const auto self = shared_from_this();  // the owner may let go of it underneath
  if (fd == pidfd_.get()) {
    onExit();
  } else if (fd == control_.get()) {
    if ((events & EPOLLOUT) != 0) flushOut();
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) readControl();
  } else {
    readPipes();
  }
}

void Runner::onExit() {
  if (!pidfd_) return;
  ::kill(-pid_, SIGKILL);  // what is left of its group; not reaped yet, so the number is still the group's
  rusage usage{};
  if (::wait4(pid_, &end_.wait_status, WNOHANG, &usage) != pid_) return;
  end_.peak_rss_bytes = static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
  end_.cpu_us =
      (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000LL + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
  context_.loop.unwatch(pidfd_.get());
  pidfd_.reset();
  telemetry::metrics().add(telemetry::Gauge::RunnersAlive, -1);
  for (int round = 0; round < 64 && !control_closed_ && !broken_; ++round)
    readControl();  // what it said before it died
  readPipes();
  for (auto* pipe : {&stdout_, &stderr_}) {
    if (auto rest = pipe->rest(); !rest.empty()) printed(pipe == &stdout_ ? "stdout" : "stderr", std::move(rest));
  }
  if (state_ == State::Starting || state_ == State::Loading) {
    auto crash = crashError(end_, crashContext(nullptr));
    if (!piped_.empty()) crash.message += "; it printed: " + piped_.back();
    if (!load_error_) load_error_ = core::Error{core::ErrorCode::Internal, crash.message, crash.details_json, {}};
  }
  state_ = State::Ending;
  for (auto* timer : {&load_timer_, &kill_timer_, &stall_timer_, &credit_timer_}) context_.loop.cancel(*timer);
  context_.warden.ended(pid_, name_, [self = shared_from_this()] { self->afterSweep(); });
}

std::size_t Runner::runningIndex() const {
  const std::uint32_t shown = page_.get() == nullptr ? 0 : page_.get()->slot.load();
  const std::uint32_t slot = kill_slot_ != 0 ? kill_slot_ : shown;
  for (std::size_t i = 0; i < attempts_.size(); ++i) {
    if (attempts_[i]->sent && attempts_[i]->slot == slot && slot != 0) return i;
  }
  return 0;
}

CrashContext Runner::crashContext(const Attempt* attempt) const {
  CrashContext context;
  context.plugin = pluginId();
  if (attempt != nullptr) context.type = attempt->assignment.job.type;
  context.page = page_.get();
  context.printed.assign(last_printed_.begin(), last_printed_.end());
  context.memory_limit_bytes = memory_bytes_;
  return context;
}

void Runner::reportAttempts() {
  const bool left_by_itself = page_.get() != nullptr &&
                              page_.get()->phase.load() == static_cast<std::uint32_t>(wire::Phase::Ending) &&
                              processExit(end_).signal == SIGKILL;
  if (left_by_itself && !killed_ && !failure_) failure_ = closedError();
  const bool stopped = !attempts_.empty() && std::any_of(attempts_.begin(), attempts_.end(), [](const auto& attempt) {
    return attempt->sent && attempt->stop.has_value();
  });
  const bool blame = failure_.has_value() || !killed_ || stopped;
  if (blame && !attempts_.empty() && attempts_[runningIndex()]->sent) {
    auto attempt = take(runningIndex());
    auto end = endOf(*attempt);
    end.usage.peak_rss_bytes = end_.peak_rss_bytes;
    end.usage.cpu_us = attempts_done_ == 0 ? end_.cpu_us : 0;
    end.exit = processExit(end_);
    if (attempt->stop && !failure_) {
      end.kind = dispatch::AttemptEnd::Kind::Stopped;
      end.forced = true;
      logLine(*attempt, end.finished_at, "host", "did not stop when asked to; its process was ended");
    } else {
      end.kind = dispatch::AttemptEnd::Kind::Failed;
      const auto context = crashContext(attempt.get());
      const bool crashed = !failure_.has_value();
      end.error = crashed ? crashError(end_, context) : *failure_;
      redact(*end.error);
      if (crashed) telemetry::metrics().add(telemetry::Counter::RunnersCrashed);
      const auto lines = crashed ? crashLines(*end.error, context) : std::vector<std::string>{end.error->message};
      for (const auto& line : lines) logLine(*attempt, end.finished_at, "host", line);
    }
    telemetry::log("pool").warn("attempt lost its runner job={} runner={} plugin={} code={}", attempt->id().value,
                                name_, pluginId(), end.error ? end.error->code : "stopped");
    tell(std::move(attempt), std::move(end));
  }
  while (!attempts_.empty()) owner_.attemptReturned(take(0));
}

void Runner::afterSweep() {
  if (state_ == State::Gone) return;
  reportAttempts();
  state_ = State::Gone;
  for (const int fd : {control_.get(), stdout_.fd(), stderr_.fd()}) {
    if (fd >= 0) context_.loop.unwatch(fd);
  }
  control_.reset();
  stdout_.close();
  stderr_.close();
  // After what the files thread still collects from it. Keeps the private copy until nothing of the runner is left.
  context_.files.post([work = work_, generation = generation_] { removeTree(work); });
  telemetry::log("pool").debug("runner gone runner={} plugin={} attempts={}", name_, pluginId(), attempts_done_);
  owner_.runnerGone(*this, load_error_);
}

}  // namespace jobhost::pool
