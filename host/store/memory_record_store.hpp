#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "store/record_store.hpp"

namespace jobhost::store {

/// Records without a database: for running a plugin without a host, and as what the store's model is checked against.
/// Looks at every record of a collection for each page. `clock` is borrowed. `done` is called on the caller's thread.
class MemoryRecordStore final : public RecordStore {
 public:
  explicit MemoryRecordStore(const core::Clock& clock, RecordQuota quota = {}) : clock_(clock), quota_(quota) {}

  core::Result<bool> declareCollections(const std::string& plugin,
                                        const std::vector<CollectionSpec>& collections) override;
  core::Result<bool> reindex(int records) override;
  core::Result<std::vector<CollectionInfo>> collections(const std::string& plugin) override;
  core::Result<CollectionInfo> collection(const std::string& plugin, const std::string& name) override;
  void writeRecords(std::vector<RecordWrite> writes, Done<std::vector<std::int64_t>> done) override;
  /// The same, of writes that are elsewhere; for the end of an attempt.
  core::Result<std::vector<std::int64_t>> write(const std::vector<const RecordWrite*>& writes);
  core::Result<std::optional<Record>> record(const RecordRef& at, bool with_body) override;
  core::Result<RecordPage> records(const RecordQuery& query) override;
  core::Result<std::int64_t> countRecords(const RecordQuery& query) override;

 private:
  struct Collection {
    std::vector<std::string> indexes;
    std::map<std::string, Record, std::less<>> records;
    std::int64_t last_version = 0;
  };
  using Name = std::pair<std::string, std::string>;  ///< plugin, collection
  core::Result<const Collection*> find(const std::string& plugin, const std::string& name) const;
  [[nodiscard]] bool isThere(const Record& record) const;
  core::Result<void> admit(const std::vector<const RecordWrite*>& writes) const;

  const core::Clock& clock_;
  const RecordQuota quota_;
  std::mutex mutex_;
  std::map<Name, Collection> collections_;
};

}  // namespace jobhost::store
