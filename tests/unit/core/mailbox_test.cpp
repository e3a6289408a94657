#include "core/mailbox.hpp"

#include <future>
#include <thread>

#include <gtest/gtest.h>

namespace jobhost::core {
namespace {

TEST(Mailbox, KeepsTheOrderAndTheBound) {
  Mailbox<int> box(2);
  EXPECT_TRUE(box.tryPush(1));
  EXPECT_TRUE(box.tryPush(2));
  EXPECT_FALSE(box.tryPush(3));
  EXPECT_TRUE(box.push(4));  // what must not be lost goes over the bound
  EXPECT_EQ(box.popAll({}), (std::vector{1, 2, 4}));
  EXPECT_EQ(box.size(), 0U);
}

TEST(Mailbox, WakesTheOwnerForAMessage) {
  Mailbox<int> box(8);
  auto popped = std::async(std::launch::async, [&] { return box.pop({}); });
  EXPECT_TRUE(box.tryPush(7));
  EXPECT_EQ(popped.get(), 7);
}

TEST(Mailbox, WakesTheOwnerOnStopWithoutAMessage) {
  Mailbox<int> box(8);
  std::promise<std::optional<int>> popped;
  {
    const std::jthread owner([&](const std::stop_token& stop) { popped.set_value(box.pop(stop)); });
  }
  EXPECT_EQ(popped.get_future().get(), std::nullopt);
}

TEST(Mailbox, ReturnsEmptyHandedWhenTheDeadlineHasPassed) {
  Mailbox<int> box(8);
  EXPECT_TRUE(box.popAll({}, std::chrono::steady_clock::now()).empty());
}

TEST(Mailbox, GivesOutWhatWaitsAfterItWasClosedAndTakesNoMore) {
  Mailbox<int> box(8);
  EXPECT_TRUE(box.tryPush(1));
  box.close();
  EXPECT_FALSE(box.tryPush(2));
  EXPECT_FALSE(box.push(2));
  EXPECT_EQ(box.pop({}), 1);
  EXPECT_EQ(box.pop({}), std::nullopt);
  EXPECT_TRUE(box.popAll({}).empty());
}

TEST(Mailbox, LosesNothingBetweenManySendersAndOneOwner) {
  constexpr int kSenders = 4;
  constexpr int kEach = 5'000;
  Mailbox<int> box(16);
  std::vector<std::jthread> senders;
  for (int s = 0; s < kSenders; ++s) {
    senders.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) ASSERT_TRUE(box.push(i));
    });
  }
  int received = 0;
  while (received < kSenders * kEach) received += static_cast<int>(box.popAll({}).size());
  EXPECT_EQ(received, kSenders * kEach);
}

}  // namespace
}  // namespace jobhost::core
