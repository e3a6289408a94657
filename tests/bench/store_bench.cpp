// How fast the store is through its interface: bulk inserts, group-committed single inserts, claim and finish, and the
// same with many queued and finished jobs behind it. `store_bench [folder]`; JOBHOST_BENCH_ROWS=5000000 for the long
// run. `store_bench folder counts`: only how long it takes to count what a filter matches among so many jobs.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <latch>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/clock.hpp"
#include "core/mailbox.hpp"
#include "store/sqlite_store.hpp"

using namespace jobhost;

namespace {

using SteadyClock = std::chrono::steady_clock;

double secondsSince(SteadyClock::time_point begun) {
  return std::chrono::duration<double>(SteadyClock::now() - begun).count();
}

core::JobDraft draft(const std::string& type) {
  core::JobDraft job;
  job.type = type;
  job.params_json = "{\"n\":12345,\"name\":\"a short text\"}";
  job.owner = "key_0123456789abcdef";
  return job;
}

template <class T>
T must(core::Result<T> result, const char* what) {
  if (result) return *std::move(result);
  std::fprintf(stderr, "%s: %s (%s)\n", what, result.error().message.c_str(), result.error().detail.c_str());
  std::exit(1);
}

void insertBulk(store::SqliteStore& store, const std::string& type, int count, int by, const char* label) {
  const auto begun = SteadyClock::now();
  for (int done = 0; done < count; done += by) {
    must(store.submit(std::vector<core::JobDraft>(static_cast<std::size_t>(by), draft(type)), {}), "submit");
  }
  std::printf("%-52s %9.0f /s\n", label, count / secondsSince(begun));
  std::fflush(stdout);
}

void insertSingly(store::SqliteStore& store, const std::string& type, int threads, int each) {
  std::vector<std::jthread> clients;
  const auto begun = SteadyClock::now();
  for (int i = 0; i < threads; ++i) {
    clients.emplace_back([&] {
      for (int n = 0; n < each; ++n) must(store.submit({draft(type)}, {}), "submit");
    });
  }
  clients.clear();
  std::printf("single inserts, %3d callers%26s %9.0f /s\n", threads, "", threads * each / secondsSince(begun));
  std::fflush(stdout);
}

/// Claims and settles `count` jobs with `window` in flight: each turn settles what was claimed and asks for as many.
void drain(store::SqliteStore& store, const std::string& type, int count, int window, const char* label) {
  core::Mailbox<store::ClaimBatch> inbox(1024);
  store.setClaimHook([&](store::ClaimBatch batch) { static_cast<void>(inbox.push(std::move(batch))); });
  static std::uint64_t generation = 0;
  std::uint64_t seen = generation;
  store::ClaimRequest request;
  request.quotas = {{type, window, 0, 1}};
  request.total = window;
  const auto ask = [&] {
    request.generation = ++generation;
    request.seen = seen;
    store.claim(request);
  };
  const auto begun = SteadyClock::now();
  ask();
  for (int done = 0; done < count;) {
    const auto batch = inbox.pop(std::stop_token());
    seen = batch->generation;
    std::vector<store::AttemptOutcome> outcomes;
    outcomes.reserve(batch->jobs.size());
    for (const auto& job : batch->jobs) {
      store::AttemptOutcome outcome;
      outcome.id = job.id;
      outcome.lease = job.lease;
      outcome.kind = store::OutcomeKind::Succeeded;
      outcome.result_json = "{\"ok\":true}";
      outcome.finished_at = core::SystemClock().now();
      outcome.usage.cpu_us = 12;
      outcomes.push_back(std::move(outcome));
    }
    done += static_cast<int>(outcomes.size());
    ask();
    store.settle(std::move(outcomes), [](const auto& settled) { must(settled, "settle"); });
  }
  std::latch finished(1);
  store.tick([&](const auto&) { finished.count_down(); });
  finished.wait();
  std::printf("%-40s window %4d %9.0f /s\n", label, window, count / secondsSince(begun));
  std::fflush(stdout);
  // What was claimed beyond the count goes back.
  must(store.rescueAll(), "rescue");
}

void readPages(store::SqliteStore& store, const char* label, const store::JobFilter& filter) {
  std::vector<double> times;
  store::ListOptions options;
  for (int i = 0; i < 200; ++i) {
    const auto begun = SteadyClock::now();
    auto page = must(store.list(filter, options), "list");
    times.push_back(secondsSince(begun) * 1000);
    options.cursor = page.next;
  }
  std::sort(times.begin(), times.end());
  std::printf("list %-30s p50 %6.2f ms  p99 %6.2f ms\n", label, times[100], times[198]);
}

/// Jobs as lncrawl's routes make them, and the filters of its list; and the same jobs walked page by page.
void countFilters(store::SqliteStore& store, int rows) {
  auto job = draft("novel");
  job.tags = {"lncrawl"};
  const auto fill = [&](int count) {
    for (int done = 0; done < count; done += 1000) {
      must(store.submit(std::vector<core::JobDraft>(1000, job), {}), "submit");
    }
  };
  fill(rows / 2);
  job.owner = "few";
  fill(1000);
  job.owner = "key_0123456789abcdef";
  fill(rows / 2);
  store::JobFilter filter;
  const auto measure = [&](const char* label) {
    std::vector<double> times;
    store::Counted counted;
    for (int i = 0; i < 20; ++i) {
      const auto begun = SteadyClock::now();
      counted = must(store.count(filter), "count");
      times.push_back(secondsSince(begun) * 1000);
    }
    std::sort(times.begin(), times.end());
    std::printf("count %-29s p50 %6.2f ms  max %6.2f ms  %8lld%s\n", label, times[10], times.back(),
                static_cast<long long>(counted.jobs), counted.all ? "" : " and more");
    std::fflush(stdout);
  };
  std::printf("of %d jobs with a tag:\n", rows + 1000);
  measure("all");
  filter.tag = "lncrawl";
  measure("a tag");
  filter.types = {"novel"};
  filter.roots_only = true;
  measure("roots with a tag and type");
  filter.states = {core::JobState::Running};
  measure("and running (none)");
  filter.states.clear();
  filter.owner = "few";
  measure("and of an owner of 1000");
  filter.owner = "key_0123456789abcdef";
  measure("and of an owner of the others");
  filter.owner.clear();
  const auto begun = SteadyClock::now();
  store::ListOptions options;
  options.limit = 1000;
  options.with_documents = false;
  for (int page = 0; page < store::kMostCounted / options.limit; ++page) {
    options.cursor = must(store.list(filter, options), "list").next;
  }
  std::printf("list of %d of them, page by page %8.2f ms\n", store::kMostCounted, secondsSince(begun) * 1000);
}

void settleAll(store::SqliteStore& store, const std::string& type, int count) {
  drain(store, type, count, 1000, "  (history)");
}

}  // namespace

int main(int argc, char** argv) {
  const std::filesystem::path folder =
      argc > 1 ? std::filesystem::path(argv[1]) : std::filesystem::temp_directory_path() / "jobhost-store-bench";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const char* rows_text = std::getenv("JOBHOST_BENCH_ROWS");
  const int rows = rows_text != nullptr ? std::atoi(rows_text) : 1'000'000;

  core::SystemClock clock;
  store::SqliteStore::Options options;
  options.path = folder / "jobs.db";
  auto opened = must(store::SqliteStore::open(options, clock), "open");
  store::SqliteStore& store = *opened;

  if (argc > 2 && std::string_view(argv[2]) == "counts") {
    countFilters(store, rows);
    opened.reset();
    std::filesystem::remove_all(folder);
    return 0;
  }
  insertBulk(store, "bulk", 200'000, 1000, "bulk inserts by 1000");
  insertSingly(store, "single", 1, 2'000);
  insertSingly(store, "single", 16, 2'000);
  insertSingly(store, "single", 64, 1'000);
  for (const int window : {1, 32, 64, 256, 1000})
    drain(store, "bulk", window == 1 ? 2'000 : 40'000, window, "claim+finish");
  if (rows <= 0) return 0;

  insertBulk(store, "history", rows, 1000, "fill history");
  settleAll(store, "history", rows);
  insertBulk(store, "deep", rows, 1000, "fill queue");
  std::printf("with %d finished and %d queued:\n", rows, rows);
  insertBulk(store, "bulk", 100'000, 1000, "bulk inserts by 1000");
  insertSingly(store, "single", 64, 1'000);
  for (const int window : {32, 256}) drain(store, "deep", 40'000, window, "claim+finish");
  store::JobFilter filter;
  readPages(store, "all", filter);
  filter.states = {core::JobState::Queued};
  readPages(store, "queued", filter);
  filter.states = {core::JobState::Failed};
  readPages(store, "failed (none)", filter);
  filter.states = {core::JobState::Succeeded};
  filter.owner = "key_0123456789abcdef";
  readPages(store, "succeeded of an owner", filter);
  const auto begun = SteadyClock::now();
  must(store.counts(), "counts");
  std::printf("counts %.2f ms\n", secondsSince(begun) * 1000);
  opened.reset();
  std::filesystem::remove_all(folder);
  return 0;
}
