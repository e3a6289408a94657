#include "cli/bench/own_host.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <fstream>
#include <sstream>

namespace jobhost::cli::bench {
namespace {

namespace fs = std::filesystem;
constexpr int kReadyMs = 30'000;
constexpr int kStopMs = 10'000;

core::Error failure(const std::string& what) {
  return {.code = core::ErrorCode::Unavailable, .message = what, .detail = {}, .fields = {}};
}

std::string firstWord(const fs::path& file) {
  std::ifstream in(file);
  std::string word;
  in >> word;
  return word;
}

}  // namespace

core::Result<std::unique_ptr<OwnHost>> OwnHost::start(const Options& options) {
  std::unique_ptr<OwnHost> host(new OwnHost);
  std::string pattern =
      ((options.scratch.empty() ? fs::temp_directory_path() : options.scratch) / "jobhost-bench-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) return failure(pattern + ": " + std::strerror(errno));
  host->folder_ = pattern;
  if (const auto spawned = host->spawn(options); !spawned) return spawned.error();
  if (const auto ready = host->awaitReady(host->output_); !ready) return ready.error();
  return host;
}

core::Result<void> OwnHost::spawn(const Options& options) {
  std::vector<std::string> words{"jobhost",     "serve", "--data",    (folder_ / "data").string(),
                                 "--port",      "0",     "--plugins", fs::absolute(options.plugins).string(),
                                 "--log-level", "warn"};
  for (const auto& set : options.set) words.insert(words.end(), {"--set", set});
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return failure(std::strerror(errno));
  output_ = ends[0];
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, (folder_ / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                     0600);
  const int code = ::posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (code != 0) {
    pid_ = -1;
    return failure(std::string("cannot start the host: ") + std::strerror(code));
  }
  pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  return {};
}

core::Result<void> OwnHost::awaitReady(int output) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kReadyMs);
  std::string text;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd waiting{output, POLLIN, 0};
    if (left <= 0 || ::poll(&waiting, 1, static_cast<int>(left)) <= 0) {
      return failure("the host was not ready within 30 s\n" + lastOfLog());
    }
    std::array<char, 512> piece;
    const auto count = ::read(output, piece.data(), piece.size());
    if (count <= 0) return failure("the host ended before it was ready\n" + lastOfLog());
    text.append(piece.data(), static_cast<std::size_t>(count));
    const auto at = text.find("jobhost ready ");
    const auto end = text.find('\n', at == std::string::npos ? 0 : at);
    if (at != std::string::npos && end != std::string::npos) {
      url_ = text.substr(at + 14, end - at - 14);
      return {};
    }
  }
}

std::string OwnHost::lastOfLog() const {
  std::ifstream in(folder_ / "log");
  std::ostringstream all;
  all << in.rdbuf();
  const auto text = all.str();
  constexpr std::size_t kShown = 2000;
  return text.size() > kShown ? text.substr(text.size() - kShown) : text;
}

std::string OwnHost::key() const {
  return firstWord(folder_ / "data" / "keys" / "admin.key");
}

OwnHost::~OwnHost() {
  if (pid_ > 0) {
    ::kill(pid_, SIGTERM);
    pollfd ended{pidfd_, POLLIN, 0};
    if (::poll(&ended, 1, kStopMs) <= 0) ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  if (pidfd_ >= 0) ::close(pidfd_);
  if (output_ >= 0) ::close(output_);
  std::error_code ignored;
  if (!folder_.empty()) fs::remove_all(folder_, ignored);
}

ProcessStats processStats(pid_t pid) {
  ProcessStats stats;
  const fs::path folder = fs::path("/proc") / std::to_string(pid);
  std::error_code gone;
  for (const auto& task : fs::directory_iterator(folder / "task", gone)) {
    std::ifstream in(task.path() / "schedstat");
    double nanoseconds = 0;
    in >> nanoseconds;
    stats.cpu_seconds += nanoseconds / 1e9;
    ++stats.threads;
  }
  std::ifstream in(folder / "status");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("VmRSS:", 0) == 0) stats.rss_mib = std::stod(line.substr(6)) / 1024;
  }
  return stats;
}

std::vector<pid_t> descendants(pid_t pid) {
  std::vector<pid_t> all;
  std::error_code gone;
  for (const auto& task : fs::directory_iterator(fs::path("/proc") / std::to_string(pid) / "task", gone)) {
    std::ifstream in(task.path() / "children");
    for (pid_t child = 0; in >> child;) {
      all.push_back(child);
      const auto below = descendants(child);
      all.insert(all.end(), below.begin(), below.end());
    }
  }
  return all;
}

}  // namespace jobhost::cli::bench
