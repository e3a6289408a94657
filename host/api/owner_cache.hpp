#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "core/job.hpp"
#include "jobs/job_service.hpp"

namespace jobhost::api {

/// Whose job is it? Asked for each event that a caller hears who hears of its own jobs alone; an owner never changes,
/// so the store is asked once a job. Bounded: when it is full it starts anew. Thread-safety: any thread.
class OwnerCache {
 public:
  static constexpr std::size_t kMost = 16'384;
  explicit OwnerCache(jobs::JobService& jobs) : jobs_(jobs) {}

  /// Whether the job is this owner's. A job that is gone and that nobody asked for before is nobody's. nullopt: the
  /// store cannot say now.
  std::optional<bool> owns(const std::string& owner, core::JobId job);

 private:
  jobs::JobService& jobs_;
  std::mutex mutex_;
  std::unordered_map<core::JobId, std::string> owners_;
};

}  // namespace jobhost::api
