#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/json_writer.hpp"
#include "api/lncrawl/job_types.hpp"
#include "api/lncrawl/job_uuid.hpp"
#include "core/job.hpp"

namespace jobhost::api::lncrawl {

/// The error of what was canceled because a job above it was, or failed.
inline constexpr const char* kCanceledByParent = "Canceled by one of the parent";

/// 0 PENDING, 1 RUNNING, 2 SUCCESS, 3 FAILED, 4 CANCELED.
int statusOf(core::JobState state);

/// What a list shows of the job: "My Novel · Chapter 7". `params_json` is the job's.
std::string jobTitle(const JobKind& kind, std::string_view params_json);

/// The job with every key there is, in the order of the contract. `kind` is the job's.
void writeJob(JsonWriter& json, const core::Job& job, const JobKind& kind, const JobUuids& ids);

}  // namespace jobhost::api::lncrawl
