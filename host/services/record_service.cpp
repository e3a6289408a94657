#include "services/record_service.hpp"

#include <utility>

#include "store/record_view.hpp"
#include "services/answered_call.hpp"
#include "telemetry/log.hpp"

namespace jobhost::services {
namespace {

using core::Error;
using core::ErrorCode;

constexpr std::chrono::milliseconds kTryAgain{500};  // after the store could not take a step

}  // namespace

RecordService::RecordService(store::RecordStore& store, catalog::Catalog& catalog, const core::Clock& clock,
                             Options options)
    : store_(store),
      catalog_(catalog),
      clock_(clock),
      options_(options),
      tasks_(options.waiting_calls),
      listener_(catalog.addListener([this](const auto& snapshot) { published(*snapshot); })),
      thread_([this](const std::stop_token& stop) { loop(stop); }) {
  published(*catalog_.snapshot());
}

RecordService::~RecordService() {
  catalog_.removeListener(listener_);
  tasks_.close();
  thread_.request_stop();
}

void RecordService::loop(const std::stop_token& stop) {
  auto next_step = std::chrono::steady_clock::now();
  while (!stop.stop_requested()) {
    const bool work = indexing_ || undeclared_;
    const auto deadline = work ? std::optional(next_step) : std::nullopt;
    for (auto& task : tasks_.popAll(stop, deadline)) {
      try {
        task();
      } catch (const std::exception& error) {
        telemetry::log("services").error("collections not declared error={}", error.what());
      }
      if (stop.stop_requested()) return;
    }
    if (!(indexing_ || undeclared_) || std::chrono::steady_clock::now() < next_step) continue;
    // Calls that wait go first; a store that refused is left alone for a moment.
    const bool done = upkeep();
    next_step = std::chrono::steady_clock::now() + (done ? std::chrono::milliseconds(0) : kTryAgain);
  }
}

/// One step of what is left to do; false: the store did not take it.
bool RecordService::upkeep() {
  if (undeclared_) declare();
  if (undeclared_) return false;
  const auto more = store_.reindex(options_.index_step);
  if (!more) {
    telemetry::log("services").warn("index step failed error={}", more.error().message);
    return false;
  }
  indexing_ = *more;
  return true;
}

/// Any thread: what the current generations declare, for the thread to hand to the store.
void RecordService::published(const catalog::Snapshot& snapshot) {
  Declared wanted;
  for (const auto& [name, type] : snapshot.types) {
    const auto& generation = *type.generation;
    if (generation.records.empty() || wanted.contains(generation.plugin_id)) continue;
    auto& specs = wanted[generation.plugin_id];
    for (const auto& collection : generation.records) specs.push_back({collection.name, collection.indexes});
  }
  static_cast<void>(tasks_.push([this, wanted = std::move(wanted)]() mutable {
    wanted_ = std::move(wanted);
    declare();
  }));
}

void RecordService::declare() {
  undeclared_ = false;
  for (const auto& [plugin, specs] : wanted_) {
    const auto known = declared_.find(plugin);
    if (known != declared_.end() && known->second == specs) continue;
    const auto work = store_.declareCollections(plugin, specs);
    if (!work) {
      telemetry::log("services").error("collections not declared plugin={} error={}", plugin, work.error().message);
      undeclared_ = undeclared_ || work.error().code == ErrorCode::Unavailable;
      continue;
    }
    declared_[plugin] = specs;
    indexing_ = indexing_ || *work;
  }
}

template <class T>
void RecordService::run(Done<T> done, std::function<void(const Done<T>&)> work) {
  auto call = std::make_shared<AnsweredCall<T>>(std::move(done));
  const bool taken = tasks_.tryPush([call, work = std::move(work)] { call->run([&] { work(call->answer()); }); });
  if (!taken) call->answer()(Error{ErrorCode::Exhausted, "too many calls wait for the host", {}, {}});
}

RecordService::Writes RecordService::openWrites() {
  return std::make_shared<store::AttemptWrites>(options_.attempt);
}

void RecordService::getRecord(Writes own, store::RecordRef at, Done<std::optional<store::Record>> done) {
  run<std::optional<store::Record>>(std::move(done),
                                    [this, own = std::move(own), at = std::move(at)](const auto& answer) {
                                      answer(store::RecordView(store_, *own, clock_.now()).get(at));
                                    });
}

void RecordService::writeRecord(Writes own, store::RecordWrite write, bool at_once, Done<std::int64_t> done) {
  run<std::int64_t>(std::move(done),
                    [this, own = std::move(own), write = std::move(write), at_once](const Done<std::int64_t>& answer) {
                      store::RecordView view(store_, *own, clock_.now());
                      if (!at_once) {
                        const bool deletion = !write.body;
                        if (auto staged = view.stage(write); !staged) return answer(staged.error());
                        return answer(deletion ? store::kNoVersion : store::kOwnVersion);
                      }
                      if (auto good = view.checkAtOnce(write); !good) return answer(good.error());
                      store_.writeRecords({write}, [answer](core::Result<std::vector<std::int64_t>> written) {
                        if (!written) return answer(written.error());
                        answer(written->front());
                      });
                    });
}

void RecordService::listRecords(Writes own, store::RecordQuery query, Done<store::RecordPage> done) {
  run<store::RecordPage>(std::move(done), [this, own = std::move(own), query = std::move(query)](const auto& answer) {
    answer(store::RecordView(store_, *own, clock_.now()).list(query));
  });
}

void RecordService::countRecords(Writes own, store::RecordQuery query, Done<std::int64_t> done) {
  run<std::int64_t>(std::move(done), [this, own = std::move(own), query = std::move(query)](const auto& answer) {
    answer(store::RecordView(store_, *own, clock_.now()).count(query));
  });
}

}  // namespace jobhost::services
