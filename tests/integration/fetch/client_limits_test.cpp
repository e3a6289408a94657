// The HTTP client against servers that misbehave.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>

#include "integration/fetch/fetch_fixture.hpp"

namespace jobhost::fetch {
namespace {

using namespace std::chrono_literals;
using testing::AnyOf;
using testing::HasSubstr;
using Steady = std::chrono::steady_clock;
using Connection = test::RudeServer::Connection;
using Asked = test::RudeServer::Request;

class Limits : public FetchTest {};

TEST_F(Limits, ABodyShorterThanItsLengthIsTruncated) {
  server.on("/short",
            [](const Asked&, Connection& to) { to.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"); });
  EXPECT_EQ(fetchPath("/short").code(), "http.truncated");
}

TEST_F(Limits, ABodyLongerThanItsLengthIsCutThere) {
  server.on("/long",
            [](const Asked&, Connection& to) { to.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour and more"); });
  const auto got = fetchPath("/long");
  EXPECT_EQ(got.code(), "status 200");
  EXPECT_EQ(got.body, "four");
}

TEST_F(Limits, TwoLengthsAreNoLength) {
  server.on("/two", [](const Asked&, Connection& to) {
    to.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 6\r\n\r\nfourmo");
  });
  EXPECT_THAT(fetchPath("/two").code(), AnyOf("http.protocol", "status 200"));
}

TEST_F(Limits, ATruncatedChunkIsTruncated) {
  server.on("/chunk", [](const Asked&, Connection& to) {
    to.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n10\r\nhalf");
  });
  EXPECT_EQ(fetchPath("/chunk").code(), "http.truncated");
}

TEST_F(Limits, ChunksWithoutTheLastAreTruncated) {
  server.on("/chunk", [](const Asked&, Connection& to) {
    to.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  });
  EXPECT_EQ(fetchPath("/chunk").code(), "http.truncated");
}

TEST_F(Limits, ChunksThatAreNoneAreProtocolErrors) {
  server.on("/chunk", [](const Asked&, Connection& to) {
    to.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a number\r\nhello\r\n");
  });
  EXPECT_THAT(fetchPath("/chunk").code(), AnyOf("http.protocol", "http.truncated"));
}

TEST_F(Limits, AnEndlessBodyEndsAtItsLimit) {
  std::atomic<std::int64_t> sent{0};
  server.on("/endless", [&](const Asked&, Connection& to) {
    const std::string block(64 * 1024, 'x');
    if (!to.send("HTTP/1.1 200 OK\r\n\r\n")) return;
    while (to.send(block)) sent += static_cast<std::int64_t>(block.size());
  });
  Request request = get("/endless");
  request.max_body_bytes = 100'000;
  const auto got = fetch(request);
  EXPECT_EQ(got.code(), "http.body_too_large");
  EXPECT_LE(got.body.size(), 100'000U);
  EXPECT_EQ(fetchPath("/endless").code(), "http.body_too_large") << "the client's own limit";
}

TEST_F(Limits, ABodyAnnouncedAsTooLargeIsNotBegun) {
  server.on("/large", [](const Asked&, Connection& to) {
    to.send("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx");
    to.clientLeaves(20'000);
  });
  const auto got = fetchPath("/large");
  EXPECT_EQ(got.code(), "http.body_too_large");
  EXPECT_THAT(got.message(), HasSubstr("99999999999"));
  EXPECT_EQ(got.body, "");
}

TEST_F(Limits, ABodyOfExactlyTheLimitIsTaken) {
  server.on("/exact", [](const Asked&, Connection& to) { to.answer(200, "12345"); });
  Request request = get("/exact");
  request.max_body_bytes = 5;
  EXPECT_EQ(fetch(request).body, "12345");
  request.max_body_bytes = 4;
  EXPECT_EQ(fetch(request).code(), "http.body_too_large");
}

TEST_F(Limits, ASlowDripIsGivenUp) {
  server.on("/drip", [](const Asked&, Connection& to) {
    to.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    while (to.send("x") && !to.clientLeaves(100)) {
    }
  });
  options.slow_after = 1s;
  const auto got = fetchPath("/drip");
  EXPECT_EQ(got.code(), "http.too_slow") << got.message();
}

TEST_F(Limits, AFetchEndsWhenItsTimeIsOver) {
  options.timeout = options.max_timeout = options.slow_after = 60s;
  // A fetch whose time is over before the server was asked says so in other words: then it has longer.
  for (auto time = 300ms; time < 30s; time *= 3) {
    const auto ms = std::to_string(time.count()) + " ms";
    const auto path = "/silent-" + std::to_string(time.count());
    const auto asked = std::make_shared<std::atomic<bool>>(false);  // maybe set after this round
    server.on(path, [asked](const Asked&, Connection& to) {
      *asked = true;
      to.clientLeaves(60'000);
    });
    Request request = get(path);
    request.timeout = time;
    const auto begin = Steady::now();
    const auto got = fetch(request);
    EXPECT_EQ(got.code(), "http.timeout") << got.message();
    EXPECT_LT(Steady::now() - begin, 30s) << "anything else would have taken a minute";
    if (!*asked) continue;
    EXPECT_THAT(got.message(), HasSubstr(ms));
    return;
  }
  FAIL() << "the server was never asked";
}

TEST_F(Limits, TheTimeOfAllRedirectsCountsTogether) {
  server.on("/again", [](const Asked&, Connection& to) {
    to.clientLeaves(100);
    to.answer(302, "", "Location: /again\r\n");
  });
  Request request = get("/again");
  request.timeout = 350ms;
  EXPECT_EQ(fetch(request).code(), "http.timeout");
}

TEST_F(Limits, WaitingForATurnCountsToo) {
  options.turns.at_once = 1;
  server.on("/silent", [](const Asked&, Connection& to) { to.clientLeaves(20'000); });
  Going first(client(), get("/silent"));
  Request request = get("/silent");
  request.timeout = 100ms;
  EXPECT_EQ(fetch(request).code(), "http.timeout");
  client().cancel(first.ticket());
  first.wait();
}

TEST_F(Limits, HugeHeadersAreGivenUp) {
  server.on("/one",
            [](const Asked&, Connection& to) { to.answer(200, "", "X: " + std::string(60'000, 'x') + "\r\n"); });
  server.on("/endless", [](const Asked&, Connection& to) {
    to.send("HTTP/1.1 200 OK\r\n");
    while (to.send("X-Word: and another\r\n")) {
    }
  });
  server.on("/continue", [](const Asked&, Connection& to) {
    while (to.send("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")) {
    }
  });
  server.on("/trailer", [](const Asked&, Connection& to) {
    to.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
    while (to.send("X-Trailer: and another\r\n")) {
    }
  });
  for (const char* path : {"/one", "/endless", "/continue"}) {
    EXPECT_EQ(fetchPath(path).code(), "http.headers_too_large") << path;
  }
  EXPECT_THAT(fetchPath("/trailer").code(), AnyOf("http.headers_too_large", "http.truncated", "http.protocol"));
}

TEST_F(Limits, ABombIsNotUnpacked) {
  const std::string bomb = gzipped(std::string(64 << 20, '\0'));
  ASSERT_LT(bomb.size(), 100'000U);
  server.on("/bomb", [&](const Asked&, Connection& to) { to.answer(200, bomb, "Content-Encoding: gzip\r\n"); });
  EXPECT_EQ(fetchPath("/bomb").code(), "http.body_too_large") << "4 MiB is the limit here";
  ClientOptions large = options;
  large.max_body_bytes = 1 << 30;
  Client other(large);
  const auto got = Going(other, get("/bomb")).wait();
  EXPECT_EQ(got.code(), "http.decompression");
  EXPECT_LT(got.body.size(), 20U << 20);
}

TEST_F(Limits, WhatIsUnpackedCountsForTheLimitOfTheBody) {
  std::string text;
  for (int i = 0; text.size() < (2 << 20); ++i) text += std::to_string(i * 7919) + " ";
  const std::string packed = gzipped(text);
  server.on("/packed", [&](const Asked&, Connection& to) { to.answer(200, packed, "Content-Encoding: gzip\r\n"); });
  EXPECT_EQ(fetchPath("/packed").body.size(), text.size());
  Request request = get("/packed");
  request.max_body_bytes = static_cast<std::int64_t>(packed.size() + 1);
  EXPECT_EQ(fetch(request).code(), "http.body_too_large");
}

TEST_F(Limits, WhatIsNotPackedAsItSaysCannotBeUnpacked) {
  server.on("/not", [](const Asked&, Connection& to) { to.answer(200, "plain text", "Content-Encoding: gzip\r\n"); });
  EXPECT_EQ(fetchPath("/not").code(), "http.decompression");
}

TEST_F(Limits, GarbageIsNoResponse) {
  server.on("/garbage", [](const Asked&, Connection& to) { to.send("SSH-2.0-OpenSSH_9.2\r\nwhat\r\n\r\n"); });
  server.on("/nine", [](const Asked&, Connection& to) { to.send("<html>HTTP/0.9 was like this</html>"); });
  server.on("/status", [](const Asked&, Connection& to) { to.send("HTTP/1.1 abc OK\r\n\r\n"); });
  server.on("/binary", [](const Asked&, Connection& to) { to.send(std::string("\0\1\2\3\r\n\r\n", 8)); });
  for (const char* path : {"/garbage", "/nine", "/status", "/binary"}) {
    EXPECT_EQ(fetchPath(path).code(), "http.protocol") << path << " " << fetchPath(path).message();
  }
}

TEST_F(Limits, AConnectionThatClosesIsTold) {
  server.on("/nothing", [](const Asked&, Connection&) {});
  EXPECT_EQ(fetchPath("/nothing").code(), "http.connect");
  std::uint16_t closed_port = 0;
  {
    test::RudeServer gone;
    closed_port = gone.port();
  }
  EXPECT_EQ(fetch(to("http://127.0.0.1:" + std::to_string(closed_port) + "/")).code(), "http.connect");
}

TEST_F(Limits, ANameThatDoesNotResolveIsTold) {
  EXPECT_EQ(fetch(to("http://nothing.invalid/")).code(), "http.dns");
}

/// A port that answers nobody: its queue is full, so the kernel drops what knocks, as a firewall would.
class DeafPort {
 public:
  DeafPort() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address_);
    auto* raw = reinterpret_cast<sockaddr*>(&address_);
    EXPECT_EQ(::bind(listener_, raw, size), 0);
    EXPECT_EQ(::listen(listener_, 0), 0);
    ::getsockname(listener_, raw, &size);
    for (int& knocking : knocking_) {
      knocking = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      ::connect(knocking, raw, size);
    }
  }
  ~DeafPort() {
    for (const int knocking : knocking_) ::close(knocking);
    ::close(listener_);
  }
  [[nodiscard]] int number() const { return ntohs(address_.sin_port); }

 private:
  sockaddr_in address_{};
  int listener_ = -1;
  std::array<int, 4> knocking_{};
};

TEST_F(Limits, AnAddressThatDoesNotAnswerIsGivenUpInTime) {
  const DeafPort deaf;
  options.timeout = options.max_timeout = options.connect_timeout = 60s;
  Request request = to("http://127.0.0.1:" + std::to_string(deaf.number()) + "/");
  request.connect_timeout = 200ms;
  const auto begin = Steady::now();
  const auto got = fetch(request);
  EXPECT_EQ(got.code(), "http.connect_timeout") << got.message();
  EXPECT_LT(Steady::now() - begin, 30s) << "anything else would have taken a minute";
}

TEST_F(Limits, RedirectLoopsEnd) {
  server.on("/loop", [](const Asked&, Connection& to) { to.answer(302, "", "Location: /loop\r\n"); });
  const auto got = fetchPath("/loop");
  EXPECT_EQ(got.code(), "http.too_many_redirects");
  EXPECT_EQ(server.requests().size(), 11U);
  Request request = get("/loop");
  request.max_redirects = 0;
  EXPECT_EQ(fetch(request).code(), "status 302");
}

TEST_F(Limits, TheBodyOfARedirectIsNotReadToItsEnd) {
  server.on("/away", [](const Asked&, Connection& to) {
    const std::string block(64 * 1024, 'x');
    if (!to.send("HTTP/1.1 302 Found\r\nLocation: /here\r\n\r\n")) return;
    while (to.send(block)) {
    }
  });
  server.on("/here", [](const Asked&, Connection& to) { to.answer(200, "arrived"); });
  const auto got = fetchPath("/away");
  EXPECT_EQ(got.code(), "status 200") << got.message();
  EXPECT_EQ(got.body, "arrived");
  EXPECT_EQ(got.response().redirects, 1);
}

TEST_F(Limits, ErrorsNameTheUrlWithoutItsSecrets) {
  server.on("/short",
            [](const Asked&, Connection& to) { to.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"); });
  const std::string port = std::to_string(server.port());
  for (const std::string path : {"/short?token=s3cret#frag", "/short"}) {
    const auto got = fetch(to("http://user:s3cret@127.0.0.1:" + port + path));
    EXPECT_EQ(got.code(), "http.truncated");
    EXPECT_THAT(got.message(), HasSubstr("GET http://127.0.0.1:" + port + "/short: "));
    EXPECT_THAT(got.message(), testing::Not(HasSubstr("s3cret")));
  }
}

}  // namespace
}  // namespace jobhost::fetch
