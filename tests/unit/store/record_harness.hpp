#pragma once

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "store/record_store.hpp"
#include "store/record_value.hpp"

namespace jobhost::store {

// Verbs for tests of records.

inline std::string orderOf(const std::string& json) {
  auto key = orderKey(json);
  EXPECT_TRUE(key.ok()) << json;
  return key ? *key : std::string();
}

inline RecordWrite putOf(std::string collection, std::string key, std::string body, std::string parent = {},
                         const std::string& sort = "null", std::int64_t expected = kAnyVersion) {
  RecordWrite write;
  write.at = {"com.example.lib", std::move(collection), std::move(key)};
  write.body = std::move(body);
  write.parent = std::move(parent);
  write.sort = orderOf(sort);
  write.expected = expected;
  return write;
}

inline RecordWrite deletionOf(std::string collection, std::string key, std::int64_t expected = kAnyVersion) {
  RecordWrite write;
  write.at = {"com.example.lib", std::move(collection), std::move(key)};
  write.expected = expected;
  return write;
}

inline RecordQuery queryOf(std::string collection, RecordQuery::By by = RecordQuery::By::Key) {
  RecordQuery query;
  query.plugin = "com.example.lib";
  query.collection = std::move(collection);
  query.by = by;
  return query;
}

inline RecordQuery childrenOf(std::string collection, std::string parent) {
  auto query = queryOf(std::move(collection), RecordQuery::By::Parent);
  query.parent = std::move(parent);
  return query;
}

inline RecordQuery havingOf(std::string collection, std::string field, const std::string& value) {
  auto query = queryOf(std::move(collection), RecordQuery::By::Value);
  query.field = std::move(field);
  query.value = orderOf(value);
  return query;
}

inline core::Result<std::vector<std::int64_t>> writeNow(RecordStore& store, std::vector<RecordWrite> writes) {
  auto promise = std::make_shared<std::promise<core::Result<std::vector<std::int64_t>>>>();
  auto future = promise->get_future();
  store.writeRecords(std::move(writes), [promise](auto result) { promise->set_value(std::move(result)); });
  return future.get();
}

inline std::vector<std::string> keysOf(const core::Result<RecordPage>& page) {
  EXPECT_TRUE(page.ok()) << page.error().message << page.error().detail;
  std::vector<std::string> keys;
  if (!page) return keys;
  for (const auto& record : page->records) keys.push_back(record.key);
  return keys;
}

/// Every page of a query, `limit` at a time; the last page says that it is the last.
template <class Source>
std::vector<std::string> allKeys(Source& source, RecordQuery query, int limit) {
  query.limit = limit;
  std::vector<std::string> keys;
  for (;;) {
    const auto page = source(query);
    for (auto& key : keysOf(page)) keys.push_back(std::move(key));
    if (!page || !page->more || page->records.empty()) return keys;
    query.after = RecordQuery::Cursor{page->records.back().sort, page->records.back().key};
  }
}

}  // namespace jobhost::store
