#include "runner/crash.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>
#include <unwind.h>

namespace jobhost::runner {
namespace {

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
constexpr int kMaxFrames = 32;
constexpr std::size_t kMaxModules = 512;
constexpr std::size_t kStackBytes = 64 * 1024;

struct Module {
  std::uintptr_t begin;
  std::uintptr_t end;
  std::uintptr_t base;
  char name[80];
};

std::array<Module, kMaxModules> modules;
std::atomic<std::size_t> module_count{0};
unsigned long long module_adds = ~0ULL;
wire::StatusPage* page = nullptr;

/// Text into the page, within its bounds, without allocation or locale.
class Writer {
 public:
  void text(const char* from) {
    while (*from != '\0') put(*from++);
  }
  void hex(std::uintptr_t value) {
    text("0x");
    char digits[16];
    int n = 0;
    do {
      digits[n++] = "0123456789abcdef"[value & 15];
      value >>= 4;
    } while (value != 0);
    while (n > 0) put(digits[--n]);
  }
  void number(unsigned value) {
    char digits[10];
    int n = 0;
    do {
      digits[n++] = static_cast<char>('0' + value % 10);
      value /= 10;
    } while (value != 0);
    while (n > 0) put(digits[--n]);
  }
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(at_); }

 private:
  void put(char c) {
    if (at_ < wire::StatusPage::kCrashTextBytes) page->crash_text[at_++] = c;
  }
  std::size_t at_ = 0;
};

struct Walk {
  Writer writer;
  unsigned frames = 0;
  bool past_signal = false;
  std::uintptr_t fault_ip = 0;
};

_Unwind_Reason_Code onFrame(_Unwind_Context* context, void* argument) {
  auto& walk = *static_cast<Walk*>(argument);
  int before = 0;
  const std::uintptr_t ip = _Unwind_GetIPInfo(context, &before);
  if (ip == 0) return _URC_END_OF_STACK;
  // Frames of the handler come first; the interrupted one is marked by "before".
  if (before != 0) walk.past_signal = true;
  if (!walk.past_signal) return _URC_NO_REASON;
  const std::uintptr_t at = before != 0 ? ip : ip - 1;
  walk.writer.text("#");
  walk.writer.number(walk.frames++);
  walk.writer.text(" ");
  const std::size_t count = module_count.load(std::memory_order_acquire);
  const Module* found = nullptr;
  for (std::size_t i = 0; i < count && found == nullptr; ++i) {
    if (at >= modules[i].begin && at < modules[i].end) found = &modules[i];
  }
  if (found != nullptr) {
    walk.writer.text(found->name);
    walk.writer.text("+");
    walk.writer.hex(at - found->base);
  } else {
    walk.writer.hex(at);
  }
  walk.writer.text("\n");
  return walk.frames >= kMaxFrames ? _URC_END_OF_STACK : _URC_NO_REASON;
}

void onSignal(int signal, siginfo_t* info, void*) {
  std::uint32_t none = 0;
  if (!page->crash_state.compare_exchange_strong(none, 1)) {
    // Another thread, or this one again inside the handler, is at it.
    std::signal(signal, SIG_DFL);
    raise(signal);
    return;
  }
  alarm(2);
  page->crash_signal.store(signal);
  page->crash_code.store(info->si_code);
  page->crash_address.store(reinterpret_cast<std::uintptr_t>(info->si_addr));
  Walk walk;
  _Unwind_Backtrace(&onFrame, &walk);
  page->crash_text_bytes.store(walk.writer.size());
  page->crash_state.store(2);
  std::signal(signal, SIG_DFL);
  raise(signal);
}

int addModule(dl_phdr_info* info, std::size_t, void* argument) {
  auto& count = *static_cast<std::size_t*>(argument);
  module_adds = info->dlpi_adds + info->dlpi_subs;
  if (count >= kMaxModules) return 1;
  Module& module = modules[count];
  module.base = info->dlpi_addr;
  module.begin = UINTPTR_MAX;
  module.end = 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& header = info->dlpi_phdr[i];
    if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0) continue;
    const std::uintptr_t begin = info->dlpi_addr + header.p_vaddr;
    if (begin < module.begin) module.begin = begin;
    if (begin + header.p_memsz > module.end) module.end = begin + header.p_memsz;
  }
  if (module.end == 0) return 0;
  const char* name = info->dlpi_name;
  const char* slash = std::strrchr(name, '/');
  if (slash != nullptr) name = slash + 1;
  if (*name == '\0') name = count == 0 ? "jobhost-runner" : "vdso";
  std::strncpy(module.name, name, sizeof(module.name) - 1);
  module.name[sizeof(module.name) - 1] = '\0';
  for (char* c = module.name; *c != '\0'; ++c) {
    if (static_cast<unsigned char>(*c) < 0x20) *c = '?';
  }
  ++count;
  return 0;
}

int countAdds(dl_phdr_info* info, std::size_t, void* argument) {
  *static_cast<unsigned long long*>(argument) = info->dlpi_adds + info->dlpi_subs;
  return 1;
}

}  // namespace

void refreshModules() {
  unsigned long long adds = 0;
  dl_iterate_phdr(&countAdds, &adds);
  if (adds == module_adds) return;
  module_count.store(0, std::memory_order_release);
  std::size_t count = 0;
  dl_iterate_phdr(&addModule, &count);
  module_count.store(count, std::memory_order_release);
}

void useAlternateStack() {
  void* memory = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  stack_t stack{};
  stack.ss_sp = memory;
  stack.ss_size = kStackBytes;
  sigaltstack(&stack, nullptr);
}

void installCrashHandler(wire::StatusPage& the_page) {
  page = &the_page;
  refreshModules();
  // The unwinder's first use may take locks and memory: have it behind us.
  Walk warm;
  _Unwind_Backtrace([](_Unwind_Context*, void*) { return _URC_NO_REASON; }, &warm);
  struct sigaction action {};
  action.sa_sigaction = &onSignal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  for (const int signal : kSignals) sigaction(signal, &action, nullptr);
}

}  // namespace jobhost::runner
