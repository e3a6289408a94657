// What every RecordStore keeps to.
#include <filesystem>
#include <functional>
#include <ostream>
#include <unistd.h>

#include <gmock/gmock.h>

#include "store/attempt_writes.hpp"
#include "store/memory_record_store.hpp"
#include "store/record_view.hpp"
#include "store/sqlite_store.hpp"
#include "unit/store/record_harness.hpp"

namespace jobhost::store {
namespace {

namespace fs = std::filesystem;
using core::ErrorCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using namespace std::chrono_literals;
using By = RecordQuery::By;

struct Kind {
  std::string name;
  std::function<std::unique_ptr<RecordStore>(const fs::path&, const core::Clock&, RecordQuota)> open;
  bool lasts = true;  ///< opened again over the same folder it has what was written
};
void PrintTo(const Kind& kind, std::ostream* out) {
  *out << kind.name;
}

class RecordContract : public testing::TestWithParam<Kind> {
 protected:
  RecordContract() {
    static int number = 0;
    folder =
        fs::temp_directory_path() / ("jobhost-records-" + std::to_string(::getpid()) + "-" + std::to_string(number++));
    fs::remove_all(folder);
    fs::create_directories(folder);
    open({});
    declare({{"books", {"url", "tags"}}, {"pages", {}}});
  }
  ~RecordContract() override {
    store.reset();
    fs::remove_all(folder);
  }
  void open(RecordQuota quota) {
    store.reset();
    store = GetParam().open(folder, clock, quota);
  }
  void declare(const std::vector<CollectionSpec>& collections) {
    const auto work = store->declareCollections("com.example.lib", collections);
    ASSERT_TRUE(work.ok()) << work.error().message << work.error().detail;
  }
  void reindexAll() {
    for (int steps = 0;; ++steps) {
      const auto more = store->reindex(7);
      ASSERT_TRUE(more.ok()) << more.error().message << more.error().detail;
      if (!*more) return;
      ASSERT_LT(steps, 10'000);
    }
  }
  std::int64_t put(RecordWrite write) {
    const auto versions = writeNow(*store, {std::move(write)});
    EXPECT_TRUE(versions.ok()) << versions.error().message << versions.error().detail;
    return versions ? versions->front() : -9;
  }
  ErrorCode refused(RecordWrite write) {
    const auto versions = writeNow(*store, {std::move(write)});
    EXPECT_FALSE(versions.ok());
    return versions ? ErrorCode::Internal : versions.error().code;
  }
  std::optional<Record> get(const std::string& collection, const std::string& key) {
    auto found = store->record({"com.example.lib", collection, key});
    EXPECT_TRUE(found.ok()) << found.error().message << found.error().detail;
    return found ? *found : std::nullopt;
  }
  std::vector<std::string> keys(const RecordQuery& query) { return keysOf(store->records(query)); }
  std::vector<std::string> paged(const RecordQuery& query, int limit) {
    auto source = [this](const RecordQuery& page) { return store->records(page); };
    return allKeys(source, query, limit);
  }

  core::ManualClock clock;
  fs::path folder;
  std::unique_ptr<RecordStore> store;
};

INSTANTIATE_TEST_SUITE_P(Stores, RecordContract,
                         testing::Values(Kind{"Sqlite",
                                              [](const fs::path& folder, const core::Clock& clock,
                                                 RecordQuota quota) -> std::unique_ptr<RecordStore> {
                                                SqliteStore::Options options;
                                                options.path = folder / "jobs.db";
                                                options.synchronous_full = false;
                                                options.records = quota;
                                                auto opened = SqliteStore::open(options, clock);
                                                EXPECT_TRUE(opened.ok())
                                                    << opened.error().message << opened.error().detail;
                                                return opened ? *std::move(opened) : nullptr;
                                              }},
                                         Kind{"Memory",
                                              [](const fs::path&, const core::Clock& clock,
                                                 RecordQuota quota) -> std::unique_ptr<RecordStore> {
                                                return std::make_unique<MemoryRecordStore>(clock, quota);
                                              },
                                              false}),
                         [](const auto& each) { return each.param.name; });

TEST_P(RecordContract, KeepsEveryFieldOfARecord) {
  const auto made = clock.now();
  put(putOf("books", "b1", R"({"url":"http://x"})", "shelf", "2.5"));
  clock.advance(5s);
  const auto version = put(putOf("books", "b1", R"({"url":"http://y","n":1})", "other", "\"z\""));
  if (GetParam().lasts) open({});
  const auto record = get("books", "b1");
  ASSERT_TRUE(record);
  EXPECT_EQ(record->key, "b1");
  EXPECT_EQ(record->body, R"({"url":"http://y","n":1})");
  EXPECT_EQ(record->body_bytes, record->body.size());
  EXPECT_EQ(record->parent, "other");
  EXPECT_EQ(orderKeyJson(record->sort), "\"z\"");
  EXPECT_EQ(record->version, version);
  EXPECT_EQ(record->created_at, made);
  EXPECT_EQ(record->updated_at, clock.now());
  EXPECT_FALSE(get("books", "b2"));
  EXPECT_EQ(store->record({"com.example.lib", "books", "b1"}, false).operator*()->body, "");
}

TEST_P(RecordContract, WritesOnlyWhatIsAsExpected) {
  const auto first = put(putOf("books", "b", "1", "", "null", kNoVersion));
  EXPECT_EQ(refused(putOf("books", "b", "2", "", "null", kNoVersion)), ErrorCode::Conflict);
  const auto second = put(putOf("books", "b", "2", "", "null", first));
  EXPECT_GT(second, first);
  EXPECT_EQ(refused(putOf("books", "b", "3", "", "null", first)), ErrorCode::Conflict);
  EXPECT_EQ(refused(deletionOf("books", "b", first)), ErrorCode::Conflict);
  EXPECT_EQ(refused(putOf("books", "b", "3", "", "null", kOwnVersion)), ErrorCode::Conflict);
  EXPECT_EQ(put(deletionOf("books", "b", second)), 0);
  EXPECT_EQ(refused(putOf("books", "b", "3", "", "null", second)), ErrorCode::Conflict);
  EXPECT_EQ(put(deletionOf("books", "b")), 0) << "what is gone may be deleted again";
}

TEST_P(RecordContract, GivesNoVersionTwice) {
  const auto before = put(putOf("books", "b", "1"));
  put(deletionOf("books", "b"));
  if (GetParam().lasts) open({});
  EXPECT_GT(put(putOf("books", "b", "1")), before);
}

TEST_P(RecordContract, WritesAllOfACallOrNothing) {
  const auto version = put(putOf("books", "a", "1"));
  const auto result = writeNow(
      *store, {putOf("books", "b", "1"), putOf("pages", "p", "1"), putOf("books", "a", "2", "", "null", version + 7)});
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().message, HasSubstr("\"a\""));
  EXPECT_FALSE(get("books", "b"));
  EXPECT_FALSE(get("pages", "p"));
  EXPECT_EQ(writeNow(*store, {putOf("books", "x", "1"), deletionOf("books", "x")}).error().code,
            ErrorCode::InvalidArgument);
  const auto both = writeNow(*store, {putOf("books", "b", "1"), putOf("pages", "p", "1"), deletionOf("books", "a")});
  ASSERT_TRUE(both.ok());
  EXPECT_THAT(*both, SizeIs(3));
  EXPECT_THAT(keys(queryOf("books")), ElementsAre("b"));
}

TEST_P(RecordContract, KnowsOnlyWhatWasDeclared) {
  EXPECT_EQ(refused(putOf("films", "f", "1")), ErrorCode::NotFound);
  EXPECT_EQ(store->records(queryOf("films")).error().code, ErrorCode::NotFound);
  EXPECT_EQ(store->countRecords(queryOf("films")).error().code, ErrorCode::NotFound);
  EXPECT_EQ(store->collection("com.example.lib", "films").error().code, ErrorCode::NotFound);
  EXPECT_EQ(store->collection("com.example.other", "books").error().code, ErrorCode::NotFound);
  EXPECT_THAT(store->records(havingOf("books", "title", "1")).error().message, HasSubstr("no index on \"title\""));
  EXPECT_THAT(*store->collections("com.example.other"), IsEmpty());
  put(putOf("books", "b", "1"));
  const auto all = *store->collections("com.example.lib");
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(all[0].name, "books");
  EXPECT_THAT(all[0].indexes, ElementsAre("tags", "url"));
  EXPECT_EQ(all[0].records, 1);
  EXPECT_EQ(all[1].name, "pages");
}

TEST_P(RecordContract, RefusesCollectionsItCannotKeep) {
  const auto wrong = [&](CollectionSpec spec) {
    return store->declareCollections("com.example.lib", {std::move(spec)}).error().code;
  };
  for (const char* name : {"", "Books", "#x", "1a", "a/b", "a b"}) {
    EXPECT_EQ(wrong({name, {}}), ErrorCode::InvalidArgument) << name;
  }
  EXPECT_EQ(wrong({std::string(kMaxCollectionName + 1, 'a'), {}}), ErrorCode::InvalidArgument);
  EXPECT_EQ(wrong({"a", {"x..y"}}), ErrorCode::InvalidArgument);
  EXPECT_EQ(wrong({"a", {"a", "b", "c", "d", "e", "f", "g", "h", "i"}}), ErrorCode::InvalidArgument);
}

TEST_P(RecordContract, ListsByKeyPageByPageBothWays) {
  for (int i = 0; i < 25; ++i) put(putOf("pages", "k" + std::to_string(100 + i), "{}"));
  put(putOf("pages", "other", "{}"));
  auto query = queryOf("pages");
  EXPECT_THAT(keys(query), SizeIs(26));
  query.prefix = "k1";
  const auto up = paged(query, 4);
  EXPECT_THAT(up, SizeIs(25));
  EXPECT_TRUE(std::is_sorted(up.begin(), up.end()));
  query.descending = true;
  auto down = paged(query, 3);
  std::reverse(down.begin(), down.end());
  EXPECT_EQ(down, up);
  EXPECT_EQ(*store->countRecords(query), 25);
  EXPECT_EQ(*store->countRecords(queryOf("pages")), 26);
  query.among = {"k100", "k124", "other", "none", "\"'\\"};
  EXPECT_EQ(*store->countRecords(query), 2);
  query.prefix.clear();
  EXPECT_EQ(*store->countRecords(query), 3);
  query.among.clear();
  query.with_bodies = false;
  EXPECT_EQ(store->records(query)->records[0].body, "");
  EXPECT_EQ(store->records(query)->records[0].body_bytes, 2U);
}

TEST_P(RecordContract, ListsChildrenInSortOrder) {
  put(putOf("pages", "c", "{}", "book", "10"));
  put(putOf("pages", "a", "{}", "book", "2"));
  put(putOf("pages", "z", "{}", "book", "2"));
  put(putOf("pages", "t", "{}", "book", "\"x\""));
  put(putOf("pages", "n", "{}", "book"));
  put(putOf("pages", "e", "{}", "elsewhere", "1"));
  put(putOf("pages", "top", "{}"));
  EXPECT_THAT(keys(childrenOf("pages", "book")), ElementsAre("n", "a", "z", "c", "t"));
  EXPECT_THAT(paged(childrenOf("pages", "book"), 1), ElementsAre("n", "a", "z", "c", "t"));
  auto down = childrenOf("pages", "book");
  down.descending = true;
  EXPECT_THAT(paged(down, 2), ElementsAre("t", "c", "z", "a", "n"));
  EXPECT_THAT(keys(childrenOf("pages", "")), ElementsAre("top"));
  EXPECT_EQ(*store->countRecords(childrenOf("pages", "book")), 5);
  auto some = childrenOf("pages", "book");
  some.among = {"a", "e", "t"};
  EXPECT_EQ(*store->countRecords(some), 2);
  put(putOf("pages", "a", "{}", "elsewhere", "0"));
  EXPECT_THAT(keys(childrenOf("pages", "book")), ElementsAre("n", "z", "c", "t"));
  EXPECT_THAT(keys(childrenOf("pages", "elsewhere")), ElementsAre("a", "e"));
}

TEST_P(RecordContract, FindsByValueWhatHasItNow) {
  put(putOf("books", "a", R"({"tags":["x","y"],"url":"u1"})", "", "2"));
  put(putOf("books", "b", R"({"tags":"x"})", "", "1"));
  put(putOf("books", "c", R"({"tags":["y"]})"));
  EXPECT_THAT(keys(havingOf("books", "tags", "\"x\"")), ElementsAre("b", "a"));
  EXPECT_THAT(paged(havingOf("books", "tags", "\"y\""), 1), ElementsAre("c", "a"));
  EXPECT_EQ(*store->countRecords(havingOf("books", "tags", "\"x\"")), 2);
  auto some = havingOf("books", "tags", "\"x\"");
  some.among = {"b", "c"};
  EXPECT_EQ(*store->countRecords(some), 1);
  auto down = havingOf("books", "tags", "\"x\"");
  down.descending = true;
  EXPECT_THAT(paged(down, 1), ElementsAre("a", "b"));
  put(putOf("books", "a", R"({"tags":["z"]})"));
  put(deletionOf("books", "c"));
  EXPECT_THAT(keys(havingOf("books", "tags", "\"x\"")), ElementsAre("b"));
  EXPECT_THAT(keys(havingOf("books", "tags", "\"y\"")), IsEmpty());
  EXPECT_THAT(keys(havingOf("books", "tags", "\"z\"")), ElementsAre("a"));
  EXPECT_THAT(keys(havingOf("books", "url", "\"u1\"")), IsEmpty());
}

TEST_P(RecordContract, BuildsAndRemovesIndexesWhenTheDeclarationChanges) {
  for (int i = 0; i < 50; ++i) {
    put(putOf("books", "k" + std::to_string(i), R"({"year":)" + std::to_string(i % 5) + R"(,"url":"u"})"));
  }
  declare({{"books", {"year"}}});
  put(putOf("books", "k50", R"({"year":3})"));
  put(putOf("books", "k3", R"({"year":99})"));
  put(deletionOf("books", "k8"));
  reindexAll();
  EXPECT_THAT(keys(havingOf("books", "year", "3")), SizeIs(9));
  EXPECT_THAT(keys(havingOf("books", "year", "99")), ElementsAre("k3"));
  EXPECT_EQ(store->records(havingOf("books", "url", "\"u\"")).error().code, ErrorCode::NotFound);
  declare({{"books", {"year", "url"}}});
  reindexAll();
  EXPECT_THAT(keys(havingOf("books", "url", "\"u\"")), SizeIs(48));
  declare({{"pages", {}}});
  EXPECT_THAT(keys(havingOf("books", "year", "3")), SizeIs(9)) << "what is not named stays";
}

TEST_P(RecordContract, EndsAPageBeforeItGetsTooLarge) {
  for (int i = 0; i < 8; ++i) put(putOf("pages", std::to_string(i), "\"" + std::string(900'000, 'x') + "\""));
  const auto page = store->records(queryOf("pages"));
  ASSERT_TRUE(page.ok());
  EXPECT_TRUE(page->more);
  EXPECT_EQ(page->records.size(), 5U);
  EXPECT_THAT(paged(queryOf("pages"), 100), SizeIs(8));
}

TEST_P(RecordContract, KeepsNoMoreThanThePluginsQuota) {
  open({3, 100});
  declare({{"books", {}}, {"pages", {}}});
  put(putOf("books", "a", "1"));
  put(putOf("pages", "b", "1"));
  RecordWrite value = putOf(keySpace(), "c", "1");
  put(value);
  EXPECT_EQ(refused(putOf("books", "d", "1")), ErrorCode::Exhausted);
  put(putOf("books", "a", "12"));
  EXPECT_TRUE(writeNow(*store, {deletionOf("books", "a"), putOf("books", "d", "1")}).ok());
  EXPECT_EQ(refused(putOf("books", "d", "\"" + std::string(100, 'x') + "\"")), ErrorCode::Exhausted);
  put(deletionOf("pages", "b"));
  put(putOf("books", "e", "1"));
  RecordWrite other = putOf("books", "x", "1");
  other.at.plugin = "com.example.other";
  ASSERT_TRUE(store->declareCollections("com.example.other", {{"books", {}}}).ok());
  put(other);
  if (!GetParam().lasts) return;
  open({3, 100});
  EXPECT_EQ(refused(putOf("books", "f", "1")), ErrorCode::Exhausted) << "what is there counts after a start too";
}

TEST_P(RecordContract, KeyValueSpacesKeepBytesUntilTheirTime) {
  RecordWrite write = putOf(keySpace(), "etag", std::string("\0\xff\x01", 3));
  write.expires_at = clock.now() + 10s;
  put(write);
  put(putOf(keySpace(), "cursor", "7"));
  put(putOf(keySpaceOfType("fetch"), "etag", "of the type"));
  EXPECT_EQ(get(keySpace(), "etag")->body, std::string("\0\xff\x01", 3));
  EXPECT_EQ(get(keySpace(), "etag")->expires_at, write.expires_at);
  EXPECT_EQ(get(keySpaceOfType("fetch"), "etag")->body, "of the type");
  EXPECT_FALSE(get(keySpaceOfType("other"), "etag"));
  EXPECT_THAT(keys(queryOf(keySpace())), ElementsAre("cursor", "etag"));
  clock.advance(10s);
  EXPECT_FALSE(get(keySpace(), "etag"));
  EXPECT_THAT(keys(queryOf(keySpace())), ElementsAre("cursor"));
  put(putOf(keySpace(), "etag", "new", "", "null", kNoVersion));
  EXPECT_EQ(get(keySpace(), "etag")->body, "new");
}

// ---------------------------------------------------------------------------------------- what an attempt sees
class RecordViewContract : public RecordContract {
 protected:
  RecordView view() { return RecordView(*store, own, clock.now()); }
  core::Result<void> stage(RecordWrite write) { return view().stage(std::move(write)); }
  ErrorCode refusedStage(RecordWrite write) {
    const auto staged = stage(std::move(write));
    EXPECT_FALSE(staged.ok());
    return staged ? ErrorCode::Internal : staged.error().code;
  }
  std::vector<std::string> seen(const RecordQuery& query, int limit) {
    auto source = [this](const RecordQuery& page) { return view().list(page); };
    return allKeys(source, query, limit);
  }
  AttemptWrites own{{.writes = 50, .bytes = 3'000'000}};
};
INSTANTIATE_TEST_SUITE_P(Stores, RecordViewContract,
                         testing::Values(Kind{"Sqlite",
                                              [](const fs::path& folder, const core::Clock& clock,
                                                 RecordQuota) -> std::unique_ptr<RecordStore> {
                                                SqliteStore::Options options;
                                                options.path = folder / "jobs.db";
                                                options.synchronous_full = false;
                                                auto opened = SqliteStore::open(options, clock);
                                                return opened ? *std::move(opened) : nullptr;
                                              }},
                                         Kind{"Memory",
                                              [](const fs::path&, const core::Clock& clock,
                                                 RecordQuota) -> std::unique_ptr<RecordStore> {
                                                return std::make_unique<MemoryRecordStore>(clock);
                                              },
                                              false}),
                         [](const auto& each) { return each.param.name; });

TEST_P(RecordViewContract, ShowsOwnWritesAndNobodyElseSeesThem) {
  put(putOf("books", "a", R"({"tags":"x"})", "p", "1"));
  put(putOf("books", "b", R"({"tags":"x"})", "p", "2"));
  ASSERT_TRUE(stage(putOf("books", "b", R"({"tags":"y"})", "p", "0")).ok());
  ASSERT_TRUE(stage(putOf("books", "c", R"({"tags":"x"})", "p", "1.5")).ok());
  ASSERT_TRUE(stage(deletionOf("books", "a")).ok());
  EXPECT_EQ((*view().get({"com.example.lib", "books", "b"}))->body, R"({"tags":"y"})");
  EXPECT_EQ((*view().get({"com.example.lib", "books", "b"}))->version, kOwnVersion);
  EXPECT_FALSE(*view().get({"com.example.lib", "books", "a"}));
  EXPECT_THAT(seen(childrenOf("books", "p"), 1), ElementsAre("b", "c"));
  EXPECT_THAT(seen(havingOf("books", "tags", "\"x\""), 10), ElementsAre("c"));
  EXPECT_THAT(seen(queryOf("books"), 1), ElementsAre("b", "c"));
  EXPECT_EQ(*view().count(childrenOf("books", "p")), 2);
  EXPECT_EQ(*view().count(havingOf("books", "tags", "\"x\"")), 1);
  EXPECT_EQ(*view().count(queryOf("books")), 2);
  EXPECT_THAT(keys(queryOf("books")), ElementsAre("a", "b"));
  EXPECT_EQ(get("books", "b")->body, R"({"tags":"x"})");
}

TEST_P(RecordViewContract, ChecksExpectationsAgainstWhatTheAttemptSees) {
  const auto version = put(putOf("books", "a", "1"));
  EXPECT_EQ(refusedStage(putOf("books", "a", "2", "", "null", kNoVersion)), ErrorCode::Conflict);
  EXPECT_EQ(refusedStage(putOf("books", "a", "2", "", "null", version + 1)), ErrorCode::Conflict);
  ASSERT_TRUE(stage(putOf("books", "a", "2", "", "null", version)).ok());
  EXPECT_EQ(refusedStage(putOf("books", "a", "3", "", "null", version)), ErrorCode::Conflict);
  ASSERT_TRUE(stage(putOf("books", "a", "3", "", "null", kOwnVersion)).ok());
  ASSERT_TRUE(stage(deletionOf("books", "a", kOwnVersion)).ok());
  EXPECT_EQ(refusedStage(deletionOf("books", "a", kOwnVersion)), ErrorCode::Conflict);
  ASSERT_TRUE(stage(putOf("books", "a", "4", "", "null", kNoVersion)).ok());
  const auto entries = own.all();
  ASSERT_THAT(entries, SizeIs(1));
  EXPECT_EQ(entries[0]->expected, version) << "the store must find what the first write relied on";
  EXPECT_EQ(entries[0]->body, "4");
}

TEST_P(RecordViewContract, RefusesWhatCannotBeStoredWhenItIsWritten) {
  EXPECT_EQ(refusedStage(putOf("books", "", "1")), ErrorCode::InvalidArgument);
  EXPECT_EQ(refusedStage(putOf("books", "a\nb", "1")), ErrorCode::InvalidArgument);
  EXPECT_EQ(refusedStage(putOf("books", "\xff", "1")), ErrorCode::InvalidArgument);
  EXPECT_EQ(refusedStage(putOf("books", std::string(kMaxRecordKey + 1, 'k'), "1")), ErrorCode::InvalidArgument);
  EXPECT_EQ(refusedStage(putOf("books", "a", "{\"x\":}")), ErrorCode::InvalidArgument);
  EXPECT_EQ(refusedStage(putOf("books", "a", R"({"url":{}})")), ErrorCode::InvalidArgument);
  EXPECT_EQ(refusedStage(putOf("books", "a", "1", std::string(kMaxRecordKey + 1, 'p'))), ErrorCode::InvalidArgument);
  EXPECT_EQ(refusedStage(putOf("films", "a", "1")), ErrorCode::NotFound);
  EXPECT_EQ(refusedStage(putOf("books", "a", "\"" + std::string(kMaxRecordBody, 'x') + "\"")), ErrorCode::TooLarge);
  ASSERT_TRUE(stage(putOf(keySpace(), "a", std::string("\xff\0", 2))).ok());
  ASSERT_TRUE(stage(putOf("books", "b", "1")).ok());
  EXPECT_EQ(view().checkAtOnce(putOf("books", "b", "1")).error().code, ErrorCode::Conflict);
  EXPECT_TRUE(view().checkAtOnce(putOf("books", "c", "1")).ok());
}

TEST_P(RecordViewContract, KeepsToTheLimitsOfAnAttempt) {
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(stage(putOf("pages", std::to_string(i), "1")).ok());
  EXPECT_EQ(refusedStage(putOf("pages", "one more", "1")), ErrorCode::Exhausted);
  ASSERT_TRUE(stage(putOf("pages", "7", "2")).ok()) << "a record written again counts once";
  const std::string large = "\"" + std::string(900'000, 'x') + "\"";
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(stage(putOf("pages", std::to_string(i), large)).ok());
  EXPECT_EQ(refusedStage(putOf("pages", "3", large)), ErrorCode::Exhausted);
  ASSERT_TRUE(stage(putOf("pages", "2", "1")).ok());
  ASSERT_TRUE(stage(putOf("pages", "3", large)).ok()) << "what was replaced no longer counts";
  own.seal();
  EXPECT_EQ(refusedStage(putOf("pages", "7", "3")), ErrorCode::Canceled);
}

TEST_P(RecordViewContract, FillsPagesWhereOwnWritesHideMuch) {
  for (int i = 0; i < 60; ++i) put(putOf("pages", "k" + std::to_string(100 + i), "{}", "p", std::to_string(i)));
  for (int i = 0; i < 45; ++i) ASSERT_TRUE(stage(deletionOf("pages", "k" + std::to_string(100 + i))).ok());
  ASSERT_TRUE(stage(putOf("pages", "new", "{}", "p", "47.5")).ok());
  auto query = childrenOf("pages", "p");
  query.limit = 10;
  const auto page = *view().list(query);
  EXPECT_THAT(page.records, SizeIs(10));
  EXPECT_TRUE(page.more);
  EXPECT_EQ(page.records[3].key, "new");
  EXPECT_THAT(seen(childrenOf("pages", "p"), 3), SizeIs(16));
}

}  // namespace
}  // namespace jobhost::store
