#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/json_reader.hpp"
#include "core/result.hpp"
#include "store/record_store.hpp"

namespace jobhost::api::lncrawl {

inline constexpr std::string_view kNovelPlugin = "org.jobhost.fetch-novel";
inline constexpr std::string_view kArtifactPlugin = "org.jobhost.artifact";

/// A record of those plugins, with its JSON object opened. Cheap to copy; immutable, any thread.
class RecordDoc {
 public:
  /// nullopt: the body is no JSON object.
  static std::optional<RecordDoc> open(store::Record record);

  [[nodiscard]] const std::string& key() const { return record_->key; }
  [[nodiscard]] const store::Record& record() const { return *record_; }
  [[nodiscard]] std::int64_t createdMs() const { return core::toMicros(record_->created_at) / 1000; }
  [[nodiscard]] std::int64_t updatedMs() const { return core::toMicros(record_->updated_at) / 1000; }
  /// A member as it is spelt; "null" where there is none.
  [[nodiscard]] std::string_view raw(std::string_view name) const;
  /// nullopt: absent, null, or no text.
  [[nodiscard]] std::optional<std::string> text(std::string_view name) const;
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view name) const;
  [[nodiscard]] bool isTrue(std::string_view name) const { return raw(name) == "true"; }

 private:
  std::shared_ptr<const store::Record> record_;
  std::shared_ptr<const JsonDocument> document_;  ///< of the record's body
};

/// Reads what the plugins behind this surface keep. What no plugin has declared yet is empty, not an error.
/// Thread-safety: every method from any thread. Errors: Unavailable, Internal.
class Records {
 public:
  /// Borrowed; null: there are none.
  explicit Records(store::RecordStore* store) : store_(store) {}

  core::Result<std::optional<RecordDoc>> find(std::string_view plugin, std::string_view collection,
                                              std::string_view key) const;
  struct Page {
    std::vector<RecordDoc> records;
    bool more = false;
  };
  core::Result<Page> list(const store::RecordQuery& query) const;
  core::Result<std::int64_t> count(const store::RecordQuery& query) const;
  /// For deletions by an admin.
  [[nodiscard]] store::RecordStore* store() const { return store_; }

 private:
  store::RecordStore* store_;
};

}  // namespace jobhost::api::lncrawl
