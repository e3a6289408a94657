// What the HTTP client does when all goes well, and how it ends.
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <latch>
#include <mutex>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

#include "integration/fetch/fetch_fixture.hpp"

namespace jobhost::fetch {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::HasSubstr;
using Steady = std::chrono::steady_clock;
using Connection = test::RudeServer::Connection;
using Asked = test::RudeServer::Request;

class Client_ : public FetchTest {};  // NOLINT(readability-identifier-naming): the class under test has the plain name

TEST_F(Client_, HandsOverStatusHeadersAndBody) {
  server.on("/hello", [](const Asked&, Connection& to) { to.answer(201, "hello", "X-Word: One\r\nX-Word: Two\r\n"); });
  const auto got = fetchPath("/hello?q=1");
  ASSERT_EQ(got.code(), "status 201") << got.message();
  EXPECT_EQ(got.body, "hello");
  EXPECT_THAT(got.response().headers, Contains(Header{"x-word", "One"}));
  EXPECT_THAT(got.response().headers, Contains(Header{"x-word", "Two"}));
  EXPECT_EQ(got.response().url, server.url("/hello?q=1"));
  EXPECT_EQ(got.response().body_bytes, 5);
  EXPECT_EQ(got.response().tries, 1);
}

TEST_F(Client_, AStatusThatSaysNoIsAResponse) {
  EXPECT_EQ(fetchPath("/nothing-here").code(), "status 404");
}

TEST_F(Client_, SendsMethodHeadersAndBody) {
  server.on("/in", [](const Asked&, Connection& to) { to.answer(200, "taken"); });
  Request request = get("/in");
  request.method = "POST";
  request.headers = {{"Content-Type", "text/plain"}, {"X-Empty", ""}};
  request.body = std::string("a\0b", 3);
  ASSERT_EQ(fetch(request).code(), "status 200");
  request.method = "DELETE";
  request.headers.clear();
  request.body.clear();
  ASSERT_EQ(fetch(request).code(), "status 200");
  request.method = "HEAD";
  ASSERT_EQ(fetch(request).code(), "status 200");
  const auto asked = server.requests();
  ASSERT_EQ(asked.size(), 3U);
  EXPECT_EQ(asked[0].method, "POST");
  EXPECT_EQ(asked[0].body, std::string("a\0b", 3));
  EXPECT_EQ(asked[0].header("Content-Type"), "text/plain");
  EXPECT_EQ(asked[0].header("X-Empty"), "");
  EXPECT_EQ(asked[0].header("Expect"), std::nullopt);
  EXPECT_EQ(asked[0].header("User-Agent"), "jobhost");
  EXPECT_EQ(asked[1].method, "DELETE");
  EXPECT_EQ(asked[1].header("Content-Type"), std::nullopt);
  EXPECT_EQ(asked[2].method, "HEAD");
}

TEST_F(Client_, UnpacksABodyUnlessToldNotTo) {
  const std::string packed = gzipped("unpacked text");
  server.on("/packed", [&](const Asked&, Connection& to) { to.answer(200, packed, "Content-Encoding: gzip\r\n"); });
  EXPECT_EQ(fetchPath("/packed").body, "unpacked text");
  Request request = get("/packed");
  request.decompress = false;
  EXPECT_EQ(fetch(request).body, packed);
  EXPECT_THAT(*server.requests()[0].header("Accept-Encoding"), HasSubstr("gzip"));
  EXPECT_EQ(server.requests()[1].header("Accept-Encoding"), std::nullopt);
}

TEST_F(Client_, KeepsTheCookiesOfAJobAndOfNoOther) {
  server.on("/set", [](const Asked&, Connection& to) {
    to.answer(200, "", "Set-Cookie: id=7; Path=/\r\nSet-Cookie: far=1; Domain=example.com\r\n");
  });
  server.on("/get", [](const Asked&, Connection& to) { to.answer(200, ""); });
  Request request = get("/set");
  request.cookies = std::make_shared<CookieJar>();
  fetch(request);
  request.url = server.url("/get");
  fetch(request);
  request.cookies = std::make_shared<CookieJar>();
  fetch(request);
  request.cookies.reset();
  fetch(request);
  const auto asked = server.requests();
  ASSERT_EQ(asked.size(), 4U);
  EXPECT_EQ(asked[1].header("Cookie"), "id=7");
  EXPECT_EQ(asked[2].header("Cookie"), std::nullopt);
  EXPECT_EQ(asked[3].header("Cookie"), std::nullopt);
}

TEST_F(Client_, KeepsOnlySoManyCookies) {
  std::atomic<int> page{0};
  server.on("/many", [&](const Asked&, Connection& to) {
    std::string headers;
    const int first = page++ * 45;
    for (int i = first; i < first + 45; ++i) {
      headers +=
          "Set-Cookie: c" + std::to_string(i) + "=" + std::to_string(i) + "; Path=/p" + std::to_string(i) + "\r\n";
    }
    to.answer(200, "", headers);
  });
  Request request = get("/many");
  request.cookies = std::make_shared<CookieJar>();
  for (int i = 0; i < 6; ++i) ASSERT_EQ(fetch(request).code(), "status 200");
  int kept = 0;
  for (int i = 0; i < 6 * 45; ++i) {
    request.url = server.url("/p" + std::to_string(i));
    fetch(request);
    kept += server.requests().back().header("Cookie").has_value() ? 1 : 0;
  }
  EXPECT_EQ(kept, CookieJar::kMostCookies);
}

TEST_F(Client_, WaitsAsTheServerAsksAndTriesAgain) {
  std::atomic<int> count{0};
  server.on("/busy", [&](const Asked&, Connection& to) {
    if (count++ == 0) {
      to.answer(429, "a body that does not count", "Retry-After: 1\r\n");
    } else {
      to.answer(200, "now");
    }
  });
  Request request = get("/busy");
  request.retries = 2;
  const auto begin = Steady::now();
  const auto got = fetch(request);
  EXPECT_EQ(got.code(), "status 200");
  EXPECT_EQ(got.body, "now");
  EXPECT_EQ(got.response().tries, 2);
  EXPECT_GE(Steady::now() - begin, 1s);
}

TEST_F(Client_, TriesAgainOnlyWhenAsked) {
  server.on("/busy", [](const Asked&, Connection& to) { to.answer(429, "later", "Retry-After: 7\r\n"); });
  const auto got = fetchPath("/busy");
  EXPECT_EQ(got.code(), "status 429");
  EXPECT_EQ(got.body, "later");
  EXPECT_EQ(got.response().retry_after, 7000ms);
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(Client_, DoesNotWaitLongerThanItHasTime) {
  server.on("/busy", [](const Asked&, Connection& to) { to.answer(503, "much later", "Retry-After: 3600\r\n"); });
  Request request = get("/busy");
  request.retries = 3;
  const auto got = fetch(request);
  EXPECT_EQ(got.code(), "status 503");
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(Client_, TriesAgainAfterABodyThatWasCutOff) {
  std::atomic<int> count{0};
  server.on("/cut", [&](const Asked&, Connection& to) {
    if (count++ < 2) {
      to.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart of it");
    } else {
      to.answer(200, "all of it");
    }
  });
  Request request = get("/cut");
  request.retries = 2;
  const auto got = fetch(request);
  EXPECT_EQ(got.code(), "status 200") << got.message();
  EXPECT_EQ(got.body, "all of it") << "what came of the tries before counts for nothing";
  EXPECT_EQ(got.response().tries, 3);
}

TEST_F(Client_, NeverRepeatsAPost) {
  Request request = get("/x");
  request.method = "POST";
  request.retries = 1;
  const auto got = fetch(request);
  EXPECT_EQ(got.code(), "http.invalid_request");
  EXPECT_THAT(got.message(), HasSubstr("retries"));
  EXPECT_TRUE(server.requests().empty());
}

struct Wrong {
  const char* name;
  std::function<void(Request&)> make;
  const char* says;
};

class WrongRequest : public FetchTest, public testing::WithParamInterface<Wrong> {};

TEST_P(WrongRequest, IsRefusedNamingTheMember) {
  Request request = get("/");
  GetParam().make(request);
  const auto got = fetch(request);
  EXPECT_EQ(got.code(), "http.invalid_request");
  EXPECT_THAT(got.message(), HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Members, WrongRequest,
    testing::Values(Wrong{"Method", [](Request& r) { r.method = "CONNECT"; }, "method: "},
                    Wrong{"Url", [](Request& r) { r.url = "nowhere"; }, "url: "},
                    Wrong{"Header",
                          [](Request& r) {
                            r.headers = {{"Host", "x"}};
                          },
                          "headers/0: "},
                    Wrong{"Timeout", [](Request& r) { r.timeout = 31s; }, "timeout_ms: "},
                    Wrong{"NoTime", [](Request& r) { r.timeout = 0s; }, "timeout_ms: "},
                    Wrong{"ConnectTimeout", [](Request& r) { r.connect_timeout = 31s; }, "connect_timeout_ms: "},
                    Wrong{"MaxBody", [](Request& r) { r.max_body_bytes = 1LL << 40; }, "max_body_bytes: "},
                    Wrong{"Redirects", [](Request& r) { r.max_redirects = 11; }, "max_redirects: "},
                    Wrong{"Retries", [](Request& r) { r.retries = 100; }, "retries: "},
                    Wrong{"Body", [](Request& r) { r.method = "PUT", r.body = std::string(17 << 20, 'x'); }, "body: "},
                    Wrong{"BodyOfGet", [](Request& r) { r.body = "x"; }, "body: "}),
    [](const auto& one) { return one.param.name; });

TEST_F(Client_, HoldsAHostToItsShare) {
  options.turns.at_once_per_host = 2;
  server.on("/slow", [](const Asked&, Connection& to) {
    to.clientLeaves(50);
    to.answer(200, "done");
  });
  std::vector<std::unique_ptr<Going>> all;
  for (int i = 0; i < 8; ++i) all.push_back(std::make_unique<Going>(client(), get("/slow")));
  for (auto& one : all) EXPECT_EQ(one->wait().code(), "status 200");
  EXPECT_EQ(server.mostAtOnce(), 2);
}

TEST_F(Client_, RefusesWhenTooManyWait) {
  options.turns.at_once = 1;
  options.turns.waiting = 1;
  server.on("/hang", [](const Asked&, Connection& to) { to.clientLeaves(20'000); });
  Going first(client(), get("/hang"));
  while (server.requests().empty()) std::this_thread::yield();
  Going second(client(), get("/hang"));
  const auto third = fetchPath("/hang");
  EXPECT_EQ(third.code(), "http.busy");
  client().cancel(first.ticket());
  client().cancel(second.ticket());
  EXPECT_EQ(first.wait().code(), "http.canceled");
  EXPECT_EQ(second.wait().code(), "http.canceled");
}

TEST_F(Client_, RefusesBodiesBeyondTheMemoryForThem) {
  options.max_held_bytes = 100;
  server.on("/hang", [](const Asked&, Connection& to) { to.clientLeaves(20'000); });
  server.on("/ok", [](const Asked&, Connection& to) { to.answer(200, "ok"); });
  const auto post = [&] {
    auto request = get("/hang");
    request.method = "POST";
    request.body.assign(60, 'x');
    return request;
  };
  Going first(client(), post());
  while (server.requests().empty()) std::this_thread::yield();
  Going second(client(), post());
  EXPECT_EQ(second.wait().code(), "http.busy");
  EXPECT_EQ(fetchPath("/ok").code(), "status 200") << "one without a body takes none of it";
  client().cancel(first.ticket());
  EXPECT_EQ(first.wait().code(), "http.canceled");
  Going third(client(), post());
  while (server.requests().size() < 3) std::this_thread::yield();  // what ended gave its memory back
  client().cancel(third.ticket());
  EXPECT_EQ(third.wait().code(), "http.canceled");
}

TEST_F(Client_, CancelEndsAFetchAtOnceWhereverItIs) {
  options.turns.at_once = 3;
  std::latch asked(3);
  server.on("/silent", [&](const Asked&, Connection& to) {
    asked.count_down();
    to.clientLeaves(20'000);
  });
  server.on("/endless", [&](const Asked&, Connection& to) {
    to.send("HTTP/1.1 200 OK\r\n\r\n");
    asked.count_down();
    while (to.send("x") && !to.clientLeaves(5)) {
    }
  });
  server.on("/later", [&](const Asked&, Connection& to) {
    to.answer(503, "", "Retry-After: 15\r\n");
    asked.count_down();
  });
  Request later = get("/later");
  later.retries = 1;
  Going pausing(client(), later);
  Going silent(client(), get("/silent"));
  Going endless(client(), get("/endless"));
  asked.wait();
  Going third(client(), get("/silent"));  // takes the turn the pausing one gave back
  Going waiting(client(), get("/silent"));
  for (Going* one : {&silent, &endless, &waiting, &pausing, &third}) {
    EXPECT_FALSE(one->isDone());
    client().cancel(one->ticket());
    EXPECT_EQ(one->wait().code(), "http.canceled");  // the server would stay silent until a time-out, which has another
  }
}

TEST_F(Client_, ItsEndEndsWhatRuns) {
  std::latch asked(1);
  server.on("/silent", [&](const Asked&, Connection& to) {
    asked.count_down();
    to.clientLeaves(20'000);
  });
  auto own = std::make_unique<Client>(options);
  Going running(*own, get("/silent"));
  asked.wait();
  own.reset();
  EXPECT_EQ(running.wait().code(), "http.shutting_down");
}

TEST_F(Client_, RestsWhenThereIsNothingToDo) {
  server.on("/", [](const Asked&, Connection& to) { to.answer(200, "x"); });
  fetchPath("/");
  timespec before{};
  timespec after{};
  const auto begin = Steady::now();
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
  std::mutex mutex;
  std::condition_variable nobody;
  std::unique_lock lock(mutex);
  nobody.wait_for(lock, 500ms, [] { return false; });  // the measured time itself
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
  const std::chrono::nanoseconds used((after.tv_sec - before.tv_sec) * 1'000'000'000 + after.tv_nsec - before.tv_nsec);
  EXPECT_LT(used * 10, Steady::now() - begin) << "of the time that went by a loop that polls would take all";
}

TEST(SpillSink, PutsALargeBodyIntoAFileAndASmallOneNot) {
  const auto path = std::filesystem::temp_directory_path() / ("jobhost-spill-" + std::to_string(getpid()));
  int opened = 0;
  {
    SpillSink sink(8, [&]() -> core::Result<int> {
      ++opened;
      return ::open(path.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
    });
    ASSERT_TRUE(sink.write("12345678"));
    EXPECT_FALSE(sink.inFile());
    ASSERT_TRUE(sink.write("9"));
    EXPECT_TRUE(sink.inFile());
    ASSERT_TRUE(sink.reset());
    EXPECT_FALSE(sink.inFile());
    ASSERT_TRUE(sink.write("again, more than eight"));
    ASSERT_TRUE(sink.write("!"));
    EXPECT_TRUE(sink.inFile());
  }
  EXPECT_EQ(opened, 1);
  std::ifstream in(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "again, more than eight!");
  std::filesystem::remove(path);
}

TEST(SpillSink, AFullDiskEndsTheBody) {
  SpillSink sink(0, []() -> core::Result<int> { return ::open("/dev/full", O_WRONLY | O_CLOEXEC); });
  const auto written = sink.write("x");
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message, HasSubstr("no room"));
}

}  // namespace
}  // namespace jobhost::fetch
