// How fast records are kept and found through the store's interface: 100 000 of them, written by attempts of 1000 (as
// an attempt's end commits them) and singly at once, then listed page by page. `record_bench [folder]`.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "store/record_value.hpp"
#include "store/record_view.hpp"
#include "store/sqlite_store.hpp"

using namespace jobhost;

namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr int kRecords = 100'000;
constexpr int kParents = 100;

template <class T>
T must(core::Result<T> result, const char* what) {
  if (result) return *std::move(result);
  std::fprintf(stderr, "%s: %s (%s)\n", what, result.error().message.c_str(), result.error().detail.c_str());
  std::exit(1);
}

void told(const char* label, int count, SteadyClock::time_point begun) {
  const double seconds = std::chrono::duration<double>(SteadyClock::now() - begun).count();
  std::printf("%-56s %9.0f /s\n", label, count / seconds);
  std::fflush(stdout);
}

store::RecordWrite recordOf(const std::string& collection, int i) {
  store::RecordWrite write;
  write.at = {"com.example.bench", collection, "key-" + std::to_string(i)};
  write.body = R"({"title":"A chapter of middling length","number":)" + std::to_string(i) +
               R"(,"tags":["novel","tag-)" + std::to_string(i % 50) + R"("],"text":")" + std::string(200, 'x') + "\"}";
  write.parent = "parent-" + std::to_string(i % kParents);
  write.sort = must(store::orderKey(std::to_string(i)), "sort");
  return write;
}

std::vector<std::int64_t> writeNow(store::RecordStore& store, std::vector<store::RecordWrite> writes) {
  std::promise<core::Result<std::vector<std::int64_t>>> answer;
  store.writeRecords(std::move(writes), [&answer](auto result) { answer.set_value(std::move(result)); });
  return must(answer.get_future().get(), "write");
}

void writeAll(store::RecordStore& store, const core::Clock& clock, const std::string& collection, const char* label) {
  const auto begun = SteadyClock::now();
  for (int at = 0; at < kRecords; at += 1000) {
    store::AttemptWrites own;  // what a running attempt does: checks and keeps each, then all are stored
    store::RecordView view(store, own, clock.now());
    for (int i = at; i < at + 1000; ++i) {
      if (auto staged = view.stage(recordOf(collection, i)); !staged) must<bool>(staged.error(), "stage");
    }
    std::vector<store::RecordWrite> writes;
    for (const auto& entry : own.all()) writes.push_back(*entry);
    writeNow(store, std::move(writes));
  }
  told(label, kRecords, begun);
}

void listAll(store::RecordStore& store, store::RecordQuery query, const char* label) {
  const auto begun = SteadyClock::now();
  int count = 0;
  query.limit = 1000;
  for (;;) {
    const auto page = must(store.records(query), "list");
    count += static_cast<int>(page.records.size());
    if (!page.more) break;
    query.after = store::RecordQuery::Cursor{page.records.back().sort, page.records.back().key};
  }
  told(label, count, begun);
}

}  // namespace

int main(int argc, char** argv) {
  const std::filesystem::path folder = argc > 1 ? argv[1] : std::filesystem::temp_directory_path() / "record_bench";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const core::SystemClock clock;
  {
    const auto store = must(store::SqliteStore::open({.path = (folder / "jobhost.db").string()}, clock), "open");
    must(store->declareCollections("com.example.bench", {{"plain", {}}, {"indexed", {"tags"}}}), "declare");
    writeAll(*store, clock, "plain", "put, 1000 a commit, no index");
    writeAll(*store, clock, "indexed", "put, 1000 a commit, two indexed values each");
    writeAll(*store, clock, "indexed", "put again, 1000 a commit, two indexed values each");
    auto begun = SteadyClock::now();
    for (int i = 0; i < 2000; ++i) writeNow(*store, {recordOf("plain", i)});
    told("put at once, one after the other, a commit each", 2000, begun);
    begun = SteadyClock::now();
    for (int i = 0; i < kRecords; ++i) {
      must(store->record({"com.example.bench", "plain", "key-" + std::to_string(i * 7919 % kRecords)}), "get");
    }
    told("get by key", kRecords, begun);
    store::RecordQuery query;
    query.plugin = "com.example.bench";
    query.collection = "plain";
    listAll(*store, query, "list all by key, pages of 1000");
    query.by = store::RecordQuery::By::Parent;
    query.parent = "parent-7";
    listAll(*store, query, "list 1000 children in order");
    query.by = store::RecordQuery::By::Value;
    query.collection = "indexed";
    query.field = "tags";
    query.value = must(store::orderKey("\"novel\""), "value");
    listAll(*store, query, "list all by an indexed value, pages of 1000");
    begun = SteadyClock::now();
    must(store->declareCollections("com.example.bench", {{"plain", {"number"}}}), "declare");
    while (must(store->reindex(500), "reindex")) {
    }
    told("build an index, 500 a step", kRecords, begun);
  }
  std::filesystem::remove_all(folder);
  return 0;
}
