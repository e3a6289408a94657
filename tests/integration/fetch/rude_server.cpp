#include "integration/fetch/rude_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <stdexcept>
#include <utility>

namespace jobhost::test {

std::optional<std::string> RudeServer::Request::header(std::string_view name) const {
  std::size_t at = head.find("\r\n");
  while (at != std::string::npos && at + 2 < head.size()) {
    const std::size_t begin = at + 2;
    at = head.find("\r\n", begin);
    const std::string line = head.substr(begin, at == std::string::npos ? at : at - begin);
    const auto colon = line.find(':');
    if (colon != name.size() || strncasecmp(line.c_str(), name.data(), name.size()) != 0) continue;
    const auto value = line.find_first_not_of(' ', colon + 1);
    return value == std::string::npos ? std::string() : line.substr(value);
  }
  return std::nullopt;
}

bool RudeServer::Connection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent =
        tls_ != nullptr
            ? static_cast<ssize_t>(SSL_write(static_cast<SSL*>(tls_), bytes.data(), static_cast<int>(bytes.size())))
            : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool RudeServer::Connection::answer(int status, std::string_view body, std::string_view more_headers) {
  return send("HTTP/1.1 " + std::to_string(status) + " Word\r\nContent-Length: " + std::to_string(body.size()) +
              "\r\nConnection: close\r\n" + std::string(more_headers) + "\r\n" + std::string(body));
}

bool RudeServer::Connection::clientLeaves(int ms) {
  pollfd poll_fd{fd_, POLLRDHUP, 0};
  return ::poll(&poll_fd, 1, ms) > 0;
}

RudeServer::RudeServer(const std::string& tls_pem) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (listener_ < 0 || ::bind(listener_, raw, size) != 0 || ::listen(listener_, 128) != 0 ||
      ::getsockname(listener_, raw, &size) != 0) {
    throw std::runtime_error("the test's server cannot listen");
  }
  port_ = ntohs(address.sin_port);
  if (!tls_pem.empty()) {
    SSL_CTX* context = SSL_CTX_new(TLS_server_method());
    if (SSL_CTX_use_certificate_file(context, tls_pem.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, tls_pem.c_str(), SSL_FILETYPE_PEM) != 1) {
      throw std::runtime_error("the test's certificate cannot be read");
    }
    tls_ = context;
  }
  acceptor_ = std::thread([this] { acceptAll(); });
}

RudeServer::~RudeServer() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  acceptor_.join();
  for (auto& thread : threads_) thread.join();
  ::close(listener_);
  if (tls_ != nullptr) SSL_CTX_free(static_cast<SSL_CTX*>(tls_));
}

void RudeServer::on(const std::string& path, Handler handler) {
  const std::lock_guard lock(mutex_);
  handlers_[path] = std::move(handler);
}

std::string RudeServer::url(const std::string& path) const {
  return (tls_ != nullptr ? "https" : "http") + std::string("://127.0.0.1:") + std::to_string(port_) + path;
}

std::vector<RudeServer::Request> RudeServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void RudeServer::acceptAll() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const std::lock_guard lock(mutex_);
    if (closing_) {
      ::close(fd);
      return;
    }
    open_.insert(fd);
    threads_.emplace_back([this, fd] { serve(fd); });
  }
}

bool RudeServer::readRequest(Connection& connection, Request& request) {
  std::string bytes;
  std::size_t end = std::string::npos;
  std::size_t wanted = 0;
  while (end == std::string::npos || bytes.size() < end + 4 + wanted) {
    std::array<char, 16 * 1024> chunk{};
    const auto got = connection.tls_ != nullptr
                         ? static_cast<ssize_t>(SSL_read(static_cast<SSL*>(connection.tls_), chunk.data(),
                                                         static_cast<int>(chunk.size())))
                         : ::recv(connection.fd_, chunk.data(), chunk.size(), 0);
    if (got <= 0) return false;
    bytes.append(chunk.data(), static_cast<std::size_t>(got));
    if (end != std::string::npos) continue;
    end = bytes.find("\r\n\r\n");
    if (end == std::string::npos) continue;
    request.head = bytes.substr(0, end + 2);
    if (const auto length = request.header("Content-Length")) wanted = std::stoul(*length);
  }
  request.body = bytes.substr(end + 4);
  const auto first = request.head.find(' ');
  request.method = request.head.substr(0, first);
  request.target = request.head.substr(first + 1, request.head.find(' ', first + 1) - first - 1);
  return true;
}

void RudeServer::serve(int fd) {
  sigset_t pipe;  // OpenSSL writes without MSG_NOSIGNAL
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  Connection connection;
  connection.fd_ = fd;
  SSL* tls = nullptr;
  bool good = true;
  if (tls_ != nullptr) {
    tls = SSL_new(static_cast<SSL_CTX*>(tls_));
    SSL_set_fd(tls, fd);
    good = SSL_accept(tls) == 1;
    connection.tls_ = tls;
  }
  Request request;
  if (good && readRequest(connection, request)) {
    Handler handler;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
      const auto found = handlers_.find(request.target.substr(0, request.target.find('?')));
      if (found != handlers_.end()) handler = found->second;
    }
    int before = most_;
    const int now = ++now_;
    while (before < now && !most_.compare_exchange_weak(before, now)) {
    }
    if (handler) {
      handler(request, connection);
    } else {
      connection.answer(404, "there is nothing here");
    }
    --now_;
  }
  if (tls != nullptr) {
    SSL_shutdown(tls);
    SSL_free(tls);
  }
  const std::lock_guard lock(mutex_);
  open_.erase(fd);
  ::close(fd);
}

}  // namespace jobhost::test
