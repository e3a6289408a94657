#include "cli/bench/load_generator.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>

namespace jobhost::cli::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kPatienceMs = 30'000;
constexpr std::size_t kMaxAnswerBytes = 1 << 20;

core::Error failure(const std::string& what) {
  return {.code = core::ErrorCode::Unavailable, .message = what, .detail = {}, .fields = {}};
}

/// One connection: a request on its way out or an answer on its way in.
struct Connection {
  int fd = -1;
  std::size_t sent = 0;
  std::string answer;
  std::size_t answer_size = 0;  ///< 0: the head is not complete yet
  int status = 0;
  Clock::time_point began;
  bool busy = false;
};

/// Reads status and length once the head is there. False: no HTTP/1.1 answer with a length.
bool readHead(Connection& connection) {
  const auto end = connection.answer.find("\r\n\r\n");
  if (end == std::string::npos) return connection.answer.size() < kMaxAnswerBytes;
  if (connection.answer.compare(0, 9, "HTTP/1.1 ") != 0 || connection.answer.size() < 12) return false;
  connection.status = std::atoi(connection.answer.c_str() + 9);
  constexpr char kLength[] = "\r\ncontent-length:";
  for (auto at = connection.answer.find("\r\n"); at != std::string::npos && at < end;
       at = connection.answer.find("\r\n", at + 2)) {
    if (::strncasecmp(connection.answer.c_str() + at, kLength, sizeof kLength - 1) != 0) continue;
    const auto length = std::strtoull(connection.answer.c_str() + at + sizeof kLength - 1, nullptr, 10);
    connection.answer_size = end + 4 + length;
    return length < kMaxAnswerBytes;
  }
  return false;
}

class Run {
 public:
  explicit Run(const Load& load) : load_(load), connections_(static_cast<std::size_t>(load.connections)) {
    result_.latency_us.reserve(static_cast<std::size_t>(load.requests > 0 ? load.requests : 1 << 20));
  }
  ~Run() {
    for (const auto& connection : connections_) {
      if (connection.fd >= 0) ::close(connection.fd);
    }
    if (epoll_ >= 0) ::close(epoll_);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  core::Result<LoadResult> go() {
    if (const auto opened = open(); !opened) return opened.error();
    start_ = Clock::now();
    for (auto& connection : connections_) {
      if (!begin(connection)) return failure("a connection was closed by the host");
    }
    std::array<epoll_event, 128> events{};
    while (in_flight_ > 0) {
      const int ready = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), kPatienceMs);
      if (ready == 0) return failure("the host did not answer for 30 s");
      for (int i = 0; i < ready; ++i) {
        auto& connection = connections_[events[static_cast<std::size_t>(i)].data.u64];
        if (!work(connection)) return failure("a connection was closed by the host or its answer was no HTTP");
      }
    }
    result_.seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    std::sort(result_.latency_us.begin(), result_.latency_us.end());
    return std::move(result_);
  }

 private:
  core::Result<void> open() {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      auto& connection = connections_[i];
      connection.fd = connectTo(load_.host, load_.port);
      if (connection.fd < 0) return failure(std::string("cannot connect: ") + std::strerror(errno));
      epoll_event event{};
      event.events = EPOLLIN | EPOLLOUT | EPOLLET;
      event.data.u64 = i;
      if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event) != 0) return failure(std::strerror(errno));
    }
    return {};
  }

  [[nodiscard]] bool over() const {
    return (load_.requests > 0 && begun_ >= load_.requests) ||
           (load_.duration.count() > 0 && Clock::now() - start_ >= load_.duration);
  }

  bool begin(Connection& connection) {
    if (over()) return true;
    ++begun_;
    ++in_flight_;
    connection.sent = 0;
    connection.answer.clear();
    connection.answer_size = 0;
    connection.busy = true;
    connection.began = Clock::now();
    return write(connection);
  }

  bool write(Connection& connection) {
    while (connection.sent < load_.request.size()) {
      const auto count = ::send(connection.fd, load_.request.data() + connection.sent,
                                load_.request.size() - connection.sent, MSG_NOSIGNAL);
      if (count < 0) return errno == EAGAIN || errno == EINTR;
      connection.sent += static_cast<std::size_t>(count);
    }
    return true;
  }

  bool work(Connection& connection) {
    if (!connection.busy) return true;
    if (connection.sent < load_.request.size() && !write(connection)) return false;
    std::array<char, 16 * 1024> piece;
    for (;;) {
      const auto count = ::recv(connection.fd, piece.data(), piece.size(), 0);
      if (count == 0) return false;
      if (count < 0) return errno == EAGAIN || errno == EINTR;
      connection.answer.append(piece.data(), static_cast<std::size_t>(count));
      if (connection.answer_size == 0 && !readHead(connection)) return false;
      if (connection.answer_size == 0 || connection.answer.size() < connection.answer_size) continue;
      finish(connection);
      if (!begin(connection)) return false;
      if (!connection.busy) return true;
    }
  }

  void finish(Connection& connection) {
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - connection.began);
    result_.latency_us.push_back(static_cast<std::uint32_t>(took.count()));
    ++result_.answered;
    if (connection.status < 200 || connection.status > 299) {
      ++result_.refused;
      if (result_.first_refusal == 0) result_.first_refusal = connection.status;
    }
    connection.busy = false;
    --in_flight_;
  }

  const Load& load_;
  std::vector<Connection> connections_;
  int epoll_ = -1;
  std::int64_t begun_ = 0;
  std::int64_t in_flight_ = 0;
  Clock::time_point start_;
  LoadResult result_;
};

}  // namespace

double LoadResult::percentileMs(double share) const {
  if (latency_us.empty()) return 0;
  const auto rank = std::ceil(share * static_cast<double>(latency_us.size())) - 1;
  const auto at = std::min(latency_us.size() - 1, static_cast<std::size_t>(std::max(0.0, rank)));
  return latency_us[at] / 1000.0;
}

core::Result<LoadResult> run(const Load& load) {
  return Run(load).go();
}

std::string httpRequest(const std::string& method, const std::string& path, const std::string& host,
                        const std::string& key, const std::string& body) {
  std::string text = method + " " + path + " HTTP/1.1\r\nHost: " + host + "\r\n";
  if (!key.empty()) text += "Authorization: Bearer " + key + "\r\n";
  if (!body.empty())
    text += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  return text + "\r\n" + body;
}

int connectTo(const std::string& host, unsigned short port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::inet_pton(AF_INET, host == "localhost" ? "127.0.0.1" : host.c_str(), &address.sin_addr) != 1) {
    errno = EINVAL;
    return -1;
  }
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr generic{};
  std::memcpy(&generic, &address, sizeof address);
  if (::connect(fd, &generic, sizeof address) != 0 || ::fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
    const int saved = errno;
    ::close(fd);
    errno = saved;
    return -1;
  }
  return fd;
}

}  // namespace jobhost::cli::bench
