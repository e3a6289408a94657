#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <variant>

#include "fetch/client.hpp"
#include "integration/fetch/rude_server.hpp"

namespace jobhost::fetch {

/// What came of a fetch.
struct Fetched {
  Client::Outcome outcome;
  std::string body;

  [[nodiscard]] bool ok() const { return std::holds_alternative<Response>(outcome); }
  [[nodiscard]] int status() const { return ok() ? std::get<Response>(outcome).status : 0; }
  [[nodiscard]] const Response& response() const { return std::get<Response>(outcome); }
  /// "http.timeout", or "status 200".
  [[nodiscard]] std::string code() const;
  [[nodiscard]] std::string message() const;
};

/// A fetch that goes on.
class Going {
 public:
  Going(Client& client, Request request);
  Fetched wait();
  [[nodiscard]] bool isDone();
  [[nodiscard]] Client::Ticket ticket() const { return ticket_; }

 private:
  std::shared_ptr<MemorySink> sink_ = std::make_shared<MemorySink>();
  std::future<Client::Outcome> outcome_;
  Client::Ticket ticket_;
};

/// A client that reaches 127.0.0.1 alone, with limits small enough to meet in a test.
class FetchTest : public testing::Test {
 protected:
  FetchTest();

  /// Takes `options` from now on.
  Client& client();
  [[nodiscard]] Request get(const std::string& path) const { return to(server.url(path)); }
  [[nodiscard]] static Request to(const std::string& url);
  Fetched fetch(Request request) { return Going(client(), std::move(request)).wait(); }
  Fetched fetchPath(const std::string& path) { return fetch(get(path)); }

  ClientOptions options;
  test::RudeServer server;

 private:
  std::unique_ptr<Client> client_;
};

/// The text gzipped.
std::string gzipped(const std::string& text);

}  // namespace jobhost::fetch
