#include "api/sse_hub.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/sse_watcher.hpp"
#include "core/event.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

namespace jobhost::api {
namespace {

constexpr std::size_t kMaxInbox = 16'384;  ///< events heard and not yet written, per stream
constexpr std::int64_t kLogPiece = 64 * 1024;
constexpr std::size_t kKeptBuffer = 64 * 1024;  ///< a larger one is given back once it is empty
}  // namespace

SseHub::SseHub(Parts parts, SseLimits limits)
    : parts_(std::move(parts)),
      limits_(limits),
      owners_(parts_.jobs),
      seats_(std::numeric_limits<int>::max(), std::max(1, limits.max_per_caller)),
      replays_(std::max(1, limits.max_replays), std::max(1, limits.max_replays / 4)) {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event entry{};
  entry.events = EPOLLIN;
  entry.data.ptr = nullptr;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &entry);
  thread_ = std::thread([this] { run(); });
}

SseHub::~SseHub() {
  stop();
  ::close(wake_);
  ::close(epoll_);
}

void SseHub::stop() {
  stopping_ = true;
  wake();
  if (thread_.joinable()) thread_.join();
  std::vector<WatcherRef> left;
  {
    std::lock_guard lock(mutex_);
    left.swap(arrivals_);
    dirty_.clear();
  }
  for (const auto& watcher : left) watcher->subscription.reset();
}

core::Result<std::shared_ptr<void>> SseHub::seat(const Principal& caller, bool replays) const {
  if (watchers_count_.load(std::memory_order_relaxed) >= limits_.max_watchers) {
    return core::Error{core::ErrorCode::Unavailable, "too many streams are open", "", {}};
  }
  const auto room = replays ? replays_.room(caller.id) : Places::Room::Free;
  if (room == Places::Room::Full) {
    return core::Error{core::ErrorCode::Unavailable, "too many streams are catching up", "", {}};
  }
  if (room == Places::Room::CallerFull) {
    return core::Error{core::ErrorCode::Exhausted, "too many of your streams are catching up", "", {}};
  }
  if (caller.may(Privilege::Admin)) return std::shared_ptr<void>();
  auto seat = seats_.take(caller.id);
  if (!seat) return core::Error{core::ErrorCode::Exhausted, "you have too many streams open", "", {}};
  return seat;
}

void SseHub::credentialsChanged() {
  credentials_changed_ = true;
  wake();
}

void SseHub::batchRemoved(const std::string& batch) {
  {
    std::lock_guard lock(mutex_);
    removed_batches_.push_back(batch);
  }
  wake();
}

bool SseHub::stillMay(const Watcher& watcher) const {
  return !parts_.still_may || !watcher.plan.principal || parts_.still_may(*watcher.plan.principal);
}

void SseHub::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof one);
}

void SseHub::heard(const WatcherRef& watcher, std::span<const core::JobEvent> events) {
  {
    std::lock_guard lock(watcher->mutex);
    if (watcher->overflow) return;
    if (watcher->inbox.size() + events.size() > kMaxInbox) {
      watcher->overflow = true;
      watcher->inbox.clear();
    } else {
      watcher->inbox.insert(watcher->inbox.end(), events.begin(), events.end());
    }
    if (!watcher->live || watcher->dirty) return;
    watcher->dirty = true;
  }
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    first = dirty_.empty();
    dirty_.push_back(watcher);
  }
  if (first) wake();
}

void SseHub::watch(const Poco::Net::StreamSocket& socket, const StreamPlan& plan, std::string_view head) {
  const auto watcher = std::make_shared<Watcher>(socket, plan);
  watchers_count_.fetch_add(1, std::memory_order_relaxed);
  telemetry::metrics().add(telemetry::Counter::SseConnections);
  telemetry::metrics().add(telemetry::Gauge::SseWatchers, 1);
  watcher->subscription = parts_.bus.subscribe(
      plan.job, [this, watcher](std::span<const core::JobEvent> events) { heard(watcher, events); });
  watcher->out = head;
  bool accepted = !stopping_ && flushBlocking(*watcher) && replay(*watcher);
  if (accepted) {
    ::fcntl(watcher->fd, F_SETFL, ::fcntl(watcher->fd, F_GETFL) | O_NONBLOCK);
    std::lock_guard lock(mutex_);
    accepted = !stopping_;
    if (accepted) arrivals_.push_back(watcher);
  }
  if (accepted) {
    wake();
    return;
  }
  watcher->subscription.reset();
  watchers_count_.fetch_sub(1, std::memory_order_relaxed);
  telemetry::metrics().add(telemetry::Gauge::SseWatchers, -1);
}

void SseHub::run() {
  auto next_comment = std::chrono::steady_clock::now() + limits_.keep_alive;
  epoll_event ready[256];
  while (!stopping_) {
    int timeout = -1;  // nobody watches: sleep until somebody does
    const auto now = std::chrono::steady_clock::now();
    if (watchers_.empty()) {
      next_comment = now + limits_.keep_alive;
    } else if (now >= next_comment) {
      keepAlive();
      next_comment = now + limits_.keep_alive;
    }
    if (!watchers_.empty()) {
      timeout = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(next_comment - now).count());
    }
    const int count = ::epoll_wait(epoll_, ready, 256, timeout);
    for (int i = 0; i < count; ++i) {
      auto* watcher = static_cast<Watcher*>(ready[i].data.ptr);
      if (watcher == nullptr) {
        std::uint64_t drained = 0;
        [[maybe_unused]] const auto got = ::read(wake_, &drained, sizeof drained);
        continue;
      }
      if (!watchers_.contains(watcher)) continue;
      if ((ready[i].events & EPOLLOUT) != 0) {
        flush(*watcher);
      } else {
        // A stream's client has nothing to say: anything but bytes to throw away is its end.
        char piece[1024];
        const auto got = ::recv(watcher->fd, piece, sizeof piece, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) end(watcher);
      }
    }
    endUnwelcome();  // after the wake-up was taken in, or one that comes between the two would be slept over
    takeArrivals();
    takeDirty();
    endOfBatches();
  }
  while (!watchers_.empty()) end(watchers_.begin()->first);
}

/// Where our own side stopped reading, its end would be taken for the client's.
std::uint32_t SseHub::interestOf(const Watcher& watcher) {
  const std::uint32_t reading = watcher.plan.deaf ? 0U : static_cast<std::uint32_t>(EPOLLIN | EPOLLRDHUP);
  return reading | (watcher.wants_write ? static_cast<std::uint32_t>(EPOLLOUT) : 0U);
}

void SseHub::takeArrivals() {
  std::vector<WatcherRef> arrived;
  {
    std::lock_guard lock(mutex_);
    arrived.swap(arrivals_);
  }
  for (const auto& watcher : arrived) {
    watchers_.emplace(watcher.get(), watcher);
    epoll_event entry{};
    entry.events = interestOf(*watcher);
    entry.data.ptr = watcher.get();
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, watcher->fd, &entry) != 0) {
      end(watcher.get());
      continue;
    }
    {
      std::lock_guard lock(watcher->mutex);
      watcher->live = true;
    }
    if (!stillMay(*watcher)) {  // it ended on the way here
      end(watcher.get());
      continue;
    }
    if (watcher->plan.kind == StreamPlan::Kind::Log) {
      const auto job = parts_.jobs.get(*watcher->plan.job);
      watcher->log_ended = !job || core::isTerminal(job->state);
      deliverLog(*watcher);
    }
    deliver(*watcher);
  }
}

void SseHub::takeDirty() {
  std::vector<WatcherRef> dirty;
  {
    std::lock_guard lock(mutex_);
    dirty.swap(dirty_);
  }
  for (const auto& watcher : dirty) {
    if (watchers_.contains(watcher.get())) deliver(*watcher);
  }
}

void SseHub::endOf(const std::vector<WatcherRef>& watchers) {
  for (const auto& watcher : watchers) {
    deliver(*watcher);  // what it was told before
    if (!watchers_.contains(watcher.get())) continue;
    watcher->ending = true;
    flush(*watcher);
  }
}

void SseHub::endOfBatches() {
  std::vector<std::string> removed;
  {
    std::lock_guard lock(mutex_);
    removed.swap(removed_batches_);
  }
  if (removed.empty()) return;
  std::vector<WatcherRef> over;
  for (const auto& [watcher, kept] : watchers_) {
    if (std::find(removed.begin(), removed.end(), watcher->plan.batch) != removed.end()) over.push_back(kept);
  }
  endOf(over);
}

/// Retention removes batches too, behind their last job, and tells nobody; and one may go while its stream begins.
void SseHub::lookForBatches() {
  std::vector<WatcherRef> over;
  std::unordered_map<std::string, bool> gone;
  for (const auto& [watcher, kept] : watchers_) {
    const auto& batch = watcher->plan.batch;
    if (batch.empty() || !watcher->batch_in_doubt) continue;
    if (!gone.contains(batch)) {
      const auto found = parts_.jobs.batch(batch);
      gone[batch] = !found && found.error().code == core::ErrorCode::NotFound;
    }
    if (gone[batch]) over.push_back(kept);
    watcher->batch_in_doubt = watcher->lost_jobs;
  }
  endOf(over);
}

void SseHub::endUnwelcome() {
  if (!credentials_changed_.load() || !credentials_changed_.exchange(false)) return;
  std::vector<Watcher*> unwelcome;
  for (const auto& [watcher, kept] : watchers_) {
    if (!stillMay(*watcher)) unwelcome.push_back(watcher);
  }
  for (auto* watcher : unwelcome) end(watcher);
}

void SseHub::deliver(Watcher& watcher) {
  std::vector<core::JobEvent> events;
  bool overflow = false;
  {
    std::lock_guard lock(watcher.mutex);
    watcher.dirty = false;
    overflow = watcher.overflow;
    events.swap(watcher.inbox);
  }
  // Asked after the events were taken: what was committed after a revocation is told to nobody whom it concerns.
  endUnwelcome();
  if (!watchers_.contains(&watcher)) return;
  if (overflow) {
    telemetry::metrics().add(telemetry::Counter::SseDropped);
    end(&watcher);
    return;
  }
  bool log_grew = false;
  for (const auto& event : events) {
    if (watcher.ending) break;
    if (watcher.plan.kind == StreamPlan::Kind::Log) {
      log_grew = log_grew || event.kind == core::EventKind::Log;
      watcher.log_ended = watcher.log_ended || endsJobStream(event);
      continue;
    }
    if (event.seq > 0 && event.seq <= watcher.last_seq) continue;
    if (event.kind == core::EventKind::Deleted) watcher.lost_jobs = watcher.batch_in_doubt = true;
    const auto heard = hears(watcher.plan, event.job);
    if (!heard) {
      // Nobody can say whose it is: the client comes back and reads on from the last one it saw.
      end(&watcher);
      return;
    }
    if (event.seq > 0) watcher.last_seq = event.seq;
    if (!*heard) continue;
    appendSse(watcher.out, event);
    watcher.ending = watcher.plan.job && endsJobStream(event);
  }
  if (log_grew || watcher.log_ended) deliverLog(watcher);
  flush(watcher);
}

void SseHub::deliverLog(Watcher& watcher) {
  // The file is the truth; an event only says that it grew.
  if (watcher.ending) return;
  watcher.log_pending = true;
  while (watcher.out.size() - watcher.sent < limits_.buffer_bytes / 2) {
    auto part = parts_.jobs.log(*watcher.plan.job, watcher.log_offset, kLogPiece);
    const bool at_end =
        !part || part->bytes.empty() || part->offset + static_cast<std::int64_t>(part->bytes.size()) >= part->size;
    const auto used = part ? appendLogLines(watcher, part->bytes, watcher.log_ended && at_end) : 0;
    if (!at_end && used != 0) continue;
    watcher.log_pending = false;
    break;
  }
  if (watcher.log_pending || !watcher.log_ended) return;
  watcher.out += "event: end\ndata: {}\n\n";
  watcher.ending = true;
}

std::size_t SseHub::appendLogLines(Watcher& watcher, std::string_view bytes, bool all) {
  std::size_t total = 0;
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    if (end == std::string_view::npos && !all && bytes.size() < static_cast<std::size_t>(kLogPiece)) break;
    const auto line = bytes.substr(0, end);
    const auto used = end == std::string_view::npos ? bytes.size() : end + 1;
    total += used;
    watcher.log_offset += static_cast<std::int64_t>(used);
    bytes.remove_prefix(used);
    watcher.out.append("id: ").append(std::to_string(watcher.log_offset)).append("\nevent: log\ndata: ");
    for (const char c : line) {
      if (c != '\r' && c != '\0') watcher.out += c;
    }
    watcher.out += "\n\n";
  }
  return total;
}

/// Writes what the socket takes: true when all is written, false when it is full; nullopt: the client is gone.
std::optional<bool> SseHub::writeSome(Watcher& watcher) {
  while (watcher.sent < watcher.out.size()) {
    const auto sent = ::send(watcher.fd, watcher.out.data() + watcher.sent, watcher.out.size() - watcher.sent,
                             MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return false;
    if (sent <= 0) return std::nullopt;
    watcher.sent += static_cast<std::size_t>(sent);
  }
  watcher.out.clear();
  watcher.sent = 0;
  return true;
}

void SseHub::flush(Watcher& watcher) {
  auto written = writeSome(watcher);
  while (written && *written && watcher.log_pending && !watcher.ending) {
    deliverLog(watcher);
    written = writeSome(watcher);
  }
  if (!written || (*written && watcher.ending)) {
    end(&watcher);
    return;
  }
  if (watcher.out.size() - watcher.sent > limits_.buffer_bytes) {
    telemetry::metrics().add(telemetry::Counter::SseDropped);
    telemetry::log("api").info("slow watcher dropped bytes={}", watcher.out.size() - watcher.sent);
    end(&watcher);
    return;
  }
  if (*written && watcher.out.capacity() > kKeptBuffer) watcher.out.shrink_to_fit();
  const bool wants = !*written;
  if (wants == watcher.wants_write) return;
  watcher.wants_write = wants;
  epoll_event entry{};
  entry.events = interestOf(watcher);
  entry.data.ptr = &watcher;
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, watcher.fd, &entry);
}

void SseHub::end(Watcher* watcher) {
  const auto found = watchers_.find(watcher);
  if (found == watchers_.end()) return;
  const auto kept = found->second;
  watchers_.erase(found);
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, kept->fd, nullptr);
  ::shutdown(kept->fd, SHUT_RDWR);
  kept->subscription.reset();  // also lets go of the listener's reference
  watchers_count_.fetch_sub(1, std::memory_order_relaxed);
  telemetry::metrics().add(telemetry::Gauge::SseWatchers, -1);
}

void SseHub::keepAlive() {
  credentials_changed_ = true;  // keys and sessions also end by time, which nobody tells
  endUnwelcome();
  lookForBatches();
  std::vector<Watcher*> all;
  all.reserve(watchers_.size());
  for (const auto& [watcher, kept] : watchers_) all.push_back(watcher);
  for (auto* watcher : all) {
    if (!watchers_.contains(watcher) || watcher->sent != watcher->out.size()) continue;
    watcher->out += ":\n\n";
    flush(*watcher);
  }
}

}  // namespace jobhost::api
