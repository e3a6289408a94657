#include "events/event_bus.hpp"

#include <atomic>
#include <future>
#include <thread>

#include <gtest/gtest.h>

namespace jobhost::events {
namespace {

core::JobEvent event(std::int64_t job, std::int64_t seq) {
  core::JobEvent made;
  made.job = {job};
  made.seq = seq;
  return made;
}

struct Heard {
  std::vector<std::int64_t> seqs;
  EventBus::Listener listener() {
    return [this](std::span<const core::JobEvent> events) {
      for (const auto& one : events) seqs.push_back(one.seq);
    };
  }
};

TEST(EventBus, TellsAJobsWatcherOnlyOfThatJobInOrder) {
  EventBus bus;
  Heard heard;
  const auto watch = bus.subscribe(core::JobId{1}, heard.listener());
  const std::vector events{event(1, 1), event(2, 2), event(1, 3), event(1, 4)};
  bus.publish(events);
  EXPECT_EQ(heard.seqs, (std::vector<std::int64_t>{1, 3, 4}));
}

TEST(EventBus, TellsAWatcherOfAllEverything) {
  EventBus bus;
  Heard heard;
  const auto watch = bus.subscribe(std::nullopt, heard.listener());
  const std::vector events{event(1, 1), event(2, 2)};
  bus.publish(events);
  EXPECT_EQ(heard.seqs, (std::vector<std::int64_t>{1, 2}));
}

TEST(EventBus, KnowsWhetherAnyoneListens) {
  EventBus bus;
  EXPECT_FALSE(bus.hasListeners({1}));
  auto one = bus.subscribe(core::JobId{1}, [](auto) {});
  EXPECT_TRUE(bus.hasListeners({1}));
  EXPECT_FALSE(bus.hasListeners({17}));  // the same shard
  auto all = bus.subscribe(std::nullopt, [](auto) {});
  EXPECT_TRUE(bus.hasListeners({17}));
  one.reset();
  all.reset();
  EXPECT_FALSE(bus.hasListeners({1}));
}

TEST(EventBus, ASubscriptionMayOutliveTheBus) {
  auto bus = std::make_unique<EventBus>();
  auto watch = bus->subscribe(core::JobId{1}, [](auto) {});
  bus.reset();
  watch.reset();
}

TEST(EventBus, EndingASubscriptionWaitsForItsListener) {
  EventBus bus;
  std::promise<void> entered;
  std::promise<void> leave;
  std::atomic<bool> left = false;
  auto watch = bus.subscribe(core::JobId{1}, [&](auto) {
    entered.set_value();
    leave.get_future().wait();
    left = true;
  });
  const std::vector events{event(1, 1)};
  std::jthread publisher([&] { bus.publish(events); });
  entered.get_future().wait();
  auto ended = std::async(std::launch::async, [&] {
    watch.reset();
    return left.load();
  });
  leave.set_value();
  EXPECT_TRUE(ended.get());
  bus.publish(events);  // nobody: a second set_value() would throw
}

TEST(EventBus, WatchersComeAndGoWhileOthersPublish) {
  EventBus bus;
  std::jthread publisher([&](const std::stop_token& stop) {
    const std::vector events{event(1, 1), event(2, 2)};
    while (!stop.stop_requested()) bus.publish(events);
  });
  for (int i = 0; i < 500; ++i) {
    int heard = 0;  // only the subscription keeps the listener from using it after the end
    const auto one =
        bus.subscribe(core::JobId{1 + i % 2}, [&](auto events) { heard += static_cast<int>(events.size()); });
    std::atomic<int> all_heard = 0;
    const auto all = bus.subscribe(std::nullopt, [&](auto events) { all_heard += static_cast<int>(events.size()); });
  }
}

}  // namespace
}  // namespace jobhost::events
