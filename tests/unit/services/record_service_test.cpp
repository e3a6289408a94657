// RecordService: answers in order, declares what generations declare, builds indexes between calls.
#include "services/record_service.hpp"

#include <atomic>
#include <future>

#include <gmock/gmock.h>

#include "store/memory_record_store.hpp"
#include "store/record_value.hpp"

namespace jobhost::services {
namespace {

using core::ErrorCode;
using namespace std::chrono_literals;
using testing::SizeIs;

template <class T>
struct Answer {
  std::promise<core::Result<T>> promise;
  pool::RecordServices::Done<T> done() {
    return [this](core::Result<T> result) { promise.set_value(std::move(result)); };
  }
  core::Result<T> get() { return promise.get_future().get(); }
};

/// Counts the steps of building, and can refuse declarations for a while.
class WatchedStore : public store::RecordStore {
 public:
  explicit WatchedStore(const core::Clock& clock) : kept(clock) {}
  core::Result<bool> declareCollections(const std::string& plugin,
                                        const std::vector<store::CollectionSpec>& collections) override {
    if (refuse-- > 0) return core::Error{ErrorCode::Unavailable, "disk full", {}, {}};
    ++declared;
    static_cast<void>(kept.declareCollections(plugin, collections));
    return true;
  }
  core::Result<bool> reindex(int) override {
    if (declared == 0) return false;
    if (++steps == 5) done.set_value();
    return steps < 5;
  }
  core::Result<std::vector<store::CollectionInfo>> collections(const std::string& plugin) override {
    return kept.collections(plugin);
  }
  core::Result<store::CollectionInfo> collection(const std::string& plugin, const std::string& name) override {
    return kept.collection(plugin, name);
  }
  void writeRecords(std::vector<store::RecordWrite> writes, Done<std::vector<std::int64_t>> answer) override {
    kept.writeRecords(std::move(writes), std::move(answer));
  }
  core::Result<std::optional<store::Record>> record(const store::RecordRef& at, bool with_body) override {
    return kept.record(at, with_body);
  }
  core::Result<store::RecordPage> records(const store::RecordQuery& query) override { return kept.records(query); }
  core::Result<std::int64_t> countRecords(const store::RecordQuery& query) override { return kept.countRecords(query); }
  store::MemoryRecordStore kept;
  std::atomic<int> refuse{0};
  std::atomic<int> declared{0};
  std::atomic<int> steps{0};
  std::promise<void> done;
};

struct RecordServiceTest : testing::Test {
  void publish(std::vector<catalog::RecordCollection> collections) {
    auto generation = std::make_shared<catalog::PluginGeneration>();
    generation->id = catalog.nextGenerationId();
    generation->plugin_id = "com.example.lib";
    generation->records = std::move(collections);
    catalog::TypeEntry entry;
    entry.info.name = "t";
    entry.info.plugin_id = "com.example.lib";
    entry.generation = generation;
    std::map<std::string, catalog::TypeEntry, std::less<>> types;
    types["t"] = entry;
    catalog.publish(std::move(types), {});
  }
  core::Result<std::int64_t> put(const std::string& key, bool at_once = false) {
    Answer<std::int64_t> answer;
    store::RecordWrite write;
    write.at = {"com.example.lib", "books", key};
    write.body = "1";
    service->writeRecord(own, write, at_once, answer.done());
    return answer.get();
  }
  core::Result<std::optional<store::Record>> get(const std::string& key) {
    Answer<std::optional<store::Record>> answer;
    service->getRecord(own, {"com.example.lib", "books", key}, answer.done());
    return answer.get();
  }

  core::SystemClock clock;
  catalog::Catalog catalog;
  WatchedStore records{clock};
  std::unique_ptr<RecordService> service;
  std::shared_ptr<store::AttemptWrites> own;
  void start() {
    service = std::make_unique<RecordService>(records, catalog, clock, RecordService::Options{{.writes = 3}, 1000, 10});
    own = service->openWrites();
  }
};

TEST_F(RecordServiceTest, KnowsWhatWasPublishedBeforeItAndAfter) {
  publish({{"books", {}}});
  start();
  EXPECT_EQ(*put("a"), store::kOwnVersion);
  EXPECT_EQ((*get("a"))->body, "1");
  EXPECT_GT(*put("b", true), 0);
  EXPECT_THAT(own->all(), SizeIs(1));
  publish({{"books", {"year"}}});
  EXPECT_EQ(*put("c"), store::kOwnVersion);
  EXPECT_EQ(records.declared, 2);
  publish({{"books", {"year"}}});
  EXPECT_EQ(*put("d"), store::kOwnVersion);
  EXPECT_EQ(records.declared, 2) << "the same again is no news";
  EXPECT_EQ(put("e").error().code, ErrorCode::Exhausted) << "its attempts have the limits of its options";
}

TEST_F(RecordServiceTest, BuildsIndexesToTheEnd) {
  publish({{"books", {}}});
  start();
  ASSERT_EQ(records.done.get_future().wait_for(30s), std::future_status::ready);
  EXPECT_EQ(*put("a"), store::kOwnVersion);
  EXPECT_EQ(records.steps, 5) << "and rests then";
}

TEST_F(RecordServiceTest, TriesAgainWhatTheStoreCouldNotDeclare) {
  records.refuse = 1;
  publish({{"books", {}}});
  start();
  ASSERT_EQ(records.done.get_future().wait_for(30s), std::future_status::ready);
  EXPECT_EQ(records.declared, 1);
  EXPECT_EQ(*put("a"), store::kOwnVersion);
}

TEST_F(RecordServiceTest, AnswersNothingToAnAttemptThatHasEnded) {
  publish({{"books", {}}});
  start();
  EXPECT_EQ(*put("a"), store::kOwnVersion);
  own->seal();
  EXPECT_EQ(put("b").error().code, ErrorCode::Canceled);
}

}  // namespace
}  // namespace jobhost::services
