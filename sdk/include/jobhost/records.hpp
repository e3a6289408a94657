// jobhost SDK: records and keys in the host's database. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "abi.h"
#include "error.hpp"
#include "host.hpp"
#include "json.hpp"

namespace jobhost {

/// A document of a collection.
struct Record {
  std::string key;
  Json value;  ///< null where a query asked for none
  /// For PutOptions::expected; JH_VERSION_OWN of what this attempt wrote and the host has not stored.
  std::int64_t version = JH_VERSION_NONE;
  std::string parent;  ///< empty: none
  Json sort;           ///< null: none
  std::int64_t created_ms = 0;
  std::int64_t updated_ms = 0;
};

struct PutOptions {
  std::string parent;
  Json sort;  ///< a number, a text or a boolean
  /// The version there must be, JH_VERSION_NONE that there is no such record; else the put fails with the code
  /// "conflict".
  std::optional<std::int64_t> expected;
  bool now = false;  ///< stored before put() returns, whatever becomes of the attempt
};

struct DelOptions {
  std::optional<std::int64_t> expected;
  bool now = false;
};

/// Which records, in which order: RecordQuery::childrenOf("b1").descending().limit(20).
class RecordQuery {
 public:
  /// By key; with a prefix those whose key begins with it.
  static RecordQuery all(std::string_view prefix = {}) {
    RecordQuery query;
    if (!prefix.empty()) query.json_.set("prefix", prefix);
    return query;
  }
  /// In the order of their sort keys.
  static RecordQuery childrenOf(std::string_view parent) {
    RecordQuery query;
    query.json_.set("parent", parent);
    return query;
  }
  /// Those that have the value in a field the manifest names in indexes, in the order of their sort keys.
  static RecordQuery having(std::string_view field, Json value) {
    RecordQuery query;
    query.json_.set("index", field);
    query.json_.set("value", std::move(value));
    return query;
  }
  RecordQuery& descending() { return set("order", "desc"); }
  RecordQuery& limit(int records) { return set("limit", records); }
  /// Where the page before ended: RecordPage::next.
  RecordQuery& after(std::string_view cursor) { return set("cursor", cursor); }
  RecordQuery& withoutValues() { return set("values", false); }
  [[nodiscard]] const Json& json() const { return json_; }

 private:
  RecordQuery& set(std::string_view name, Json value) {
    json_.set(name, std::move(value));
    return *this;
  }
  Json json_ = Json::object();
};

struct RecordPage {
  std::vector<Record> items;
  std::string next;  ///< for RecordQuery::after(); empty: that was the last page
};

namespace detail {

inline std::string optionsJson(const std::optional<std::int64_t>& expected, bool now, Json more = Json::object()) {
  if (expected) more.set("expected", *expected);
  if (now) more.set("now", true);
  return more.size() == 0 ? std::string() : more.dump();
}

inline Record recordOf(const Json& json) {
  Record record;
  record.key = json["key"].stringOr("");
  record.value = json["value"];
  record.version = json["version"].intOr(0);
  record.parent = json["parent"].stringOr("");
  record.sort = json["sort"];
  record.created_ms = json["created_ms"].intOr(0);
  record.updated_ms = json["updated_ms"].intOr(0);
  return record;
}

}  // namespace detail

/// A collection, for the attempt it was had of. Copyable; any thread. What is put is seen by this attempt at once and
/// by others when it has succeeded. Methods throw Error and Cancelled, as those of Job.
class Records {
 public:
  Records(jh_job* job, std::string_view collection) : job_(job), collection_(collection) {}

  std::optional<Record> get(std::string_view key) const {
    jh_str json{};
    const jh_result result = table()->get(job_, detail::str(collection_), detail::str(key), &json);
    if (result == JH_E_NOT_FOUND) return std::nullopt;
    detail::check(job_, result, what("get", key));
    return detail::recordOf(Json::parse(detail::view(json)));
  }
  /// Makes or replaces it; answers its version, JH_VERSION_OWN where it is stored with the attempt.
  std::int64_t put(std::string_view key, const Json& value, const PutOptions& options = {}) const {
    Json more = Json::object();
    if (!options.parent.empty()) more.set("parent", options.parent);
    if (!options.sort.isNull()) more.set("sort", options.sort);
    const std::string document = value.dump();
    const std::string text = detail::optionsJson(options.expected, options.now, std::move(more));
    std::int64_t version = 0;
    detail::check(job_,
                  table()->put(job_, detail::str(collection_), detail::str(key), detail::str(document),
                               detail::str(text), &version),
                  what("put", key));
    return version;
  }
  /// Does nothing where there is none.
  void del(std::string_view key, const DelOptions& options = {}) const {
    const std::string text = detail::optionsJson(options.expected, options.now);
    detail::check(job_, table()->del(job_, detail::str(collection_), detail::str(key), detail::str(text)),
                  what("del", key));
  }
  RecordPage list(const RecordQuery& query = RecordQuery::all()) const {
    jh_str json{};
    const std::string text = query.json().dump();
    detail::check(job_, table()->list(job_, detail::str(collection_), detail::str(text), &json), what("list", {}));
    const Json answer = Json::parse(detail::view(json));
    RecordPage page;
    for (const Json& item : answer["items"].items()) page.items.push_back(detail::recordOf(item));
    page.next = answer["next"].stringOr("");
    return page;
  }
  /// Calls `use(record)` for every record of the query, page by page. What is written meanwhile may be met or not.
  template <class Use>
  void each(RecordQuery query, Use use) const {
    for (;;) {
      const RecordPage page = list(query);
      for (const Record& record : page.items) use(record);
      if (page.next.empty()) return;
      query.after(page.next);
    }
  }
  std::int64_t count(const RecordQuery& query = RecordQuery::all()) const {
    std::int64_t n = 0;
    const std::string text = query.json().dump();
    detail::check(job_, table()->count(job_, detail::str(collection_), detail::str(text), &n), what("count", {}));
    return n;
  }

 private:
  static const jh_records_v1* table() { return detail::need<jh_records_v1>(JH_EXT_RECORDS); }
  std::string what(const char* call, std::string_view key) const {
    return std::string(call) + " " + collection_ + (key.empty() ? "" : "/" + std::string(key));
  }

  jh_job* job_;
  std::string collection_;
};

/// Whose keys.
enum class KeySpace : std::int32_t {
  Plugin = JH_KV_PLUGIN,
  Type = JH_KV_TYPE,  ///< of the jobs of one type
  Job = JH_KV_JOB,    ///< of one job's attempts; gone with the job
};

struct KeyValue {
  std::string bytes;
  std::int64_t version = JH_VERSION_NONE;
};

struct KeyOptions {
  std::int64_t ttl_ms = 0;  ///< 0: it stays; below 0 is refused
  std::optional<std::int64_t> expected;
  bool now = false;
};

struct KeyInfo {
  std::string key;
  std::int64_t version = JH_VERSION_NONE;
  std::int64_t size_bytes = 0;
  std::int64_t expires_ms = 0;  ///< 0: it stays
};

struct KeyPage {
  std::vector<KeyInfo> items;
  std::string next;  ///< empty: that was the last page
};

/// Small values by key. As Records, but of any bytes and without indexes.
class Keys {
 public:
  Keys(jh_job* job, KeySpace space) : job_(job), space_(static_cast<std::int32_t>(space)) {}

  std::optional<KeyValue> get(std::string_view key) const {
    const void* data = nullptr;
    std::size_t size = 0;
    KeyValue value;
    const jh_result result = table()->get(job_, space_, detail::str(key), &data, &size, &value.version);
    if (result == JH_E_NOT_FOUND) return std::nullopt;
    detail::check(job_, result, "get key " + std::string(key));
    if (size > 0) value.bytes.assign(static_cast<const char*>(data), size);
    return value;
  }
  std::int64_t put(std::string_view key, std::string_view bytes, const KeyOptions& options = {}) const {
    Json more = Json::object();
    if (options.ttl_ms != 0) more.set("ttl_ms", options.ttl_ms);
    const std::string text = detail::optionsJson(options.expected, options.now, std::move(more));
    std::int64_t version = 0;
    detail::check(job_,
                  table()->put(job_, space_, detail::str(key), bytes.data(), bytes.size(), detail::str(text), &version),
                  "put key " + std::string(key));
    return version;
  }
  void del(std::string_view key, const DelOptions& options = {}) const {
    const std::string text = detail::optionsJson(options.expected, options.now);
    detail::check(job_, table()->del(job_, space_, detail::str(key), detail::str(text)), "del key " + std::string(key));
  }
  KeyPage list(std::string_view prefix = {}, std::string_view cursor = {}, int limit = 100) const {
    Json query{{"limit", limit}};
    if (!prefix.empty()) query.set("prefix", prefix);
    if (!cursor.empty()) query.set("cursor", cursor);
    const std::string text = query.dump();
    jh_str json{};
    detail::check(job_, table()->list(job_, space_, detail::str(text), &json), "list keys");
    const Json answer = Json::parse(detail::view(json));
    KeyPage page;
    for (const Json& item : answer["items"].items()) {
      page.items.push_back({std::string(item["key"].stringOr("")), item["version"].intOr(0),
                            item["size_bytes"].intOr(0), item["expires_ms"].intOr(0)});
    }
    page.next = answer["next"].stringOr("");
    return page;
  }

 private:
  static const jh_kv_v1* table() { return detail::need<jh_kv_v1>(JH_EXT_KV); }

  jh_job* job_;
  std::int32_t space_;
};

}  // namespace jobhost
