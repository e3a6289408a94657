#include "api/owner_cache.hpp"

#include <utility>

namespace jobhost::api {

std::optional<bool> OwnerCache::owns(const std::string& owner, core::JobId job) {
  {
    std::lock_guard lock(mutex_);
    if (const auto known = owners_.find(job); known != owners_.end()) return known->second == owner;
  }
  auto found = jobs_.owner(job);
  if (!found) return found.error().code == core::ErrorCode::NotFound ? std::optional(false) : std::nullopt;
  const bool owned = *found == owner;
  std::lock_guard lock(mutex_);
  if (owners_.size() >= kMost) owners_.clear();
  owners_.emplace(job, *std::move(found));
  return owned;
}

}  // namespace jobhost::api
