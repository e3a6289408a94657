#include <cstdlib>
#include <random>

#include <gtest/gtest.h>

#include "unit/dispatch/desk.hpp"

namespace jobhost::dispatch {
namespace {

using namespace std::chrono_literals;
using test::Desk;

// Random histories against what must always hold: no limit is passed, every job ends at most once, none is lost, and
// when the trouble is over everything that was asked for has been done.
class History {
 public:
  explicit History(std::uint64_t seed) : random_(seed), desk_(options(seed)) {
    desk_.type("noop", "kit");
    desk_.type("slow", "kit");
    desk_.type("pdf", "docs");
    desk_.type("single", "docs", [](auto& info) { info.concurrency = 1; });
    setSlots("kit", 2);
    setSlots("docs", 3);
    desk_.settle();
  }

  void run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      act();
      check();
    }
    if (!::testing::Test::HasFailure()) windDown();
  }

 private:
  static Options options(std::uint64_t seed) {
    Options options;
    if (seed % 3 == 0) options.max_running = 3;
    if (seed % 4 == 0) options.max_running_by_plugin["docs"] = 1;
    return options;
  }

  int pick(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

  void act() {
    switch (pick(16)) {
      case 0:
      case 1:
      case 2:
        return submit();
      case 3:
      case 4:
        return beginOne();
      case 5:
      case 6:
      case 7:
        return endOne();
      case 8:
        return ask();
      case 9:
        return setSlots(pick(2) == 0 ? "kit" : "docs", pick(5));
      case 10:
        return void(desk_.clock.advance(std::chrono::milliseconds(pick(15'000))));
      case 11:
        if (pick(8) == 0) desk_.clock.jump(std::array{1h, -1h, 24h, -24h}[static_cast<std::size_t>(pick(4))]);
        return;
      case 12:
        return void(desk_.store.failing = pick(4) == 0);
      case 13:
        return void(desk_.store.commit());
      default:
        return listen();
    }
  }

  // Only part of what came, so that messages and commits cross.
  void listen() {
    for (int left = pick(20); left > 0 && !desk_.inbox.empty(); --left) {
      auto message = std::move(desk_.inbox.front());
      desk_.inbox.pop_front();
      desk_.scheduler->handle(std::move(message));
    }
    desk_.scheduler->turn();
    if (pick(2) == 0) desk_.store.commit();
  }

  void submit() {
    static constexpr std::array kTypes{"noop", "noop", "noop", "slow", "pdf", "single"};
    core::JobDraft draft;
    draft.type = kTypes[static_cast<std::size_t>(pick(6))];
    draft.priority = pick(3);
    draft.max_attempts = 1 + pick(3);
    draft.backoff = {core::BackoffKind::Fixed, 1s, 10s, 0.5};
    if (pick(4) == 0) draft.run_at = desk_.clock.now() + std::chrono::seconds(pick(60));
    if (pick(3) == 0) draft.timeout = std::chrono::seconds(1 + pick(20));
    desk_.store.add(std::move(draft));
  }

  void setSlots(const std::string& plugin, int count) {
    slots_[plugin] = count;
    desk_.inbox.emplace_back(msg::CapacityChanged{plugin, count});
  }

  // The runner side begins attempts in the order given, as many as it has slots.
  void beginOne() {
    std::map<std::string, int> begun;
    for (const auto& attempt : desk_.runner.attempts)
      begun[attempt.plugin] += begun_.contains(attempt.job.lease) ? 1 : 0;
    for (const auto& attempt : desk_.runner.attempts) {
      if (begun_.contains(attempt.job.lease) || begun[attempt.plugin] >= slots_[attempt.plugin]) continue;
      begun_.insert(attempt.job.lease);
      desk_.inbox.emplace_back(msg::AttemptStarted{attempt.job.id, attempt.job.lease});
      return;
    }
  }

  void endOne() {
    auto& attempts = desk_.runner.attempts;
    if (attempts.empty()) return;
    const auto assignment = attempts[static_cast<std::size_t>(pick(static_cast<int>(attempts.size())))];
    const bool begun = begun_.contains(assignment.job.lease);
    AttemptEnd end;
    end.id = assignment.job.id;
    end.lease = assignment.job.lease;
    end.finished_at = desk_.clock.now();
    end.forced = pick(2) == 0;
    if (!begun) {
      end.kind = AttemptEnd::Kind::NotStarted;
      if (pick(3) == 0) end.error = core::JobError{core::ErrorClass::Internal, "load_failed", "no runner", ""};
    } else {
      end.started_at = end.finished_at - std::chrono::microseconds(assignment.job.type == "noop" ? 50 : 500'000);
      end.kind = std::array{AttemptEnd::Kind::Succeeded, AttemptEnd::Kind::Succeeded, AttemptEnd::Kind::Failed,
                            AttemptEnd::Kind::Stopped}[static_cast<std::size_t>(pick(4))];
      if (end.kind == AttemptEnd::Kind::Failed) {
        end.error =
            core::JobError{pick(2) == 0 ? core::ErrorClass::Transient : core::ErrorClass::BadInput, "odd", "odd", ""};
      }
    }
    std::erase_if(attempts, [&](const auto& a) { return a.job.lease == end.lease; });
    begun_.erase(end.lease);
    desk_.inbox.emplace_back(msg::AttemptEnded{std::move(end)});
  }

  void ask() {
    if (desk_.store.rows.empty()) return;
    const core::JobId id{1 + pick(static_cast<int>(desk_.store.rows.size()))};
    if (pick(2) == 0) {
      ASSERT_TRUE(desk_.store.cancel(id, "").ok());
    } else {
      ASSERT_TRUE(desk_.store.suspend(id).ok());
    }
  }

  void check() {
    std::map<std::string, int> by_plugin;
    std::map<std::string, int> by_type;
    std::set<core::JobId> seen;
    for (const auto& attempt : desk_.runner.attempts) {
      ++by_plugin[attempt.plugin];
      ++by_type[attempt.job.type];
      EXPECT_TRUE(seen.insert(attempt.job.id).second) << "two attempts at once of job " << attempt.job.id.value;
    }
    EXPECT_LE(by_type["single"], 1);
    if (const auto limit = desk_.options.max_running_by_plugin.find("docs");
        limit != desk_.options.max_running_by_plugin.end()) {
      EXPECT_LE(by_plugin["docs"], limit->second);
    }
    EXPECT_LE(by_plugin["docs"], 4) << "never more than it ever had slots";
    for (const auto& [id, row] : desk_.store.rows) {
      EXPECT_LE(row.terminal_moves, 1) << "job " << id.value;
      EXPECT_LE(row.attempt, row.draft.max_attempts + row.claims) << "job " << id.value;
    }
  }

  // The trouble is over: the store works, there are slots, every attempt ends. Then nothing may be left undone.
  void windDown() {
    desk_.store.failing = false;
    setSlots("kit", 2);
    setSlots("docs", 2);
    for (int round = 0; round < 3000; ++round) {
      desk_.settle();
      check();
      const bool all = std::all_of(desk_.store.rows.begin(), desk_.store.rows.end(), [](const auto& entry) {
        return core::isTerminal(entry.second.state) || entry.second.state == core::JobState::Suspended;
      });
      if (all && desk_.runner.attempts.empty() && desk_.scheduler->idle()) return;
      if (desk_.runner.attempts.empty()) {
        desk_.clock.advance(1h);  // the clock may have been set back by days
        continue;
      }
      const auto attempts = desk_.runner.attempts;
      for (const auto& attempt : attempts) {
        if (begun_.insert(attempt.job.lease).second) desk_.begin(attempt.job.id);
        desk_.succeed(attempt.job.id, attempt.job.type == "noop" ? 0ms : 500ms);
      }
    }
    for (const auto& [id, row] : desk_.store.rows) {
      EXPECT_TRUE(core::isTerminal(row.state) || row.state == core::JobState::Suspended)
          << "job " << id.value << " is left " << core::toString(row.state);
    }
    EXPECT_TRUE(desk_.runner.attempts.empty());
    EXPECT_TRUE(desk_.scheduler->idle());
  }

  std::mt19937_64 random_;
  Desk desk_;
  std::map<std::string, int> slots_;
  std::set<store::LeaseToken> begun_;
};

TEST(SchedulerModel, RandomHistoriesBreakNoLimitAndLoseNoJob) {
  const char* given = std::getenv("JOBHOST_SEED");
  const bool long_mode = std::getenv("JOBHOST_LONG") != nullptr;
  const std::uint64_t first = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  const int histories = given != nullptr ? 1 : long_mode ? 3000 : 100;
  for (int i = 0; i < histories; ++i) {
    const auto seed = first + static_cast<std::uint64_t>(i);
    SCOPED_TRACE("JOBHOST_SEED=" + std::to_string(seed));
    History(seed).run(600);
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace jobhost::dispatch
