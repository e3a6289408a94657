#include "cli/plugin_run_command.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <thread>
#include <vector>

#include "catalog/folder_watch.hpp"
#include "cli/context.hpp"
#include "cli/exit_codes.hpp"
#include "cli/plugin_lab.hpp"
#include "cli/progress_bar.hpp"
#include "devtools/foreground.hpp"
#include "jobhost/json.hpp"
#include "telemetry/log.hpp"

namespace jobhost::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kQuietMs = 300;  // a linker writes in pieces: the file is whole when nothing changed for so long

/// Ctrl-C: the first asks the job to stop, the second ends its process. Made before any other thread, so that the
/// signals come here alone.
class Interrupts {
 public:
  explicit Interrupts(devtools::Foreground& job) : job_(job) {
    sigemptyset(&set_);
    sigaddset(&set_, SIGINT);
    sigaddset(&set_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set_, &before_);
    signals_ = signalfd(-1, &set_, SFD_CLOEXEC);
    end_ = eventfd(0, EFD_CLOEXEC);
    asked_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    thread_ = std::jthread([this] { listen(); });
  }
  ~Interrupts() {
    eventfd_write(end_, 1);
    thread_.join();
    for (const int fd : {signals_, end_, asked_}) close(fd);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;
  /// Readable once there was one.
  [[nodiscard]] int fd() const { return asked_; }
  [[nodiscard]] bool asked() const {
    pollfd fd{asked_, POLLIN, 0};
    return poll(&fd, 1, 0) > 0;
  }

 private:
  void listen() {
    for (int count = 0;;) {
      pollfd fds[2] = {{signals_, POLLIN, 0}, {end_, POLLIN, 0}};
      if (poll(fds, 2, -1) < 0) continue;
      if ((fds[1].revents & POLLIN) != 0) return;
      signalfd_siginfo info{};
      if (read(signals_, &info, sizeof(info)) != static_cast<ssize_t>(sizeof(info))) continue;
      eventfd_write(asked_, 1);
      if (++count == 1) {
        std::cerr << "\nasked to stop; once more ends it\n";
        job_.stop();
      } else {
        job_.kill();
      }
    }
  }

  devtools::Foreground& job_;
  sigset_t set_{};
  sigset_t before_{};
  int signals_ = -1;
  int end_ = -1;
  int asked_ = -1;
  std::jthread thread_;
};

/// What the job says, on stderr. Any thread.
class Screen {
 public:
  Screen() : bar_(std::cerr, terminalWidth()) {}
  devtools::Lab::Watcher watcher() {
    return {[this](const core::Progress& now) {
              const std::lock_guard lock(mutex_);
              bar_.show({"running", now.fraction, now.message, {}});
            },
            [this](const std::string& line) { say(line); },
            [this](const std::string& key, const std::string& json) {
              const std::lock_guard lock(mutex_);
              bar_.end();
              std::cerr << "note " << key << ' ' << json << '\n';
            },
            {},
            [this](core::Millis time, const std::string& reason) {
              const std::lock_guard lock(mutex_);
              bar_.end();
              std::cerr << "runs again in " << time.count() << " ms" << (reason.empty() ? "" : ": ") << reason << '\n';
            }};
  }
  void end() {
    const std::lock_guard lock(mutex_);
    bar_.end();
  }

 private:
  void say(const std::string& line) {
    const Json parsed = Json::parse(line);
    const std::lock_guard lock(mutex_);
    bar_.end();
    std::cerr << parsed["level"].stringOr("info") << ": " << parsed["text"].stringOr("") << '\n';
  }
  std::mutex mutex_;
  ProgressBar bar_;
};

/// `files`: set to what the plugin is made of.
int runOnce(const PluginRunArgs& args, const devtools::ForegroundOptions& given, devtools::Foreground& job,
            std::vector<fs::path>& files) {
  const auto subject = devtools::readSubject(args.file);
  if (!subject) return fail(subject.error()), kUsage;
  files = subject->files;
  auto options = given;
  if (options.type.empty() && subject->manifest && subject->manifest->types.size() == 1) {
    options.type = subject->manifest->types[0].info.name;
  }
  Screen screen;
  const auto report = job.run(*subject, options, screen.watcher());
  screen.end();
  if (!report) return fail(report.error()), kUsage;
  if (!report->valgrind.empty()) std::cerr << report->valgrind;
  for (const auto& call : report->diverged) std::cerr << "not as recorded: " << call << "() was not called then\n";
  for (const auto& file : report->outputs) std::cerr << "wrote " << file.string() << '\n';
  const auto& end = report->job.end;
  std::cerr << report->job.describe() << " (" << end.usage.cpu_us / 1000 << " ms CPU, "
            << end.usage.peak_rss_bytes / (1 << 20) << " MiB)\n";
  if (!report->job.succeeded()) return kJobFailed;
  std::cout << end.result_json << std::endl;
  return report->diverged.empty() ? kOk : kJobFailed;
}

/// Blocks until one of the files was changed since `watch` began and then left alone for a while; false: interrupted.
bool awaitChange(catalog::FolderWatch& watch, const std::vector<fs::path>& files, const Interrupts& interrupts) {
  for (bool changed = false;;) {
    pollfd fds[2] = {{watch.fd(), POLLIN, 0}, {interrupts.fd(), POLLIN, 0}};
    const int ready = poll(fds, 2, changed ? kQuietMs : -1);
    if ((fds[1].revents & POLLIN) != 0) return false;
    std::error_code error;
    if (ready == 0 && changed && fs::exists(files.front(), error)) return true;
    for (const auto& one : watch.read().files)
      changed = changed || std::find(files.begin(), files.end(), one) != files.end();
  }
}

}  // namespace

int pluginRun(const PluginRunArgs& args) {
  telemetry::setLogLevel("off");
  auto lab = labOptions(args.lab);
  if (!lab) return fail(lab.error()), kUsage;
  devtools::ForegroundOptions options;
  options.lab = *std::move(lab);
  options.lab.web = devtools::Web::Real;
  options.lab.allow_private = args.allow_private;
  if (args.lab.timeout_s == 0) options.lab.job_timeout = core::Millis(0);  // a person watches
  auto params = jsonArgument("--params", args.params);
  if (!params) return fail(params.error()), kUsage;
  options.params = *std::move(params);
  options.type = args.type;
  options.out = args.out;
  options.trace = args.trace;
  options.record = args.record;
  options.replay = args.replay;
  options.gdb = args.gdb;
  options.valgrind = args.valgrind;

  std::error_code error;
  const auto file = fs::canonical(args.file, error);
  if (error) return fail({core::ErrorCode::NotFound, args.file + ": " + error.message(), {}, {}}), kUsage;
  devtools::Foreground job;
  std::vector<fs::path> files{file};
  if (args.gdb) return runOnce(args, options, job, files);  // Ctrl-C is the debugger's
  const Interrupts interrupts(job);
  for (;;) {
    catalog::FolderWatch watch;  // begins before the run: a rebuild during it counts
    if (args.watch && !watch.watch(file.parent_path())) {
      return fail({core::ErrorCode::Unavailable, file.parent_path().string() + " cannot be watched", {}, {}}), kUsage;
    }
    const int status = runOnce(args, options, job, files);
    if (!args.watch || interrupts.asked()) return status;
    std::cerr << "waiting for " << file.string() << " to change\n";
    if (!awaitChange(watch, files, interrupts)) return status;
  }
}

}  // namespace jobhost::cli
