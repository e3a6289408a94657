#include "fetch-novel/host_gate.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
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

class Gate : public ::testing::Test {
 protected:
  struct Turn {
    std::int64_t begin, end;
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
};

TEST_F(Gate, ManyProcessesTakeTurns) {
  std::vector<pid_t> pids;
  for (int i = 0; i < 4; ++i) {
    pids.push_back(inChild([&] {
      HostGate gate(folder_.path() / "hosts", apart(40), &pollFor);
      for (int n = 0; n < 3; ++n) {
        auto turn = gate.enter("a.test");
        const std::int64_t begin = nowMs();
        pollFor(-1, milliseconds(10));
        tell({begin, nowMs()});
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
    EXPECT_GE(turns[i].begin - turns[i - 1].begin, 35) << "too soon";
  }
}

TEST_F(Gate, OneThatIsKilledLosesItsTurn) {
  const pid_t holder = inChild([&] {
    HostGate gate(folder_.path() / "hosts", apart(0), &pollFor);
    const auto turn = gate.enter("a.test");
    tell({0, 0});
    ::pause();
  });
  static_cast<void>(heard());
  const pid_t waiter = inChild([&] {
    HostGate gate(folder_.path() / "hosts", apart(0), [&](int fd, milliseconds most) {
      tell({1, 1});  // it waits
      pollFor(fd, most);
    });
    const auto turn = gate.enter("a.test");
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
  HostGate one(folder_.path() / "hosts", apart(0), &pollFor);
  one.enter("a.test").finish(429, "100");
  milliseconds asked{0};
  HostGate other(folder_.path() / "hosts", apart(0), [&](int, milliseconds most) {
    asked = most;
    throw 1;
  });
  EXPECT_THROW((void)other.enter("a.test"), int);
  EXPECT_GT(asked, milliseconds(95'000));
  EXPECT_LE(asked, milliseconds(100'000));
}

TEST_F(Gate, NonsenseInAFileIsNothing) {
  folder_.write("hosts/h-a.test.state", "99999999999999999 x");
  folder_.write("hosts/h-b.test.state", "not a number");
  HostGate gate(folder_.path() / "hosts", apart(0), [](int, milliseconds) { FAIL() << "waited"; });
  const auto a = gate.enter("a.test");
  const auto b = gate.enter("b.test");
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

}  // namespace
}  // namespace jobhost::novel
