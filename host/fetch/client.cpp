#include "fetch/client.hpp"

#include <curl/curl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <csignal>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <stop_token>
#include <thread>
#include <unordered_map>
#include <utility>

#include "fetch/transfer.hpp"
#include "telemetry/log.hpp"

namespace jobhost::fetch {
namespace {

using Steady = std::chrono::steady_clock;

// A lookup that was given up goes on in a thread of libcurl's until the resolver answers. Its turn is kept this long,
// so that names that never answer cannot fill the host with threads.
constexpr std::chrono::seconds kLookupLingers{5};
constexpr long kIdleConnections = 64;

void setUpCurl() {
  static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
  assert(once == CURLE_OK);
  static_cast<void>(once);
}

}  // namespace

/// All of it but the doors; everything after the mutex's members belongs to the thread.
class Client::Loop {
 public:
  using Task = std::function<void()>;

  explicit Loop(ClientOptions options);
  ~Loop();

  /// False: the loop has ended.
  bool post(Task task);
  void add(std::unique_ptr<Transfer> transfer);
  void cancel(Ticket ticket);

  const ClientOptions options;
  std::atomic<Ticket> next_ticket{1};

 private:
  static int onSocket(CURL* easy, curl_socket_t fd, int what, void* self, void* known);
  static int onTimer(CURLM* multi, long timeout_ms, void* self);

  void run(const std::stop_token& stop);
  void runInbox();
  void turn();
  void waitForWork();
  void fireTimers();
  void collect();
  void admit();
  void queue(Transfer& transfer);
  void step(Transfer& transfer, Transfer::Next next);
  void end(Transfer& transfer, Outcome outcome);
  void leaveTurn(const Transfer& transfer, bool given_up);
  void closeAll();
  [[nodiscard]] int waitMillis() const;
  void wake() const;

  CURLM* multi_ = nullptr;
  int epoll_ = -1;
  int wake_ = -1;

  std::mutex mutex_;  ///< guards inbox_ and closed_
  std::vector<Task> inbox_;
  bool closed_ = false;

  std::unordered_map<Ticket, std::unique_ptr<Transfer>> transfers_;
  std::size_t held_bytes_ = 0;  ///< of the bodies of their requests
  Turnstile turns_;
  std::multimap<Steady::time_point, std::string> lingering_;  ///< turns not yet given back, by host
  std::optional<Steady::time_point> curl_timer_;

  std::jthread thread_;  // last member: starts last, stops and joins first
};

Client::Loop::Loop(ClientOptions given) : options(std::move(given)), turns_(options.turns) {
  setUpCurl();
  multi_ = curl_multi_init();
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = wake_;
  if (multi_ == nullptr || epoll_ < 0 || wake_ < 0 || epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) != 0) {
    throw std::bad_alloc();  // descriptors or memory ran out before the host even started
  }
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Loop::onSocket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Loop::onTimer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kIdleConnections);
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

Client::Loop::~Loop() {
  thread_.request_stop();
  wake();
  thread_.join();
  curl_multi_cleanup(multi_);
  ::close(epoll_);
  ::close(wake_);
}

void Client::Loop::wake() const {
  const std::uint64_t one = 1;
  // It can only fail when the counter is full, and then the thread wakes anyway.
  [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof(one));
}

bool Client::Loop::post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    inbox_.push_back(std::move(task));
  }
  wake();
  return true;
}

void Client::Loop::run(const std::stop_token& stop) {
  // TLS writes with write(): a peer that closed would end a process that does not ignore the signal.
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  while (!stop.stop_requested()) {
    try {
      turn();
    } catch (const std::exception& error) {
      telemetry::log("fetch").error("turn failed error={}", error.what());
    }
  }
  closeAll();
}

void Client::Loop::turn() {
  runInbox();
  fireTimers();
  collect();
  admit();
  waitForWork();
}

void Client::Loop::waitForWork() {
  std::array<epoll_event, 64> events{};
  const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), waitMillis());
  for (int i = 0; i < ready; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    if (event.data.fd == wake_) {
      std::uint64_t count = 0;
      [[maybe_unused]] const auto got = ::read(wake_, &count, sizeof(count));
      continue;
    }
    int what = 0;
    if ((event.events & EPOLLIN) != 0) what |= CURL_CSELECT_IN;
    if ((event.events & EPOLLOUT) != 0) what |= CURL_CSELECT_OUT;
    if ((event.events & (EPOLLERR | EPOLLHUP)) != 0) what |= CURL_CSELECT_ERR | CURL_CSELECT_IN;
    int running = 0;
    curl_multi_socket_action(multi_, event.data.fd, what, &running);
  }
}

void Client::Loop::runInbox() {
  std::vector<Task> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(inbox_);
  }
  for (auto& task : tasks) task();
}

int Client::Loop::onSocket(CURL*, curl_socket_t fd, int what, void* self, void* known) {
  auto& me = *static_cast<Loop*>(self);
  if (what == CURL_POLL_REMOVE) {
    epoll_ctl(me.epoll_, EPOLL_CTL_DEL, fd, nullptr);
    return 0;
  }
  epoll_event event{};
  event.data.fd = fd;
  if (what != CURL_POLL_OUT) event.events |= EPOLLIN;
  if (what != CURL_POLL_IN) event.events |= EPOLLOUT;
  if (epoll_ctl(me.epoll_, known != nullptr ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0) {
    // A number that was closed and came again, or is watched already.
    epoll_ctl(me.epoll_, errno == ENOENT ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
  }
  curl_multi_assign(me.multi_, fd, &me);
  return 0;
}

int Client::Loop::onTimer(CURLM*, long timeout_ms, void* self) {
  auto& timer = static_cast<Loop*>(self)->curl_timer_;
  timer.reset();
  if (timeout_ms >= 0) timer = Steady::now() + std::chrono::milliseconds(timeout_ms);
  return 0;
}

void Client::Loop::fireTimers() {
  const auto now = Steady::now();
  if (curl_timer_ && *curl_timer_ <= now) {
    curl_timer_.reset();
    int running = 0;
    curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
  }
  while (!lingering_.empty() && lingering_.begin()->first <= now) {
    turns_.leave(lingering_.begin()->second);
    lingering_.erase(lingering_.begin());
  }
  std::vector<Ticket> late;
  std::vector<Ticket> rested;
  for (const auto& [ticket, transfer] : transfers_) {
    if (transfer->state == Transfer::State::Running) continue;  // libcurl watches its time
    if (transfer->deadline() <= now) {
      late.push_back(ticket);
    } else if (transfer->state == Transfer::State::Pausing && transfer->paused_until <= now) {
      rested.push_back(ticket);
    }
  }
  for (const auto ticket : late) {
    Transfer& transfer = *transfers_.at(ticket);
    turns_.forget(ticket);
    end(transfer, transfer.failure(FailureCode::Timeout, "its turn did not come in time"));
  }
  for (const auto ticket : rested) queue(*transfers_.at(ticket));
}

void Client::Loop::collect() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* const easy = message->easy_handle;
    const CURLcode code = message->data.result;
    Transfer* transfer = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
    curl_multi_remove_handle(multi_, easy);
    leaveTurn(*transfer, code == CURLE_OPERATION_TIMEDOUT);
    step(*transfer, transfer->ended(code, Steady::now()));
  }
}

void Client::Loop::leaveTurn(const Transfer& transfer, bool given_up) {
  if (!given_up || transfer.lookedUp()) return turns_.leave(transfer.host());
  lingering_.emplace(Steady::now() + kLookupLingers, transfer.host());
}

void Client::Loop::step(Transfer& transfer, Transfer::Next next) {
  if (std::holds_alternative<Transfer::Again>(next)) return queue(transfer);
  if (const auto* pause = std::get_if<Transfer::Pause>(&next)) {
    transfer.state = Transfer::State::Pausing;
    transfer.paused_until = pause->until;
    return;
  }
  end(transfer, std::get<Outcome>(std::move(next)));
}

void Client::Loop::queue(Transfer& transfer) {
  transfer.state = Transfer::State::Waiting;
  if (turns_.enter(transfer.ticket(), transfer.host())) return;
  end(transfer, transfer.failure(FailureCode::Busy, std::to_string(turns_.waiting()) + " fetches wait already"));
}

void Client::Loop::admit() {
  for (const auto ticket : turns_.admit(Steady::now())) {
    Transfer& transfer = *transfers_.at(ticket);
    auto begun = transfer.begin(Steady::now());
    if (auto* failed = std::get_if<Failure>(&begun)) {
      turns_.leave(transfer.host());
      end(transfer, *failed);
      continue;
    }
    transfer.state = Transfer::State::Running;
    if (curl_multi_add_handle(multi_, std::get<CURL*>(begun)) != CURLM_OK) {
      turns_.leave(transfer.host());
      end(transfer, transfer.failure(FailureCode::Internal, "the request could not be begun"));
    }
  }
}

void Client::Loop::add(std::unique_ptr<Transfer> transfer) {
  Transfer& added = *transfer;
  transfers_.emplace(added.ticket(), std::move(transfer));
  held_bytes_ += added.requestBytes();
  if (auto wrong = added.prepare()) return end(added, *wrong);
  if (held_bytes_ > options.max_held_bytes) {
    return end(added, added.failure(FailureCode::Busy, "other requests' bodies take up the memory there is for them"));
  }
  queue(added);
}

void Client::Loop::cancel(Ticket ticket) {
  const auto found = transfers_.find(ticket);
  if (found == transfers_.end()) return;
  Transfer& transfer = *found->second;
  if (transfer.state == Transfer::State::Running) {
    curl_multi_remove_handle(multi_, transfer.handle());
    leaveTurn(transfer, true);
    transfer.breakOff();
  }
  turns_.forget(ticket);
  end(transfer, transfer.failure(FailureCode::Canceled, "canceled"));
}

void Client::Loop::end(Transfer& transfer, Outcome outcome) {
  if (const auto* failed = std::get_if<Failure>(&outcome)) {
    telemetry::log("fetch").debug("fetch failed code={} reason=\"{}\"", toString(failed->code), failed->message);
  }
  held_bytes_ -= transfer.requestBytes();
  auto node = transfers_.extract(transfer.ticket());
  node.mapped()->finish(std::move(outcome));
}

void Client::Loop::closeAll() {
  std::vector<Task> rest;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    rest.swap(inbox_);
  }
  for (auto& task : rest) task();
  while (!transfers_.empty()) {
    Transfer& transfer = *transfers_.begin()->second;
    if (transfer.state == Transfer::State::Running) {
      curl_multi_remove_handle(multi_, transfer.handle());
      transfer.breakOff();
    }
    end(transfer, transfer.failure(FailureCode::ShuttingDown, "the host is shutting down"));
  }
}

int Client::Loop::waitMillis() const {
  const auto now = Steady::now();
  std::optional<Steady::time_point> next = curl_timer_;
  const auto consider = [&next](Steady::time_point at) {
    if (!next || at < *next) next = at;
  };
  if (!lingering_.empty()) consider(lingering_.begin()->first);
  for (const auto& [ticket, transfer] : transfers_) {
    if (transfer->state == Transfer::State::Running) continue;
    consider(transfer->deadline());
    if (transfer->state == Transfer::State::Pausing) consider(transfer->paused_until);
  }
  if (const auto turn = turns_.nextTurn(now)) consider(*turn);
  if (!next) return -1;
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(*next - now).count();
  return static_cast<int>(std::clamp<std::int64_t>(wait, 0, 3'600'000));
}

Client::Client(ClientOptions options) : loop_(std::make_unique<Loop>(std::move(options))) {}

Client::~Client() = default;

const ClientOptions& Client::options() const {
  return loop_->options;
}

Client::Ticket Client::start(Request request, std::shared_ptr<BodySink> sink, Done done) {
  const Ticket ticket = loop_->next_ticket.fetch_add(1);
  auto shared = std::make_shared<Done>(std::move(done));
  auto made = std::make_shared<std::unique_ptr<Transfer>>(std::make_unique<Transfer>(
      ticket, std::move(request), std::move(sink), [shared](Outcome outcome) { (*shared)(std::move(outcome)); },
      loop_->options, Steady::now()));
  const bool taken = loop_->post([loop = loop_.get(), made] { loop->add(std::move(*made)); });
  if (!taken) (*made)->finish(Failure{FailureCode::ShuttingDown, "the host is shutting down"});
  return ticket;
}

void Client::cancel(Ticket ticket) {
  loop_->post([loop = loop_.get(), ticket] { loop->cancel(ticket); });
}

}  // namespace jobhost::fetch
