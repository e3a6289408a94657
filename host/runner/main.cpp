// jobhost-runner: the process that holds one plugin and runs its attempts one at a time. Started by the host with fd 0
// /dev/null, 1 and 2 pipes, 3 the control socket, 4 the status page; docs/protocol.md is what it speaks.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>

#include "runner/confine.hpp"
#include "runner/crash.hpp"
#include "runner/handshake.hpp"
#include "runner/inspector.hpp"
#include "runner/keeper.hpp"
#include "runner/plugin_session.hpp"
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

[[noreturn]] void dieOf(const runner::HandshakeOver& over) {
  if (over.in_order) _exit(0);
  die(kExitProtocol, over.why);
}

wire::Frame expect(wire::FrameReader& reader, wire::FrameType expected) try {
  return runner::expectFrame(kSocketFd, reader, expected);
} catch (const runner::HandshakeOver& over) {
  dieOf(over);
}

wire::Welcome shakeHands(wire::FrameReader& reader) try {
  return runner::shakeHands(kSocketFd, reader, JOBHOST_VERSION);
} catch (const runner::HandshakeOver& over) {
  dieOf(over);
}

wire::StatusPage& mapPage() {
  void* memory = mmap(nullptr, wire::kStatusPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, kPageFd, 0);
  if (memory == MAP_FAILED) die(kExitSetup, std::string("the status page cannot be mapped: ") + std::strerror(errno));
  auto& page = *static_cast<wire::StatusPage*>(memory);
  if (page.magic.load() != wire::StatusPage::kMagic) die(kExitSetup, "fd 4 is not a status page");
  return page;
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
  try {
    runner::sendNow(kSocketFd, wire::FrameType::LoadFailed, failed);
  } catch (const runner::HandshakeOver& over) {
    dieOf(over);
  }
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
    if (std::strcmp(argv[i], "--keep") == 0) runner::keepProgram(kSocketFd);
    if (std::strncmp(argv[i], "--keep=", 7) == 0) {
      runner::keepProgram(static_cast<int>(std::strtol(argv[i] + 7, nullptr, 10)));
    }
    if (std::strcmp(argv[i], "--exec") == 0 && i + 1 < argc) {
      read.command = argv + i + 1;
      break;
    }
    if (std::strncmp(argv[i], kOption, std::strlen(kOption)) != 0) {
      die(kExitUsage,
          "it is started by the host: jobhost-runner --parent=PID [--exec PROGRAM ...] with fds 3 and 4; by runners: "
          "--keep[=FD]; or --version");
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
  std::thread([&session] {
    runner::useAlternateStack();
    session.protocolLoop();
  }).detach();

  runner::watchJobThread(session);
  runner::servePlugin(session, load, confinement, inspector);
  _exit(0);
}
