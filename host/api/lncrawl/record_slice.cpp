#include "api/lncrawl/record_slice.hpp"

#include <algorithm>
#include <future>
#include <optional>
#include <utility>

#include <Poco/UTF8String.h>

#include "core/json_text.hpp"

namespace jobhost::api::lncrawl {
namespace {

/// Nobody declared the collection: its plugin was never here. An index that is missing is another thing: a fault.
bool isUndeclared(store::RecordStore& records, const store::RecordQuery& query, const core::Error& error) {
  if (error.code != core::ErrorCode::NotFound) return false;
  const auto known = records.collection(query.plugin, query.collection);
  return !known && known.error().code == core::ErrorCode::NotFound;
}

void goBehind(store::RecordQuery& query, const store::Record& last) {
  query.after = {last.sort, last.key};
}

}  // namespace

core::Result<Slice> sliceOf(store::RecordStore& records, store::RecordQuery query, std::int64_t offset, int limit) {
  Slice slice;
  query.after.reset();
  const auto total = records.countRecords(query);
  if (!total) {
    if (isUndeclared(records, query, total.error())) return slice;
    return total.error();
  }
  slice.total = *total;
  if (offset >= *total || limit <= 0) return slice;
  auto wanted = std::min<std::int64_t>(limit, *total - offset);
  const bool backwards = offset > *total / 2;
  auto skipped = backwards ? *total - offset - wanted : offset;
  if (backwards) query.descending = !query.descending;
  query.with_bodies = false;
  while (skipped > 0) {
    query.limit = static_cast<int>(std::min<std::int64_t>(skipped, store::kMaxRecordPage));
    const auto page = records.records(query);
    if (!page) return page.error();
    if (page->records.empty()) return slice;  // removed meanwhile
    skipped -= static_cast<std::int64_t>(page->records.size());
    goBehind(query, page->records.back());
  }
  query.with_bodies = true;
  while (wanted > 0) {
    query.limit = static_cast<int>(std::min<std::int64_t>(wanted, store::kMaxRecordPage));
    auto page = records.records(query);
    if (!page) return page.error();
    wanted -= static_cast<std::int64_t>(page->records.size());
    if (!page->records.empty()) goBehind(query, page->records.back());
    for (auto& record : page->records) slice.records.push_back(std::move(record));
    if (!page->more) break;
  }
  if (backwards) std::reverse(slice.records.begin(), slice.records.end());
  return slice;
}

core::Result<Slice> sliceOf(store::RecordStore& records, store::RecordQuery query, std::int64_t offset, int limit,
                            const std::function<bool(const store::Record&)>& matches) {
  Slice slice;
  auto read = eachRecord(records, std::move(query), kMostScanned, [&](const store::Record& record) {
    if (!matches(record)) return true;
    const auto at = slice.total++;
    if (at >= offset && at - offset < limit) slice.records.push_back(record);
    return true;
  });
  if (!read) return read.error();
  return slice;
}

std::string folded(std::string text) {
  return Poco::UTF8::toLower(text);
}

bool hasPart(const store::Record& record, std::string_view member, const std::string& part) {
  const auto raw = core::jsonFind(record.body, member);
  auto text = raw ? core::jsonString(*raw) : std::nullopt;
  return text && folded(*std::move(text)).find(part) != std::string::npos;
}

bool isMember(const store::Record& record, std::string_view member, std::string_view json) {
  const auto raw = core::jsonFind(record.body, member);
  if (!raw) return false;
  if (!json.starts_with('"')) return *raw == json;
  return core::jsonString(*raw) == core::jsonString(json);
}

core::Result<void> eachRecord(store::RecordStore& records, store::RecordQuery query, int most,
                              const std::function<bool(const store::Record&)>& take) {
  query.after.reset();
  while (most > 0) {
    query.limit = std::min(most, store::kMaxRecordPage);
    const auto page = records.records(query);
    if (!page) {
      if (isUndeclared(records, query, page.error())) return {};
      return page.error();
    }
    for (const auto& record : page->records) {
      if (!take(record)) return {};
    }
    if (!page->more || page->records.empty()) return {};
    most -= static_cast<int>(page->records.size());
    goBehind(query, page->records.back());
  }
  return {};
}

core::Result<std::optional<store::Record>> peekRecord(store::RecordStore& records, const store::RecordRef& at) {
  if (at.key.empty() || at.key.size() > store::kMaxRecordKey) return std::optional<store::Record>();
  auto found = records.record(at, false);
  if (!found && found.error().code == core::ErrorCode::NotFound) return std::optional<store::Record>();
  return found;
}

core::Result<void> writeNow(store::RecordStore& records, std::vector<store::RecordWrite> writes) {
  std::promise<core::Result<void>> done;
  auto written = done.get_future();
  records.writeRecords(std::move(writes), [&done](core::Result<std::vector<std::int64_t>> result) {
    if (result) {
      done.set_value({});
    } else {
      done.set_value(result.error());
    }
  });
  return written.get();
}

}  // namespace jobhost::api::lncrawl
