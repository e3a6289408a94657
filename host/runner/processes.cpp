#include "runner/processes.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <utility>

namespace jobhost::runner {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kKeeperSlackMs = 10'000;  // for a keeper to say that it is over, beyond the grace

Outcome cancelled() {
  return {JH_E_CANCELLED, "the job was asked to stop"};
}

Outcome closed() {
  return {JH_E_MISUSE, "the process is not open (any more)"};
}

void closeFd(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

/// Milliseconds for poll() until `deadline`; -1: none.
int pollTime(std::optional<Clock::time_point> deadline) {
  if (!deadline) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000'000));
}

ProcessFailure notStarted(const char* what, int error) {
  return {JH_E_IO, "process.not_started", std::string(what) + ": " + std::strerror(error), JH_CLASS_RESOURCE};
}

ProcessFailure notStartedCancelled() {
  return {JH_E_CANCELLED, "process.canceled", "the job was asked to stop", JH_CLASS_TRANSIENT};
}

/// Both ends of a pipe, or of the control socket, until they have found an owner.
struct Ends {
  int ours = -1;
  int theirs = -1;
  Ends() = default;
  Ends(const Ends&) = delete;
  Ends& operator=(const Ends&) = delete;
  ~Ends() {
    closeFd(ours);
    closeFd(theirs);
  }
  bool makePipe(bool we_write) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) return false;
    ours = fds[we_write ? 1 : 0];
    theirs = fds[we_write ? 0 : 1];
    return fcntl(ours, F_SETFL, O_NONBLOCK) == 0;
  }
  bool makeSocket() {
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) return false;
    ours = fds[0];
    theirs = fds[1];
    return true;
  }
  int take() { return std::exchange(ours, -1); }
};

}  // namespace

struct Processes::Process {
  // Constant once it is started.
  int out = -1;
  int err = -1;
  int control = -1;
  pid_t keeper = -1;
  std::int64_t max_output_bytes = 0;
  std::int64_t grace_ms = 0;

  std::mutex input_mutex;
  int in = -1;

  std::mutex mutex;  ///< of all below
  std::string said;  ///< by the keeper, and not yet read
  bool started = false;
  std::optional<ProcessFailure> failed;
  std::string end_json;  ///< empty: it has not ended, or nobody knows how
  bool over = false;     ///< the keeper is gone
  std::int64_t read_bytes = 0;
  bool out_over = true;
  bool err_over = true;

  ~Process() {
    order('K');
    for (int* fd : {&in, &out, &err}) closeFd(*fd);
    awaitOver(Clock::now() + std::chrono::milliseconds(kKeeperSlackMs));
    closeFd(control);
    if (keeper > 0) waitpid(keeper, nullptr, over ? 0 : WNOHANG);
  }

  void order(char what) const {
    if (control >= 0) send(control, &what, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  /// Takes in what the keeper said so far.
  void listen() {
    const std::lock_guard lock(mutex);
    std::array<char, 4096> chunk;
    while (!over) {
      const ssize_t n = recv(control, chunk.data(), chunk.size(), MSG_DONTWAIT);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) break;
      if (n <= 0) {
        over = true;
        break;
      }
      said.append(chunk.data(), static_cast<std::size_t>(n));
    }
    for (auto end = said.find('\n'); end != std::string::npos; end = said.find('\n')) {
      const std::string line = said.substr(0, end);
      said.erase(0, end + 1);
      try {
        const Json told = Json::parse(line);
        if (told["started"].isInt()) started = true;
        if (told["ended"].isObject()) end_json = told["ended"].dump();
        if (told["failed"].isObject()) {
          failed = ProcessFailure::parse(told["failed"].dump(), static_cast<jh_result>(told["result"].intOr(JH_E_IO)));
        }
      } catch (const Error&) {
        continue;  // not from a keeper of ours; the end of the socket says the rest
      }
    }
  }

  [[nodiscard]] bool isOver() {
    const std::lock_guard lock(mutex);
    return over;
  }

  void awaitOver(Clock::time_point deadline) {
    while (control >= 0) {
      listen();
      if (isOver() || Clock::now() >= deadline) return;
      pollfd fd{control, POLLIN, 0};
      poll(&fd, 1, pollTime(deadline));
    }
  }
};

Processes::~Processes() {
  end();
}

std::shared_ptr<Processes::Process> Processes::find(std::uintptr_t handle) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(handle);
  return found != open_.end() ? found->second : nullptr;
}

namespace {

/// Starts the keeper with these at 0 to 3; 0, or an errno.
int startKeeper(const Processes::Place& place, std::array<int, 4> fds, pid_t& pid) {
  // Out of the way of the numbers they are to have.
  std::array<int, 4> moved{-1, -1, -1, -1};
  for (std::size_t i = 0; i < fds.size(); ++i) moved[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 16);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (int i = 0; i < 4; ++i) posix_spawn_file_actions_adddup2(&actions, moved[static_cast<std::size_t>(i)], i);
  posix_spawn_file_actions_addclosefrom_np(&actions, 4);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes,
                           static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID));
  std::string program = place.keeper;
  std::string option = "--keep";
  std::array<char*, 3> arguments{program.data(), option.data(), nullptr};
  std::vector<std::string> lines = place.environment;
  lines.emplace_back("LANG=C.UTF-8");
  std::vector<char*> environment;
  for (auto& line : lines) environment.push_back(line.data());
  environment.push_back(nullptr);
  const int error = posix_spawn(&pid, program.c_str(), &actions, &attributes, arguments.data(), environment.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  for (int& fd : moved) closeFd(fd);
  return error;
}

/// Sends all of it; the keeper reads all of it before anything else.
bool sendAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace

std::optional<ProcessFailure> Processes::spawn(const Json& argv, const Json& options, const ProcessRequest& request,
                                               const Place& place, int cancel_fd, std::uintptr_t& handle) {
  using Stream = ProcessRequest::Stream;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(closing_, [](const auto& one) {
      one->listen();
      return one->isOver();
    });
    if (stopped_) return notStartedCancelled();
    if (open_.size() + closing_.size() + starting_ >= place.most) {
      return ProcessFailure{JH_E_LIMIT, "process.too_many",
                            "the attempt runs " + std::to_string(place.most) + " processes already",
                            JH_CLASS_PERMANENT};
    }
    ++starting_;
  }
  const auto process = std::make_shared<Process>();
  const auto done = [&](std::optional<ProcessFailure> failure) {
    const std::lock_guard lock(mutex_);
    --starting_;
    if (!failure) {
      handle = ++serial_ << 4 | 0xa;
      open_[handle] = process;
      if (stopped_) process->order('T');
    }
    return failure;
  };

  Ends in, out, err, control;
  if ((request.in.kind == Stream::Pipe && !in.makePipe(true)) ||
      (request.out.kind == Stream::Pipe && !out.makePipe(false)) ||
      (request.err.kind == Stream::Pipe && !err.makePipe(false)) || !control.makeSocket()) {
    return done(notStarted("a pipe", errno));
  }
  Ends nothing;
  nothing.ours = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nothing.ours < 0) return done(notStarted("/dev/null", errno));
  const auto either = [&](const Ends& pipe) { return pipe.theirs >= 0 ? pipe.theirs : nothing.ours; };
  if (const int error = startKeeper(place, {either(in), either(out), either(err), control.theirs}, process->keeper);
      error != 0) {
    process->keeper = -1;
    return done(notStarted(place.keeper.c_str(), error));
  }
  for (Ends* ends : {&in, &out, &err, &control}) closeFd(ends->theirs);
  process->in = in.take();
  process->out = out.take();
  process->err = err.take();
  process->control = control.take();
  process->out_over = process->out < 0;
  process->err_over = process->err < 0;
  process->max_output_bytes = request.max_output_bytes;
  process->grace_ms = request.grace_ms;

  Json environment = Json::array();
  for (const auto& line : place.environment) environment.push(line);
  Json line{{"argv", argv},
            {"options", options.isNull() ? Json::object() : options},
            {"program", place.program},
            {"search_path", place.search_path},
            {"temp", place.temp_dir}};
  line.set("environment", std::move(environment));
  sendAll(process->control, line.dump() + "\n");
  for (;;) {
    process->listen();
    {
      const std::lock_guard lock(process->mutex);
      if (process->failed) return done(process->failed);
      if (process->started) return done(std::nullopt);
      if (process->over) {
        return done(ProcessFailure{JH_E_IO, "process.not_started", "its keeper ended", JH_CLASS_RESOURCE});
      }
    }
    std::array<pollfd, 2> fds = {{{process->control, POLLIN, 0}, {cancel_fd, POLLIN, 0}}};
    poll(fds.data(), fds.size(), -1);
    if (fds[1].revents != 0) return done(notStartedCancelled());
  }
}

Outcome Processes::write(std::uintptr_t handle, const void* data, std::size_t size, int cancel_fd) {
  const auto process = find(handle);
  if (!process) return closed();
  int fd = -1;
  {
    const std::lock_guard lock(process->input_mutex);
    if (process->in < 0) return {JH_E_IO, "its stdin is no pipe, or was closed"};
    fd = fcntl(process->in, F_DUPFD_CLOEXEC, 16);  // a close meanwhile must not hand the number to another file
  }
  if (fd < 0) return {JH_E_IO, std::string("its stdin: ") + std::strerror(errno)};
  std::string_view left(static_cast<const char*>(data), size);
  Outcome outcome;
  while (!left.empty() && outcome.ok()) {
    std::array<pollfd, 2> fds = {{{fd, POLLOUT, 0}, {cancel_fd, POLLIN, 0}}};
    poll(fds.data(), fds.size(), -1);
    if (fds[1].revents != 0) {
      outcome = cancelled();
      break;
    }
    if (fds[0].revents == 0) continue;
    const ssize_t n = ::write(fd, left.data(), left.size());  // SIGPIPE is ignored in runners
    if (n > 0) left.remove_prefix(static_cast<std::size_t>(n));
    if (n < 0 && errno == EPIPE) outcome = {JH_E_IO, "it reads no more of its stdin"};
    if (n < 0 && errno != EPIPE && errno != EAGAIN && errno != EINTR) {
      outcome = {JH_E_IO, std::string("its stdin: ") + std::strerror(errno)};
    }
  }
  ::close(fd);
  return outcome;
}

Outcome Processes::closeInput(std::uintptr_t handle) {
  const auto process = find(handle);
  if (!process) return closed();
  const std::lock_guard lock(process->input_mutex);
  closeFd(process->in);
  return {};
}

Outcome Processes::read(std::uintptr_t handle, std::int32_t stream, void* buffer, std::size_t size, std::size_t& got,
                        std::int32_t& from, int cancel_fd) {
  const auto process = find(handle);
  if (!process) return closed();
  if (stream != JH_STREAM_ANY && stream != JH_STREAM_OUT && stream != JH_STREAM_ERR) {
    return {JH_E_INVALID, "there is no stream " + std::to_string(stream)};
  }
  if ((stream == JH_STREAM_OUT && process->out < 0) || (stream == JH_STREAM_ERR && process->err < 0) ||
      (process->out < 0 && process->err < 0)) {
    return {JH_E_INVALID, "that stream is no pipe"};
  }
  if (size == 0) return {};
  for (;;) {
    const auto wanted = [&](std::int32_t which, bool& over) {
      const std::lock_guard lock(process->mutex);
      if ((stream != JH_STREAM_ANY && stream != which) || over) return -1;
      return which == JH_STREAM_OUT ? process->out : process->err;
    };
    std::array<pollfd, 3> fds = {{{wanted(JH_STREAM_OUT, process->out_over), POLLIN, 0},
                                  {wanted(JH_STREAM_ERR, process->err_over), POLLIN, 0},
                                  {cancel_fd, POLLIN, 0}}};
    if (fds[0].fd < 0 && fds[1].fd < 0) return {};
    poll(fds.data(), fds.size(), -1);
    if (fds[2].revents != 0) return cancelled();
    for (const std::int32_t which : {JH_STREAM_OUT, JH_STREAM_ERR}) {
      const pollfd& fd = fds[static_cast<std::size_t>(which - JH_STREAM_OUT)];
      if (fd.fd < 0 || fd.revents == 0) continue;
      const ssize_t n = ::read(fd.fd, buffer, size);
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (n < 0) return {JH_E_IO, std::string("its output: ") + std::strerror(errno)};
      const std::lock_guard lock(process->mutex);
      if (n == 0) {
        (which == JH_STREAM_OUT ? process->out_over : process->err_over) = true;
        continue;
      }
      process->read_bytes += n;
      if (process->read_bytes > process->max_output_bytes) {
        process->order('K');
        return {JH_E_LIMIT, "it wrote more than " + std::to_string(process->max_output_bytes) + " bytes"};
      }
      got = static_cast<std::size_t>(n);
      from = which;
      return {};
    }
  }
}

Outcome Processes::wait(std::uintptr_t handle, std::int64_t timeout_ms, std::string_view& end_json, int cancel_fd) {
  const auto process = find(handle);
  if (!process) return closed();
  std::optional<Clock::time_point> deadline;
  if (timeout_ms >= 0) {
    deadline = Clock::now() + std::chrono::milliseconds(std::min<std::int64_t>(timeout_ms, 1'000'000'000));
  }
  for (;;) {
    process->listen();
    {
      const std::lock_guard lock(process->mutex);
      if (!process->end_json.empty()) {
        end_json = process->end_json;
        return {};
      }
      if (process->over) return {JH_E_FAILED, "its keeper was ended, and nobody knows how it ended"};
    }
    std::array<pollfd, 2> fds = {{{process->control, POLLIN, 0}, {cancel_fd, POLLIN, 0}}};
    poll(fds.data(), fds.size(), pollTime(deadline));
    if (fds[1].revents != 0) return cancelled();
    if (fds[0].revents == 0 && deadline && Clock::now() >= *deadline) return {JH_E_TIMEOUT, "it still runs"};
  }
}

Outcome Processes::kill(std::uintptr_t handle, bool force) {
  const auto process = find(handle);
  if (!process) return closed();
  process->order(force ? 'K' : 'T');
  return {};
}

Outcome Processes::close(std::uintptr_t handle) {
  std::shared_ptr<Process> process;
  {
    const std::lock_guard lock(mutex_);
    const auto found = open_.find(handle);
    if (found == open_.end()) return closed();
    process = std::move(found->second);
    open_.erase(found);
    if (stopped_) {
      closing_.push_back(process);  // was asked to end, and has its grace
      return {};
    }
  }
  process->order('K');
  process->awaitOver(Clock::now() + std::chrono::milliseconds(kKeeperSlackMs));
  return {};
}

void Processes::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  for (const auto& [handle, process] : open_) process->order('T');
}

void Processes::end() {
  std::vector<std::shared_ptr<Process>> all;
  bool stopped = false;
  {
    const std::lock_guard lock(mutex_);
    all.swap(closing_);
    for (auto& [handle, process] : open_) all.push_back(std::move(process));
    open_.clear();
    stopped = std::exchange(stopped_, true);  // nothing is started any more
  }
  // Nobody reads what they still write, nor feeds them.
  for (const auto& process : all) {
    if (!stopped) process->order('K');
    const std::lock_guard lock(process->input_mutex);
    closeFd(process->in);
  }
  for (const auto& process : all) {
    process->awaitOver(Clock::now() + std::chrono::milliseconds(kKeeperSlackMs + (stopped ? process->grace_ms : 0)));
  }
}

}  // namespace jobhost::runner
