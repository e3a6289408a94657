// Nothing acknowledged is lost: the host, or its runners, end by SIGKILL at random moments while clients submit and
// cancel. JOBHOST_LONG=1 makes 200 kills of it; JOBHOST_SEED repeats a run.

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include <poll.h>

#include <gtest/gtest.h>

#include <Poco/Data/RecordSet.h>
#include <Poco/Data/SQLite/Connector.h>
#include <Poco/Data/Session.h>

#include "e2e/host_process.hpp"

namespace jobhost::e2e {
namespace {
namespace fs = std::filesystem;

bool longMode() {
  return std::getenv("JOBHOST_LONG") != nullptr;
}

std::uint32_t chooseSeed() {
  const char* given = std::getenv("JOBHOST_SEED");
  return given != nullptr ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10)) : std::random_device{}();
}

/// Clients that submit and cancel until told to stop, and remember what the host acknowledged.
class Clients {
 public:
  Clients(const HostProcess& host, std::uint32_t seed) : host_(host) {
    for (std::uint32_t i = 0; i < 4; ++i) {
      threads_.emplace_back([this, i, seed](const std::stop_token& stop) { work(stop, seed * 7 + i); });
    }
  }
  std::set<std::int64_t> stopAndTakeAcknowledged() {
    for (auto& thread : threads_) thread.request_stop();
    threads_.clear();
    return acknowledged_;
  }

 private:
  void work(const std::stop_token& stop, std::uint32_t seed) {
    std::mt19937 random(seed);
    std::vector<std::int64_t> mine;
    while (!stop.stop_requested()) {
      const auto choice = random() % 10;
      std::optional<std::int64_t> id;
      if (choice < 4) {
        id = host_.submit("noop");
      } else if (choice < 6) {
        id = host_.submit("sleep", R"({"ms":)" + std::to_string(random() % 60) + R"(,"steps":5})");
      } else if (choice < 7) {
        id = host_.submit("spawn", R"({"children":3})");
      } else if (choice < 8) {
        id =
            host_.submit("echo", R"({"text":"hello"})", R"(,"max_attempts":3,"backoff":{"kind":"fixed","base_ms":20})");
      } else if (!mine.empty()) {
        host_.post("/api/v1/jobs/" + std::to_string(mine[random() % mine.size()]) + "/cancel");
      }
      if (!id) continue;
      mine.push_back(*id);
      std::lock_guard lock(mutex_);
      acknowledged_.insert(*id);
    }
  }

  const HostProcess& host_;
  std::mutex mutex_;
  std::set<std::int64_t> acknowledged_;
  std::vector<std::jthread> threads_;
};

/// The database as the host left it, read by an independent connection.
class Database {
 public:
  explicit Database(const fs::path& data)
      : session_((Poco::Data::SQLite::Connector::registerConnector(), "SQLite"), (data / "jobhost.db").string()) {}

  std::int64_t number(const std::string& sql) {
    Poco::Data::RecordSet rows(session_, sql);
    return rows.rowCount() == 0 ? -1 : rows.value(0, 0).convert<std::int64_t>();
  }
  std::string text(const std::string& sql) {
    Poco::Data::RecordSet rows(session_, sql);
    return rows.rowCount() == 0 ? "" : rows.value(0, 0).convert<std::string>();
  }

 private:
  Poco::Data::Session session_;
};

std::vector<std::string> entriesOf(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(folder, absent)) names.push_back(entry.path().filename().string());
  return names;
}

void expectNothingLeftBehind(const HostProcess& host, const fs::path& data) {
  EXPECT_TRUE(HostProcess::eventually([&] { return host.otherProcesses().empty(); })) << "processes outlived the host";
  for (const auto& name : entriesOf(data / "work")) ADD_FAILURE() << "work folder left behind: " << name;
}

void expectConsistent(const fs::path& data) {
  Database database(data);
  EXPECT_EQ(database.text("PRAGMA integrity_check"), "ok");
  EXPECT_EQ(database.number("SELECT count(*) FROM jobs WHERE state < 4"), 0) << "jobs not ended";
  // kinds 7, 8, 9: succeeded, failed, canceled
  EXPECT_EQ(
      database.number(
          "SELECT count(*) FROM (SELECT job, count(*) n FROM events WHERE kind IN (7,8,9) GROUP BY job) WHERE n <> 1"),
      0)
      << "a job ended more than once";
  EXPECT_EQ(
      database.number("SELECT count(*) FROM jobs WHERE id NOT IN (SELECT job FROM events WHERE kind IN (7,8,9))"), 0)
      << "an end without its event";
}

void expectCountersMatch(const HostProcess& host, const fs::path& data) {
  Database database(data);
  EXPECT_EQ(database.number(
                "SELECT count(*) FROM jobs p WHERE child_total <> (SELECT count(*) FROM jobs c WHERE c.parent = p.id)"),
            0);
  EXPECT_EQ(database.number("SELECT count(*) FROM jobs p WHERE child_done <> (SELECT count(*) FROM jobs c WHERE "
                            "c.parent = p.id AND c.state >= 4)"),
            0);
  EXPECT_EQ(database.number("SELECT count(*) FROM jobs p WHERE child_failed <> (SELECT count(*) FROM jobs c WHERE "
                            "c.parent = p.id AND c.state >= 5)"),
            0);
  const auto counts = host.get("/api/v1/counts");
  ASSERT_EQ(counts.status, 200) << counts.body;
  const auto total = counts.json()->getObject("total");
  ASSERT_TRUE(total) << counts.body;
  for (const auto& [state, number] : {std::pair{"succeeded", 4}, {"failed", 5}, {"canceled", 6}}) {
    EXPECT_EQ(total->getValue<std::int64_t>(state),
              database.number("SELECT count(*) FROM jobs WHERE state = " + std::to_string(number)))
        << state;
  }
}

void waitForAll(const HostProcess& host, const std::set<std::int64_t>& ids) {
  for (const auto id : ids) {
    const auto job = host.waitForEnd(id, std::chrono::seconds(120));
    ASSERT_TRUE(job) << "job " << id
                     << " was acknowledged and did not end: " << host.get("/api/v1/jobs/" + std::to_string(id)).body;
  }
}

TEST(KilledHost, LosesNothingItAcknowledged) {
  const auto seed = chooseSeed();
  SCOPED_TRACE("JOBHOST_SEED=" + std::to_string(seed));
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  TempFolder folder;
  HostProcess host({.data = folder / "data"});
  std::set<std::int64_t> acknowledged;
  const int kills = longMode() ? 200 : 20;
  for (int round = 0; round < kills; ++round) {
    ASSERT_TRUE(host.start()) << "round " << round << "\n" << host.log();
    Clients clients(host, seed + static_cast<std::uint32_t>(round));
    poll(nullptr, 0, static_cast<int>(random() % 400));  // the random moment
    host.killNow();
    acknowledged.merge(clients.stopAndTakeAcknowledged());
  }
  ASSERT_TRUE(host.start()) << host.log();
  ASSERT_FALSE(acknowledged.empty());
  waitForAll(host, acknowledged);
  // Children were not acknowledged to us; they end too.
  ASSERT_TRUE(HostProcess::eventually(
      [&] {
        return host.get("/api/v1/jobs?state=queued,running,waiting&limit=1").body.find("\"id\"") == std::string::npos;
      },
      std::chrono::seconds(120)));
  expectCountersMatch(host, folder / "data");
  EXPECT_EQ(host.stop(), 0);
  expectConsistent(folder / "data");
  expectNothingLeftBehind(host, folder / "data");
  std::printf("%d kills, %zu acknowledged jobs\n", kills, acknowledged.size());
}

TEST(KilledRunners, CostOnlyTheAttemptsTheyRan) {
  const auto seed = chooseSeed();
  SCOPED_TRACE("JOBHOST_SEED=" + std::to_string(seed));
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  TempFolder folder;
  // A runner that is killed while it starts counts as one that cannot start; the next would come a second later, then
  // two, four … while the clients pile up jobs.
  HostProcess host({.data = folder / "data", .set = {"plugins.early_window_ms=0", "runner.restart_ms=1"}});
  ASSERT_TRUE(host.start()) << host.log();
  ASSERT_TRUE(host.waitForEnd(*host.submit("noop")));
  const auto files_before = host.openFiles();
  Clients clients(host, seed);
  int killed = 0;
  const int wanted = longMode() ? 200 : 20;
  while (killed < wanted) {
    poll(nullptr, 0, static_cast<int>(random() % 80));
    const auto runners = host.otherProcesses();
    if (runners.empty()) continue;
    if (kill(runners[random() % runners.size()], SIGKILL) == 0) ++killed;
  }
  const auto acknowledged = clients.stopAndTakeAcknowledged();
  waitForAll(host, acknowledged);
  ASSERT_TRUE(HostProcess::eventually(
      [&] {
        return host.get("/api/v1/jobs?state=queued,running,waiting&limit=1").body.find("\"id\"") == std::string::npos;
      },
      std::chrono::seconds(120)));
  std::map<std::string, int> codes;
  for (const auto id : acknowledged) {
    const auto job = host.job(id);
    ASSERT_TRUE(job);
    if (text(job, "state") != "failed") continue;
    const auto error = job->getObject("error");
    ASSERT_TRUE(error);
    ++codes[text(error, "code")];
  }
  for (const auto& [code, count] : codes) EXPECT_EQ(code, "plugin_crashed") << count << " times";
  expectCountersMatch(host, folder / "data");
  EXPECT_TRUE(HostProcess::eventually([&] { return host.openFiles() <= files_before + 24; }))
      << "file descriptors leak";
  EXPECT_EQ(host.stop(), 0);
  expectConsistent(folder / "data");
  expectNothingLeftBehind(host, folder / "data");
}

}  // namespace
}  // namespace jobhost::e2e
