// Random attempts against the store and against plain maps: several at once, each with writes of its own, that end in
// every way there is; the host may be opened anew in the middle, with all attempts lost. The seed is printed;
// JOBHOST_SEED repeats a run, JOBHOST_LONG makes it long.
#include <cstdlib>
#include <map>
#include <random>

#include "store/record_view.hpp"
#include "store/sqlite_store.hpp"
#include "unit/store/record_harness.hpp"
#include "unit/store/store_contract.hpp"

namespace jobhost::store {
namespace {

using Sort = std::pair<std::string, std::string>;  // sort, key

struct Doc {
  std::string body, parent, sort, tag;
  int stamp = 0;  ///< of the write: stands for the version
  bool operator==(const Doc&) const = default;
};
using Docs = std::map<std::string, Doc>;

struct Running {
  ClaimedJob job;
  std::shared_ptr<AttemptWrites> own = std::make_shared<AttemptWrites>();
  Docs put;                             ///< its own writes
  std::map<std::string, bool> written;  ///< true: put, false: deleted
  std::map<std::string, int> relies;    ///< stamp (0: none) the committed record must have
};

class Model {
 public:
  explicit Model(unsigned seed) : harness_(storeFactories().front()), random_(seed) { declare(); }

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      SCOPED_TRACE("step " + std::to_string(i));
      step();
    }
    while (!running_.empty()) end(0);
    compare(nullptr);
  }

 private:
  int pick(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  RecordStore& records() { return dynamic_cast<RecordStore&>(*harness_.store); }
  void declare() { ASSERT_TRUE(records().declareCollections("com.example.lib", {{"books", {"tag"}}}).ok()); }
  void step() {
    const int what = pick(100);
    if (running_.size() < 3 && what < 15) return begin();
    if (what < 18) return reopen();
    if (running_.empty()) return begin();
    const auto which = static_cast<std::size_t>(pick(static_cast<int>(running_.size())));
    if (what < 70) return write(running_[which]);
    if (what < 78) return writeAtOnce(running_[which]);
    if (what < 90) return compare(&running_[which]);
    end(which);
  }
  void begin() {
    harness_.submit("t");
    for (auto& job : harness_.claim(1)) {
      running_.emplace_back();
      running_.back().job = std::move(job);
    }
  }
  /// The host dies: attempts and what they wrote are gone.
  void reopen() {
    running_.clear();
    harness_.reopen();
    ASSERT_TRUE(harness_.store->rescueAll().ok());
    for (const auto& job : harness_.claim(10)) harness_.settle(job, OutcomeKind::Canceled);
    compare(nullptr);
  }

  Docs seenBy(const Running* attempt) const {
    Docs docs = committed_;
    if (attempt == nullptr) return docs;
    for (const auto& [key, put] : attempt->written) {
      docs.erase(key);
      if (put) docs[key] = attempt->put.at(key);
    }
    return docs;
  }

  Doc randomDoc() {
    Doc doc;
    doc.tag = std::to_string(pick(3));
    doc.body = R"({"tag":)" + doc.tag + R"(,"n":)" + std::to_string(++stamp_) + "}";
    doc.parent = "p" + std::to_string(pick(2));
    doc.sort = std::to_string(pick(5));
    doc.stamp = stamp_;
    return doc;
  }
  RecordWrite writeOf(const std::string& key, const Doc* doc, std::int64_t expected) {
    auto write = doc != nullptr ? putOf("books", key, doc->body, doc->parent, doc->sort, expected)
                                : deletionOf("books", key, expected);
    return write;
  }
  std::int64_t versionOf(const std::string& key) {
    const auto found = records().record({"com.example.lib", "books", key});
    EXPECT_TRUE(found.ok());
    return found && *found ? (*found)->version : kNoVersion;
  }
  int stampOf(const std::string& key) const {
    const auto found = committed_.find(key);
    return found == committed_.end() ? 0 : found->second.stamp;
  }

  void write(Running& attempt) {
    const std::string key = "k" + std::to_string(pick(12));
    const bool put = pick(4) != 0;
    const Doc doc = randomDoc();
    const bool own = attempt.written.contains(key);
    const int expects = pick(4);  // 0: what is there, 1: nothing there, else anything
    std::int64_t expected = kAnyVersion;
    bool good = true;
    if (expects == 0) {
      expected = own ? (attempt.written[key] ? kOwnVersion : kNoVersion) : versionOf(key);
    } else if (expects == 1) {
      expected = kNoVersion;
      good = own ? !attempt.written[key] : stampOf(key) == 0;
    }
    RecordView view(records(), *attempt.own, harness_.clock.now());
    const auto staged = view.stage(writeOf(key, put ? &doc : nullptr, expected));
    ASSERT_EQ(staged.ok(), good) << key << " " << expected;
    if (!good) return;
    if (!own && expected != kAnyVersion) attempt.relies[key] = stampOf(key);
    attempt.written[key] = put;
    if (put) attempt.put[key] = doc;
  }

  void writeAtOnce(Running& attempt) {
    const std::string key = "k" + std::to_string(pick(12));
    const Doc doc = randomDoc();
    RecordView view(records(), *attempt.own, harness_.clock.now());
    const auto write = writeOf(key, &doc, kAnyVersion);
    const auto good = view.checkAtOnce(write);
    ASSERT_EQ(good.ok(), !attempt.written.contains(key));
    if (!good) return;
    ASSERT_TRUE(writeNow(records(), {write}).ok());
    committed_[key] = doc;
  }

  void end(std::size_t which) {
    Running attempt = std::move(running_[which]);
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(which));
    attempt.own->seal();
    constexpr OutcomeKind kinds[] = {OutcomeKind::Succeeded, OutcomeKind::Succeeded, OutcomeKind::Succeeded,
                                     OutcomeKind::Failed,    OutcomeKind::Canceled,  OutcomeKind::AwaitChildren};
    const OutcomeKind kind = kinds[pick(6)];
    bool kept = kind == OutcomeKind::Succeeded || kind == OutcomeKind::AwaitChildren;
    bool holds = true;
    for (const auto& [key, stamp] : attempt.relies) holds = holds && stampOf(key) == stamp;
    const auto settled =
        harness_.settle(attempt.job, kind, [&](AttemptOutcome& outcome) { outcome.writes = attempt.own; });
    ASSERT_TRUE(settled.applied);
    if (kept && !holds) {
      EXPECT_EQ(settled.state, core::JobState::Failed);
      kept = false;
    } else if (kind == OutcomeKind::Succeeded) {
      EXPECT_EQ(settled.state, core::JobState::Succeeded);
    }
    if (kept) committed_ = seenBy(&attempt);
    for (const auto& job : harness_.claim(10)) harness_.settle(job, OutcomeKind::Canceled);  // one that suspended
    compare(nullptr);
  }

  std::vector<std::string> expectedKeys(const Docs& docs, const RecordQuery& query) const {
    std::vector<std::pair<Sort, std::string>> found;
    for (const auto& [key, doc] : docs) {
      if (query.by == RecordQuery::By::Parent && doc.parent != query.parent) continue;
      if (query.by == RecordQuery::By::Value && orderOf(doc.tag) != query.value) continue;
      found.push_back({{query.by == RecordQuery::By::Key ? "" : doc.sort, key}, key});
    }
    std::sort(found.begin(), found.end());
    if (query.descending) std::reverse(found.begin(), found.end());
    std::vector<std::string> keys;
    for (auto& [sort, key] : found) keys.push_back(key);
    return keys;
  }

  void compare(Running* attempt) {
    const Docs docs = seenBy(attempt);
    AttemptWrites nothing;
    RecordView view(records(), attempt != nullptr ? *attempt->own : nothing, harness_.clock.now());
    for (auto query : {queryOf("books"), childrenOf("books", "p0"), childrenOf("books", "p1"),
                       havingOf("books", "tag", "0"), havingOf("books", "tag", "2")}) {
      query.descending = pick(2) == 0;
      auto source = [&](const RecordQuery& page) { return view.list(page); };
      ASSERT_EQ(allKeys(source, query, 1 + pick(5)), expectedKeys(docs, query));
      ASSERT_EQ(*view.count(query), static_cast<std::int64_t>(expectedKeys(docs, query).size()));
    }
    for (int i = 0; i < 12; ++i) {
      const std::string key = "k" + std::to_string(i);
      const auto found = view.get({"com.example.lib", "books", key});
      ASSERT_TRUE(found.ok());
      const auto expected = docs.find(key);
      ASSERT_EQ(found->has_value(), expected != docs.end()) << key;
      if (*found) {
        ASSERT_EQ((*found)->body, expected->second.body);
      }
    }
  }

  StoreHarness harness_;
  std::mt19937 random_;
  Docs committed_;
  std::vector<Running> running_;
  int stamp_ = 0;
};

TEST(RecordModel, AttemptsThatEndInEveryWayLeaveWhatTheyShould) {
  const char* given = std::getenv("JOBHOST_SEED");
  const bool is_long = std::getenv("JOBHOST_LONG") != nullptr;
  std::random_device device;
  for (int run = 0; run < (is_long ? 200 : 6); ++run) {
    const unsigned seed = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : device();
    SCOPED_TRACE("JOBHOST_SEED=" + std::to_string(seed));
    Model(seed).run(300);
    if (testing::Test::HasFailure() || given != nullptr) {
      std::printf("seed %u\n", seed);
      break;
    }
  }
}

}  // namespace
}  // namespace jobhost::store
