#include "fetch-novel/host_gate.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>
#include <vector>

#include "fetch-novel/digest.hpp"
#include "support/common/failure.hpp"

namespace jobhost::novel {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using support::isRemoved;
using support::lockShared;
using support::openShared;
using support::UniqueFd;

constexpr std::size_t kLongestName = 100;
constexpr std::int64_t kLatest = 9'000'000'000'000;  // ms: a clock of nanoseconds ends soon after
constexpr auto kForgotten = std::chrono::hours{24};
constexpr milliseconds kLittle{1000};
constexpr milliseconds kSome{30'000};
/// How far ahead of the host's next request jobs are booked. What was booked for a job that never comes is over then.
constexpr milliseconds kBookedAhead{120'000};
/// Between two that come back, where the host asks for less: about what a page takes, so that one finds the host free.
constexpr milliseconds kShortestStep{50};
constexpr milliseconds kLongestStep{5000};
constexpr milliseconds kLongestMoment{500};

std::string fileName(const std::string& host) {
  if (host.size() > kLongestName) return hexDigest(host);
  std::string out;
  for (const char c : host) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
    out += plain ? c : '_';
  }
  return "h-" + out;
}

std::int64_t millisOf(Politeness::Time time) {
  return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}

std::vector<std::int64_t> readNumbers(int fd) {
  std::array<char, 128> text{};
  const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
  std::vector<std::int64_t> out;
  const char* at = text.data();
  for (const char* const end = at + std::max<ssize_t>(size, 0); at < end;) {
    std::int64_t number = 0;
    const auto read = std::from_chars(at, end, number);
    if (read.ec != std::errc{} || number < 0 || number > kLatest) return {};
    out.push_back(number);
    at = read.ptr + 1;
  }
  return out;
}

void writeNumbers(int fd, const std::vector<std::int64_t>& numbers) {
  std::string text;
  for (const std::int64_t number : numbers)
    text += (text.empty() ? "" : " ") + std::to_string(std::max<std::int64_t>(number, 0));
  text += "\n";
  if (::pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()) ||
      ::ftruncate(fd, static_cast<off_t>(text.size())) != 0) {
    throw support::Failure(support::FailureKind::Io, "file.write", "what is remembered of a host cannot be written");
  }
}

// All turns are held by files; Politeness need not count what is under way.
Politeness::Options withoutTurns(Politeness::Options options) {
  options.at_once = static_cast<std::size_t>(-1);
  return options;
}

}  // namespace

/// What is remembered of a host between two processes.
struct HostGate::Memory {
  Politeness::Rest rest;
  Politeness::Time booked;  ///< the latest time that one which came too soon was told
  milliseconds took{0};     ///< the last request
};

HostGate::HostGate(fs::path folder, Politeness::Options options, Wait wait, Now now)
    : folder_(std::move(folder)),
      options_(options),
      politeness_(withoutTurns(options)),
      wait_(std::move(wait)),
      now_(std::move(now)) {}

void HostGate::remembered(const std::string& host, const std::function<void(Memory&, Politeness::Time)>& change) {
  const fs::path path = folder_ / (fileName(host) + ".state");
  UniqueFd state = openShared(path);
  static_cast<void>(lockShared(state.get(), LOCK_EX));  // held for a moment by everyone
  while (isRemoved(state.get())) {
    state = openShared(path);
    static_cast<void>(lockShared(state.get(), LOCK_EX));
  }
  const auto now = now_();
  Memory memory;
  // "next_ms refusals booked_ms took_ms"; anything else is as if nothing were known.
  const std::vector<std::int64_t> numbers = readNumbers(state.get());
  if (numbers.size() >= 2) {
    memory.rest = {Politeness::Time(milliseconds(numbers[0])),
                   static_cast<int>(std::clamp<std::int64_t>(numbers[1], 0, 99))};
  }
  if (numbers.size() >= 4) {
    memory.booked = Politeness::Time(milliseconds(numbers[2]));
    memory.took = milliseconds(std::clamp<std::int64_t>(numbers[3], 0, kLongestStep.count()));
  }
  // A clock that was set back must not stop a host for years.
  const milliseconds longest = std::max({options_.max_wait, options_.max_gap, Politeness::kLongestPause});
  if (memory.rest.next > now + longest + milliseconds(1)) memory.rest.next = now;
  if (memory.booked > std::max(now, memory.rest.next) + kBookedAhead) memory.booked = {};
  politeness_.setRest(host, memory.rest, now);
  change(memory, now);
  memory.rest = politeness_.rest(host);
  writeNumbers(state.get(),
               {millisOf(memory.rest.next), memory.rest.refusals, millisOf(memory.booked), memory.took.count()});
}

milliseconds HostGate::step(const std::string& host, const Memory& memory) const {
  return std::max(politeness_.gap(host), std::clamp(memory.took, kShortestStep, kLongestStep));
}

milliseconds HostGate::patienceForOthers(const std::string& host, Patience patience) {
  if (patience == Patience::Endless) return support::Turns::kForEver;
  if (patience == Patience::Some) return kSome;
  // So short that of those who come back one by one not two wait at the same time.
  milliseconds moment{0};
  remembered(host, [&](Memory& memory, Politeness::Time) { moment = step(host, memory) / 2; });
  return std::min(moment, kLongestMoment);
}

HostGate::Entry HostGate::book(const std::string& host) {
  Entry out;
  remembered(host, [&](Memory& memory, Politeness::Time now) {
    const auto free = std::max(now, memory.rest.next);
    memory.booked = std::min(std::max(free, memory.booked) + step(host, memory), free + kBookedAhead);
    out.away = std::chrono::ceil<milliseconds>(memory.booked - now);
  });
  return out;
}

HostGate::Entry HostGate::enter(const std::string& host, Patience patience) {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) {
    throw support::Failure(support::FailureKind::Io, "file.write",
                           "the folder of waiting hosts cannot be made: " + error.message());
  }
  support::Turns slots(folder_, fileName(host), options_.at_once);
  auto slot = slots.take();
  if (!slot) slot = slots.take(wait_, patienceForOthers(host, patience));
  if (!slot) return book(host);
  const milliseconds gap = politeness_.gap(host);
  const milliseconds most = patience == Patience::Endless ? support::Turns::kForEver
                            : patience == Patience::Some  ? kSome
                                                          : std::max(gap, kLittle);
  for (;;) {
    milliseconds wait{0};
    remembered(host, [&](Memory&, Politeness::Time now) {
      wait = politeness_.wait(host, now).value_or(milliseconds(0));
      if (wait.count() == 0) politeness_.started(host, now);
    });
    if (wait.count() == 0) return {Turn(*this, host, *std::move(slot))};
    if (wait > std::max(options_.max_wait, gap)) return {std::nullopt, wait, true};
    if (wait > most) {
      slot.reset();
      return book(host);
    }
    wait_(-1, wait);
  }
}

void HostGate::Turn::finish(int status, std::string_view retry_after) {
  const auto took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begun_);
  gate_.remembered(host_, [&](Memory& memory, Politeness::Time now) {
    gate_.politeness_.finished(host_, status, retry_after, now);
    memory.took = std::min(took, kLongestStep);
  });
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
