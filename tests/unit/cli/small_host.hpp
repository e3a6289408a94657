#pragma once

#include <Poco/Net/HTTPRequestHandler.h>
#include <Poco/Net/HTTPRequestHandlerFactory.h>
#include <Poco/Net/HTTPServer.h>
#include <Poco/Net/HTTPServerRequest.h>
#include <Poco/Net/HTTPServerResponse.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/StreamCopier.h>

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace jobhost::cli {

/// The far side of a client under test: answers each request by a function and remembers what was asked.
class SmallHost {
 public:
  struct Request {
    std::string method, path, body, authorization, last_event_id, type;
  };
  struct Answer {
    int status = 200;
    std::string body;
    std::string type = "application/json";
  };
  explicit SmallHost(std::function<Answer(const Request&)> answer,
                     std::chrono::milliseconds keep_alive = std::chrono::seconds(15))
      : answer_(std::move(answer)), server_(new Factory(*this), socket_, params(keep_alive)) {
    server_.start();
  }
  ~SmallHost() { server_.stopAll(true); }
  SmallHost(const SmallHost&) = delete;
  SmallHost& operator=(const SmallHost&) = delete;

  [[nodiscard]] unsigned short port() const { return socket_.address().port(); }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port()); }
  /// Returns when the server has closed every connection (its keep-alive time went by).
  void awaitNoConnections() const {
    while (server_.currentConnections() > 0) std::this_thread::yield();
  }
  [[nodiscard]] std::vector<Request> asked() const {
    std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  static Poco::Net::HTTPServerParams::Ptr params(std::chrono::milliseconds keep_alive) {
    Poco::Net::HTTPServerParams::Ptr made = new Poco::Net::HTTPServerParams;
    made->setKeepAliveTimeout(Poco::Timespan(static_cast<Poco::Timespan::TimeDiff>(keep_alive.count()) * 1000));
    return made;
  }
  struct Handler : Poco::Net::HTTPRequestHandler {
    explicit Handler(SmallHost& host) : host_(host) {}
    void handleRequest(Poco::Net::HTTPServerRequest& in, Poco::Net::HTTPServerResponse& out) override {
      Request request{in.getMethod(),     in.getURI(), {}, in.get("Authorization", ""), in.get("Last-Event-ID", ""),
                      in.getContentType()};
      Poco::StreamCopier::copyToString(in.stream(), request.body);
      {
        std::lock_guard lock(host_.mutex_);
        host_.asked_.push_back(request);
      }
      const auto answer = host_.answer_(request);
      out.setStatus(static_cast<Poco::Net::HTTPResponse::HTTPStatus>(answer.status));
      out.setContentType(answer.type);
      out.sendBuffer(answer.body.data(), answer.body.size());
    }
    SmallHost& host_;
  };
  struct Factory : Poco::Net::HTTPRequestHandlerFactory {
    explicit Factory(SmallHost& host) : host_(host) {}
    Poco::Net::HTTPRequestHandler* createRequestHandler(const Poco::Net::HTTPServerRequest&) override {
      return new Handler(host_);
    }
    SmallHost& host_;
  };

  std::function<Answer(const Request&)> answer_;
  mutable std::mutex mutex_;
  std::vector<Request> asked_;
  Poco::Net::ServerSocket socket_{Poco::Net::SocketAddress("127.0.0.1", 0)};
  Poco::Net::HTTPServer server_;
};

}  // namespace jobhost::cli
