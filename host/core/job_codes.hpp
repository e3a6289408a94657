#pragma once

namespace jobhost::core {

/// JobError::code of a job that was canceled because one above it failed. API stable; dialects say it in their words.
inline constexpr const char* kParentFailed = "parent_failed";

}  // namespace jobhost::core
