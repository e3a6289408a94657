#include "core/retry.hpp"

#include <gtest/gtest.h>

namespace jobhost::core {
namespace {

using namespace std::chrono_literals;

TEST(RetryDelay, FollowsMinionsRule) {
  const Backoff minion;
  EXPECT_EQ(retryDelay(minion, 0, 0), 15s);
  EXPECT_EQ(retryDelay(minion, 1, 0), 16s);
  EXPECT_EQ(retryDelay(minion, 2, 0), 31s);
  EXPECT_EQ(retryDelay(minion, 3, 0), 96s);
  EXPECT_EQ(retryDelay(minion, -5, 0), 15s);
  EXPECT_EQ(retryDelay(minion, 1'000'000, 0), 24h);
}

TEST(RetryDelay, DoublesUpToItsCapOrStaysFixed) {
  const Backoff doubling{BackoffKind::Exponential, 1s, 10s, 0};
  EXPECT_EQ(retryDelay(doubling, 0, 0), 1s);
  EXPECT_EQ(retryDelay(doubling, 3, 0), 8s);
  EXPECT_EQ(retryDelay(doubling, 4, 0), 10s);
  EXPECT_EQ(retryDelay(doubling, 4000, 0), 10s);
  const Backoff fixed{BackoffKind::Fixed, 7s, 1h, 0};
  EXPECT_EQ(retryDelay(fixed, 9, 0), 7s);
}

TEST(RetryDelay, TakesItsJitterFromTheRandomNumber) {
  const Backoff half{BackoffKind::Fixed, 10s, 1h, 0.5};
  EXPECT_EQ(retryDelay(half, 0, 0.0), 5s);
  EXPECT_EQ(retryDelay(half, 0, 0.5), 7500ms);
  const Backoff wild{BackoffKind::Fixed, 10s, 1h, 99.0};
  EXPECT_EQ(retryDelay(wild, 0, 0.0), 0s);
}

struct Case {
  const char* name;
  ErrorClass error_class;
  int attempt;
  int max_attempts;
  Millis retry_after;
  std::optional<Millis> wait;
};

class DecideRetry : public ::testing::TestWithParam<Case> {};

TEST_P(DecideRetry, Answers) {
  const Case& expected = GetParam();
  const Backoff fixed{BackoffKind::Fixed, 10s, 60s, 0};
  EXPECT_EQ(decideRetry({expected.error_class, "code", "", ""}, expected.retry_after, fixed, expected.attempt,
                        expected.attempt - 1, expected.max_attempts, 0),
            expected.wait);
}

INSTANTIATE_TEST_SUITE_P(Cases, DecideRetry,
                         ::testing::Values(Case{"TransientIsTriedAgain", ErrorClass::Transient, 1, 2, -1ms, 10s},
                                           Case{"ResourceIsTriedAgain", ErrorClass::Resource, 1, 2, -1ms, 10s},
                                           Case{"UpstreamIsTriedAgain", ErrorClass::Upstream, 1, 2, -1ms, 10s},
                                           Case{"InternalIsTriedAgain", ErrorClass::Internal, 1, 2, -1ms, 10s},
                                           Case{"BadInputIsNot", ErrorClass::BadInput, 1, 9, -1ms, std::nullopt},
                                           Case{"PermanentIsNot", ErrorClass::Permanent, 1, 9, 5ms, std::nullopt},
                                           Case{"DeniedIsNot", ErrorClass::Denied, 1, 9, -1ms, std::nullopt},
                                           Case{"LastAttemptIsTheLast", ErrorClass::Transient, 2, 2, -1ms,
                                                std::nullopt},
                                           Case{"PluginsWordCounts", ErrorClass::Upstream, 1, 2, 3s, 3s},
                                           Case{"PluginsZeroCounts", ErrorClass::Upstream, 1, 2, 0ms, 0ms},
                                           Case{"PluginsWordIsCapped", ErrorClass::Upstream, 1, 2, 1h, 60s}),
                         [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace jobhost::core
