#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "api/lncrawl/job_types.hpp"
#include "api/lncrawl/parts.hpp"

namespace jobhost::api::lncrawl {

/// The tag of every root job made here: by it lists find them among all others without looking at those.
inline constexpr const char* kTag = "lncrawl";

/// Makes a root job for the caller, in the caller's name and with the priority of the caller's tier, and answers it as
/// it is stored. `after`: jobs that must have ended before. `list`: the member of the body that is at fault where the
/// params are too large for a job.
Response makeJob(const Parts& parts, const Call& call, const JobKind& kind, std::string params_json,
                 std::vector<core::JobId> after = {}, std::string_view list = {});

/// Waits until the job has ended, until then at most.
void awaitEnd(const Parts& parts, core::JobId id, std::chrono::steady_clock::time_point until);

/// A job of this surface by its id as a path has it; NotFound: none, or no job of the twelve kinds.
core::Result<core::Job> findJob(const Parts& parts, std::string_view id);

}  // namespace jobhost::api::lncrawl
