// jobhost-runner: the process that holds one plugin and runs its attempts one at a time. Started by the host with fd 0
// /dev/null, 1 and 2 pipes, 3 the control socket, 4 the status page; docs/protocol.md is what it speaks.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>

#include "runner/channel.hpp"
#include "runner/confine.hpp"
#include "runner/crash.hpp"
#include "runner/host_table.hpp"
#include "runner/inspector.hpp"
#include "runner/job_loop.hpp"
#include "runner/plugin_library.hpp"
#include "runner/session.hpp"
#include "runner/status.hpp"
#include "runner/thread_watch.hpp"

namespace {

using namespace jobhost;  // NOLINT: this file is the program

constexpr int kSocketFd = 3;
constexpr int kPageFd = 4;

// Exit codes; docs/protocol.md lists them, thread_watch.hpp has one more.
constexpr int kExitUsage = 64;
constexpr int kExitProtocol = 70;
constexpr int kExitSetup = 71;

[[noreturn]] void die(int code, const std::string& why) {
  std::fprintf(stderr, "jobhost-runner: %s\n", why.c_str());
  std::fflush(stderr);
  _exit(code);
}

/// Blocks for the next message of the handshake, which must be `expected`.
wire::Frame expect(wire::FrameReader& reader, wire::FrameType expected) {
  for (;;) {
    wire::Frame frame;
    const auto status = reader.next(frame);
    if (status == wire::FrameReader::Status::Broken) die(kExitProtocol, reader.error());
    if (status == wire::FrameReader::Status::Message) {
      if (frame.type == wire::FrameType::Bye) _exit(0);
      if (frame.type != expected) {
        die(kExitProtocol,
            std::string(toString(frame.type)) + " came where " + std::string(toString(expected)) + " was expected");
      }
      return frame;
    }
    constexpr std::size_t kRead = 64 * 1024;
    const ssize_t n = recv(kSocketFd, reader.prepare(kRead), kRead, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) _exit(0);
    reader.commit(static_cast<std::size_t>(n));
  }
}

wire::StatusPage& mapPage() {
  void* memory = mmap(nullptr, wire::kStatusPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, kPageFd, 0);
  if (memory == MAP_FAILED) die(kExitSetup, std::string("the status page cannot be mapped: ") + std::strerror(errno));
  auto& page = *static_cast<wire::StatusPage*>(memory);
  if (page.magic.load() != wire::StatusPage::kMagic) die(kExitSetup, "fd 4 is not a status page");
  return page;
}

template <class Message>
void sendNow(wire::FrameType type, const Message& message) {
  std::string out;
  wire::FrameWriter frame(out, type, 0, 0);
  encode(frame.payload(), message);
  frame.finish();
  for (std::size_t sent = 0; sent < out.size();) {
    const ssize_t n = send(kSocketFd, out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) _exit(0);
    sent += static_cast<std::size_t>(n);
  }
}

wire::Welcome shakeHands(wire::FrameReader& reader) {
  wire::Hello hello;
  hello.pid = static_cast<std::uint32_t>(getpid());
  hello.abi_major = JH_ABI_MAJOR;
  hello.abi_minor = JH_ABI_MINOR;
  hello.runner_version = JOBHOST_VERSION;
  sendNow(wire::FrameType::Hello, hello);
  wire::Welcome welcome;
  if (!decode(expect(reader, wire::FrameType::Welcome).payload, welcome))
    die(kExitProtocol, "a WELCOME that cannot be read");
  if (welcome.version < wire::kProtocolMin || welcome.version > wire::kProtocolMax) {
    die(kExitProtocol, "the host speaks none of the protocol versions " + std::to_string(wire::kProtocolMin) + " to " +
                           std::to_string(wire::kProtocolMax));
  }
  if (welcome.work_dir.empty() || welcome.work_dir.front() != '/')
    die(kExitProtocol, "WELCOME: work_dir is not absolute");
  return welcome;
}

/// Null where the host wants nothing watched.
runner::Inspector* inspectorFor(const wire::Welcome& welcome) {
  try {
    return runner::Inspector::start(welcome.inspection);
  } catch (const std::exception& error) {
    die(kExitProtocol, std::string("WELCOME: ") + error.what());
  }
}

/// Why the program could not be started, for people.
std::string execProblem(const char* program, int error) {
  if (error == ENOEXEC) return "it is neither a program for this machine nor a script that begins with #!";
  if (error == EACCES) return "it may not be executed there; is the data folder mounted noexec?";
  if (error != ENOENT) return std::string("it cannot be started: ") + std::strerror(error);
  std::ifstream in(program);
  std::string line;
  if (!std::getline(in, line) || line.compare(0, 2, "#!") != 0) return "its dynamic loader is not on this machine";
  const auto begin = line.find_first_not_of(" \t", 2);
  const auto end = line.find_first_of(" \t\r", begin);
  if (begin == std::string::npos) return "its first line names no interpreter";
  const bool dos = line.back() == '\r';
  return "its interpreter \"" + line.substr(begin, end - begin) + "\" is not on this machine" +
         (dos ? " (the line ends in CR LF)" : "");
}

/// Becomes the program of a process plugin, which then speaks for itself on the same descriptors. What a plugin may not
/// undo is done before: limits, no_new_privs, the signal when the host dies. Returns never; where the program cannot be
/// started, the host is told why in the protocol.
[[noreturn]] void becomeProgram(char** command) {
  runner::confine(wire::Welcome{});
  for (const int fd : {kSocketFd, kPageFd}) fcntl(fd, F_SETFD, 0);
  std::signal(SIGPIPE, SIG_DFL);
  execv(command[0], command);
  const int error = errno;
  wire::LoadFailed failed{wire::LoadStage::Open, "exec_failed", execProblem(command[0], error), std::strerror(error)};
  if (error == EAGAIN || error == ENOMEM || error == ETXTBSY) failed.stage = wire::LoadStage::Setup;
  wire::FrameReader reader(64 * 1024 * 1024);
  shakeHands(reader);
  expect(reader, wire::FrameType::Load);
  sendNow(wire::FrameType::LoadFailed, failed);
  _exit(0);
}

struct Arguments {
  pid_t parent = 0;
  char** command = nullptr;  ///< the program to become and its arguments; null: load a library
};

Arguments readArguments(int argc, char** argv) {
  constexpr const char* kOption = "--parent=";
  Arguments read;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--version") == 0) {
      std::printf("jobhost-runner %s, protocol %u-%u, plugin ABI %u.%u\n", JOBHOST_VERSION, wire::kProtocolMin,
                  wire::kProtocolMax, JH_ABI_MAJOR, JH_ABI_MINOR);
      std::exit(0);
    }
    if (std::strcmp(argv[i], "--exec") == 0 && i + 1 < argc) {
      read.command = argv + i + 1;
      break;
    }
    if (std::strncmp(argv[i], kOption, std::strlen(kOption)) != 0) {
      die(kExitUsage,
          "it is started by the host: jobhost-runner --parent=PID [--exec PROGRAM ...] with fds 3 and 4; or --version");
    }
    read.parent = static_cast<pid_t>(std::strtol(argv[i] + std::strlen(kOption), nullptr, 10));
  }
  return read;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = readArguments(argc, argv);
  if (!runner::followParent(arguments.parent)) _exit(0);
  runner::tidyProcess();
  if (arguments.command != nullptr) becomeProgram(arguments.command);
  auto& page = mapPage();
  runner::leaveWordIn(page.phase);
  auto& status = *new runner::Status(page);
  runner::useAlternateStack();
  runner::installCrashHandler(page);
  const int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake < 0) die(kExitSetup, std::string("eventfd: ") + std::strerror(errno));

  wire::FrameReader reader(64 * 1024 * 1024);
  const wire::Welcome welcome = shakeHands(reader);
  wire::Load load;
  if (!decode(expect(reader, wire::FrameType::Load).payload, load)) die(kExitProtocol, "a LOAD that cannot be read");
  auto* inspector = inspectorFor(welcome);
  const auto confinement = runner::confine(welcome);

  // These live until the process ends: threads of the plugin may still call, also when this one is gone.
  auto& session = *new runner::Session({kSocketFd, wake, welcome}, std::move(reader), status);
  const jh_host* host = runner::makeHostTable(session);
  std::thread([&session] {
    runner::useAlternateStack();
    session.protocolLoop();
  }).detach();

  runner::watchJobThread(session);
  if (inspector != nullptr) {
    host = inspector->wrap(host);
    inspector->awaitDebugger();
    inspector->state("start");
  }
  status.phase(wire::Phase::Loading);
  auto loaded = runner::PluginLibrary::load(load, host);
  if (const auto* failed = std::get_if<wire::LoadFailed>(&loaded)) {
    session.channel().put(wire::FrameType::LoadFailed, 0, 0, *failed, runner::Channel::When::Now);
    session.say("the plugin was not loaded");
    _exit(0);
  }
  auto& plugin = *std::get<std::unique_ptr<runner::PluginLibrary>>(loaded).release();
  wire::Loaded report;
  report.abi_major = plugin.module().abi_major;
  report.abi_minor = plugin.module().abi_minor;
  report.abi_min_minor = plugin.module().abi_min_minor;
  report.sandbox = confinement.level;
  report.sandbox_missing = confinement.missing;
  report.load_us = plugin.loadMicros();
  report.init_us = plugin.initMicros();
  for (const auto& type : plugin.types()) report.types.push_back(type.name);
  if (inspector != nullptr) {
    inspector->state("loaded");
    inspector->module(plugin, host);
  }
  status.phase(wire::Phase::Idle);
  session.channel().put(wire::FrameType::Loaded, 0, 0, report, runner::Channel::When::Now);

  runner::runJobs(session, plugin);

  status.phase(wire::Phase::Ending);
  plugin.deinit();
  if (inspector != nullptr) inspector->line("deinit");
  session.say("drained");
  _exit(0);
}
