#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string_view>
#include <vector>

#include <Poco/Net/TCPServerConnection.h>

#include "api/channel.hpp"
#include "api/places.hpp"
#include "api/router.hpp"
#include "api/server.hpp"
#include "api/sse_hub.hpp"

namespace jobhost::api {

class Connection;

/// Knows the connections that threads serve now, so that stop() and a full house can end idle ones.
/// Thread-safety: every method from any thread.
class ConnectionSet {
 public:
  ConnectionSet();
  ~ConnectionSet();
  ConnectionSet(const ConnectionSet&) = delete;
  ConnectionSet& operator=(const ConnectionSet&) = delete;

  /// False once stopping: do not serve.
  bool add(Connection* connection);
  void remove(Connection* connection);
  /// Ends the connection that has been idle longest, if any is.
  void endOneIdle();
  /// Whether this connection, which is slow, is to end for one of those that wait (`waiting`), and not another already
  /// does. Once true, always true.
  bool giveWay(Connection* connection, int waiting);
  /// Every connection ends after the request it is at.
  void stop();
  [[nodiscard]] bool stopping() const { return stopping_.load(std::memory_order_relaxed); }
  /// After stop(): returns when no connection is left, or after that long.
  void awaitEnd(core::Millis grace);
  /// What is being sent ends where it is.
  void cut();
  [[nodiscard]] bool cutting() const { return cutting_.load(std::memory_order_relaxed); }
  [[nodiscard]] int cutFd() const { return cut_fd_; }  ///< readable once cutting

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  std::set<Connection*> connections_;
  std::set<Connection*> giving_way_;  ///< of connections_
  std::atomic<bool> stopping_{false};
  std::atomic<bool> cutting_{false};
  int cut_fd_;
};

/// What all connections share. Borrowed by each.
struct ServingContext {
  const ServerOptions& options;
  std::vector<std::unique_ptr<Dialect>>& dialects;  ///< asked in order; the last one owns every path
  SseHub& hub;
  ConnectionSet& connections;
  const core::Clock& clock;
  std::function<int()> waiting;  ///< connections that wait for a thread while none is to come
  Places& transfers;  ///< for bodies and files beyond kShortTransfer: a quarter of the threads each, three in all

  [[nodiscard]] bool crowded() const { return waiting() > 0; }
};

/// Serves one connection's requests, one after the other, on a thread of the pool. Takes the place of Poco's
/// HTTPServerConnection: docs/decisions/0040-http-connection.md says why.
class Connection final : public Poco::Net::TCPServerConnection {
 public:
  Connection(const Poco::Net::StreamSocket& socket, ServingContext& context);
  void run() override;

  /// Any thread: since when it waits for a request or the rest of a request's head, in milliseconds of the steady
  /// clock; 0 while it is busy.
  [[nodiscard]] std::int64_t idleSince() const { return idle_since_.load(std::memory_order_relaxed); }
  /// Any thread: the connection ends when it waits for a request.
  void endReading();
  [[nodiscard]] bool ending() const { return ending_.load(std::memory_order_relaxed); }

 private:
  /// Whether a request can follow.
  bool serveOne(Channel& channel);
  HeadResult readHead(Channel& channel, RequestHead& head);
  Dialect& ownerOf(std::string_view path) const;
  Response answer(Request& request);
  core::Result<std::shared_ptr<void>> placeFor(const Request& request);
  /// A long file needs a place among the transfers, or there is another answer.
  void placeFile(const Request& request, Response& response);
  struct Manner {
    bool head_only = false;
    bool keep_alive = false;
    bool chunks = false;  ///< the client knows chunked bodies
  };
  bool write(Channel& channel, Response& response, Manner manner);
  bool sendSource(Channel& channel, BodySource& source, bool chunks);
  void streamHead();  ///< to out_
  void stream(StreamPlan plan);
  void lingeringClose(Channel& channel);
  static void resetAtClose(const Channel& channel);

  ServingContext& context_;
  std::atomic<std::int64_t> idle_since_{0};
  std::atomic<bool> ending_{false};
  std::string peer_;  ///< address of the other end
  std::string out_;   ///< reused for each response's head
};

}  // namespace jobhost::api
