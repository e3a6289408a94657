#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "catalog/manifest.hpp"
#include "core/clock.hpp"
#include "pool/record_services.hpp"
#include "store/memory_record_store.hpp"

namespace jobhost::devtools {

/// Records and keys where there is no host: in memory, empty when a job begins.
///
/// Thread-safety: any thread. Answers on the caller's.
class LocalRecords final : public pool::RecordServices {
 public:
  explicit LocalRecords(const core::Clock& clock) : clock_(clock) {}

  /// What there is: the plugin's own collections, and those of others it may use, which have no indexes here.
  void declare(const catalog::Manifest& manifest);
  /// Forgets everything that was stored.
  void clear();
  /// Stores what an attempt wrote; false: another write was in the way.
  bool commit(const store::AttemptWrites& writes);

  Writes openWrites() override;
  void getRecord(Writes own, store::RecordRef at, Done<std::optional<store::Record>> done) override;
  void writeRecord(Writes own, store::RecordWrite write, bool at_once, Done<std::int64_t> done) override;
  void listRecords(Writes own, store::RecordQuery query, Done<store::RecordPage> done) override;
  void countRecords(Writes own, store::RecordQuery query, Done<std::int64_t> done) override;

 private:
  struct Owned {
    std::string plugin;
    std::vector<store::CollectionSpec> collections;
  };
  std::shared_ptr<store::MemoryRecordStore> store();

  const core::Clock& clock_;
  std::mutex mutex_;
  std::vector<Owned> declared_;
  std::shared_ptr<store::MemoryRecordStore> store_;
};

}  // namespace jobhost::devtools
