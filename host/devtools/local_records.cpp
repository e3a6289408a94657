#include "devtools/local_records.hpp"

#include <utility>

#include "store/record_view.hpp"

namespace jobhost::devtools {

void LocalRecords::declare(const catalog::Manifest& manifest) {
  const std::lock_guard lock(mutex_);
  declared_.clear();
  Owned own{manifest.id, {}};
  for (const auto& collection : manifest.records) own.collections.push_back({collection.name, collection.indexes});
  declared_.push_back(std::move(own));
  for (const auto* names : {&manifest.permissions.records_read, &manifest.permissions.records_write}) {
    for (const std::string& name : *names) {
      const auto slash = name.find('/');
      if (slash == std::string::npos || name.substr(slash + 1) == "*") continue;
      declared_.push_back({name.substr(0, slash), {{name.substr(slash + 1), {}}}});
    }
  }
  store_.reset();
}

void LocalRecords::clear() {
  const std::lock_guard lock(mutex_);
  store_.reset();
}

std::shared_ptr<store::MemoryRecordStore> LocalRecords::store() {
  const std::lock_guard lock(mutex_);
  if (!store_) {
    store_ = std::make_shared<store::MemoryRecordStore>(clock_);
    for (const auto& owned : declared_) static_cast<void>(store_->declareCollections(owned.plugin, owned.collections));
  }
  return store_;
}

bool LocalRecords::commit(const store::AttemptWrites& writes) {
  const auto entries = writes.all();
  std::vector<const store::RecordWrite*> pointers;
  pointers.reserve(entries.size());
  for (const auto& entry : entries) pointers.push_back(entry.get());
  return store()->write(pointers).ok();
}

LocalRecords::Writes LocalRecords::openWrites() {
  return std::make_shared<store::AttemptWrites>();
}

void LocalRecords::getRecord(Writes own, store::RecordRef at, Done<std::optional<store::Record>> done) {
  const auto kept = store();
  done(store::RecordView(*kept, *own, clock_.now()).get(at));
}

void LocalRecords::writeRecord(Writes own, store::RecordWrite write, bool at_once, Done<std::int64_t> done) {
  const auto kept = store();
  store::RecordView view(*kept, *own, clock_.now());
  if (!at_once) {
    const bool deletion = !write.body;
    if (auto staged = view.stage(std::move(write)); !staged) return done(staged.error());
    return done(deletion ? store::kNoVersion : store::kOwnVersion);
  }
  if (auto good = view.checkAtOnce(write); !good) return done(good.error());
  auto written = kept->write({&write});
  if (!written) return done(written.error());
  done(written->front());
}

void LocalRecords::listRecords(Writes own, store::RecordQuery query, Done<store::RecordPage> done) {
  const auto kept = store();
  done(store::RecordView(*kept, *own, clock_.now()).list(query));
}

void LocalRecords::countRecords(Writes own, store::RecordQuery query, Done<std::int64_t> done) {
  const auto kept = store();
  done(store::RecordView(*kept, *own, clock_.now()).count(query));
}

}  // namespace jobhost::devtools
