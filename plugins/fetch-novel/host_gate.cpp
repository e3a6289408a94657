#include "fetch-novel/host_gate.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <system_error>
#include <vector>

#include "fetch-novel/digest.hpp"
#include "support/common/failure.hpp"

namespace jobhost::novel {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using Clock = std::chrono::system_clock;
using support::UniqueFd;

constexpr std::size_t kLongestName = 100;
constexpr milliseconds kLookAgain{1000};  // where a file system tells nothing of files that are closed
constexpr auto kForgotten = std::chrono::hours{24};

[[noreturn]] void cannot(int error) {
  throw support::Failure(
      support::FailureKind::Io, "file.write",
      "the folder of waiting hosts cannot be used: " + std::error_code(error, std::generic_category()).message());
}

std::string fileName(const std::string& host) {
  if (host.size() > kLongestName) return hexDigest(host);
  std::string out;
  for (const char c : host) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
    out += plain ? c : '_';
  }
  return "h-" + out;
}

UniqueFd opened(const fs::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd) cannot(errno);
  return fd;
}

bool locked(int fd, int how) {
  while (::flock(fd, how) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) cannot(errno);
  }
  return true;
}

std::int64_t millisOf(Politeness::Time time) {
  return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}

// Whether sweepGate() took it away meanwhile; a lock on it then keeps nobody out.
bool isGone(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) != 0 || info.st_nlink == 0;
}

// "next_ms refusals"; anything else is as if nothing were known.
Politeness::Rest readRest(int fd) {
  std::array<char, 64> text{};
  const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
  Politeness::Rest out;
  if (size <= 0) return out;
  const char* const end = text.data() + size;
  std::int64_t next = 0;
  const auto first = std::from_chars(text.data(), end, next);
  if (first.ec != std::errc{} || first.ptr == end) return out;
  if (std::from_chars(first.ptr + 1, end, out.refusals).ec != std::errc{}) return {};
  out.next = Politeness::Time(milliseconds(next));
  return out;
}

void writeRest(int fd, const Politeness::Rest& rest) {
  const std::string text = std::to_string(millisOf(rest.next)) + " " + std::to_string(rest.refusals) + "\n";
  if (::pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()) ||
      ::ftruncate(fd, static_cast<off_t>(text.size())) != 0)
    cannot(errno);
}

// All turns are held by files; Politeness need not count what is under way.
Politeness::Options withoutTurns(Politeness::Options options) {
  options.at_once = static_cast<std::size_t>(-1);
  return options;
}

}  // namespace

HostGate::HostGate(fs::path folder, Politeness::Options options, Wait wait)
    : folder_(std::move(folder)), options_(options), politeness_(withoutTurns(options)), wait_(std::move(wait)) {}

UniqueFd HostGate::takeSlot(const std::string& file) {
  std::vector<fs::path> paths;
  std::vector<UniqueFd> slots;
  for (std::size_t i = 0; i < options_.at_once; ++i) {
    paths.push_back(folder_ / (file + "." + std::to_string(i)));
    slots.push_back(opened(paths.back()));
  }
  const auto take = [&]() -> UniqueFd {
    for (std::size_t i = 0; i < slots.size(); ++i) {
      if (!locked(slots[i].get(), LOCK_EX | LOCK_NB)) continue;
      if (!isGone(slots[i].get())) return std::move(slots[i]);
      slots[i] = opened(paths[i]);
      if (locked(slots[i].get(), LOCK_EX | LOCK_NB)) return std::move(slots[i]);
    }
    return {};
  };
  if (UniqueFd mine = take(); mine) return mine;
  // Whoever has a turn closes its file at the end, also when it is killed; the kernel tells.
  const UniqueFd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  for (const fs::path& path : paths) {
    if (watch) ::inotify_add_watch(watch.get(), path.c_str(), IN_CLOSE);
  }
  for (;;) {
    if (UniqueFd mine = take(); mine) return mine;
    wait_(watch.get(), kLookAgain);
    std::array<char, 4096> events;
    while (watch && ::read(watch.get(), events.data(), events.size()) > 0) {
    }
  }
}

void HostGate::remembered(const std::string& host, const std::function<void(Politeness::Time)>& change) {
  const fs::path path = folder_ / (fileName(host) + ".state");
  UniqueFd state = opened(path);
  locked(state.get(), LOCK_EX);  // held for a moment by everyone
  while (isGone(state.get())) {
    state = opened(path);
    locked(state.get(), LOCK_EX);
  }
  const auto now = Clock::now();
  Politeness::Rest rest = readRest(state.get());
  // A clock that was set back must not stop a host for years.
  if (rest.next > now + std::max(options_.max_wait, options_.max_gap) + milliseconds(1)) rest.next = now;
  politeness_.setRest(host, rest, now);
  change(now);
  writeRest(state.get(), politeness_.rest(host));
}

HostGate::Turn HostGate::enter(const std::string& host) {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) cannot(error.value());
  Turn turn(*this, host, takeSlot(fileName(host)));
  for (;;) {
    milliseconds wait{0};
    remembered(host, [&](Politeness::Time now) {
      wait = politeness_.wait(host, now).value_or(milliseconds(0));
      if (wait.count() == 0) politeness_.started(host, now);
    });
    if (wait.count() == 0) return turn;
    wait_(-1, wait);
  }
}

void HostGate::Turn::finish(int status, std::string_view retry_after) {
  gate_.remembered(host_, [&](Politeness::Time now) { gate_.politeness_.finished(host_, status, retry_after, now); });
}

void sweepGate(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code ignored;
    const auto written = fs::last_write_time(at->path(), ignored);
    if (ignored || fs::file_time_type::clock::now() - written < kForgotten) continue;
    // One that waits or works holds it; a new file takes its place for those that come.
    const UniqueFd fd(::open(at->path().c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) fs::remove(at->path(), ignored);
  }
}

}  // namespace jobhost::novel
