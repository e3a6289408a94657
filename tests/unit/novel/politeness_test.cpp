#include "fetch-novel/politeness.hpp"

#include <gtest/gtest.h>

namespace jobhost::novel {
namespace {

using namespace std::chrono_literals;
using Span = std::chrono::milliseconds;

const Politeness::Time kNow = std::chrono::sys_days{std::chrono::year{2026} / 3 / 1} + 12h;

TEST(Politeness, LeavesAGapBetweenRequestsToAHost) {
  Politeness polite({.gap = 3s});
  EXPECT_EQ(polite.wait("a", kNow), Span{0});
  polite.started("a", kNow);
  EXPECT_EQ(polite.wait("a", kNow + 1s), std::nullopt);  // one is under way
  polite.finished("a", 200, "", kNow + 1s);
  EXPECT_EQ(polite.wait("a", kNow + 1s), Span{2000});
  EXPECT_EQ(polite.wait("a", kNow + 3s), Span{0});
  EXPECT_EQ(polite.wait("b", kNow), Span{0});
}

TEST(Politeness, SeveralMayBeUnderWayWhenAllowed) {
  Politeness polite({.gap = 0s, .at_once = 2});
  polite.started("a", kNow);
  EXPECT_EQ(polite.wait("a", kNow), Span{0});
  polite.started("a", kNow);
  EXPECT_EQ(polite.wait("a", kNow), std::nullopt);
}

TEST(Politeness, TheLongerGapCounts) {
  Politeness polite({.gap = 3s});
  polite.setGap("a", 1s);
  polite.started("a", kNow);
  polite.finished("a", 200, "", kNow);
  EXPECT_EQ(polite.wait("a", kNow), Span{3000});
  polite.setGap("b", 10s);
  polite.started("b", kNow);
  polite.finished("b", 200, "", kNow);
  EXPECT_EQ(polite.wait("b", kNow), Span{10'000});
}

TEST(Politeness, RetryAfterIsKept) {
  Politeness polite({.gap = 1s});
  polite.started("a", kNow);
  polite.finished("a", 429, "30", kNow);
  EXPECT_EQ(polite.wait("a", kNow), Span{30'000});
  polite.started("a", kNow + 30s);
  polite.finished("a", 503, "Sun, 01 Mar 2026 12:02:00 GMT", kNow + 30s);
  EXPECT_EQ(polite.wait("a", kNow + 30s), Span{90'000});
}

TEST(Politeness, RefusalsWithoutItDoubleTheWait) {
  Politeness polite({.gap = 1s, .back_off = 5s, .max_wait = 12s});
  auto now = kNow;
  for (const Span expected : {Span{5000}, Span{10'000}, Span{12'000}}) {
    polite.started("a", now);
    polite.finished("a", 503, "", now);
    EXPECT_EQ(polite.wait("a", now), expected);
    now += expected;
  }
  polite.started("a", now);
  polite.finished("a", 200, "", now);
  polite.started("a", now + 1s);
  polite.finished("a", 0, "", now + 1s);
  EXPECT_EQ(polite.wait("a", now + 1s), Span{5000});  // the good answer ended the series
}

TEST(Politeness, ForgetsHostsAtRestNotBusyOnes) {
  Politeness polite({.gap = 1s, .hosts = 3});
  polite.started("busy", kNow);
  for (int i = 0; i < 10; ++i) {
    const std::string host = "h" + std::to_string(i);
    polite.started(host, kNow + 10s * i);
    polite.finished(host, 200, "", kNow + 10s * i);
  }
  EXPECT_EQ(polite.wait("busy", kNow + 200s), std::nullopt);
}

TEST(RetryAfter, TakesSecondsAndAllFormsOfDates) {
  EXPECT_EQ(parseRetryAfter("120", kNow), Span{120'000});
  EXPECT_EQ(parseRetryAfter("Sun, 01 Mar 2026 12:00:10 GMT", kNow), Span{10'000});
  EXPECT_EQ(parseRetryAfter("Sunday, 01-Mar-26 12:00:10 GMT", kNow), Span{10'000});
  EXPECT_EQ(parseRetryAfter("Sun Mar  1 12:00:10 2026", kNow), Span{10'000});
  EXPECT_EQ(parseRetryAfter("Sun, 01 Mar 2020 12:00:10 GMT", kNow), Span{0});
  EXPECT_EQ(parseRetryAfter("99999999999999999999", kNow), Span{366LL * 86'400'000});
  for (const char* bad : {"", "soon", "-5", "Sun, 32 Mar 2026 12:00:10 GMT", "Sun, 01 Foo 2026 12:00:10 GMT", "1.5"}) {
    EXPECT_EQ(parseRetryAfter(bad, kNow), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace jobhost::novel
