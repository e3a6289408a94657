#include "core/job_state.hpp"

#include <set>
#include <utility>

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "core/event.hpp"

namespace jobhost::core {
namespace {

using enum JobState;

const std::set<std::pair<JobState, JobState>> kLegal{
    {Queued, Running},     {Queued, Suspended},  {Queued, Canceled},   {Queued, Failed},    {Running, Queued},
    {Running, Waiting},    {Running, Suspended}, {Running, Succeeded}, {Running, Failed},   {Running, Canceled},
    {Waiting, Queued},     {Waiting, Succeeded}, {Waiting, Failed},    {Waiting, Canceled}, {Suspended, Queued},
    {Suspended, Canceled}, {Failed, Queued},     {Canceled, Queued},
};

TEST(JobStates, MoveAsTheTableSaysAndNoOtherWay) {
  for (int from = 0; from < kJobStateCount; ++from) {
    for (int to = 0; to < kJobStateCount; ++to) {
      const std::pair move{static_cast<JobState>(from), static_cast<JobState>(to)};
      EXPECT_EQ(isLegalMove(move.first, move.second), kLegal.contains(move))
          << toString(move.first) << " -> " << toString(move.second);
    }
  }
}

TEST(JobStates, AreReadBackFromTheirWords) {
  for (int i = 0; i < kJobStateCount; ++i) {
    const auto state = static_cast<JobState>(i);
    EXPECT_EQ(jobStateFromString(toString(state)), state);
  }
  EXPECT_EQ(jobStateFromString("Queued"), std::nullopt);
  EXPECT_EQ(jobStateFromString(""), std::nullopt);
}

TEST(JobStates, OnlySucceededIsFinal) {
  for (const auto state : {Succeeded, Failed, Canceled}) EXPECT_TRUE(isTerminal(state));
  for (const auto state : {Queued, Running, Waiting, Suspended}) EXPECT_FALSE(isTerminal(state));
}

TEST(Words, OfEventsAndErrorsAreDistinct) {
  std::set<std::string_view> events;
  for (int i = 1; i <= 12; ++i) EXPECT_TRUE(events.insert(toString(static_cast<EventKind>(i))).second);
  EXPECT_TRUE(events.insert(toString(EventKind::Progress)).second);
  EXPECT_TRUE(events.insert(toString(EventKind::Log)).second);
  EXPECT_FALSE(events.contains("unknown"));
  std::set<std::string_view> errors;
  for (int i = 0; i <= static_cast<int>(ErrorCode::Internal); ++i) {
    EXPECT_TRUE(errors.insert(toString(static_cast<ErrorCode>(i))).second);
  }
}

}  // namespace
}  // namespace jobhost::core
