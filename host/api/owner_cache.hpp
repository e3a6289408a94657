#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "core/job.hpp"
#include "jobs/job_service.hpp"

namespace jobhost::api {

/// Whose job is it, and of what batch? Asked for each event of a stream that tells of some jobs alone; neither ever
/// changes, so the store is asked once a job. Bounded: when it is full it starts anew. Thread-safety: any thread.
class OwnerCache {
 public:
  static constexpr std::size_t kMost = 16'384;
  explicit OwnerCache(jobs::JobService& jobs) : jobs_(jobs) {}

  /// Whether the job is this owner's. A job that is gone and that nobody asked for before is nobody's. nullopt: the
  /// store cannot say now.
  std::optional<bool> owns(const std::string& owner, core::JobId job);
  /// The same for the jobs of a batch, which are those of its owner that name it.
  std::optional<bool> holds(const std::string& owner, const std::string& batch, core::JobId job);

 private:
  std::optional<bool> fits(core::JobId job, const std::function<bool(const store::Belonging&)>& wanted);

  jobs::JobService& jobs_;
  std::mutex mutex_;
  std::unordered_map<core::JobId, store::Belonging> known_;
};

}  // namespace jobhost::api
