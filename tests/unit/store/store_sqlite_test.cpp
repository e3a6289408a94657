// What is particular to the SQLite store: its file, schema, plans and keys.
#include <fstream>

#include "store/sql_database.hpp"
#include "store/sql_migrations.hpp"
#include "store/sqlite_store.hpp"
#include "unit/store/store_contract.hpp"

namespace jobhost::store {

namespace {

class SqliteStoreFile : public testing::Test, public StoreHarness {
 protected:
  SqliteStoreFile() : StoreHarness(storeFactories().front()) {}
  SqliteStore& sqlite() { return dynamic_cast<SqliteStore&>(*store); }
  core::Error openError() {
    SqliteStore::Options options;
    options.path = folder() / "jobs.db";
    auto opened = SqliteStore::open(options, clock);
    EXPECT_FALSE(opened.ok());
    return opened ? core::Error{} : opened.error();
  }
};

}  // namespace

TEST_F(SqliteStoreFile, AnswersNoHotStatementByAScanOrASort) {
  core::JobDraft draft;
  draft.type = "t";
  draft.owner = "me";
  draft.queue_key = "k";
  draft.tags = {"x"};
  draft.depends_on = {submit("dep")};
  submit(draft);
  for (const auto& running : claim(5)) settle(running, OutcomeKind::Succeeded);
  std::vector<JobFilter> filters(6);
  filters[1].states = {core::JobState::Queued};
  filters[2].owner = "me";
  filters[3].tag = "x";
  filters[4].queue_key = "k";
  filters[5].input_id = "none";
  for (const auto& filter : filters) ASSERT_TRUE(store->list(filter, {}).ok());
  ASSERT_TRUE(store->eventsOfOwner("me", 0, 10).ok());
  int statements = 0;
  for (const std::string& plan : sqlite().queryPlansForTest()) {
    const bool whole = plan.find("FROM counts c") != std::string::npos ||
                       plan.find("FROM types") != std::string::npos || plan.find("api_keys") != std::string::npos ||
                       plan.find("chain") != std::string::npos;
    if (whole) continue;  // small tables read whole, and the chain of one job's events
    ++statements;
    EXPECT_EQ(plan.find("TEMP B-TREE"), std::string::npos) << plan;
    const auto scan = plan.find("=> SCAN jobs");
    const bool in_order = plan.find("USING") != std::string::npos || plan.find("ORDER BY") != std::string::npos;
    EXPECT_TRUE(scan == std::string::npos || in_order) << plan;
  }
  EXPECT_GT(statements, 40);
}

TEST_F(SqliteStoreFile, AsksNoJobHowABatchStands) {
  core::JobDraft draft;
  draft.type = "t";
  draft.owner = "me";
  draft.batch = "b_1";
  SubmitOptions options;
  options.batch = BatchDraft{"b_1", "n", "me"};
  ASSERT_TRUE(store->submitBatch({draft}, options).ok());
  ASSERT_TRUE(store->batch("b_1").ok());
  ASSERT_TRUE(store->batches("me", std::nullopt, 10).ok());
  ASSERT_TRUE(store->batches("", std::nullopt, 10).ok());
  int statements = 0;
  for (const std::string& plan : sqlite().queryPlansForTest()) {
    const auto arrow = plan.find("=>");
    if (plan.find("batches") == std::string::npos) continue;
    ++statements;
    EXPECT_EQ(plan.find(" jobs", arrow), std::string::npos) << plan;
    if (plan.find("DELETE FROM batches WHERE number IN") == 0) {
      EXPECT_NE(plan.find("batches_empty", arrow), std::string::npos)
          << "retention looks at empty ones alone: " << plan;
    }
  }
  EXPECT_GE(statements, 6);
}

TEST_F(SqliteStoreFile, RefusesAFileOfANewerJobhost) {
  store.reset();
  {
    Database database({.path = folder() / "jobs.db", .vfs = {}});
    database.execute("PRAGMA user_version = 999");
  }
  const auto error = openError();
  EXPECT_EQ(error.code, core::ErrorCode::Unsupported);
  EXPECT_THAT(error.message, testing::HasSubstr("newer jobhost"));
}

TEST_F(SqliteStoreFile, RefusesADamagedFileAndAnotherProgramsFile) {
  store.reset();
  std::filesystem::remove(folder() / "jobs.db");
  std::ofstream(folder() / "jobs.db") << std::string(8192, 'x');
  EXPECT_EQ(openError().code, core::ErrorCode::Unavailable);
  std::filesystem::remove(folder() / "jobs.db");
  {
    Database database({.path = folder() / "jobs.db", .vfs = {}});
    database.execute("CREATE TABLE theirs (x)");
  }
  EXPECT_THAT(openError().message, testing::HasSubstr("another program"));
}

TEST_F(SqliteStoreFile, KeepsApiKeys) {
  const AuditEntry by{clock.now(), "host", "host", "key.create", "key_1", "", "{}"};
  ApiKey key{
      "key_1", "ci", std::string(64, 'a'), {"run_jobs", "read_jobs"}, clock.now(), clock.now() + std::chrono::hours(1),
      {}};
  ASSERT_TRUE(sqlite().addKey(key, 0, by).ok());
  EXPECT_EQ(sqlite().addKey(key, 0, by).error().code, core::ErrorCode::Conflict);
  EXPECT_EQ(sqlite().revokeKey("key_2", clock.now(), by).error().code, core::ErrorCode::NotFound);
  ASSERT_TRUE(sqlite().revokeKey("key_1", clock.now(), by).ok());
  reopen();
  const auto keys = *sqlite().keys();
  ASSERT_THAT(keys, testing::SizeIs(1));
  EXPECT_EQ(keys[0].privileges, key.privileges);
  EXPECT_EQ(keys[0].expires_at, key.expires_at);
  EXPECT_TRUE(keys[0].revoked_at);
}

TEST_F(SqliteStoreFile, ALineOfTheAuditLogCannotBeRewritten) {
  ASSERT_TRUE(sqlite().addAudit({clock.now(), "a", "a", "act", "t", "", "{}"}).ok());
  store.reset();
  Database database({.path = folder() / "jobs.db", .vfs = {}});
  EXPECT_THROW(database.execute("UPDATE audit SET actor = 'somebody else'"), SqlError);
  EXPECT_EQ(database.number("SELECT count(*) FROM audit WHERE actor = 'a'"), 1);
}

TEST_F(SqliteStoreFile, KeysOfTheFirstSchemaReachWhatTheyReached) {
  store.reset();
  std::filesystem::remove(folder() / "jobs.db");
  {
    Database database({.path = folder() / "jobs.db", .vfs = {}});
    migrate(database, sqliteMigrations().first(1));
    database.execute("INSERT INTO api_keys VALUES ('key_old', 'old', '" + std::string(64, 'a') +
                     "', '[\"read_jobs\"]', 1, NULL, NULL)");
  }
  reopen();
  const auto keys = *sqlite().keys();
  ASSERT_THAT(keys, testing::SizeIs(1));
  EXPECT_TRUE(keys[0].all_jobs);
  EXPECT_EQ(keys[0].owner, "");
  EXPECT_EQ(keys[0].rate_per_minute, 0);
  EXPECT_EQ(keys[0].privileges, std::vector<std::string>{"read_jobs"});
}

TEST_F(SqliteStoreFile, ARemovalOfAnEarlierSchemaIsCarriedOn) {
  const auto root = submit("root");
  core::JobDraft draft;
  draft.type = "leaf";
  draft.parent = root;
  ASSERT_TRUE(store->submit(std::vector<core::JobDraft>(1500, draft), {}).ok());
  store.reset();
  {
    // As a host of schema 8 left it that was killed after the first commit.
    Database database({.path = folder() / "jobs.db", .vfs = {}});
    database.execute("ALTER TABLE deserted DROP COLUMN error");
    database.execute("INSERT INTO removals VALUES (" + core::toString(root) + ")");
    database.execute("PRAGMA user_version = 8");
  }
  reopen();
  auto swept = store->rescueAll();
  for (int i = 0; i < 8 && swept->next_due; ++i) swept = tick();
  EXPECT_FALSE(store->get(root).ok());
  EXPECT_EQ(count("leaf", core::JobState::Queued), 0);
}

TEST_F(SqliteStoreFile, OneCommandThatFailsDoesNotFailTheOthersOfItsCommit) {
  // SQLite refuses a text over its limit; the other commands of the batch must not notice.
  std::vector<std::future<core::Result<std::vector<Submitted>>>> answers;
  for (int i = 0; i < 20; ++i) {
    core::JobDraft draft;
    draft.type = "t";
    if (i == 10) draft.params_json = std::string(1'000'000'001, ' ');
    auto promise = std::make_shared<std::promise<core::Result<std::vector<Submitted>>>>();
    answers.push_back(promise->get_future());
    store->submitAsync({std::move(draft)}, {}, [promise](auto result) { promise->set_value(std::move(result)); });
  }
  int failed = 0;
  for (auto& answer : answers) failed += answer.get().ok() ? 0 : 1;
  EXPECT_EQ(failed, 1);
  EXPECT_EQ(count("t", core::JobState::Queued), 19);
  reopen();
  EXPECT_EQ(count("t", core::JobState::Queued), 19);
}

}  // namespace jobhost::store
