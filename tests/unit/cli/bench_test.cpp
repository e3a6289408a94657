#include <gmock/gmock.h>

#include <sstream>

#include "cli/bench/bench.hpp"
#include "cli/bench/load_generator.hpp"
#include "small_host.hpp"

namespace jobhost::cli::bench {
namespace {

using testing::HasSubstr;

TEST(LoadGenerator, SendsAsManyRequestsAsAskedAndCountsRefusals) {
  std::atomic<int> count{0};
  SmallHost host([&](const auto&) { return SmallHost::Answer{++count % 10 == 0 ? 429 : 201, "{\"id\":1}"}; });
  const auto result = run({.host = "127.0.0.1",
                           .port = host.port(),
                           .request = httpRequest("POST", "/api/v1/jobs", "127.0.0.1", "k", "{\"type\":\"noop\"}"),
                           .connections = 4,
                           .requests = 200});
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result->answered, 200);
  EXPECT_EQ(result->refused, 20);
  EXPECT_EQ(result->first_refusal, 429);
  EXPECT_EQ(result->latency_us.size(), 200u);
  EXPECT_EQ(host.asked().size(), 200u);
  EXPECT_EQ(host.asked().front().body, "{\"type\":\"noop\"}");
  EXPECT_EQ(host.asked().front().authorization, "Bearer k");
}

TEST(LoadGenerator, SaysWhenTheHostIsGone) {
  unsigned short port = 0;
  {
    port = SmallHost([](const auto&) { return SmallHost::Answer{}; }).port();
  }
  EXPECT_FALSE(run({.host = "127.0.0.1", .port = port, .request = "GET / HTTP/1.1\r\n\r\n", .requests = 1}).ok());
}

TEST(LoadResult, GivesPercentilesByRank) {
  LoadResult result;
  for (std::uint32_t i = 1; i <= 100; ++i) result.latency_us.push_back(i * 1000);
  EXPECT_DOUBLE_EQ(result.percentileMs(0.5), 50);
  EXPECT_DOUBLE_EQ(result.percentileMs(0.99), 99);
  EXPECT_DOUBLE_EQ(LoadResult{}.percentileMs(0.5), 0);
}

TEST(Figures, RatioAboveOneIsReachedWhicheverWayTheTargetPoints) {
  const Figure rate{.name = "rate", .target = 100, .measured = 150};
  const Figure time{.name = "time", .target = 10, .at_least = false, .measured = 5};
  const Figure slow{.name = "slow", .target = 10, .at_least = false, .measured = 20};
  EXPECT_DOUBLE_EQ(rate.ratio(), 1.5);
  EXPECT_DOUBLE_EQ(time.ratio(), 2);
  EXPECT_DOUBLE_EQ(slow.ratio(), 0.5);
  EXPECT_TRUE(rate.reached() && time.reached() && !slow.reached());
}

TEST(Figures, ShowWhatCouldNotBeMeasuredAndWhy) {
  auto figures = missing({{.name = "a \"b\"", .unit = "ms", .target = 1}}, "no host");
  std::ostringstream out;
  printFigures(out, figures);
  EXPECT_THAT(out.str(), HasSubstr("no host"));
  EXPECT_EQ(
      figuresJson(figures),
      R"({"figures":[{"name":"a \"b\"","unit":"ms","target":1,"ratio":0,"measured":null,"at_least":true,"reached":false,"note":"no host"}]})");
}

TEST(BenchTimes, AreReadToTheMillisecond) {
  EXPECT_EQ(micros("1970-01-01T00:00:01.250Z"), 1'250'000);
  EXPECT_EQ(micros("2027-01-15T08:00:00Z"), 1'800'000'000'000'000);
  EXPECT_EQ(micros("yesterday"), 0);
}

}  // namespace
}  // namespace jobhost::cli::bench
