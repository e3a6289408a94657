#pragma once

#include <string>
#include <vector>

#include "core/result.hpp"
#include "store/record.hpp"

namespace jobhost::store {

// What every implementation of RecordStore refuses, in the same words.

/// Errors of declareCollections() that need no store.
core::Result<void> checkCollections(const std::string& plugin, const std::vector<CollectionSpec>& collections);

core::Error noCollection(const std::string& plugin, const std::string& name);
core::Error noIndex(const std::string& collection, const std::string& field);
core::Error notAsExpected(const std::string& key, std::int64_t version);
core::Error overQuota(const std::string& plugin, const RecordQuota& quota);
core::Error twice(const std::string& key);

}  // namespace jobhost::store
