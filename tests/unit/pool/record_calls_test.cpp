// What a plugin's calls about records are answered: read, checked against its manifest, served over a store in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <stop_token>
#include <thread>

#include "pool/calls.hpp"
#include "store/memory_record_store.hpp"
#include "store/record_view.hpp"
#include "wire/codec.hpp"

namespace jobhost::pool {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using wire::Method;

/// Records as services/ serves them, at once.
class Kept final : public RecordServices {
 public:
  explicit Kept(const core::Clock& clock) : store(clock), clock_(clock) {}
  Writes openWrites() override { return std::make_shared<store::AttemptWrites>(); }
  void getRecord(Writes own, store::RecordRef at, Done<std::optional<store::Record>> done) override {
    done(view(*own).get(at));
  }
  void writeRecord(Writes own, store::RecordWrite write, bool at_once, Done<std::int64_t> done) override {
    auto own_view = view(*own);
    if (!at_once) {
      auto staged = own_view.stage(std::move(write));
      return staged ? done(store::kOwnVersion) : done(staged.error());
    }
    if (auto good = own_view.checkAtOnce(write); !good) return done(good.error());
    auto written = store.write({&write});
    if (!written) return done(written.error());
    done(written->front());
  }
  void listRecords(Writes own, store::RecordQuery query, Done<store::RecordPage> done) override {
    done(view(*own).list(query));
  }
  void countRecords(Writes own, store::RecordQuery query, Done<std::int64_t> done) override {
    done(view(*own).count(query));
  }
  store::MemoryRecordStore store;

 private:
  store::RecordView view(store::AttemptWrites& own) { return {store, own, clock_.now()}; }
  const core::Clock& clock_;
};

class Services final : public AttemptServices {
 public:
  explicit Services(RecordServices* kept) : kept_(kept) {}
  void submitChild(const Caller&, std::string, Done<core::JobId>) override {}
  void childStates(const Caller&, std::vector<core::JobId>, Done<std::vector<ChildState>>) override {}
  void awaitChildren(const Caller&, std::vector<core::JobId>, bool, core::Millis,
                     Done<std::vector<ChildState>>) override {}
  void cancelChild(const Caller&, core::JobId, Done<void>) override {}
  void saveCheckpoint(const Caller&, std::string, Done<void>) override {}
  void loadCheckpoint(const Caller&, Done<std::optional<std::string>>) override {}
  void config(const Caller&, Done<std::string>) override {}
  void secret(const Caller&, std::string, Done<std::string>) override {}
  [[nodiscard]] std::vector<std::string> redactions(const std::string&) const override { return {}; }
  RecordServices* records() override { return kept_; }

 private:
  RecordServices* kept_;
};

class RecordCalls : public testing::Test {
 protected:
  RecordCalls() {
    auto generation = std::make_shared<catalog::PluginGeneration>();
    generation->plugin_id = "com.example.lib";
    generation->records = {{"books", {"tags"}}};
    auto entry = std::make_shared<catalog::TypeEntry>();
    entry->generation = generation;
    entry->info.permissions.kv = true;
    entry->info.permissions.records_read = {"com.example.other/films"};
    entry->info.permissions.records_write = {"com.example.third/*"};
    attempt.type = entry;
    attempt.assignment.job.id = {7};
    attempt.assignment.job.type = "shelve";
    attempt.assignment.plugin = "com.example.lib";
    static_cast<void>(kept.store.declareCollections("com.example.lib", {{"books", {"tags"}}}));
    static_cast<void>(kept.store.declareCollections("com.example.other", {{"films", {}}, {"series", {}}}));
    static_cast<void>(kept.store.declareCollections("com.example.third", {{"notes", {}}}));
  }
  CallAnswer ask(Method method, const wire::RecordCall& call) {
    std::string body;
    wire::encode(body, call);
    return askRaw(method, body);
  }
  CallAnswer askRaw(Method method, const std::string& body) {
    std::promise<CallAnswer> answer;
    loop.post([&] {
      handleCall(context, attempt, wire::Call{method, body}, [&](const CallAnswer& made) { answer.set_value(made); });
    });
    return answer.get_future().get();
  }
  CallAnswer put(const std::string& key, const std::string& value, const std::string& options = {}) {
    return ask(Method::RecordPut, {"books", key, options, value});
  }
  std::string list(const std::string& query) { return ask(Method::RecordList, {"books", {}, query, {}}).body; }
  static std::int64_t number(const CallAnswer& answer) {
    EXPECT_EQ(answer.result, 0) << answer.error;
    wire::Decoder in(answer.body);
    return in.i64();
  }

  core::ManualClock clock;
  const RunnerPoolOptions pool_options;
  EventLoop loop;
  Warden warden{{std::filesystem::temp_directory_path(), false}, loop};
  FilesThread files;
  Kept kept{clock};
  Services services{&kept};
  PoolContext context{pool_options, clock, loop, warden, files, &services, nullptr};
  Attempt attempt;
  std::jthread thread{[this](const std::stop_token& stop) { loop.run(stop, [] {}); }};  // last: stops first
};

TEST_F(RecordCalls, KeepAndFindDocuments) {
  EXPECT_EQ(number(put("a", R"({"tags":["x"]})", R"({"parent":"p","sort":2})")), -2);
  EXPECT_EQ(number(put("b", R"({"tags":"x"})", R"({"parent":"p","sort":1,"expected":0})")), -2);
  EXPECT_EQ(ask(Method::RecordGet, {"books", "a", {}, {}}).body,
            R"({"key":"a","version":-2,"parent":"p","sort":2,"created_ms":1800000000000,"updated_ms":1800000000000,)"
            R"("value":{"tags":["x"]}})");
  EXPECT_THAT(list(R"({"parent":"p","values":false,"limit":1})"), StartsWith(R"({"items":[{"key":"b","version":-2)"));
  EXPECT_EQ(number(ask(Method::RecordCount, {"com.example.lib/books", {}, R"({"index":"tags","value":"x"})", {}})), 2);
  EXPECT_EQ(ask(Method::RecordDelete, {"books", "a", {}, {}}).result, 0);
  EXPECT_EQ(ask(Method::RecordGet, {"books", "a", {}, {}}).result, -5);
  EXPECT_GT(number(put("c", "1", R"({"now":true})")), 0);
  ASSERT_TRUE(attempt.writes);
  EXPECT_EQ(attempt.writes->all().size(), 2U) << "what was written at once is not the attempt's to commit";
}

TEST_F(RecordCalls, PagesGoOnWhereTheyEnded) {
  for (int i = 0; i < 7; ++i) number(put("k" + std::to_string(i), "1", R"({"parent":"p","sort":"s\u00fc"})"));
  for (const char* order : {"asc", "desc"}) {
    std::string cursor, keys;
    for (int page = 0; page < 4; ++page) {
      const auto body = list(R"({"parent":"p","limit":2,"order":")" + std::string(order) + "\"" +
                             (cursor.empty() ? "" : ",\"cursor\":" + cursor) + "}");
      for (std::size_t at = 0; (at = body.find("\"key\":\"k", at)) != std::string::npos; at += 8) keys += body[at + 8];
      const auto next = body.find("\"next\":");
      EXPECT_EQ(next == std::string::npos, page == 3);
      if (next != std::string::npos) cursor = body.substr(next + 7, body.size() - next - 8);
    }
    EXPECT_EQ(keys, order[0] == 'a' ? "0123456" : "6543210");
  }
}

TEST_F(RecordCalls, KeysAreBytesOfTheirSpace) {
  const std::string bytes("\0\xff", 2);
  EXPECT_EQ(number(ask(Method::KeyPut, {"plugin", "k", R"({"ttl_ms":1000})", bytes})), -2);
  EXPECT_EQ(number(ask(Method::KeyPut, {"job", "k", R"({"now":true})", "job's"})), 1);
  const auto got = ask(Method::KeyGet, {"plugin", "k", {}, {}});
  EXPECT_EQ(number(got), -2);
  EXPECT_EQ(got.body.substr(8), bytes);
  EXPECT_EQ(ask(Method::KeyGet, {"type", "k", {}, {}}).result, -5);
  EXPECT_THAT(ask(Method::KeyList, {"plugin", {}, {}, {}}).body,
              HasSubstr(R"("size_bytes":2,"expires_ms":1800000001000)"));
  EXPECT_TRUE(kept.store.record({"com.example.lib", store::keySpaceOfJob({7}), "k"}, true).operator*().has_value());
  clock.advance(std::chrono::seconds(1));
  EXPECT_EQ(ask(Method::KeyGet, {"plugin", "k", {}, {}}).result, -5);
  EXPECT_EQ(ask(Method::KeyDelete, {"job", "k", {}, {}}).result, 0);
}

TEST_F(RecordCalls, WhatIsNotAsExpectedIsAConflict) {
  const auto version = number(put("a", "1", R"({"now":true})"));
  EXPECT_EQ(put("a", "2", R"({"expected":0})").result, -13);
  EXPECT_EQ(put("a", "2", R"({"expected":)" + std::to_string(version) + "}").result, 0);
  EXPECT_EQ(put("a", "3", R"({"now":true})").result, -13) << "it has a write of its own that waits";
  EXPECT_EQ(put("a", "3", R"({"expected":-2})").result, 0);
}

TEST_F(RecordCalls, OfOthersNeedThePermissionForWhatTheyDo) {
  const auto result = [&](Method method, const char* place) { return ask(method, {place, "k", {}, "1"}); };
  EXPECT_EQ(result(Method::RecordGet, "com.example.other/films").result, -5);
  EXPECT_THAT(result(Method::RecordPut, "com.example.other/films").error, HasSubstr("permissions.records.write"));
  EXPECT_THAT(result(Method::RecordGet, "com.example.other/series").error, HasSubstr("permissions.records.read"));
  EXPECT_EQ(result(Method::RecordPut, "com.example.third/notes").result, 0);
  EXPECT_EQ(result(Method::RecordGet, "com.example.third/notes").result, 0) << "who may write may read";
  EXPECT_EQ(result(Method::RecordGet, "com.example.third/none").result, -3) << "not found is said of records alone";
  EXPECT_EQ(result(Method::RecordGet, "com.example.third/#").result, -3) << "keys are nobody else's";
  EXPECT_EQ(result(Method::RecordPut, "films").result, -3);
  auto entry = std::make_shared<catalog::TypeEntry>(*attempt.type);
  entry->info.permissions = {};
  attempt.type = entry;
  EXPECT_THAT(result(Method::KeyGet, "plugin").error, HasSubstr("permissions.kv"));
  EXPECT_EQ(result(Method::KeyGet, "plugin").result, -4);
}

TEST_F(RecordCalls, ThatCannotBeReadAreRefusedWithTheReason) {
  const auto why = [&](Method method, const std::string& options, const std::string& value = "1") {
    const auto answer = ask(method, {"books", "k", options, value});
    EXPECT_EQ(answer.result, -3) << options;
    return answer.error;
  };
  EXPECT_THAT(why(Method::RecordPut, "[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(why(Method::RecordPut, R"({"expcted":1})"), HasSubstr("/expcted: unknown"));
  EXPECT_THAT(why(Method::RecordPut, R"({"expected":-3})"), HasSubstr("/expected: "));
  EXPECT_THAT(why(Method::RecordPut, R"({"sort":{}})"), HasSubstr("/sort: "));
  EXPECT_THAT(why(Method::RecordPut, R"({"now":1})"), HasSubstr("/now: "));
  EXPECT_THAT(why(Method::RecordPut, R"({"ttl_ms":5})"), HasSubstr("/ttl_ms: unknown"));
  EXPECT_THAT(why(Method::RecordPut, {}, "{"), HasSubstr("not valid JSON"));
  EXPECT_THAT(why(Method::RecordPut, {}, R"({"tags":{}})"), HasSubstr("\"tags\""));
  EXPECT_THAT(why(Method::RecordList, R"({"limit":1001})"), HasSubstr("/limit: "));
  EXPECT_THAT(why(Method::RecordList, R"({"order":"up"})"), HasSubstr("/order: "));
  for (const char* cursor : {"", "x", "f.k", "zz.k"}) {
    EXPECT_THAT(why(Method::RecordList, R"({"cursor":")" + std::string(cursor) + "\"}"), HasSubstr("/cursor: "));
  }
  EXPECT_THAT(why(Method::RecordList, R"({"index":"tags"})"), HasSubstr("/value: "));
  EXPECT_THAT(why(Method::RecordList, R"({"index":"title","value":1})"), HasSubstr("no index"));
  EXPECT_THAT(why(Method::RecordCount, R"({"parent":"a","prefix":"b"})"), HasSubstr("only one of"));
  EXPECT_EQ(ask(Method::RecordPut, {"books", "k", {}, std::string((1 << 20) + 1, ' ')}).result, -6);
  EXPECT_EQ(ask(Method::RecordPut, {"books", std::string(600, 'k'), {}, "1"}).result, -3);
  EXPECT_EQ(ask(Method::KeyGet, {"world", "k", {}, {}}).result, -3);
  for (int method = 64; method < 96; ++method) {
    for (const std::string& garbage : {std::string(), std::string(40, '\xff'), std::string("\x05\0\0\0books", 9)}) {
      const auto result = askRaw(static_cast<Method>(method), garbage).result;
      EXPECT_TRUE(result == -3 || result == -9) << method;
    }
  }
  services = Services(nullptr);
  EXPECT_EQ(ask(Method::RecordGet, {"books", "k", {}, {}}).result, -9);
}

TEST(Poster, OutlivesItsLoop) {
  std::optional<EventLoop> loop(std::in_place);
  const auto poster = loop->poster();
  const auto held = std::make_shared<int>(0);
  poster.post([held] {});
  EXPECT_EQ(held.use_count(), 2);
  loop.reset();
  EXPECT_EQ(held.use_count(), 1) << "what waited is let go";
  poster.post([held] {});
  EXPECT_EQ(held.use_count(), 1) << "what comes late is dropped";
}

}  // namespace
}  // namespace jobhost::pool
