#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/job.hpp"
#include "core/result.hpp"
#include "jobs/job_service.hpp"

namespace jobhost::jobs {

/// Checks everything of a draft but its type and params, and adds a FieldError for each fault. Touches no disk.
void checkDraft(const core::JobDraft& draft, const SubmitLimits& limits, core::Instant now,
                std::vector<core::FieldError>& errors);

/// The faults of a set of tags (pointers "/tags/2").
void checkTags(const std::vector<std::string>& tags, const SubmitLimits& limits, std::vector<core::FieldError>& errors);

/// The faults of a batch's name (pointer "/name"): it is a text of 1 to key_bytes bytes.
void checkBatchName(const std::string& name, const SubmitLimits& limits, std::vector<core::FieldError>& errors);

/// Params by name from an array of arguments, by the type's positional order: `[5,null,true]` with {"a","b","c"} gives
/// `{"a":5,"c":true}`, values as they were spelt. `null` for the whole array means none.
/// Errors: InvalidArgument at "/args" (not an array, not JSON, more arguments than the type takes), TooLarge.
core::Result<std::string> paramsFromArgs(std::string_view args_json, const std::vector<std::string>& positional,
                                         std::size_t max_bytes);

/// Whether the text is a handle as POST /api/v1/inputs gives out: 1 to 64 of A-Z a-z 0-9 _ -, so a safe folder name.
bool isInputId(std::string_view text);

}  // namespace jobhost::jobs
