// Figure of many event streams on one host.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <algorithm>
#include <string>

#include "cli/bench/bench.hpp"
#include "cli/bench/load_generator.hpp"

namespace jobhost::cli::bench {
namespace {

constexpr std::size_t kAtOnce = 100;

using Clock = std::chrono::steady_clock;

/// Many streams, read on one thread.
class Streams {
 public:
  Streams() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}
  ~Streams() {
    for (const auto& stream : streams_) ::close(stream.fd);
    ::close(epoll_);
  }
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;

  /// Opens one more; false when the host takes no more.
  bool open(const Target& target, const std::string& request) {
    const int fd = connectTo(target.host, target.port);
    if (fd < 0) return false;
    if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
      ::close(fd);
      return false;
    }
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = streams_.size();
    streams_.push_back({fd, 0, 0, {}});
    return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0;
  }

  [[nodiscard]] Clock::time_point lastRead() const { return last_read_; }

  /// Reads until `count` streams have had what `mark` is for, or nothing comes for `patience`.
  std::size_t readUntil(bool answers, std::size_t count, std::chrono::milliseconds patience) {
    std::size_t reached = done(answers);
    std::array<epoll_event, 512> events;
    std::array<char, 8192> piece;
    auto last = Clock::now();
    while (reached < count && Clock::now() - last < patience) {
      const int ready = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 500);
      for (int i = 0; i < ready; ++i) {
        auto& stream = streams_[events[static_cast<std::size_t>(i)].data.u64];
        const auto size = ::recv(stream.fd, piece.data(), piece.size(), 0);
        if (size <= 0) {
          ::epoll_ctl(epoll_, EPOLL_CTL_DEL, stream.fd, nullptr);
          continue;
        }
        const std::string text = stream.tail.append(piece.data(), static_cast<std::size_t>(size));
        stream.tail.erase(0, text.size() > kTail ? text.size() - kTail : 0);  // a mark may come in two pieces
        if (stream.answered == 0 && text.rfind("HTTP/1.1 200", 0) == 0) {
          stream.answered = 1;
          reached += answers ? 1 : 0;
        }
        if (stream.told == 0 && text.find("event: succeeded") != std::string::npos) {
          stream.told = 1;
          reached += answers ? 0 : 1;
        }
        last = last_read_ = Clock::now();
      }
    }
    return reached;
  }

 private:
  static constexpr std::size_t kTail = 15;  // one less than the longer mark
  struct Stream {
    int fd;
    char answered, told;
    std::string tail;
  };
  [[nodiscard]] std::size_t done(bool answers) const {
    std::size_t count = 0;
    for (const auto& stream : streams_) count += static_cast<std::size_t>(answers ? stream.answered : stream.told);
    return count;
  }
  int epoll_;
  Clock::time_point last_read_;
  std::vector<Stream> streams_;
};

}  // namespace

Figures watchers(Target& target) {
  Figures figures{{.name = "SSE watchers", .unit = "streams", .target = 10'000},
                  {.name = "threads that they cost", .unit = "threads", .target = 1, .at_least = false}};
  // Taken when the first hundred are open: they brought the threads that answer requests, which are no cost of
  // watchers.
  ProcessStats before;
  const std::size_t tenth = std::max<std::size_t>(kAtOnce, static_cast<std::size_t>(target.args.watchers) / 10);
  const auto request = httpRequest("GET", "/api/v1/events", target.host, target.key, "");
  Streams streams;
  std::size_t opened = 0;
  std::size_t answered = 0;
  for (int i = 0; i < target.args.watchers; ++i) {
    if (!streams.open(target, request)) break;
    ++opened;
    if (opened % kAtOnce != 0) continue;
    answered = streams.readUntil(true, opened, std::chrono::seconds(10));
    if (answered < opened) break;
    if (opened <= tenth && target.pid > 0) before = processStats(target.pid);
  }
  answered = streams.readUntil(true, opened, std::chrono::seconds(10));
  figures[0].measured = static_cast<double>(answered);
  const auto start = Clock::now();
  const auto id = submitOne(target, "noop", "{}");
  if (!id) return missing(figures, id.error().message);
  const auto told = streams.readUntil(false, answered, std::chrono::seconds(10));
  const double seconds = std::chrono::duration<double>(streams.lastRead() - start).count();
  char note[128];
  std::snprintf(note, sizeof note, "one job's end told to %zu of them in %.0f ms", told, seconds * 1000);
  figures[0].note = note;
  if (target.pid < 0) {
    figures[1] = missing({figures[1]}, "only measured on a host the bench started").front();
    return figures;
  }
  const auto after = processStats(target.pid);
  figures[1].measured = after.threads - before.threads;
  std::snprintf(note, sizeof note, "for the last nine tenths; host grew by %.1f MiB, %.1f KiB a watcher",
                after.rss_mib - before.rss_mib,
                (after.rss_mib - before.rss_mib) * 1024 / std::max<double>(1, static_cast<double>(answered) * 0.9));
  figures[1].note = note;
  return figures;
}

}  // namespace jobhost::cli::bench
