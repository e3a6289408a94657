#include "runner/job_loop.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "runner/crash.hpp"
#include "runner/host_table.hpp"
#include "runner/inspector.hpp"

namespace jobhost::runner {
namespace {

/// Reading /proc costs more than a no-op: only attempts that lasted are worth it.
constexpr std::uint64_t kWorthMeasuringUs = 5'000;

struct Measured {
  std::uint64_t cpu_us = 0;
  std::uint64_t peak_rss_bytes = 0;
};

Measured measure() {
  Measured all;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    getrusage(who, &usage);
    all.cpu_us += static_cast<std::uint64_t>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000 +
                  static_cast<std::uint64_t>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    if (who == RUSAGE_SELF) all.peak_rss_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
  }
  return all;
}

struct ReadWritten {
  unsigned long long read = 0;
  unsigned long long written = 0;
};

ReadWritten measureIo() {
  ReadWritten io;
  char text[512];
  const int fd = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return io;
  const ssize_t n = read(fd, text, sizeof(text) - 1);
  close(fd);
  text[n > 0 ? n : 0] = '\0';
  std::sscanf(text, "rchar: %llu wchar: %llu", &io.read, &io.written);
  return io;
}

/// Whether the thread with this folder in /proc/self/task is being ended: pthread_join() returns before it is gone
/// there.
bool isExiting(const char* task) {
  constexpr unsigned kPfExiting = 4;  // linux/sched.h; proc(5), the ninth field of stat
  char path[64];
  std::snprintf(path, sizeof(path), "/proc/self/task/%.20s/stat", task);
  char text[512];
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT;  // it is gone; a plugin may have left us no number for a file
  const ssize_t n = read(fd, text, sizeof(text) - 1);
  close(fd);
  if (n <= 0) return true;
  text[n] = '\0';
  const char* after_name = std::strrchr(text, ')');
  unsigned flags = 0;
  return after_name != nullptr && std::sscanf(after_name, ") %*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
         (flags & kPfExiting) != 0;
}

/// Counts the threads of this process: each is a folder in /proc/self/task. Looking that path up costs as much as a
/// no-op, so it is kept open; a plugin may close what is not its own, and then the number may belong to another file.
class ThreadCounter {
 public:
  /// Without those that are being ended, at the price of opening a file for each; with them where that cannot be.
  std::uint64_t countLasting() {
    std::uint64_t lasting = 0;
    std::error_code error;
    for (std::filesystem::directory_iterator at("/proc/self/task", error), end; !error && at != end;
         at.increment(error)) {
      if (!isExiting(at->path().filename().c_str())) ++lasting;
    }
    return error ? count() : lasting + kLinksOfAFolder;
  }

  std::uint64_t count() {
    struct stat info {};
    if (fd_ >= 0 && fstat(fd_, &info) == 0 && info.st_dev == device_ && info.st_ino == inode_) return info.st_nlink;
    fd_ = open("/proc/self/task", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd_ < 0 || fstat(fd_, &info) != 0) return 0;
    device_ = info.st_dev;
    inode_ = info.st_ino;
    return info.st_nlink;
  }

 private:
  static constexpr std::uint64_t kLinksOfAFolder = 2;  // count() has them: "." and the entry in its parent

  int fd_ = -1;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

void fillError(wire::Done& done, const AttemptError& error) {
  done.status = wire::DoneStatus::Failed;
  done.error_class = error.error_class;
  done.retry_after_ms = error.retry_after_ms;
  done.error_code = error.code.empty() ? "failed" : error.code;
  done.error_message = error.message.empty() ? "the plugin gave no reason" : error.message;
  done.error_details_json = error.details_json;
}

/// What run()'s answer means, with what the attempt was told before. Call with no lock held.
wire::Done judge(Attempt& attempt, jh_result result, const Session& session) {
  wire::Done done;
  auto outputs = attempt.files.finish();
  if (attempt.files.madeOutputDir()) done.flags |= wire::kDoneHasWorkFiles;
  const std::lock_guard lock(attempt.mutex);
  switch (result) {
    case JH_OK:
      done.status = wire::DoneStatus::Succeeded;
      if (attempt.result) done.result_json = std::move(*attempt.result);
      done.outputs = std::move(outputs);
      return done;
    case JH_E_SUSPENDED:
      done.status = wire::DoneStatus::Suspended;
      if (attempt.error && attempt.error->retry_after_ms >= 0) {
        done.retry_after_ms = attempt.error->retry_after_ms;
        done.error_message = attempt.error->message;
      }
      return done;
    case JH_E_CANCELLED:
      if (session.cancelled(attempt) != 0) {
        done.status = wire::DoneStatus::Canceled;
      } else {
        fillError(done, {JH_CLASS_INTERNAL,
                         -1,
                         "cancelled_unasked",
                         "run() says it was cancelled, but nobody asked it to stop",
                         {}});
      }
      return done;
    case JH_E_FAILED:
      fillError(done, attempt.error.value_or(AttemptError{}));
      return done;
    default:
      if (attempt.error) return fillError(done, *attempt.error), done;
      fillError(done, {JH_CLASS_INTERNAL, -1, "bad_return", "run() returned " + std::to_string(result), {}});
      return done;
  }
}

jh_result runOne(Session& session, const PluginLibrary& plugin, const std::shared_ptr<Attempt>& shared) {
  Attempt& attempt = *shared;
  if (attempt.run.type_index >= plugin.types().size()) {
    const std::lock_guard lock(attempt.mutex);
    attempt.error = AttemptError{JH_CLASS_INTERNAL, -1, "unknown_type", "the plugin has no such job type", {}};
    return JH_E_FAILED;
  }
  const auto& type = plugin.types()[attempt.run.type_index];
  attempt.type_name = type.name;
  session.status().crumb(wire::SdkCall::RunBegin, 0);
  auto* inspector = Inspector::get();
  const jh_result result =
      inspector != nullptr ? inspector->run(shared, type.run) : type.run(reinterpret_cast<jh_job*>(attempt.handle));
  session.status().crumb(wire::SdkCall::RunEnd, result);
  return result;
}

}  // namespace

void endLostAttempt(Session& session, const char* code, const char* message) {
  const auto attempt = session.current();
  if (!attempt) return;
  wire::Done done;
  attempt->processes.end();
  attempt->files.finish();
  if (attempt->files.madeOutputDir()) done.flags |= wire::kDoneHasWorkFiles;
  attempt->files.wipeTemp();
  fillError(done, {JH_CLASS_INTERNAL, -1, code, message, {}});
  done.started_us = attempt->started_us;
  done.finished_us = wallMicros();
  session.finish(*attempt, std::move(done));
  session.say(message);
}

void runJobs(Session& session, const PluginLibrary& plugin) {
  Measured before = measure();
  ReadWritten io_before = measureIo();
  ThreadCounter threads;
  std::uint64_t threads_before = threads.count();
  while (const auto attempt = session.nextAttempt()) {
    refreshModules();
    session.begin(attempt);
    const jh_result result = runOne(session, plugin, attempt);
    if (session.cancelled(*attempt) != 0) attempt->processes.stop();  // their grace, whoever was quicker
    attempt->processes.end();
    wire::Done done = judge(*attempt, result, session);
    attempt->files.wipeTemp();
    if (auto* inspector = Inspector::get(); inspector != nullptr) inspector->state("attempt", attempt.get());

    done.started_us = attempt->started_us;
    done.finished_us = wallMicros();
    const Measured after = measure();
    done.cpu_us = after.cpu_us - before.cpu_us;
    done.peak_rss_bytes = after.peak_rss_bytes;
    before = after;
    if (steadyMicros() - attempt->started_steady_us >= kWorthMeasuringUs) {
      const ReadWritten io_after = measureIo();
      done.read_bytes = io_after.read - io_before.read;
      done.written_bytes = io_after.written - io_before.written;
      io_before = io_after;
    }
    std::uint64_t threads_after = threads.count();
    if (threads_after > threads_before) threads_after = threads.countLasting();
    if (threads_after > threads_before) done.flags |= wire::kDoneLeftThreads;
    threads_before = threads_after;
    session.finish(*attempt, std::move(done));
  }
}

}  // namespace jobhost::runner
