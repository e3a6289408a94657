#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "catalog/catalog.hpp"
#include "core/clock.hpp"
#include "core/mailbox.hpp"
#include "pool/record_services.hpp"
#include "store/record_store.hpp"

namespace jobhost::services {

/// Records and key-value spaces for running attempts, and the upkeep of the indexes that plugins declare.
///
/// Reads wait for the disk, so they are done on a thread of its own, one after the other: what an attempt is answered
/// has happened before what it asks next. The collections of a plugin are made when its generation becomes current;
/// building indexes goes on between the calls, a step at a time. References must outlive it; answers (`done`) are
/// called on its thread or the store's writer. After its end nothing is answered but what the store had taken already.
class RecordService final : public pool::RecordServices {
 public:
  struct Options {
    store::AttemptWrites::Limits attempt;
    std::size_t waiting_calls = 65'536;  ///< beyond it calls answer Exhausted
    int index_step = 500;                ///< records looked at in one step of building an index
  };

  RecordService(store::RecordStore& store, catalog::Catalog& catalog, const core::Clock& clock, Options options);
  ~RecordService() override;
  RecordService(const RecordService&) = delete;
  RecordService& operator=(const RecordService&) = delete;

  Writes openWrites() override;
  void getRecord(Writes own, store::RecordRef at, Done<std::optional<store::Record>> done) override;
  void writeRecord(Writes own, store::RecordWrite write, bool at_once, Done<std::int64_t> done) override;
  void listRecords(Writes own, store::RecordQuery query, Done<store::RecordPage> done) override;
  void countRecords(Writes own, store::RecordQuery query, Done<std::int64_t> done) override;

 private:
  using Task = std::function<void()>;
  using Declared = std::map<std::string, std::vector<store::CollectionSpec>>;  ///< by plugin

  void loop(const std::stop_token& stop);
  void published(const catalog::Snapshot& snapshot);
  void declare();
  bool upkeep();
  template <class T>
  void run(Done<T> done, std::function<void(const Done<T>&)> work);

  store::RecordStore& store_;
  catalog::Catalog& catalog_;
  const core::Clock& clock_;
  const Options options_;
  core::Mailbox<Task> tasks_;
  // Its thread's:
  Declared wanted_;
  Declared declared_;        ///< what the store knows
  bool undeclared_ = false;  ///< the store could not take all of wanted_
  bool indexing_ = true;     ///< there may be indexes to build, as after a start
  int listener_ = 0;
  std::jthread thread_;  ///< last: stops and joins first
};

}  // namespace jobhost::services
