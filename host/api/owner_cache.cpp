#include "api/owner_cache.hpp"

#include <utility>

namespace jobhost::api {

std::optional<bool> OwnerCache::owns(const std::string& owner, core::JobId job) {
  return fits(job, [&](const store::Belonging& it) { return it.owner == owner; });
}

std::optional<bool> OwnerCache::holds(const std::string& owner, const std::string& batch, core::JobId job) {
  return fits(job, [&](const store::Belonging& it) { return it.batch == batch && it.owner == owner; });
}

std::optional<bool> OwnerCache::fits(core::JobId job, const std::function<bool(const store::Belonging&)>& wanted) {
  {
    std::lock_guard lock(mutex_);
    if (const auto known = known_.find(job); known != known_.end()) return wanted(known->second);
  }
  auto found = jobs_.belonging(job);
  if (!found) return found.error().code == core::ErrorCode::NotFound ? std::optional(false) : std::nullopt;
  const bool fits = wanted(*found);
  std::lock_guard lock(mutex_);
  if (known_.size() >= kMost) known_.clear();
  known_.emplace(job, *std::move(found));
  return fits;
}

}  // namespace jobhost::api
