#include "store/attempt_writes.hpp"

namespace jobhost::store {

using core::Error;
using core::ErrorCode;

AttemptWrites::AttemptWrites() : AttemptWrites(Limits{}) {}
AttemptWrites::AttemptWrites(Limits limits) : limits_(limits) {}

core::Result<void> AttemptWrites::stage(RecordWrite write, std::int64_t committed_version) {
  const std::lock_guard lock(mutex_);
  if (sealed_) return Error{ErrorCode::Canceled, "the attempt has ended", {}, {}};
  Keys& keys = collections_[{write.at.plugin, write.at.collection}];
  const auto before = keys.find(write.at.key);
  const bool own = before != keys.end();
  const std::int64_t now = !own ? committed_version : before->second->body ? kOwnVersion : kNoVersion;
  if (write.expected != kAnyVersion && write.expected != now) {
    return Error{ErrorCode::Conflict,
                 "record \"" + write.at.key + "\" is not as expected: " +
                     (now == kNoVersion    ? "there is none"
                      : now == kOwnVersion ? "this attempt has written it"
                                           : "it has version " + std::to_string(now)),
                 {},
                 {}};
  }
  const std::size_t bytes = bytes_ + write.bytes() - (own ? before->second->bytes() : 0);
  if (!own && writes_ >= limits_.writes) {
    return Error{ErrorCode::Exhausted,
                 "more than " + std::to_string(limits_.writes) +
                     " records written in one attempt: write at once, or suspend in between",
                 {},
                 {}};
  }
  if (bytes > limits_.bytes) {
    return Error{ErrorCode::Exhausted,
                 "more than " + std::to_string(limits_.bytes) +
                     " bytes written to records in one attempt: write at once, or suspend in between",
                 {},
                 {}};
  }
  // Later writes were checked against this attempt's own; the store must find what the first one relied on.
  if (own) write.expected = before->second->expected;
  bytes_ = bytes;
  writes_ += own ? 0 : 1;
  std::string key = write.at.key;
  keys[std::move(key)] = std::make_shared<const RecordWrite>(std::move(write));
  return {};
}

AttemptWrites::Entry AttemptWrites::find(const RecordRef& at) const {
  const std::lock_guard lock(mutex_);
  const auto keys = collections_.find({at.plugin, at.collection});
  if (keys == collections_.end()) return nullptr;
  const auto found = keys->second.find(at.key);
  return found == keys->second.end() ? nullptr : found->second;
}

std::vector<AttemptWrites::Entry> AttemptWrites::of(const std::string& plugin, const std::string& collection) const {
  std::vector<Entry> entries;
  const std::lock_guard lock(mutex_);
  if (const auto keys = collections_.find({plugin, collection}); keys != collections_.end()) {
    entries.reserve(keys->second.size());
    for (const auto& [key, entry] : keys->second) entries.push_back(entry);
  }
  return entries;
}

void AttemptWrites::seal() {
  const std::lock_guard lock(mutex_);
  sealed_ = true;
}

std::vector<AttemptWrites::Entry> AttemptWrites::all() const {
  std::vector<Entry> writes;
  const std::lock_guard lock(mutex_);
  writes.reserve(writes_);
  for (const auto& [collection, keys] : collections_) {
    for (const auto& [key, entry] : keys) writes.push_back(entry);
  }
  return writes;
}

bool AttemptWrites::empty() const {
  const std::lock_guard lock(mutex_);
  return writes_ == 0;
}

}  // namespace jobhost::store
