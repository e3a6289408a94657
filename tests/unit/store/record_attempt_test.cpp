// What a job's attempt wrote to records is stored with its end or not at all. On the store's real engine.
#include "store/memory_record_store.hpp"
#include "store/record_view.hpp"
#include "store/sqlite_store.hpp"
#include "unit/store/record_harness.hpp"
#include "unit/store/store_contract.hpp"

namespace jobhost::store {
namespace {

using core::JobState;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using namespace std::chrono_literals;

class RecordsOfAttempts : public StoreContract {
 protected:
  RecordsOfAttempts() { declare(); }
  RecordStore& records() { return dynamic_cast<RecordStore&>(*store); }
  void declare() {
    ASSERT_TRUE(records().declareCollections("com.example.lib", {{"books", {"tags"}}, {"pages", {}}}).ok());
  }
  ClaimedJob begin() {
    submit("t");
    const auto claimed = claim(1);
    EXPECT_THAT(claimed, SizeIs(1));
    return claimed.empty() ? ClaimedJob{} : claimed.front();
  }
  std::shared_ptr<AttemptWrites> wrote(std::vector<RecordWrite> writes) {
    auto own = std::make_shared<AttemptWrites>();
    RecordView view(records(), *own, clock.now());
    for (auto& write : writes) EXPECT_TRUE(view.stage(std::move(write)).ok());
    return own;
  }
  Settled end(const ClaimedJob& job, OutcomeKind kind, std::shared_ptr<const AttemptWrites> writes) {
    return settle(job, kind, [&](AttemptOutcome& outcome) { outcome.writes = writes; });
  }
  std::vector<std::string> books() { return keysOf(records().records(queryOf("books"))); }
};
INSTANTIATE_TEST_SUITE_P(Stores, RecordsOfAttempts, testing::ValuesIn(storeFactories()),
                         [](const auto& each) { return each.param.name; });

TEST_P(RecordsOfAttempts, AreStoredWithASuccess) {
  const auto job = begin();
  const auto own = wrote({putOf("books", "a", R"({"tags":"x"})"), putOf("pages", "p", "1")});
  EXPECT_THAT(books(), IsEmpty());
  EXPECT_EQ(end(job, OutcomeKind::Succeeded, own).state, JobState::Succeeded);
  reopen();
  EXPECT_THAT(books(), ElementsAre("a"));
  EXPECT_THAT(keysOf(records().records(havingOf("books", "tags", "\"x\""))), ElementsAre("a"));
}

TEST_P(RecordsOfAttempts, AreGoneWithEveryOtherEnd) {
  for (const auto kind : {OutcomeKind::Failed, OutcomeKind::Retry, OutcomeKind::Canceled, OutcomeKind::Requeue}) {
    end(begin(), kind, wrote({putOf("books", "a", "1")}));
    EXPECT_THAT(books(), IsEmpty()) << static_cast<int>(kind);
    for (const auto& again : claim(5)) end(again, OutcomeKind::Canceled, nullptr);
  }
}

TEST_P(RecordsOfAttempts, AreGoneWithTheLease) {
  const auto job = begin();
  const auto own = wrote({putOf("books", "a", "1")});
  clock.advance(31s);
  tick();
  EXPECT_FALSE(end(job, OutcomeKind::Succeeded, own).applied);
  EXPECT_THAT(books(), IsEmpty());
}

TEST_P(RecordsOfAttempts, AreStoredWhenItSuspendsUnlessItWasCanceled) {
  end(begin(), OutcomeKind::AwaitChildren, wrote({putOf("books", "a", "1")}));
  EXPECT_THAT(books(), ElementsAre("a"));
  for (const auto& again : claim(5)) end(again, OutcomeKind::Succeeded, nullptr);
  const auto job = begin();
  ASSERT_TRUE(store->cancel(job.id, "no more").ok());
  EXPECT_EQ(end(job, OutcomeKind::AwaitChildren, wrote({putOf("books", "b", "1")})).state, JobState::Canceled);
  EXPECT_THAT(books(), ElementsAre("a"));
}

TEST_P(RecordsOfAttempts, WhatCannotBeStoredMakesTheAttemptFail) {
  ASSERT_TRUE(writeNow(records(), {putOf("books", "a", "1")}).ok());
  const auto version = records().record({"com.example.lib", "books", "a"}).operator*()->version;
  const auto stale = wrote({putOf("books", "a", "2", "", "null", version), putOf("books", "b", "2")});
  const auto job = begin();
  ASSERT_TRUE(writeNow(records(), {putOf("books", "a", "\"meanwhile\"")}).ok());
  const auto settled = settle(job, OutcomeKind::Succeeded, [&](AttemptOutcome& outcome) {
    outcome.writes = stale;
    outcome.if_refused = OutcomeKind::Failed;
  });
  EXPECT_EQ(settled.state, JobState::Failed);
  const auto failed = this->job(job.id);
  ASSERT_TRUE(failed.error);
  EXPECT_EQ(failed.error->code, "records_conflict");
  EXPECT_THAT(failed.error->message, HasSubstr("\"a\""));
  EXPECT_EQ(failed.result_json, "");
  EXPECT_THAT(books(), ElementsAre("a")) << "nothing of it is stored";

  const auto again = begin();
  const auto retried = settle(again, OutcomeKind::Succeeded, [&](AttemptOutcome& outcome) {
    outcome.writes = stale;
    outcome.if_refused = OutcomeKind::Retry;
    outcome.refused_retry_at = clock.now() + 10s;
  });
  EXPECT_EQ(retried.state, JobState::Queued);
  EXPECT_EQ(this->job(again.id).run_at, clock.now() + 10s);
}

TEST_P(RecordsOfAttempts, OneRefusalDoesNotTouchTheOthersOfItsCommit) {
  submit("t");
  submit("t");
  const auto jobs = claim(2);
  ASSERT_THAT(jobs, SizeIs(2));
  AttemptOutcome bad, good;
  for (auto* outcome : {&bad, &good}) {
    outcome->kind = OutcomeKind::Succeeded;
    outcome->finished_at = clock.now();
    outcome->result_json = "1";
  }
  bad.id = jobs[0].id;
  bad.lease = jobs[0].lease;
  good.id = jobs[1].id;
  good.lease = jobs[1].lease;
  bad.writes = wrote({putOf("books", "a", "1"), putOf("books", "z", "1", "", "null", kNoVersion)});
  good.writes = wrote({putOf("books", "b", "1")});
  ASSERT_TRUE(writeNow(records(), {putOf("books", "z", "there already")}).ok());
  const auto answer = wait<std::vector<Settled>>([&](auto done) { store->settle({bad, good}, std::move(done)); });
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->at(0).state, JobState::Failed);
  EXPECT_EQ(answer->at(1).state, JobState::Succeeded);
  EXPECT_THAT(books(), ElementsAre("b", "z"));
}

TEST_P(RecordsOfAttempts, TheSpaceOfAJobGoesWithIt) {
  const auto job = begin();
  ASSERT_TRUE(writeNow(records(), {putOf(keySpaceOfJob(job.id), "k", "1")}).ok());
  end(job, OutcomeKind::Succeeded, wrote({putOf(keySpaceOfJob(job.id), "own", "2"), putOf(keySpace(), "kept", "3")}));
  EXPECT_THAT(keysOf(records().records(queryOf(keySpaceOfJob(job.id)))), ElementsAre("k", "own"));
  ASSERT_TRUE(store->remove(job.id).ok());
  EXPECT_THAT(keysOf(records().records(queryOf(keySpaceOfJob(job.id)))), IsEmpty());
  EXPECT_THAT(keysOf(records().records(queryOf(keySpace()))), ElementsAre("kept"));
  EXPECT_EQ(writeNow(records(), {putOf(keySpaceOfJob(job.id), "late", "1")}).error().code, core::ErrorCode::NotFound);
}

TEST_P(RecordsOfAttempts, NoStatementAboutThemScansOrSorts) {
  auto* sqlite = dynamic_cast<SqliteStore*>(store.get());
  if (sqlite == nullptr) GTEST_SKIP() << "plans are SQLite's";
  ASSERT_TRUE(writeNow(records(), {putOf("books", "a", R"({"tags":"x"})", "p", "1")}).ok());
  for (const bool from : {false, true}) {
    for (const bool descending : {false, true}) {
      for (auto query : {queryOf("books"), childrenOf("books", "p"), havingOf("books", "tags", "\"x\"")}) {
        query.descending = descending;
        if (from) query.after = RecordQuery::Cursor{{}, "a"};
        ASSERT_TRUE(records().records(query).ok());
        ASSERT_TRUE(records().countRecords(query).ok());
      }
    }
  }
  ASSERT_TRUE(records().collections("com.example.lib").ok());
  int statements = 0;
  for (const std::string& plan : sqlite->queryPlansForTest()) {
    if (plan.find("record") == std::string::npos) continue;
    ++statements;
    EXPECT_EQ(plan.find("TEMP B-TREE"), std::string::npos) << plan;
    const bool open_fields =
        plan.find("SCAN record_fields USING COVERING INDEX record_fields_open") != std::string::npos;
    EXPECT_TRUE(open_fields || plan.find("SCAN") == std::string::npos) << plan;
  }
  EXPECT_GT(statements, 25);
}

TEST_P(RecordsOfAttempts, WhatHasExpiredIsRemovedByTheTick) {
  auto write = putOf(keySpace(), "short", "1");
  write.expires_at = clock.now() + 5s;
  ASSERT_TRUE(writeNow(records(), {write, putOf(keySpace(), "long", "1")}).ok());
  clock.advance(6s);
  tick();
  clock.advance(-6s);
  EXPECT_THAT(keysOf(records().records(queryOf(keySpace()))), ElementsAre("long"));
}

}  // namespace
}  // namespace jobhost::store
