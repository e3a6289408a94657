// Disks that fail: what was acknowledged is there afterwards, what was refused is not half there, and the file is
// whole.
#include <cstdlib>
#include <set>

#include "integration/store/fault_vfs.hpp"
#include "store/sql_database.hpp"
#include "store/sqlite_store.hpp"
#include "unit/store/store_contract.hpp"

namespace jobhost::store {

namespace {

StoreFactory faultyStore(std::atomic<int>& fatals) {
  return {"Faulty",
          [&fatals](const std::filesystem::path& folder, const core::Clock& clock) -> std::unique_ptr<JobStore> {
            SqliteStore::Options options;
            options.path = folder / "jobs.db";
            options.vfs = faultVfs();
            options.checkpoint_pages = 20;  // so that checkpoints meet the faults too
            options.on_fatal = [&fatals](const std::string&) { ++fatals; };
            auto opened = SqliteStore::open(options, clock);
            EXPECT_TRUE(opened.ok()) << opened.error().message << opened.error().detail;
            return opened ? *std::move(opened) : nullptr;
          }};
}

class StoreFaults : public testing::Test {
 protected:
  StoreFaults() { faultPlan().reset(); }
  ~StoreFaults() override { faultPlan().reset(); }

  core::JobDraft draft(const std::string& type = "t") {
    core::JobDraft job;
    job.type = type;
    job.params_json = "{\"x\":\"" + std::string(300, 'x') + "\"}";
    return job;
  }
  /// Submits and settles until something fails or `count` are through; remembers what was acknowledged.
  void work(StoreHarness& harness, int count) {
    for (int i = 0; i < count; ++i) {
      const auto made = harness.store->submit({draft(), draft()}, {});
      if (made) {
        acknowledged.insert({(*made)[0].id, (*made)[1].id});
      } else {
        EXPECT_EQ(made.error().code, core::ErrorCode::Unavailable) << made.error().message << made.error().detail;
        ++refused;
      }
      if (i % 3 == 0) {
        for (const auto& job : harness.claim(2)) {
          AttemptOutcome outcome;
          outcome.id = job.id;
          outcome.lease = job.lease;
          outcome.kind = OutcomeKind::Succeeded;
          outcome.finished_at = harness.clock.now();
          const auto settled =
              harness.wait<std::vector<Settled>>([&](auto done) { harness.store->settle({outcome}, std::move(done)); });
          if (settled && settled->front().applied) ended.insert(job.id);
        }
      }
    }
  }
  /// Opened again on a healthy disk: the file is whole, and tells exactly what was acknowledged.
  void inspect(StoreHarness& harness) {
    faultPlan().reset();
    harness.reopen();
    {
      Database database({.path = harness.folder() / "jobs.db", .vfs = {}});
      Statement check(database, "PRAGMA integrity_check");
      Query query(check);
      ASSERT_TRUE(query.step());
      EXPECT_EQ(query.text(0), "ok");
      EXPECT_EQ(*database.number("SELECT count(*) FROM jobs"),
                *database.number("SELECT coalesce(sum(n), 0) FROM counts"));
      EXPECT_EQ(*database.number("SELECT count(*) FROM jobs j WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.seq = "
                                 "j.event_seq AND e.job = j.id AND e.state = j.state)"),
                0)
          << "a job and its newest event disagree";
      EXPECT_EQ(*database.number("SELECT count(*) % 2 FROM jobs"), 0) << "half of a submit was stored";
    }
    for (const auto id : acknowledged) EXPECT_TRUE(harness.store->get(id).ok()) << id.value;
    for (const auto id : ended) EXPECT_EQ(harness.state(id), core::JobState::Succeeded) << id.value;
    ASSERT_TRUE(harness.store->rescueAll().ok());
    EXPECT_TRUE(harness.store->submit({draft(), draft()}, {}).ok());
  }

  std::set<core::JobId> acknowledged;
  std::set<core::JobId> ended;
  int refused = 0;
  std::atomic<int> fatals{0};
};

}  // namespace

TEST_F(StoreFaults, LosesNothingAcknowledgedWhenAnyOneWriteFails) {
  const int last = std::getenv("JOBHOST_LONG") != nullptr ? 400 : 40;
  for (int n = 1; n <= last; ++n) {
    SCOPED_TRACE("write " + std::to_string(n));
    acknowledged.clear();
    ended.clear();
    StoreHarness harness(faultyStore(fatals));
    faultPlan().torn = n % 2 == 0;
    faultPlan().fail_write = n;
    work(harness, 6);
    // A store whose disk is well again takes changes again, without being opened anew.
    if (faultPlan().failures > 0) {
      EXPECT_TRUE(harness.store->submit({draft(), draft()}, {}).ok());
    }
    inspect(harness);
  }
  EXPECT_EQ(fatals, 0);
}

TEST_F(StoreFaults, RefusesWhileTheDiskIsFullAndRecovers) {
  StoreHarness harness(faultyStore(fatals));
  work(harness, 3);
  faultPlan().bytes_left = 20'000;
  work(harness, 10);
  EXPECT_GT(refused, 0);
  EXPECT_EQ(harness.store->check().error().code, core::ErrorCode::Unavailable);
  faultPlan().bytes_left = -1;
  EXPECT_TRUE(harness.store->submit({draft(), draft()}, {}).ok());
  inspect(harness);
}

TEST_F(StoreFaults, RefusesWhileTheFolderIsReadOnlyAndStillReads) {
  StoreHarness harness(faultyStore(fatals));
  work(harness, 3);
  faultPlan().read_only = true;
  EXPECT_EQ(harness.store->submit({draft()}, {}).error().code, core::ErrorCode::Unavailable);
  for (const auto id : acknowledged) EXPECT_TRUE(harness.store->get(id).ok());
  faultPlan().read_only = false;
  work(harness, 3);
  inspect(harness);
}

TEST_F(StoreFaults, NeverRetriesAfterAFailedSync) {
  StoreHarness harness(faultyStore(fatals));
  work(harness, 3);
  faultPlan().fail_sync = true;
  EXPECT_EQ(harness.store->submit({draft(), draft()}, {}).error().code, core::ErrorCode::Unavailable);
  EXPECT_EQ(fatals, 1);
  faultPlan().fail_sync = false;  // the next sync would succeed, and would lie
  EXPECT_EQ(harness.store->submit({draft(), draft()}, {}).error().code, core::ErrorCode::Unavailable);
  EXPECT_EQ(harness.store->check().error().code, core::ErrorCode::Unavailable);
  EXPECT_EQ(fatals, 1);
  inspect(harness);
}

}  // namespace jobhost::store
