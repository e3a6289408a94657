// jobhost SDK, for tests: records and keys. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../abi.h"
#include "../error.hpp"
#include "../json.hpp"

namespace jobhost::testing::detail {

inline std::int64_t nowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// Thrown where a real host would refuse; FakeRecords' callers make a Reply of it.
struct RecordRefusal {
  jh_result code;
  std::string why;
};

/// What a FakeHost keeps: what is stored, and how the attempt that runs sees it. Guarded by its State's mutex.
class FakeRecords {
 public:
  struct Entry {
    std::string body;
    std::string parent;
    Json sort;
    std::int64_t version = 0;
    std::int64_t created_ms = 0, updated_ms = 0, expires_ms = 0;
  };
  using Collection = std::map<std::string, Entry>;

  static constexpr std::size_t kMaxKey = 512;
  static constexpr std::size_t kMaxBody = std::size_t{1} << 20;
  static constexpr std::size_t kMaxWrites = 10'000;

  void begin() {
    seen_ = stored_;
    writes_.clear();
  }
  void finish(bool counts) {
    for (const auto& [place, unused] : writes_) {
      if (!counts) break;
      const auto& [collection, key] = place;
      const auto found = seen_[collection].find(key);
      if (found == seen_[collection].end()) {
        stored_[collection].erase(key);
        continue;
      }
      found->second.version = ++last_version_;
      stored_[collection][key] = found->second;
    }
    seen_.clear();
    writes_.clear();
  }

  // For the test. While an attempt runs it is what another one stores: seen, where this one has not written itself.
  std::int64_t store(const std::string& collection, const std::string& key, std::string body, std::string parent,
                     Json sort) {
    Entry entry{std::move(body), std::move(parent), std::move(sort), ++last_version_, nowMs(), nowMs(), 0};
    stored_[collection][key] = entry;
    if (writes_.count({collection, key}) == 0) seen_[collection][key] = entry;
    return entry.version;
  }
  [[nodiscard]] Collection stored(const std::string& collection) const {
    const auto found = stored_.find(collection);
    return found == stored_.end() ? Collection() : found->second;
  }
  void setMaxWrites(std::size_t writes) { max_writes_ = writes; }

  // For the attempt.
  const Entry& get(const std::string& collection, const std::string& key) {
    const Entry* entry = find(collection, key);
    if (entry == nullptr) throw RecordRefusal{JH_E_NOT_FOUND, "there is no \"" + key + "\""};
    return *entry;
  }
  std::int64_t write(const std::string& collection, const std::string& key, std::optional<Entry> entry,
                     std::int64_t expected, bool at_once) {
    checkKey(key);
    if (entry && entry->body.size() > kMaxBody) throw RecordRefusal{JH_E_LIMIT, "the value is over 1 MiB"};
    const Entry* before = find(collection, key);
    const bool own = writes_.count({collection, key}) > 0;
    if (at_once && own) {
      throw RecordRefusal{JH_E_CONFLICT, "\"" + key + "\" was written by this attempt and is not committed yet"};
    }
    const std::int64_t version = before != nullptr ? before->version : JH_VERSION_NONE;
    if (expected != JH_VERSION_ANY && expected != version) {
      throw RecordRefusal{JH_E_CONFLICT, "\"" + key + "\" is not as expected"};
    }
    if (!at_once && !own && writes_.size() >= max_writes_) {
      throw RecordRefusal{JH_E_LIMIT, "more than " + std::to_string(max_writes_) + " records written in one attempt"};
    }
    if (!at_once) writes_[{collection, key}] = true;
    if (!entry) {
      seen_[collection].erase(key);
      if (at_once) stored_[collection].erase(key);
      return JH_VERSION_NONE;
    }
    entry->version = at_once ? ++last_version_ : JH_VERSION_OWN;
    entry->updated_ms = nowMs();
    entry->created_ms = before != nullptr ? before->created_ms : entry->updated_ms;
    seen_[collection][key] = *entry;
    if (at_once) stored_[collection][key] = *entry;
    return entry->version;
  }

  /// Those the query is for, in its order, from its cursor on; `fields`: what the manifest indexes.
  std::vector<std::pair<std::string, Entry>> select(const std::string& collection, const Json& query,
                                                    const Json& fields) {
    std::vector<std::pair<std::string, Entry>> found;
    const bool by_key = query["parent"].isNull() && query["index"].isNull();
    const std::string index(query["index"].stringOr(""));
    if (!query["index"].isNull() && !contains(fields, index)) {
      throw RecordRefusal{JH_E_INVALID, "there is no index on \"" + index + "\""};
    }
    for (const auto& [key, entry] : seen_[collection]) {
      if (entry.expires_ms != 0 && entry.expires_ms <= nowMs()) continue;
      if (std::string_view(key).substr(0, query["prefix"].stringOr("").size()) != query["prefix"].stringOr(""))
        continue;
      if (!query["parent"].isNull() && entry.parent != query["parent"].stringOr("")) continue;
      if (!index.empty() && !has(Json::parse(entry.body), index, query["value"])) continue;
      found.push_back({key, entry});
    }
    const auto before = [by_key](const auto& a, const auto& b) {
      if (!by_key && a.second.sort.dump() != b.second.sort.dump()) return less(a.second.sort, b.second.sort);
      return a.first < b.first;
    };
    std::sort(found.begin(), found.end(), before);
    if (query["order"].stringOr("") == "desc") std::reverse(found.begin(), found.end());
    const std::string cursor(query["cursor"].stringOr(""));
    if (cursor.empty()) return found;
    const auto at = std::find_if(found.begin(), found.end(), [&](const auto& one) { return one.first == cursor; });
    if (at == found.end()) throw RecordRefusal{JH_E_INVALID, "/cursor: is none that a page answered"};
    found.erase(found.begin(), at + 1);
    return found;
  }

  static bool contains(const Json& texts, std::string_view wanted) {
    for (const Json& one : texts.items()) {
      if (one.stringOr("") == wanted) return true;
    }
    return false;
  }
  static void checkKey(const std::string& key) {
    if (key.empty() || key.size() > kMaxKey) throw RecordRefusal{JH_E_INVALID, "the key must be 1 to 512 bytes"};
    for (const char c : key) {
      if (static_cast<unsigned char>(c) < 0x20) throw RecordRefusal{JH_E_INVALID, "the key has control characters"};
    }
  }

 private:
  const Entry* find(const std::string& collection, const std::string& key) {
    const auto keys = seen_.find(collection);
    if (keys == seen_.end()) return nullptr;
    const auto found = keys->second.find(key);
    if (found == keys->second.end()) return nullptr;
    const bool over = found->second.expires_ms != 0 && found->second.expires_ms <= nowMs();
    return over ? nullptr : &found->second;
  }
  /// Nothing, false, true, numbers, texts.
  static int rank(const Json& value) {
    if (value.isNull()) return 0;
    if (value.isBool()) return value.boolOr(false) ? 2 : 1;
    return value.isNumber() ? 3 : 4;
  }
  static bool less(const Json& a, const Json& b) {
    if (rank(a) != rank(b)) return rank(a) < rank(b);
    if (a.isNumber()) return a.numberOr(0) < b.numberOr(0);
    return a.stringOr("") < b.stringOr("");
  }
  static bool same(const Json& a, const Json& b) { return !a.isNull() && !less(a, b) && !less(b, a); }
  static bool has(const Json& document, std::string_view field, const Json& value) {
    const Json* at = &document;
    while (!field.empty()) {
      const auto dot = field.find('.');
      at = &(*at)[field.substr(0, dot)];
      field = dot == std::string_view::npos ? std::string_view() : field.substr(dot + 1);
    }
    if (!at->isArray()) return same(*at, value);
    return std::any_of(at->items().begin(), at->items().end(), [&](const Json& one) { return same(one, value); });
  }

  std::map<std::string, Collection> stored_, seen_;
  std::map<std::pair<std::string, std::string>, bool> writes_;
  std::size_t max_writes_ = kMaxWrites;
  std::int64_t last_version_ = 0;
};

}  // namespace jobhost::testing::detail
