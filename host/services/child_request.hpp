#pragma once

#include <string_view>

#include "core/result.hpp"
#include "jobs/job_service.hpp"
#include "pool/attempt_services.hpp"

namespace jobhost::services {

/// Reads what a plugin sent to children.submit: {"type","params","priority"?,"dedupe_key"?,"queue_key"?,"run_at_ms"?,
/// "delay_ms"? (from `now`), "after"? ([job ids]), "on_child_failure"? ("ignore" | "fail"), "max_attempts"?,
/// "timeout_ms"?, "tags"?}. The child belongs to the caller and has its owner, where it names none its priority, and
/// its queue key where that is a fair key. Errors: InvalidArgument naming every wrong member; unknown members are
/// refused.
core::Result<jobs::JobRequest> parseChildRequest(std::string_view request_json,
                                                 const pool::AttemptServices::Caller& caller, core::Instant now,
                                                 std::size_t max_bytes);

}  // namespace jobhost::services
