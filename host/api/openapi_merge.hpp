#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace jobhost::api {

/// One OpenAPI document out of several. The first gives everything that stands beside `paths`, `tags` and `components`;
/// of the others these three are added, in order. Errors: Internal when a document cannot be read, or two describe the
/// same path or component differently.
core::Result<std::string> mergeOpenApi(std::span<const std::string_view> documents);

}  // namespace jobhost::api
