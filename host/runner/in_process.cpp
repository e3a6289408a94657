#include "runner/in_process.hpp"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "runner/channel.hpp"
#include "runner/handshake.hpp"
#include "runner/plugin_session.hpp"
#include "wire/status_page.hpp"

namespace jobhost::runner {
namespace {

namespace fs = std::filesystem;

/// One session of this process; never destroyed.
struct Guest {
  int control = -1;
  std::string version;
  wire::StatusPage* page = nullptr;
  std::function<void()> over;
  std::once_flag told;
  void tellOver() { std::call_once(told, over); }
};

thread_local Guest* guest_of_this_thread = nullptr;
std::atomic<Guest*> last_guest{nullptr};
std::atomic<int> copies{0};

[[noreturn]] void park() {
  if (guest_of_this_thread != nullptr) guest_of_this_thread->tellOver();
  for (;;) pause();
}

/// Whether a job, or the loading, of the session before has not come back yet.
bool isAtWork(const Guest& guest) {
  const auto phase = static_cast<wire::Phase>(guest.page->phase.load());
  return phase == wire::Phase::Loading || phase == wire::Phase::Init || phase == wire::Phase::Running;
}

/// A second dlopen of the same file would answer the instance that is there. `lib` beside it is found as before.
std::string copyOf(const std::string& file, const std::string& work_dir) {
  const fs::path source(file);
  const auto folder = fs::path(work_dir) / ("instance-" + std::to_string(++copies));
  fs::create_directories(folder);
  fs::copy_file(source, folder / source.filename());
  if (fs::is_directory(source.parent_path() / "lib"))
    fs::create_directory_symlink(source.parent_path() / "lib", folder / "lib");
  return (folder / source.filename()).string();
}

void serve(Guest& guest) {
  wire::FrameReader reader(64 * 1024 * 1024);
  const auto welcome = shakeHands(guest.control, reader, guest.version);
  wire::Load load;
  if (!decode(expectFrame(guest.control, reader, wire::FrameType::Load).payload, load))
    throw HandshakeOver{false, "a LOAD that cannot be read"};
  load.path = copyOf(load.path, welcome.work_dir);
  auto* inspector = Inspector::start(welcome.inspection);
  const int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  auto& status = *new Status(*guest.page);
  auto& session = *new Session({guest.control, wake, welcome}, std::move(reader), status);
  std::thread([&session, &guest] {
    guest_of_this_thread = &guest;
    session.protocolLoop();
  }).detach();
  servePlugin(session, load, Confinement{}, inspector);
}

}  // namespace

core::Result<void> startInProcess(int control_fd, int page_fd, const std::string& version, std::function<void()> over) {
  const auto refused = [&](const std::string& why) {
    close(control_fd);
    close(page_fd);
    return core::Error{core::ErrorCode::Unavailable, why, {}, {}};
  };
  if (const auto* before = last_guest.load(); before != nullptr && isAtWork(*before)) {
    return refused(
        "a job of the plugin has not come back, and there is one process only; without --in-process each has "
        "its own");
  }
  void* memory = mmap(nullptr, wire::kStatusPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, page_fd, 0);
  if (memory == MAP_FAILED) return refused("the status page cannot be mapped");
  close(page_fd);
  leaveInstead(&park);
  auto* guest = new Guest{control_fd, version, static_cast<wire::StatusPage*>(memory), std::move(over), {}};
  last_guest.store(guest);
  std::thread([guest] {
    guest_of_this_thread = guest;
    try {
      serve(*guest);
    } catch (const HandshakeOver& why) {
      if (!why.in_order) std::fprintf(stderr, "jobhost: in-process session: %s\n", why.why.c_str());
    } catch (const std::exception& error) {
      std::fprintf(stderr, "jobhost: in-process session: %s\n", error.what());
    }
    park();
  }).detach();
  return {};
}

}  // namespace jobhost::runner
