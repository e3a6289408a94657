#include "api/lncrawl/records.hpp"

#include "telemetry/log.hpp"

namespace jobhost::api::lncrawl {

std::optional<RecordDoc> RecordDoc::open(store::Record record) {
  RecordDoc doc;
  doc.record_ = std::make_shared<const store::Record>(std::move(record));
  auto document = parseJson(doc.record_->body);
  if (!document || document->root.kind != JsonKind::Object) return std::nullopt;
  doc.document_ = std::make_shared<const JsonDocument>(*std::move(document));
  return doc;
}

std::string_view RecordDoc::raw(std::string_view name) const {
  for (const auto& member : document_->members) {
    if (member.raw_key.size() == name.size() + 2 && member.raw_key.substr(1, name.size()) == name) {
      return member.value.raw;
    }
  }
  return "null";
}

std::optional<std::string> RecordDoc::text(std::string_view name) const {
  const auto value = raw(name);
  return value.starts_with('"') ? std::optional(unescape(value)) : std::nullopt;
}

std::optional<std::int64_t> RecordDoc::integer(std::string_view name) const {
  return toInteger(raw(name));
}

core::Result<std::optional<RecordDoc>> Records::find(std::string_view plugin, std::string_view collection,
                                                     std::string_view key) const {
  if (store_ == nullptr || key.empty() || key.size() > store::kMaxRecordKey) return std::optional<RecordDoc>();
  auto found = store_->record({std::string(plugin), std::string(collection), std::string(key)});
  if (!found) {
    if (found.error().code == core::ErrorCode::NotFound) return std::optional<RecordDoc>();
    return found.error();
  }
  if (!*found) return std::optional<RecordDoc>();
  return RecordDoc::open(**std::move(found));
}

core::Result<Records::Page> Records::list(const store::RecordQuery& query) const {
  Page page;
  if (store_ == nullptr) return page;
  auto found = store_->records(query);
  if (!found) {
    if (found.error().code == core::ErrorCode::NotFound) return page;
    return found.error();
  }
  page.more = found->more;
  for (auto& record : found->records) {
    const auto key = record.key;
    if (!query.with_bodies) record.body = "{}";
    auto doc = RecordDoc::open(std::move(record));
    if (doc) {
      page.records.push_back(*std::move(doc));
    } else {
      telemetry::log("api").warn("record is no object collection={} key={}", query.collection, key);
    }
  }
  return page;
}

core::Result<std::int64_t> Records::count(const store::RecordQuery& query) const {
  if (store_ == nullptr) return std::int64_t{0};
  auto count = store_->countRecords(query);
  if (!count && count.error().code == core::ErrorCode::NotFound) return std::int64_t{0};
  return count;
}

}  // namespace jobhost::api::lncrawl
