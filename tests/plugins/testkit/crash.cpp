// Every way a plugin can take its process with it.
#include "testkit.hpp"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>
#include <stdexcept>
#include <thread>

namespace {

constexpr int kControlFd = 3;

volatile bool go_deeper = true;

[[gnu::noinline]] int deeper(volatile char* above) {
  volatile char block[4096];
  block[0] = above[0];
  return go_deeper ? deeper(block) + block[0] : 0;
}

void segv() {
  volatile int* volatile nowhere = reinterpret_cast<int*>(0x10);
  *nowhere = 1;
}

void bus() {
  const int fd = memfd_create("empty", 0);
  auto* page = static_cast<volatile char*>(mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0));
  [[maybe_unused]] const char c = page[0];
}

__attribute__((no_sanitize("integer-divide-by-zero"))) void fpe() {
  volatile int zero = 0;
  [[maybe_unused]] volatile int result = 1000 / zero;
}

void sendRaw(const void* data, std::size_t size) {
  [[maybe_unused]] const ssize_t ignored = send(kControlFd, data, size, MSG_NOSIGNAL);
}

void garbageFrames() {
  char noise[4096];
  for (std::size_t i = 0; i < sizeof(noise); ++i) noise[i] = static_cast<char>(i * 31 + 7);
  sendRaw(noise, sizeof(noise));
}

void frame(std::uint32_t length, std::uint16_t type, std::uint32_t job, std::size_t payload_sent) {
  std::string bytes(16 + payload_sent, '\0');
  std::memcpy(bytes.data(), &length, 4);
  std::memcpy(bytes.data() + 4, &type, 2);
  std::memcpy(bytes.data() + 12, &job, 4);
  sendRaw(bytes.data(), bytes.size());
}

/// The exception meets noexcept on its way out, as one does that leaks out of run().
void thrower() noexcept {
  struct Thrower {
    static void go() { throw std::runtime_error("through a noexcept function"); }
  };
  void (*volatile go)() = &Thrower::go;
  go();
}

void waitForEver() {
  for (;;) pause();
}

const std::map<std::string, void (*)()>& ways() {
  static const std::map<std::string, void (*)()> all = {
      {"segv", [] { segv(); }},
      {"bus", [] { bus(); }},
      {"abort", [] { std::abort(); }},
      {"fpe", [] { fpe(); }},
      {"ill", [] { __builtin_trap(); }},
      {"exit0", [] { std::exit(0); }},
      {"_exit", [] { _exit(3); }},
      {"exception", [] { thrower(); }},
      {"stack_overflow",
       [] {
         volatile char block[16] = {};
         deeper(block);
       }},
      {"garbage_frames",
       [] {
         garbageFrames();
         waitForEver();
       }},
      {"half_frame",
       [] {
         frame(100, 0x0001, 0, 10);
         waitForEver();
       }},
      {"huge_frame",
       [] {
         frame(0x7fffffff, 0x800a, 0, 16);
         waitForEver();
       }},
      // A DONE for a slot that was never given out, cut to nothing.
      {"forged_done",
       [] {
         frame(0, 0x800a, 0xfffffff0, 0);
         waitForEver();
       }},
      {"close_fds",
       [] {
         for (int fd = 0; fd < 256; ++fd) close(fd);
         waitForEver();
       }},
      {"close_socket",
       [] {
         shutdown(kControlFd, SHUT_RDWR);
         waitForEver();
       }},
      {"kill_self", [] { kill(getpid(), SIGKILL); }},
      {"pthread_exit", [] { pthread_exit(nullptr); }},
      {"thread_segv", [] { std::thread(segv).join(); }},
  };
  return all;
}

}  // namespace

jobhost::Json crash(jobhost::Job& job) {
  const auto params = job.params();
  if (params["times"] && job.attempt() > params["times"].integer()) return {{"attempt", job.attempt()}};
  const std::string how = params["how"].str();
  const auto found = ways().find(how);
  if (found == ways().end()) params["how"].fail("unknown");
  job.log("about to crash by " + how);
  rest(job, params["after_ms"].integer(0, INT64_MAX, 0));
  found->second();
  return {{"survived", how}};
}
