#include "fetch-novel/host_gate.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <vector>

#include "samples.hpp"

namespace jobhost::novel {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

void pollFor(int fd, milliseconds most) {
  pollfd one{fd, POLLIN, 0};
  ::poll(&one, 1, static_cast<int>(most.count()));
}

Politeness::Options apart(int ms, std::size_t at_once = 1) {
  Politeness::Options out;
  out.gap = milliseconds(ms);
  out.back_off = milliseconds(200);
  out.at_once = at_once;
  return out;
}

std::int64_t nowMs() {
  return std::chrono::duration_cast<milliseconds>(Clock::now().time_since_epoch()).count();
}

/// Runs `work` in a process of its own.
template <class Work>
pid_t inChild(Work work) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  work();
  ::_exit(0);
}

HostGate::Turn turnOf(HostGate& gate, const std::string& host = "a.test") {
  return *std::move(gate.enter(host).turn);
}

class Gate : public ::testing::Test {
 protected:
  struct Turn {
    std::int64_t begin, end;
    std::int64_t taken = 0;  ///< by the clock of the gate, when it gave the turn
  };
  Gate() { EXPECT_EQ(::pipe(pipe_.data()), 0); }
  ~Gate() override {
    for (const int fd : pipe_) ::close(fd);
  }
  void tell(const Turn& turn) const { EXPECT_EQ(::write(pipe_[1], &turn, sizeof(turn)), ssize_t{sizeof(turn)}); }
  [[nodiscard]] Turn heard() const {
    Turn out{};
    EXPECT_EQ(::read(pipe_[0], &out, sizeof(out)), ssize_t{sizeof(out)});
    return out;
  }
  samples::TempFolder folder_;
  std::array<int, 2> pipe_{};
  Politeness::Time now_{std::chrono::hours(500'000)};  ///< stands still where a test does not move it
  const HostGate::Now clock_ = [this] { return now_; };
};

TEST_F(Gate, ManyProcessesTakeTurns) {
  std::vector<pid_t> pids;
  for (int i = 0; i < 4; ++i) {
    pids.push_back(inChild([&] {
      // Between the gate's word and the next line a process may stand still as long as it likes.
      std::int64_t taken = 0;
      HostGate gate(folder_.path() / "hosts", apart(40), &pollFor, [&] {
        const auto now = std::chrono::system_clock::now();
        taken = std::chrono::duration_cast<milliseconds>(now.time_since_epoch()).count();
        return now;
      });
      for (int n = 0; n < 3; ++n) {
        auto turn = turnOf(gate);
        const Turn mine{nowMs(), 0, taken};
        pollFor(-1, milliseconds(10));
        tell({mine.begin, nowMs(), mine.taken});
        turn.finish(200, "");
      }
    }));
  }
  std::vector<Turn> turns;
  for (int i = 0; i < 12; ++i) turns.push_back(heard());
  for (const pid_t pid : pids) ::waitpid(pid, nullptr, 0);
  std::sort(turns.begin(), turns.end(), [](const Turn& a, const Turn& b) { return a.begin < b.begin; });
  for (std::size_t i = 1; i < turns.size(); ++i) {
    EXPECT_GE(turns[i].begin, turns[i - 1].end) << "two at once";
    EXPECT_GE(turns[i].taken - turns[i - 1].taken, 40) << "too soon";
  }
}

TEST_F(Gate, OneThatIsKilledLosesItsTurn) {
  const pid_t holder = inChild([&] {
    HostGate gate(folder_.path() / "hosts", apart(0), &pollFor);
    const auto turn = turnOf(gate);
    tell({0, 0});
    ::pause();
  });
  static_cast<void>(heard());
  const pid_t waiter = inChild([&] {
    HostGate gate(folder_.path() / "hosts", apart(0), [&](int fd, milliseconds most) {
      tell({1, 1});  // it waits
      pollFor(fd, most);
    });
    const auto turn = turnOf(gate);
    tell({2, 2});
  });
  EXPECT_EQ(heard().begin, 1);
  ::kill(holder, SIGKILL);
  Turn next = heard();
  while (next.begin == 1) next = heard();
  EXPECT_EQ(next.begin, 2);
  ::waitpid(holder, nullptr, 0);
  ::waitpid(waiter, nullptr, 0);
}

TEST_F(Gate, HostsDoNotWaitForEachOther) {
  HostGate gate(folder_.path() / "hosts", apart(60'000), [](int, milliseconds) { FAIL() << "waited"; });
  const auto one = gate.enter("a.test");
  const auto two = gate.enter("b.test:8080");
}

TEST_F(Gate, SeveralAtOnceWhereThatIsAllowed) {
  HostGate gate(folder_.path() / "hosts", apart(0, 2), [](int, milliseconds) { throw 1; });
  {
    const auto one = gate.enter("a.test");
    const auto two = gate.enter("a.test");
    EXPECT_THROW((void)gate.enter("a.test"), int);
  }
  const auto again = gate.enter("a.test");
}

TEST_F(Gate, OthersKnowWhatTheHostAskedFor) {
  HostGate one(folder_.path() / "hosts", apart(0), &pollFor, clock_);
  turnOf(one).finish(429, "100");
  milliseconds asked{0};
  const auto ask = [&](int, milliseconds most) {
    asked = most;
    throw 1;
  };
  HostGate other(folder_.path() / "hosts", apart(0), ask, clock_);
  EXPECT_THROW((void)other.enter("a.test"), int);
  EXPECT_EQ(asked, milliseconds(100'000));
  now_ += milliseconds(99'000);
  EXPECT_THROW((void)other.enter("a.test"), int);
  EXPECT_EQ(asked, milliseconds(1000));
}

TEST_F(Gate, NonsenseInAFileIsNothing) {
  folder_.write("hosts/h-a.test.state", "99999999999999999 x");
  folder_.write("hosts/h-b.test.state", "not a number");
  folder_.write("hosts/h-c.test.state", "9223372036854775807 0 9223372036854775807 9223372036854775807");
  HostGate gate(folder_.path() / "hosts", apart(0), [](int, milliseconds) { FAIL() << "waited"; });
  const auto a = gate.enter("a.test");
  const auto b = gate.enter("b.test");
  const auto c = gate.enter("c.test");
}

TEST_F(Gate, WhatNobodyAskedForGoesAndTurnsStayTurns) {
  const auto folder = folder_.path() / "hosts";
  HostGate gate(folder, apart(0), [](int, milliseconds) { throw 1; });
  { const auto turn = gate.enter("a.test"); }
  const auto old = std::filesystem::file_time_type::clock::now() - std::chrono::hours(30);
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    std::filesystem::last_write_time(entry.path(), old);
  {
    const auto held = gate.enter("a.test");
    std::filesystem::last_write_time(folder / "h-a.test.0", old);
    sweepGate(folder);
    EXPECT_TRUE(std::filesystem::exists(folder / "h-a.test.0")) << "somebody has it";
    EXPECT_THROW((void)gate.enter("a.test"), int);
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    std::filesystem::last_write_time(entry.path(), old);
  sweepGate(folder);
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  const auto again = gate.enter("a.test");
}

// ------------------------------------------------------------------------------------------------- coming back

using Patience = HostGate::Patience;

class Booking : public Gate {
 protected:
  /// A gate of a process of its own by the test's clock, whose waits are counted and end it.
  HostGate gate(const Politeness::Options& options) {
    const auto wait = [this](int, milliseconds most) {
      waited_ += most;
      throw 1;
    };
    return {folder_.path() / "hosts", options, wait, clock_};
  }
  [[nodiscard]] std::vector<std::int64_t> state(const std::string& name = "h-a.test.state") const {
    std::ifstream in(folder_.path() / "hosts" / name);
    std::vector<std::int64_t> out;
    for (std::int64_t number = 0; in >> number;) out.push_back(number);
    return out;
  }
  void write(std::int64_t next, std::int64_t booked) const {
    folder_.write("hosts/h-a.test.state", std::to_string(next) + " 0 " + std::to_string(booked) + " 0\n");
  }
  [[nodiscard]] std::int64_t wallMs() const {
    return std::chrono::duration_cast<milliseconds>(now_.time_since_epoch()).count();
  }
  milliseconds waited_{0};
};

TEST_F(Booking, TellsEachWhenToComeBackOneAfterTheOther) {
  HostGate refused = gate(apart(3000));
  turnOf(refused, "b.test").finish(429, "60");
  std::vector<std::int64_t> told;
  for (int i = 0; i < 4; ++i) {
    HostGate other = gate(apart(3000));
    const auto entry = other.enter("b.test", Patience::Little);
    ASSERT_FALSE(entry.turn);
    EXPECT_FALSE(entry.refused);
    told.push_back(wallMs() + entry.away.count());
  }
  EXPECT_EQ(told[0] - wallMs(), 63'000) << "after the pause the site asked for";
  for (std::size_t i = 1; i < told.size(); ++i) EXPECT_EQ(told[i] - told[i - 1], 3000) << "a gap apart";
  EXPECT_EQ(waited_.count(), 0);
}

TEST_F(Booking, WaitsInPlaceForNoMoreThanTheGap) {
  HostGate first = gate(apart(3000));
  { static_cast<void>(turnOf(first)); }
  HostGate second = gate(apart(3000));
  EXPECT_THROW((void)second.enter("a.test", Patience::Little), int) << "it waits";
  EXPECT_EQ(waited_, milliseconds(3000));
  write(wallMs() + 3001, 0);
  const auto entry = second.enter("a.test", Patience::Little);
  EXPECT_FALSE(entry.turn) << "longer than the gap";
  write(wallMs() + 30'000, 0);
  EXPECT_THROW((void)second.enter("a.test", Patience::Some), int);
  write(wallMs() + 30'001, 0);
  EXPECT_FALSE(second.enter("a.test", Patience::Some).turn);
  EXPECT_THROW((void)second.enter("a.test", Patience::Endless), int);
}

TEST_F(Booking, AHostThatSomebodyHasIsComeBackTo) {
  HostGate holder(folder_.path() / "hosts", apart(0), &pollFor, clock_);
  auto held = turnOf(holder);
  milliseconds longest{0};
  const auto wait = [&](int fd, milliseconds most) {
    longest = std::max(longest, most);
    pollFor(fd, most);
  };
  HostGate other(folder_.path() / "hosts", apart(0), wait, clock_);
  std::int64_t last = 0;
  for (int i = 1; i <= 3; ++i) {
    longest = milliseconds(0);
    const auto entry = other.enter("a.test", Patience::Little);
    ASSERT_FALSE(entry.turn);
    EXPECT_LE(longest, milliseconds(500)) << "it waits for a moment at most";
    EXPECT_GT(entry.away.count(), 0);
    EXPECT_GT(state().at(2), last) << "each after the one before";
    last = state().at(2);
  }
  held.finish(200, "");
}

TEST_F(Booking, APageThatTakesLongPutsThemFurtherApart) {
  HostGate slow(folder_.path() / "hosts", apart(0), &pollFor);
  {
    auto turn = turnOf(slow);
    pollFor(-1, milliseconds(300));
    turn.finish(200, "");
  }
  const auto held = turnOf(slow);
  HostGate other(folder_.path() / "hosts", apart(0), &pollFor);
  EXPECT_GE(other.enter("a.test", Patience::Little).away, milliseconds(290));
}

TEST_F(Booking, WhoComesOnTimeGetsItsTurn) {
  HostGate holder(folder_.path() / "hosts", apart(20), &pollFor, clock_);
  HostGate other(folder_.path() / "hosts", apart(20), &pollFor, clock_);
  milliseconds away{0};
  {
    const auto held = turnOf(holder);
    away = other.enter("a.test", Patience::Little).away;
  }
  ASSERT_GT(away.count(), 0);
  now_ += away;
  EXPECT_TRUE(other.enter("a.test", Patience::Little).turn);
}

TEST_F(Booking, WhatWasBookedForJobsThatNeverComeIsForgotten) {
  HostGate canceled = gate(apart(1000));
  const std::int64_t next = wallMs() + 10'000;
  for (int i = 0; i < 500; ++i) {
    write(next, i == 0 ? 0 : state().at(2));
    ASSERT_FALSE(canceled.enter("a.test", Patience::Little).turn);
  }
  EXPECT_LE(state().at(2), next + 120'000) << "no further ahead than that";
  write(wallMs() - 1, state().at(2));
  EXPECT_TRUE(gate(apart(1000)).enter("a.test", Patience::Little).turn) << "the host is free: nobody waits for them";
  write(wallMs() + 10'000, wallMs() + 3'600'000);
  EXPECT_EQ(canceled.enter("a.test", Patience::Little).away, milliseconds(11'000)) << "a clock was set back";
}

TEST_F(Booking, SaysThatAHostWantsToBeLeftAloneForLong) {
  Politeness::Options options = apart(0);
  options.max_wait = milliseconds(60'000);
  HostGate asked = gate(options);
  turnOf(asked).finish(429, "7200");
  for (const auto patience : {Patience::Little, Patience::Some, Patience::Endless}) {
    const auto entry = gate(options).enter("a.test", patience);
    EXPECT_TRUE(entry.refused);
    EXPECT_FALSE(entry.turn);
    EXPECT_EQ(entry.away, milliseconds(7'200'000));
  }
  turnOf(asked, "b.test").finish(429, "9999999");
  EXPECT_LE(gate(options).enter("b.test").away, std::chrono::hours(24)) << "a day is the most";
}

TEST_F(Booking, AStateOfTwoNumbersIsRead) {
  folder_.write("hosts/h-a.test.state", std::to_string(wallMs() + 60'000) + " 2\n");
  EXPECT_FALSE(gate(apart(0)).enter("a.test", Patience::Little).turn);
  EXPECT_EQ(state().at(1), 2);
}

}  // namespace
}  // namespace jobhost::novel
