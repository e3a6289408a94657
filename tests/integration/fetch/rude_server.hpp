#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace jobhost::test {

/// An HTTP server on loopback that says exactly the bytes a test tells it to, however wrong they are.
///
/// Threads: one that accepts, one a connection; handlers run on the latter. Each connection carries one request; it is
/// closed when the handler returns. The destructor breaks all off and joins.
class RudeServer {
 public:
  struct Request {
    std::string method;
    std::string target;
    std::string head;  ///< request line and headers as they came
    std::string body;
    /// nullopt: no such header. Names in any case.
    [[nodiscard]] std::optional<std::string> header(std::string_view name) const;
  };
  class Connection {
   public:
    /// False: the client is gone.
    bool send(std::string_view bytes);
    /// A whole answer with a right length.
    bool answer(int status, std::string_view body, std::string_view more_headers = {});
    /// Waits for the client to go; false: it is still there after `ms`.
    bool clientLeaves(int ms);

   private:
    friend class RudeServer;
    int fd_ = -1;
    void* tls_ = nullptr;
  };
  using Handler = std::function<void(const Request&, Connection&)>;

  /// `tls_pem`: a file with certificate and key; empty: no TLS.
  explicit RudeServer(const std::string& tls_pem = {});
  ~RudeServer();
  RudeServer(const RudeServer&) = delete;
  RudeServer& operator=(const RudeServer&) = delete;

  /// What is said to requests for `path` (without the query); others get a 404.
  void on(const std::string& path, Handler handler);

  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// "http://127.0.0.1:PORT/path"
  [[nodiscard]] std::string url(const std::string& path) const;
  [[nodiscard]] std::vector<Request> requests() const;
  /// The most requests that were being answered at the same time.
  [[nodiscard]] int mostAtOnce() const { return most_; }

 private:
  void acceptAll();
  void serve(int fd);
  bool readRequest(Connection& connection, Request& request);

  int listener_ = -1;
  std::uint16_t port_ = 0;
  void* tls_ = nullptr;
  std::atomic<int> now_{0};
  std::atomic<int> most_{0};

  mutable std::mutex mutex_;
  bool closing_ = false;
  std::map<std::string, Handler> handlers_;
  std::vector<Request> requests_;
  std::set<int> open_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace jobhost::test
