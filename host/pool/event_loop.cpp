#include "pool/event_loop.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <mutex>
#include <system_error>
#include <vector>

namespace jobhost::pool {

struct EventLoop::Poster::Inbox {
  UniqueFd wake;
  std::mutex mutex;  ///< guards what follows
  std::vector<Task> tasks;
  bool closed = false;
};

EventLoop::Poster::Poster() : inbox_(std::make_shared<Inbox>()) {}

EventLoop::EventLoop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  UniqueFd& wake = poster_.inbox_->wake;
  wake.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll_ || !wake) throw std::system_error(errno, std::generic_category(), "event loop");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = 0;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake.get(), &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "event loop");
  }
}

EventLoop::~EventLoop() {
  auto& inbox = *poster_.inbox_;
  std::vector<Task> left;  // goes after the lock: what a task holds may post
  std::lock_guard lock(inbox.mutex);
  inbox.closed = true;
  left.swap(inbox.tasks);
}

void EventLoop::run(const std::stop_token& stop, const Task& after_turn) {
  const std::stop_callback wake(stop, [this] { post([] {}); });
  while (!stop.stop_requested()) {
    dispatchIo(waitMillis());
    runInbox();
    fireTimers();
    after_turn();
  }
  std::lock_guard lock(poster_.inbox_->mutex);
  poster_.inbox_->closed = true;
}

void EventLoop::Poster::post(Task task) const {
  bool first = false;
  {
    std::lock_guard lock(inbox_->mutex);
    if (inbox_->closed) return;
    first = inbox_->tasks.empty();
    inbox_->tasks.push_back(std::move(task));
  }
  if (first) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(inbox_->wake.get(), &one, sizeof one);
  }
}

void EventLoop::watch(int fd, std::uint32_t events, IoHandler* handler) {
  const std::uint64_t number = next_watch_++;
  epoll_event event{};
  event.events = events;
  event.data.u64 = number;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl add");
  }
  watches_[number] = {fd, handler};
  by_fd_[fd] = number;
}

void EventLoop::change(int fd, std::uint32_t events) {
  const auto found = by_fd_.find(fd);
  if (found == by_fd_.end()) return;
  epoll_event event{};
  event.events = events;
  event.data.u64 = found->second;
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void EventLoop::unwatch(int fd) {
  const auto found = by_fd_.find(fd);
  if (found == by_fd_.end()) return;
  watches_.erase(found->second);
  by_fd_.erase(found);
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

EventLoop::TimerId EventLoop::after(std::chrono::microseconds delay, Task task) {
  const TimerId id = next_timer_++;
  const auto at = Steady::now() + delay;
  timers_.emplace(TimerKey{at, id}, std::move(task));
  timer_times_.emplace(id, at);
  return id;
}

void EventLoop::cancel(TimerId& timer) {
  if (timer == 0) return;
  if (const auto found = timer_times_.find(timer); found != timer_times_.end()) {
    timers_.erase(TimerKey{found->second, timer});
    timer_times_.erase(found);
  }
  timer = 0;
}

int EventLoop::waitMillis() const {
  if (timers_.empty()) return -1;
  const auto left = timers_.begin()->first.first - Steady::now();
  if (left <= Steady::duration::zero()) return 0;
  const auto millis = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return millis > 3'600'000 ? 3'600'000 : static_cast<int>(millis);
}

void EventLoop::dispatchIo(int timeout_ms) {
  std::array<epoll_event, 64> events{};
  const int n = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout_ms);
  for (int i = 0; i < n; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    if (event.data.u64 == 0) {
      std::uint64_t count = 0;
      [[maybe_unused]] const auto got = ::read(poster_.inbox_->wake.get(), &count, sizeof count);
      continue;
    }
    const std::uint64_t number = event.data.u64;  // a copy: the struct is packed, no reference may be taken into it
    const auto found = watches_.find(number);
    if (found == watches_.end()) continue;
    const Watch watch = found->second;
    watch.handler->onIo(watch.fd, event.events);
  }
}

void EventLoop::fireTimers() {
  const auto now = Steady::now();
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    auto node = timers_.extract(timers_.begin());
    timer_times_.erase(node.key().second);
    node.mapped()();
  }
}

void EventLoop::runInbox() {
  std::vector<Task> tasks;
  {
    std::lock_guard lock(poster_.inbox_->mutex);
    tasks.swap(poster_.inbox_->tasks);
  }
  for (auto& task : tasks) task();
}

}  // namespace jobhost::pool
