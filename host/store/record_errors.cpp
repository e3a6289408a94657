#include "store/record_errors.hpp"

#include <algorithm>
#include <string_view>

#include "store/record_value.hpp"

namespace jobhost::store {

using core::Error;
using core::ErrorCode;

namespace {

bool isCollectionName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxCollectionName && name[0] >= 'a' && name[0] <= 'z' &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; });
}

}  // namespace

Error noCollection(const std::string& plugin, const std::string& name) {
  return {ErrorCode::NotFound, "plugin \"" + plugin + "\" declares no collection \"" + name + "\"", {}, {}};
}
Error noIndex(const std::string& collection, const std::string& field) {
  return {ErrorCode::NotFound, "collection \"" + collection + "\" has no index on \"" + field + "\"", {}, {}};
}
Error notAsExpected(const std::string& key, std::int64_t version) {
  return {ErrorCode::Conflict,
          "record \"" + key + "\" is not as expected: " +
              (version == kNoVersion ? "there is none" : "it has version " + std::to_string(version)),
          {},
          {}};
}
Error overQuota(const std::string& plugin, const RecordQuota& quota) {
  return {ErrorCode::Exhausted,
          "plugin \"" + plugin + "\" keeps at most " + std::to_string(quota.records) + " records of " +
              std::to_string(quota.bytes) + " bytes in all",
          {},
          {}};
}
Error twice(const std::string& key) {
  return {ErrorCode::InvalidArgument, "record \"" + key + "\" is written twice at once", {}, {}};
}

core::Result<void> checkCollections(const std::string& plugin, const std::vector<CollectionSpec>& collections) {
  const auto wrong = [](std::string message) { return Error{ErrorCode::InvalidArgument, std::move(message), {}, {}}; };
  if (plugin.empty()) return wrong("the plugin has no id");
  for (const auto& collection : collections) {
    if (!isCollectionName(collection.name)) {
      return wrong("collection \"" + collection.name + "\": the name must be small letters, digits, '-' and '_'");
    }
    if (collection.indexes.size() > static_cast<std::size_t>(kMaxCollectionIndexes)) {
      return wrong("collection \"" + collection.name + "\" has more than " + std::to_string(kMaxCollectionIndexes) +
                   " indexes");
    }
    for (const auto& field : collection.indexes) {
      if (!isFieldName(field)) return wrong("collection \"" + collection.name + "\": \"" + field + "\" is no field");
    }
  }
  return {};
}

}  // namespace jobhost::store
