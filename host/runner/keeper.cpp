#include "runner/keeper.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/process_request.hpp"

namespace jobhost::runner {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

constexpr int kControlFd = 3;
constexpr std::size_t kMostRequest = std::size_t{8} << 20;  // argv in JSON's escapes, and room
constexpr std::int64_t kCpuSlackS = 1;                      // from SIGXCPU to SIGKILL

/// One line of JSON to who started this. Where nobody is left to hear it, the next look at the socket tells.
void say(const Json& line) {
  const std::string text = line.dump() + "\n";
  std::size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t n = send(kControlFd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    sent += static_cast<std::size_t>(n);
  }
}

[[noreturn]] void refuse(const ProcessFailure& failure) {
  say(Json{{"failed", Json{{"code", failure.code}, {"message", failure.message}, {"class", failure.error_class}}},
           {"result", failure.result}});
  _exit(0);
}

[[noreturn]] void cannotStart(const std::string& what, int error) {
  refuse({JH_E_IO, "process.not_started", what + ": " + std::strerror(error), JH_CLASS_RESOURCE});
}

/// The request's line; leaves when nobody sends one.
Json readRequest() {
  std::string line;
  std::array<char, 64 * 1024> chunk;
  for (;;) {
    const ssize_t n = recv(kControlFd, chunk.data(), chunk.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) _exit(0);
    line.append(chunk.data(), static_cast<std::size_t>(n));
    if (line.back() == '\n') break;
    if (line.size() > kMostRequest) {
      refuse({JH_E_LIMIT, "process.too_large", "the request is over 8 MiB", JH_CLASS_PERMANENT});
    }
  }
  try {
    return Json::parse(line);
  } catch (const Error& error) {
    refuse({JH_E_INVALID, "process.invalid_request", error.message(), JH_CLASS_PERMANENT});
  }
}

/// The processes whose parent is `parent`. Zombies too.
std::vector<pid_t> childrenOf(pid_t parent) {
  std::vector<pid_t> found;
  DIR* const proc = opendir("/proc");
  if (proc == nullptr) return found;
  while (const dirent* entry = readdir(proc)) {
    const std::string_view name = entry->d_name;
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc() || end != name.data() + name.size()) continue;
    const int fd = open(("/proc/" + std::string(name) + "/stat").c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    std::array<char, 1024> text;
    const ssize_t got = read(fd, text.data(), text.size());
    close(fd);
    const std::string_view stat(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    const auto close_at = stat.rfind(')');  // the name before it may hold anything; then " S 123"
    if (close_at == std::string_view::npos || close_at + 4 >= stat.size()) continue;
    pid_t above = 0;
    std::from_chars(stat.data() + close_at + 4, stat.data() + stat.size(), above);
    if (above == parent) found.push_back(pid);
  }
  closedir(proc);
  return found;
}

class Keeper {
 public:
  explicit Keeper(const Json& request)
      : request_(parseProcessRequest(request["argv"], request["options"])),
        program_(request["program"].stringOr("")),
        temp_(request["temp"].stringOr("")) {
    for (std::size_t i = 1; i < request_.argv.size(); ++i) arguments_.push_back(request_.argv[i].data());
    arguments_.insert(arguments_.begin(), request_.argv.front().data());
    arguments_.push_back(nullptr);
    lines_ = {"PATH=" + std::string(request["search_path"].stringOr("")), "LANG=C.UTF-8", "TMPDIR=" + temp_};
    for (const Json& one : request["environment"].items()) lines_.emplace_back(one.stringOr(""));
    for (const auto& [name, value] : request_.environment) lines_.push_back(name + "=" + value);
    for (auto& line : lines_) environment_.push_back(line.data());
    environment_.push_back(nullptr);
  }

  [[noreturn]] void run() {
    watchSignals();
    start();
    if (request_.timeout_ms > 0) timeout_at_ = Clock::now() + Milliseconds(request_.timeout_ms);
    for (;;) {
      reap();
      if (ended_) leave();
      waitForSomething();
    }
  }

 private:
  void watchSignals() {
    sigset_t mask;
    sigfillset(&mask);
    sigprocmask(SIG_BLOCK, &mask, nullptr);  // nobody ends it by a signal but SIGKILL
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    signals_ = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals_ < 0) cannotStart("signalfd", errno);
    // The socket's end says it too, unless the plugin forked and the copy lives on.
    parent_ = static_cast<int>(syscall(SYS_pidfd_open, getppid(), 0));
  }

  int openFile(const ProcessRequest::Redirection& where, const char* stream, bool write) const {
    const std::string path = temp_ + "/" + where.file;
    const int flags = write ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY;
    const int fd = open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    const int error = errno;
    struct stat info {};
    if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
      refuse({JH_E_IO, "process.file",
              std::string(stream) + "/file \"" + where.file +
                  "\": " + (fd < 0 ? std::strerror(error) : "is no plain file"),
              JH_CLASS_PERMANENT});
    }
    return fd;
  }

  /// Brings files and /dev/null to 0, 1 and 2; pipes are there already.
  void redirect() {
    using Stream = ProcessRequest::Stream;
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nothing < 0) cannotStart("/dev/null", errno);
    const auto set = [&](const ProcessRequest::Redirection& where, int target, const char* stream) {
      if (where.kind == Stream::None) dup2(nothing, target);
      if (where.kind == Stream::File) dup2(openFile(where, stream, target != 0), target);
      if (where.kind == Stream::ToOutput) dup2(1, target);
    };
    set(request_.in, 0, "stdin");
    set(request_.out, 1, "stdout");
    set(request_.err, 2, "stderr");
  }

  static void limit(__rlimit_resource resource, std::int64_t soft, std::int64_t hard) {
    rlimit now{};
    getrlimit(resource, &now);
    rlimit wanted{static_cast<rlim_t>(soft), static_cast<rlim_t>(hard)};
    wanted.rlim_max = std::min(wanted.rlim_max, now.rlim_max);
    wanted.rlim_cur = std::min(wanted.rlim_cur, wanted.rlim_max);
    setrlimit(resource, &wanted);
  }

  /// In the child. Only what a child of a process with one thread may call.
  [[noreturn]] void becomeProgram(int problem) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != keeper_) _exit(127);
    limit(RLIMIT_FSIZE, request_.max_output_bytes, request_.max_output_bytes);
    if (request_.memory_bytes > 0) limit(RLIMIT_AS, request_.memory_bytes, request_.memory_bytes);
    if (request_.cpu_s > 0) limit(RLIMIT_CPU, request_.cpu_s, request_.cpu_s + kCpuSlackS);
    for (int signal = 1; signal < NSIG; ++signal) std::signal(signal, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    if (chdir(temp_.c_str()) == 0) execve(program_.c_str(), arguments_.data(), environment_.data());
    const int error = errno;
    [[maybe_unused]] const ssize_t ignored = write(problem, &error, sizeof(error));
    _exit(127);
  }

  void start() {
    redirect();
    int problem[2];
    if (pipe2(problem, O_CLOEXEC) != 0) cannotStart("pipe", errno);
    keeper_ = getpid();
    program_pid_ = fork();
    if (program_pid_ < 0) cannotStart("fork", errno);
    if (program_pid_ == 0) becomeProgram(problem[1]);
    setpgid(program_pid_, program_pid_);  // here too: whoever is first, the group is there before it is signalled
    close(problem[1]);
    // Its pipes must not stay open in here, or nobody would see their end.
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (const int fd : {0, 1, 2}) dup2(nothing, fd);
    int error = 0;
    ssize_t got = 0;
    do {
      got = read(problem[0], &error, sizeof(error));
    } while (got < 0 && errno == EINTR);
    close(problem[0]);
    if (got == sizeof(error)) {
      waitpid(program_pid_, nullptr, 0);
      cannotStart(program_, error);
    }
    say(Json{{"started", static_cast<std::int64_t>(program_pid_)}});
  }

  [[nodiscard]] int pollTimeout() const {
    std::optional<Clock::time_point> next = kill_at_ ? kill_at_ : timeout_at_;
    if (!next) return -1;
    const auto left = std::chrono::ceil<Milliseconds>(*next - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000));
  }

  void waitForSomething() {
    std::array<pollfd, 3> fds = {{{kControlFd, POLLIN, 0}, {signals_, POLLIN, 0}, {parent_, POLLIN, 0}}};
    if (poll(fds.data(), fds.size(), pollTimeout()) < 0 && errno != EINTR) return endAll();
    const auto now = Clock::now();
    if (kill_at_ && now >= *kill_at_) return endAll();
    if (!kill_at_ && timeout_at_ && now >= *timeout_at_) {
      timed_out_ = true;
      askToEnd();
    }
    if ((fds[2].revents & POLLIN) != 0) return endAll();
    if ((fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) readOrders();
    if ((fds[1].revents & POLLIN) != 0) {
      std::array<signalfd_siginfo, 8> seen;
      [[maybe_unused]] const ssize_t ignored = read(signals_, seen.data(), sizeof(seen));
    }
  }

  void readOrders() {
    std::array<char, 64> orders;
    const ssize_t n = recv(kControlFd, orders.data(), orders.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return endAll();
    for (ssize_t i = 0; i < n; ++i) {
      if (orders[static_cast<std::size_t>(i)] == 'K') return endAll();
      if (orders[static_cast<std::size_t>(i)] == 'T') askToEnd();
    }
  }

  void askToEnd() {
    if (kill_at_) return;
    kill_at_ = Clock::now() + Milliseconds(request_.grace_ms);
    kill(-program_pid_, SIGTERM);
    kill(-program_pid_, SIGCONT);  // one that was stopped could not obey
  }

  /// Takes what has ended; when that is the program, the rest goes too.
  void reap() {
    for (;;) {
      int status = 0;
      const pid_t pid = waitpid(-1, &status, WNOHANG);
      if (pid <= 0) return;
      if (pid != program_pid_) continue;
      program_status_ = status;
      return endAll();
    }
  }

  /// Ends the program and all that is below. What loses its parent becomes a child of this process, so that it is over
  /// when there are no children.
  void endAll() {
    for (;;) {
      if (!program_status_) kill(-program_pid_, SIGKILL);
      for (const pid_t pid : childrenOf(keeper_)) {
        if (pid != program_pid_) kill(-pid, SIGKILL);  // its group, where it leads one
        kill(pid, SIGKILL);
      }
      int status = 0;
      const pid_t pid = waitpid(-1, &status, 0);
      if (pid < 0 && errno == ECHILD) break;
      if (pid == program_pid_) program_status_ = status;
    }
    ended_ = true;
  }

  [[noreturn]] void leave() const {
    rusage used{};
    getrusage(RUSAGE_CHILDREN, &used);
    const int status = program_status_.value_or(0);
    const std::int64_t cpu_ms =
        (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000LL + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000;
    say(Json{{"ended", Json{{"exit_code", WIFEXITED(status) ? Json(WEXITSTATUS(status)) : Json()},
                            {"signal", WIFSIGNALED(status) ? Json(WTERMSIG(status)) : Json()},
                            {"timed_out", timed_out_},
                            {"cpu_ms", cpu_ms},
                            {"max_rss_kib", static_cast<std::int64_t>(used.ru_maxrss)}}}});
    _exit(0);
  }

  ProcessRequest request_;
  const std::string program_;
  const std::string temp_;
  std::vector<char*> arguments_;
  std::vector<std::string> lines_;
  std::vector<char*> environment_;

  pid_t keeper_ = 0;
  pid_t program_pid_ = 0;
  int signals_ = -1;
  int parent_ = -1;
  std::optional<int> program_status_;
  std::optional<Clock::time_point> timeout_at_;
  std::optional<Clock::time_point> kill_at_;
  bool timed_out_ = false;
  bool ended_ = false;
};

}  // namespace

void keepProgram(int control_fd) {
  if (control_fd != kControlFd && dup2(control_fd, kControlFd) < 0) _exit(64);
  setsid();  // refused when it leads a session already
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  syscall(SYS_close_range, 4U, ~0U, 0U);
  fcntl(kControlFd, F_SETFD, FD_CLOEXEC);
  const Json request = readRequest();
  try {
    Keeper(request).run();
  } catch (const ProcessFailure& failure) {
    refuse(failure);
  }
}

}  // namespace jobhost::runner
