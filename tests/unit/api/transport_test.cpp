#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <poll.h>

#include "dialects/api_host.hpp"

namespace jobhost::test {
namespace {

TEST(Transport, ServesManyRequestsOnOneConnection) {
  ApiHost host;
  Wire wire(host.port());
  for (int i = 0; i < 100; ++i) {
    wire.send("GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
    EXPECT_EQ(wire.receive().status, 200);
  }
}

TEST(Transport, AnswersPipelinedRequestsInOrder) {
  ApiHost host;
  Wire wire(host.port());
  const std::string job = R"({"type":"echo"})";
  const std::string post = "POST /api/v1/jobs HTTP/1.1\r\nHost: t\r\nX-API-Key: " + host.adminKey() +
                           "\r\nContent-Length: " + std::to_string(job.size()) + "\r\n\r\n" + job;
  wire.send(post + "GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n" + post);
  EXPECT_EQ(wire.receive().status, 201);
  EXPECT_EQ(wire.receive().status, 200);
  EXPECT_EQ(wire.receive().headers["location"], "/api/v1/jobs/2");
}

TEST(Transport, TakesABodyByteByByteAndInChunks) {
  ApiHost host;
  Wire wire(host.port());
  const std::string head = "POST /api/v1/jobs HTTP/1.1\r\nHost: t\r\nX-API-Key: " + host.adminKey() + "\r\n";
  const std::string request = head + "Content-Length: 15\r\n\r\n{\"type\":\"echo\"}";
  for (const char c : request) wire.send(std::string(1, c));
  EXPECT_EQ(wire.receive().status, 201);
  wire.send(head + "Transfer-Encoding: chunked\r\n\r\n8\r\n{\"type\":\r\n7\r\n\"echo\"}\r\n0\r\n\r\n");
  EXPECT_EQ(wire.receive().status, 201);
  wire.send(head + "Expect: 100-continue\r\nContent-Length: 15\r\n\r\n");
  EXPECT_EQ(wire.receive().status, 100);
  wire.send("{\"type\":\"echo\"}");
  EXPECT_EQ(wire.receive().status, 201);
}

TEST(Transport, RefusesHostileHeadsAndCloses) {
  ApiHost host;
  for (const std::string request :
       {"POST /api/v1/jobs HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\nHost: t\n\n", "\x16\x03\x01\x02 not http\r\n\r\n", "GET / HTTP/3.0\r\nHost: t\r\n\r\n"}) {
    Wire wire(host.port());
    wire.send(request);
    const auto answer = wire.receive();
    EXPECT_GE(answer.status, 400) << request;
    EXPECT_TRUE(answer.closed) << request;
    EXPECT_TRUE(wire.atEnd()) << request;
  }
}

TEST(Transport, ABadChunkEndsTheConnectionSoNothingIsSmuggled) {
  ApiHost host;
  Wire wire(host.port());
  wire.send("POST /api/v1/jobs HTTP/1.1\r\nHost: t\r\nX-API-Key: " + host.adminKey() +
            "\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nGET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
  const auto answer = wire.receive();
  EXPECT_EQ(answer.status, 400);
  EXPECT_TRUE(answer.closed);
  EXPECT_TRUE(wire.atEnd());
}

TEST(Transport, RefusesABodyOverTheLimitBeforeReadingIt) {
  api::ServerOptions options;
  options.http.body_bytes = 1000;
  ApiHost host(options);
  Wire wire(host.port());
  wire.send("POST /api/v1/jobs HTTP/1.1\r\nHost: t\r\nX-API-Key: " + host.adminKey() +
            "\r\nContent-Length: 100000000\r\n\r\n");
  const auto answer = wire.receive();
  EXPECT_EQ(answer.status, 413);
  EXPECT_TRUE(answer.closed);
}

TEST(Transport, DoesNotWaitForASlowHead) {
  api::ServerOptions options;
  options.http.head_timeout = core::Millis(50);
  ApiHost host(options);
  Wire wire(host.port());
  wire.send("GET /healthz HTTP/1.1\r\nHo");
  EXPECT_EQ(wire.receive().status, 408);
  EXPECT_TRUE(wire.atEnd());
}

TEST(Transport, DoesNotWaitForASlowBody) {
  api::ServerOptions options;
  options.http.body_idle = core::Millis(50);
  ApiHost host(options);
  Wire wire(host.port());
  wire.send("POST /api/v1/jobs HTTP/1.1\r\nHost: t\r\nX-API-Key: " + host.adminKey() +
            "\r\nContent-Length: 9\r\n\r\n{");
  EXPECT_EQ(wire.receive().status, 408);
  EXPECT_TRUE(wire.atEnd());
}

TEST(Transport, AnIdleConnectionMakesRoomForANewOne) {
  api::ServerOptions options;
  options.http.max_threads = 2;
  ApiHost host(options);
  Wire first(host.port()), second(host.port());
  for (auto* wire : {&first, &second}) {
    wire->send("GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
    EXPECT_EQ(wire->receive().status, 200);
  }
  Wire third(host.port());
  third.send("GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(third.receive().status, 200);
}

TEST(Transport, AHalfRequestMakesRoomForANewConnection) {
  api::ServerOptions options;
  options.http.max_threads = 2;
  options.http.head_timeout = core::Millis(60'000);
  ApiHost host(options);
  Wire first(host.port()), second(host.port());
  for (auto* wire : {&first, &second}) {
    wire->send("GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
    EXPECT_EQ(wire->receive().status, 200);
    wire->send("GET /healthz HTTP/1.1\r\nHo");
  }
  Wire third(host.port());
  third.send("GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(third.receive().status, 200);
}

TEST(Transport, AFloodOfHalfRequestsDelaysOthersOnly) {
  api::ServerOptions options;
  options.http.max_threads = 2;
  options.http.max_queued = 64;
  options.http.head_timeout = core::Millis(60'000);
  ApiHost host(options);
  std::vector<std::unique_ptr<Wire>> flood;
  for (int i = 0; i < 12; ++i) {
    flood.push_back(std::make_unique<Wire>(host.port()));
    flood.back()->send("GET /healthz HTTP/1.1\r\nHo");
  }
  Wire client(host.port());
  client.send("GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(client.receive().status, 200);
}

TEST(Transport, ASlowBodyGivesWayToAConnectionThatWaits) {
  api::ServerOptions options;
  options.http.max_threads = 1;
  options.http.body_idle = core::Millis(60'000);
  ApiHost host(options);
  Wire slow(host.port());
  slow.send("POST /api/v1/auth/login HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 40\r\n\r\n");
  EXPECT_EQ(slow.receive().status, 100);  // its thread waits for the body
  Wire client(host.port());
  client.send("GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(client.receive().status, 200);
  EXPECT_EQ(slow.receive().status, 408);
}

TEST(Transport, ASlowBodyHasItsTimeWhileNobodyWaits) {
  api::ServerOptions options;
  options.http.max_threads = 1;
  options.http.crowded_patience = core::Millis(1);
  ApiHost host(options);
  Wire slow(host.port());
  slow.send("POST /api/v1/jobs HTTP/1.1\r\nHost: t\r\nX-API-Key: " + host.adminKey() +
            "\r\nExpect: 100-continue\r\nContent-Length: 15\r\n\r\n");
  EXPECT_EQ(slow.receive().status, 100);
  slow.send("{");
  pollfd nothing{slow.fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&nothing, 1, 100), 0) << "long after its turn";
  slow.send("\"type\":\"echo\"}");
  EXPECT_EQ(slow.receive().status, 201);
}

TEST(Transport, AFloodOfSlowBodiesDelaysOthersOnly) {
  api::ServerOptions options;
  options.http.max_threads = 2;
  options.http.max_queued = 64;
  options.http.body_idle = core::Millis(60'000);
  ApiHost host(options);
  std::vector<std::unique_ptr<Wire>> flood;
  for (int i = 0; i < 6; ++i) {
    for (const std::string head :
         {"POST /api/v1/auth/login HTTP/1.1\r\n",
          "POST /api/minion/echo/queue HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"}) {
      flood.push_back(std::make_unique<Wire>(host.port()));
      flood.back()->send(head + "Host: t\r\nContent-Length: 4000\r\n\r\nk");
    }
  }
  Wire client(host.port());
  client.send("GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(client.receive().status, 200);
}

TEST(Transport, UploadsOfOneCallerHaveAQuarterOfTheThreads) {
  api::ServerOptions options;
  options.http.max_threads = 8;
  ApiHost host(options);
  const auto another = host.addKey(R"({"name":"k","privileges":["run_jobs"]})");
  const auto begin = [&](Wire& wire, const std::string& key, int size) {
    wire.send("POST /api/v1/inputs?name=a HTTP/1.1\r\nHost: t\r\nX-API-Key: " + key +
              "\r\nExpect: 100-continue\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
    return wire.receive().status;
  };
  Wire first(host.port()), second(host.port()), third(host.port()), small(host.port()), others(host.port());
  EXPECT_EQ(begin(first, host.adminKey(), 100'000), 100);
  EXPECT_EQ(begin(second, host.adminKey(), 100'000), 100);
  EXPECT_EQ(begin(third, host.adminKey(), 100'000), 429);
  EXPECT_EQ(begin(small, host.adminKey(), 5), 100) << "it is soon over";
  EXPECT_EQ(begin(others, another, 100'000), 100);
  first.send(std::string(100'000, 'x'));
  EXPECT_EQ(first.receive().status, 201);
  EXPECT_EQ(begin(first, host.adminKey(), 100'000), 100) << "its place is free again";
}

TEST(Transport, ABodyInChunksTakesItsPlaceWhenItGrowsLong) {
  api::ServerOptions options;
  options.http.max_threads = 4;
  ApiHost host(options);
  const auto head = "POST /api/v1/inputs?name=a HTTP/1.1\r\nHost: t\r\nX-API-Key: " + host.adminKey() + "\r\n";
  Wire first(host.port());
  first.send(head + "Expect: 100-continue\r\nContent-Length: 100000\r\n\r\n");
  EXPECT_EQ(first.receive().status, 100);
  Wire chunked(host.port());
  chunked.send(head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  EXPECT_EQ(chunked.receive().status, 201);
  chunked.send(head + "Transfer-Encoding: chunked\r\n\r\n20000\r\n" + std::string(0x20000, 'x') + "\r\n0\r\n\r\n");
  EXPECT_EQ(chunked.receive().status, 429);
}

TEST(Transport, ABusyConnectionGivesWayToThoseThatWait) {
  api::ServerOptions options;
  options.http.crowded_patience = std::chrono::minutes(1);  // the body comes when the queue is full
  options.http.max_threads = 1;
  options.http.max_queued = 2;
  ApiHost host(options);
  Wire first(host.port());
  const std::string head = "POST /api/v1/jobs HTTP/1.1\r\nHost: t\r\nX-API-Key: " + host.adminKey() + "\r\n";
  first.send(head + "Expect: 100-continue\r\nContent-Length: 15\r\n\r\n");
  EXPECT_EQ(first.receive().status, 100);  // its thread waits for the body
  Wire second(host.port());
  second.send("GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(Wire(host.port()).receive().status, 503);  // the queue is full, so the second stands in it
  first.send("{\"type\":\"echo\"}");
  const auto answer = first.receive();
  EXPECT_EQ(answer.status, 201);
  EXPECT_TRUE(answer.closed);
  EXPECT_EQ(second.receive().status, 200);
}

TEST(Transport, ABurstOfConnectionsCostsNobodyTheirs) {
  ApiHost host;  // more threads than the burst has connections
  std::vector<std::thread> clients;
  std::atomic<int> closed{0};
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&] {
      std::vector<std::unique_ptr<Wire>> burst;
      for (int i = 0; i < 15; ++i) {
        burst.push_back(std::make_unique<Wire>(host.port()));
        for (const auto& wire : burst) {
          wire->send("GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
          if (wire->receive().closed) ++closed;
        }
      }
    });
  }
  for (auto& client : clients) client.join();
  EXPECT_EQ(closed, 0);
}

TEST(Transport, AnUnwantedBodyIsNotWaitedFor) {
  api::ServerOptions options;
  options.http.body_idle = core::Millis(60'000);
  ApiHost host(options);
  Wire wire(host.port());
  wire.send("POST /api/v1/jobs HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\n{");
  const auto refused = wire.receive();
  EXPECT_EQ(refused.status, 401);
  EXPECT_TRUE(refused.closed);
  Wire polite(host.port());
  polite.send("POST /api/v1/jobs HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 15\r\n\r\n");
  EXPECT_EQ(polite.receive().status, 401);  // not 100
}

TEST(Transport, StopLetsARequestInProgressAnswer) {
  ApiHost host;
  Wire wire(host.port());
  wire.send("GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(wire.receive().status, 200);
  host.server().stop();
  EXPECT_TRUE(wire.atEnd());
}

TEST(Transport, AServerThatCannotBindSaysWhere) {
  ApiHost host;
  EXPECT_NE(host.server().url().find(std::to_string(host.port())), std::string::npos);
}

}  // namespace
}  // namespace jobhost::test
