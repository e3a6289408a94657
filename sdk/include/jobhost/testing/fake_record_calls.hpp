// jobhost SDK, for tests: jobhost.records/1 and jobhost.kv/1. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "fake_state.hpp"

namespace jobhost::testing::detail {

struct RecordCalls {
  using Entry = FakeRecords::Entry;
  static State& host() noexcept { return *State::active(); }

  static jh_result JH_CALL get(jh_job* job, jh_str collection, jh_str key, jh_str* record) noexcept {
    return guarded("records.get", job, [&] {
      require(record != nullptr, "record_json is NULL");
      const Place place = collectionOf(text(collection), false);
      *record = host().keep(show(text(key), host().records.get(place.name, text(key)), true).dump());
    });
  }
  static jh_result JH_CALL put(jh_job* job, jh_str collection, jh_str key, jh_str json, jh_str options,
                               std::int64_t* version) noexcept {
    return guarded("records.put", job, [&] {
      const Place place = collectionOf(text(collection), true);
      Json asked = objectOf(options);
      Json::parse(text(json));
      Entry entry;
      entry.body = text(json);
      entry.parent = take(asked, "parent").stringOr("");
      entry.sort = take(asked, "sort");
      const std::int64_t made = write(place.name, text(key), std::move(entry), std::move(asked));
      if (version != nullptr) *version = made;
    });
  }
  static jh_result JH_CALL del(jh_job* job, jh_str collection, jh_str key, jh_str options) noexcept {
    return guarded("records.del", job, [&] {
      write(collectionOf(text(collection), true).name, text(key), std::nullopt, objectOf(options));
    });
  }
  static jh_result JH_CALL list(jh_job* job, jh_str collection, jh_str query, jh_str* page) noexcept {
    return guarded("records.list", job, [&] {
      require(page != nullptr, "page_json is NULL");
      const Place place = collectionOf(text(collection), false);
      const Json asked = objectOf(query);
      const bool values = asked["values"].boolOr(true);
      *page = host().keep(pageOf(host().records.select(place.name, asked, place.indexes), asked,
                                 [&](const std::string& key, const Entry& entry) { return show(key, entry, values); }));
    });
  }
  static jh_result JH_CALL count(jh_job* job, jh_str collection, jh_str query, std::int64_t* n) noexcept {
    return guarded("records.count", job, [&] {
      require(n != nullptr, "n is NULL");
      const Place place = collectionOf(text(collection), false);
      *n = static_cast<std::int64_t>(host().records.select(place.name, objectOf(query), place.indexes).size());
    });
  }

  static jh_result JH_CALL key_get(jh_job* job, std::int32_t space, jh_str key, const void** data, std::size_t* len,
                                   std::int64_t* version) noexcept {
    return guarded("kv.get", job, [&] {
      require(data != nullptr && len != nullptr, "data or len is NULL");
      const Entry& entry = host().records.get(spaceOf(space), text(key));
      const jh_str kept = host().keep(entry.body);
      *data = kept.data;
      *len = kept.len;
      if (version != nullptr) *version = entry.version;
    });
  }
  static jh_result JH_CALL key_put(jh_job* job, std::int32_t space, jh_str key, const void* data, std::size_t len,
                                   jh_str options, std::int64_t* version) noexcept {
    return guarded("kv.put", job, [&] {
      require(data != nullptr || len == 0, "data is NULL");
      Json asked = objectOf(options);
      Entry entry;
      if (len > 0) entry.body.assign(static_cast<const char*>(data), len);
      if (const Json ttl = take(asked, "ttl_ms"); !ttl.isNull()) {
        require(ttl.intOr(0) > 0, "/ttl_ms: must be a whole number above 0");
        entry.expires_ms = nowMs() + ttl.intOr(0);
      }
      const std::int64_t made = write(spaceOf(space), text(key), std::move(entry), std::move(asked));
      if (version != nullptr) *version = made;
    });
  }
  static jh_result JH_CALL key_del(jh_job* job, std::int32_t space, jh_str key, jh_str options) noexcept {
    return guarded("kv.del", job, [&] { write(spaceOf(space), text(key), std::nullopt, objectOf(options)); });
  }
  static jh_result JH_CALL key_list(jh_job* job, std::int32_t space, jh_str query, jh_str* page) noexcept {
    return guarded("kv.list", job, [&] {
      require(page != nullptr, "page_json is NULL");
      const Json asked = objectOf(query);
      *page = host().keep(pageOf(host().records.select(spaceOf(space), asked, Json::array()), asked,
                                 [](const std::string& key, const Entry& entry) {
                                   Json item{{"key", key},
                                             {"version", entry.version},
                                             {"size_bytes", static_cast<std::int64_t>(entry.body.size())}};
                                   if (entry.expires_ms > 0) item.set("expires_ms", entry.expires_ms);
                                   return item;
                                 }));
    });
  }

 private:
  struct Place {
    std::string name;
    Json indexes = Json::array();
  };

  template <class Body>
  static jh_result guarded(const char* name, jh_job* job, Body body) noexcept {
    return host().call(name, job, true, [&](auto&) {
      try {
        body();
        return Reply{};
      } catch (const RecordRefusal& refusal) {
        return Reply{refusal.code, refusal.why};
      }
    });
  }
  static void require(bool good, const char* why) {
    if (!good) throw RecordRefusal{JH_E_INVALID, why};
  }
  static Json objectOf(jh_str options) {
    Json json = options.len > 0 ? Json::parse(text(options)) : Json::object();
    require(json.isObject(), "the options are not a JSON object");
    return json;
  }
  /// The member, which is null in the object from now on.
  static Json take(Json& object, const char* name) {
    Json value = object[name];
    object.set(name, Json());
    return value;
  }
  static std::int64_t write(const std::string& collection, const std::string& key, std::optional<Entry> entry,
                            Json options) {
    const Json expected = take(options, "expected");
    const bool now = take(options, "now").boolOr(false);
    for (std::size_t i = 0; i < options.size(); ++i) {
      if (!options.items()[i].isNull()) {
        throw RecordRefusal{JH_E_INVALID, "/" + options.names()[i] + ": unknown"};
      }
    }
    return host().records.write(collection, key, std::move(entry), expected.intOr(JH_VERSION_ANY), now);
  }
  /// Own collections are known by the manifest; of others' ones the permission says all there is.
  static Place collectionOf(const std::string& name, bool writes) {
    const Json& manifest = host().manifest;
    const auto slash = name.find('/');
    const std::string own(manifest["id"].stringOr(""));
    const std::string plain =
        slash != std::string::npos && name.substr(0, slash) == own ? name.substr(slash + 1) : name;
    if (plain.find('/') == std::string::npos) {
      const Json& declared = manifest["records"][plain];
      if (!declared.isObject()) {
        throw RecordRefusal{JH_E_INVALID, "the manifest declares no collection \"" + plain + "\" (records)"};
      }
      return {plain, declared["indexes"]};
    }
    const Json& asked = manifest["permissions"]["records"];
    const std::string all = name.substr(0, slash) + "/*";
    const auto named = [&](const char* what) {
      return FakeRecords::contains(asked[what], name) || FakeRecords::contains(asked[what], all);
    };
    if (named("write") || (!writes && named("read"))) return {name, host().foreign_indexes[name]};
    throw RecordRefusal{JH_E_DENIED, std::string("the manifest does not ask for permission to ") +
                                         (writes ? "write" : "read") + " the records \"" + name + "\""};
  }
  static std::string spaceOf(std::int32_t space) {
    const State& state = host();
    if (!state.manifest["permissions"]["kv"].boolOr(false)) {
      throw RecordRefusal{JH_E_DENIED, "the manifest does not ask for permission to keep keys (permissions.kv: true)"};
    }
    switch (space) {
      case JH_KV_PLUGIN:
        return "#";
      case JH_KV_TYPE:
        return "#type:" + state.type;
      case JH_KV_JOB:
        return "#job:" + std::to_string(state.job_id);
      default:
        throw RecordRefusal{JH_E_INVALID, "the space must be the plugin's, the type's or the job's"};
    }
  }
  static Json show(const std::string& key, const Entry& entry, bool value) {
    Json item{{"key", key}, {"version", entry.version}};
    if (!entry.parent.empty()) item.set("parent", entry.parent);
    if (!entry.sort.isNull()) item.set("sort", entry.sort);
    item.set("created_ms", entry.created_ms);
    item.set("updated_ms", entry.updated_ms);
    if (value) item.set("value", Json::parse(entry.body));
    return item;
  }
  template <class Show>
  static std::string pageOf(std::vector<std::pair<std::string, Entry>> found, const Json& query, Show show_one) {
    const std::int64_t limit = query["limit"].intOr(100);
    require(limit >= 1 && limit <= 1000, "/limit: must be a whole number from 1 to 1000");
    const bool more = found.size() > static_cast<std::size_t>(limit);
    if (more) found.resize(static_cast<std::size_t>(limit));
    Json items = Json::array();
    for (const auto& [key, entry] : found) items.push(show_one(key, entry));
    Json page{{"items", std::move(items)}};
    if (more) page.set("next", found.back().first);
    return page.dump();
  }
};

}  // namespace jobhost::testing::detail
