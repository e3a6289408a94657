#include "store/record_view.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "core/json_text.hpp"
#include "core/text.hpp"
#include "core/utf8.hpp"
#include "store/record_value.hpp"

namespace jobhost::store {

using core::Error;
using core::ErrorCode;

namespace {

/// Read at once where the attempt's own writes hide some: a page of one, with thousands hidden, would be as many reads.
constexpr int kLeastStoredPage = 200;

Error invalid(std::string message) {
  return {ErrorCode::InvalidArgument, std::move(message), {}, {}};
}

bool isPlain(std::string_view text) {
  return text.size() <= kMaxRecordKey && core::isUtf8(text) && !core::hasControl(text);
}

/// Before, in the order the query goes.
bool comesFirst(const RecordQuery& query, const Record& a, const Record& b) {
  return query.descending ? recordBefore(query.by, b.sort, b.key, a.sort, a.key)
                          : recordBefore(query.by, a.sort, a.key, b.sort, b.key);
}

bool isBehindCursor(const RecordQuery& query, std::string_view sort, std::string_view key) {
  if (!query.after) return true;
  const auto& after = *query.after;
  return query.descending ? recordBefore(query.by, sort, key, after.sort, after.key)
                          : recordBefore(query.by, after.sort, after.key, sort, key);
}

}  // namespace

bool recordMatches(const RecordQuery& query, std::string_view key, std::string_view parent, std::string_view body) {
  switch (query.by) {
    case RecordQuery::By::Key:
      return key.starts_with(query.prefix);
    case RecordQuery::By::Parent:
      return parent == query.parent;
    case RecordQuery::By::Value: {
      const auto values = indexedValues(body, query.field);
      return values && std::binary_search(values->begin(), values->end(), query.value);
    }
  }
  return false;
}

core::Result<void> checkRecordWrite(const RecordWrite& write, const CollectionInfo& collection) {
  if (write.at.key.empty() || !isPlain(write.at.key)) {
    return invalid("the key must be 1 to " + std::to_string(kMaxRecordKey) +
                   " bytes of UTF-8 without control characters");
  }
  if (!isPlain(write.parent)) {
    return invalid("/parent: must be at most " + std::to_string(kMaxRecordKey) +
                   " bytes of UTF-8 without control characters");
  }
  if (!write.body) return {};
  if (write.body->size() > kMaxRecordBody) {
    return Error{ErrorCode::TooLarge,
                 "the value of " + std::to_string(write.body->size()) + " bytes is over the limit of " +
                     std::to_string(kMaxRecordBody),
                 {},
                 {}};
  }
  if (isKeySpace(write.at.collection)) return {};
  if (!core::isJson(*write.body)) return invalid("the document is not valid JSON");
  for (const std::string& field : collection.indexes) {
    if (const auto values = indexedValues(*write.body, field); !values) return values.error();
  }
  return {};
}

Record RecordView::shown(const RecordWrite& write, bool with_body) const {
  Record record;
  record.key = write.at.key;
  if (with_body) record.body = *write.body;
  record.body_bytes = write.body->size();
  record.parent = write.parent;
  record.sort = write.sort;
  record.version = kOwnVersion;
  record.created_at = now_;
  record.updated_at = now_;
  record.expires_at = write.expires_at;
  return record;
}

core::Result<std::optional<Record>> RecordView::get(const RecordRef& at) {
  const auto own = own_.find(at);
  if (!own) return store_.record(at);
  if (!own->body || (own->expires_at && *own->expires_at <= now_)) return std::optional<Record>();
  return std::optional(shown(*own, true));
}

/// The attempt's own records that the query is for, whatever its cursor.
std::vector<AttemptWrites::Entry> RecordView::matching(const RecordQuery& query) const {
  auto entries = own_.of(query.plugin, query.collection);
  std::erase_if(entries, [&](const AttemptWrites::Entry& own) {
    return !own->body || (own->expires_at && *own->expires_at <= now_) ||
           !recordMatches(query, own->at.key, own->parent, *own->body);
  });
  return entries;
}

core::Result<RecordPage> RecordView::list(const RecordQuery& query) {
  const auto entries = own_.of(query.plugin, query.collection);
  if (entries.empty()) return store_.records(query);
  std::set<std::string_view> hidden;
  for (const auto& own : entries) hidden.insert(own->at.key);
  std::vector<Record> own;
  for (const auto& entry : matching(query)) {
    if (isBehindCursor(query, entry->sort, entry->at.key)) own.push_back(shown(*entry, query.with_bodies));
  }
  const auto first = [&](const Record& a, const Record& b) { return comesFirst(query, a, b); };
  std::sort(own.begin(), own.end(), first);

  RecordPage page;
  RecordQuery next = query;
  next.limit = std::max(query.limit, kLeastStoredPage);
  std::size_t bytes = 0;
  std::size_t at = 0;  // in own
  const auto take = [&](Record record) {
    bytes += record.key.size() + record.body.size();
    page.records.push_back(std::move(record));
  };
  const auto full = [&] {
    return page.records.size() >= static_cast<std::size_t>(query.limit) || bytes > kMaxRecordPageBytes;
  };
  for (;;) {
    auto stored = store_.records(next);
    if (!stored) return stored.error();
    for (Record& record : stored->records) {
      next.after = {record.sort, record.key};
      if (hidden.contains(record.key)) continue;
      while (at < own.size() && !full() && first(own[at], record)) take(std::move(own[at++]));
      if (full()) {
        page.more = true;
        return page;
      }
      take(std::move(record));
    }
    if (stored->more && !full()) continue;  // what was skipped made room
    page.more = stored->more;
    break;
  }
  while (at < own.size() && !full() && !page.more) take(std::move(own[at++]));
  page.more = page.more || at < own.size();
  return page;
}

core::Result<std::int64_t> RecordView::count(const RecordQuery& query) {
  auto counted = store_.countRecords(query);
  if (!counted) return counted;
  const auto entries = own_.of(query.plugin, query.collection);
  if (entries.empty()) return counted;
  RecordQuery hidden = query;
  for (const auto& own : entries) hidden.among.push_back(own->at.key);
  const auto replaced = store_.countRecords(hidden);
  if (!replaced) return replaced;
  return *counted - *replaced + static_cast<std::int64_t>(matching(query).size());
}

core::Result<void> RecordView::stage(RecordWrite write) {
  const auto collection = store_.collection(write.at.plugin, write.at.collection);
  if (!collection) return collection.error();
  if (auto good = checkRecordWrite(write, *collection); !good) return good;
  std::int64_t committed = kNoVersion;
  if (write.expected != kAnyVersion) {
    const auto stored = store_.record(write.at, false);
    if (!stored) return stored.error();
    if (*stored) committed = (*stored)->version;
  }
  return own_.stage(std::move(write), committed);
}

core::Result<void> RecordView::checkAtOnce(const RecordWrite& write) {
  const auto collection = store_.collection(write.at.plugin, write.at.collection);
  if (!collection) return collection.error();
  if (auto good = checkRecordWrite(write, *collection); !good) return good;
  if (own_.find(write.at)) {
    return Error{ErrorCode::Conflict,
                 "record \"" + write.at.key +
                     "\" was written by this attempt and is not committed yet: it cannot be "
                     "written at once",
                 {},
                 {}};
  }
  return {};
}

}  // namespace jobhost::store
