#include "api/server.hpp"

#include <algorithm>

#include <Poco/Exception.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/TCPServer.h>
#include <Poco/Net/TCPServerConnectionFactory.h>
#include <Poco/ThreadPool.h>

#include <sys/resource.h>
#include <sys/socket.h>

#include "api/connection.hpp"
#include "api/lncrawl/lncrawl_dialect.hpp"
#include "api/lncrawl/web_client.hpp"
#include "api/minion/minion_dialect.hpp"
#include "api/native/native_dialect.hpp"
#include "api/native/render.hpp"
#include "api/openapi_merge.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

namespace jobhost::api {
namespace {

class Factory final : public Poco::Net::TCPServerConnectionFactory {
 public:
  explicit Factory(ServingContext& context) : context_(context) {}
  Poco::Net::TCPServerConnection* createConnection(const Poco::Net::StreamSocket& socket) override {
    return new Connection(socket, context_);
  }

 private:
  ServingContext& context_;
};

/// Decides on the accepting thread what happens to a connection when every thread is busy: first an idle one makes
/// room, then it waits in the queue, and beyond the queue it is told to come back.
class Gate final : public Poco::Net::TCPServerConnectionFilter {
 public:
  Gate(const HttpLimits& limits, ConnectionSet& connections) : limits_(limits), connections_(connections) {}
  void watch(const Poco::Net::TCPServer* server) { server_ = server; }
  bool accept(const Poco::Net::StreamSocket& socket) override {
    const auto* server = server_.load();
    if (server == nullptr || server->currentConnections() < limits_.max_threads) return true;
    connections_.endOneIdle();
    if (server->queuedConnections() < limits_.max_queued - 1) return true;
    telemetry::metrics().add(telemetry::Counter::HttpRejected);
    static constexpr std::string_view kBusy =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: 1\r\n"
        "Connection: close\r\nContent-Length: 108\r\n\r\n"
        "{\"type\":\"urn:jobhost:problem:unavailable\",\"title\":\"Service Unavailable\","
        "\"status\":503,\"code\":\"unavailable\"}";
    const auto fd = socket.impl()->sockfd();
    ::send(fd, kBusy.data(), kBusy.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    ::shutdown(fd, SHUT_WR);
    return false;
  }

 private:
  const HttpLimits& limits_;
  ConnectionSet& connections_;
  std::atomic<const Poco::Net::TCPServer*> server_{nullptr};
};

/// Thousands of watchers need as many descriptors; the soft limit is often 1024.
void raiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) telemetry::log("api").warn("descriptor limit stays low");
}

}  // namespace

struct Server::Impl {
  Impl(Deps dependencies, ServerOptions chosen)
      : deps(std::move(dependencies)),
        options(std::move(chosen)),
        hub({deps.jobs, deps.bus,
             [this](const core::Job& job) { return native::jobJson(job, *deps.catalog.snapshot()); },
             [this](const Principal& principal) { return deps.accounts.stillMay(principal); }},
            options.sse),
        transfers(std::max(1, options.http.max_threads * 3 / 4), std::max(1, options.http.max_threads / 4)),
        context{options, dialects, hub, connections, deps.clock, [this] { return waiting(); }, transfers} {
    // Before minion, which answers for every path under /api that it does not know.
    if (options.lncrawl.enabled) dialects.push_back(std::make_unique<lncrawl::LncrawlDialect>(deps, options));
    if (options.minion.enabled) dialects.push_back(std::make_unique<minion::MinionDialect>(deps, options));
    // Behind those that know their paths.
    if (options.lncrawl.enabled && !options.lncrawl.web_dir.empty()) {
      dialects.push_back(std::make_unique<lncrawl::WebClient>(options.lncrawl.web_dir));
    }
    dialects.push_back(std::make_unique<native::NativeDialect>(native::Parts{deps, options, hub, openapi}));
    describe();
    deps.accounts.observe(&hub);
  }
  ~Impl() { deps.accounts.observe(nullptr); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  /// The native document first: it says what is said once.
  void describe() {
    std::vector<std::string_view> documents{dialects.back()->openApi()};
    for (std::size_t i = 0; i + 1 < dialects.size(); ++i) documents.push_back(dialects[i]->openApi());
    auto merged = mergeOpenApi(documents);
    if (!merged) telemetry::log("api").error("openapi reason={}", merged.error().message);
    openapi = merged ? *std::move(merged) : std::string(documents.front());
  }

  /// Connections wait and no thread is to come for them: a burst waits in the queue for a moment too, while its threads
  /// start, and must not cost others their connection.
  [[nodiscard]] int waiting() const {
    return tcp->currentThreads() >= options.http.max_threads ? tcp->queuedConnections() : 0;
  }

  Deps deps;
  ServerOptions options;
  std::string openapi;
  ConnectionSet connections;
  std::vector<std::unique_ptr<Dialect>> dialects;
  SseHub hub;
  Places transfers;
  ServingContext context;
  std::unique_ptr<Poco::ThreadPool> pool;
  std::unique_ptr<Poco::Net::TCPServer> tcp;
  std::uint16_t port = 0;
};

Server::Server(Deps deps, ServerOptions options) : impl_(std::make_unique<Impl>(std::move(deps), std::move(options))) {}

Server::~Server() {
  stop();
}

core::Result<void> Server::start() {
  auto& impl = *impl_;
  const auto& options = impl.options;
  raiseDescriptorLimit();
  for (const auto& dialect : impl.dialects) {
    if (auto started = dialect->start(); !started) return started;
  }
  try {
    Poco::Net::ServerSocket socket;
    socket.bind(Poco::Net::SocketAddress(options.bind, options.port), true, false);
    socket.listen(1024);
    impl.port = socket.address().port();
    Poco::Net::TCPServerParams::Ptr params = new Poco::Net::TCPServerParams;
    params->setMaxThreads(options.http.max_threads);
    params->setMaxQueued(options.http.max_queued);
    // Poco's stop() misses to wake a thread that is just going to rest, and then waits until its rest is over.
    params->setThreadIdleTime(Poco::Timespan(1, 0));
    impl.pool = std::make_unique<Poco::ThreadPool>("http", 1, options.http.max_threads + 1, 30);
    impl.tcp = std::make_unique<Poco::Net::TCPServer>(new Factory(impl.context), *impl.pool, socket, params);
    Poco::AutoPtr<Gate> gate = new Gate(options.http, impl.connections);
    impl.tcp->setConnectionFilter(gate);
    gate->watch(impl.tcp.get());
    impl.tcp->start();
  } catch (const Poco::Exception& problem) {
    return core::Error{
        core::ErrorCode::Unavailable,
        "cannot listen on " + options.bind + ":" + std::to_string(options.port) + ": " + problem.displayText(),
        "",
        {}};
  }
  telemetry::log("api").info("listening address={} port={}", options.bind, impl.port);
  return {};
}

void Server::stop() {
  auto& impl = *impl_;
  if (impl.tcp) {
    impl.tcp->stop();
    impl.connections.stop();
    impl.hub.stop();
    impl.connections.awaitEnd(impl.options.http.stop_grace);
    impl.connections.cut();
    impl.pool->joinAll();
    impl.tcp.reset();
    impl.pool.reset();
  }
  impl.hub.stop();
}

std::uint16_t Server::port() const {
  return impl_->port;
}

std::string Server::url() const {
  const auto& bind = impl_->options.bind;
  const bool wildcard = bind == "0.0.0.0" || bind == "::";
  const std::string host = wildcard ? "127.0.0.1" : bind.find(':') != std::string::npos ? "[" + bind + "]" : bind;
  return "http://" + host + ":" + std::to_string(impl_->port);
}

}  // namespace jobhost::api
