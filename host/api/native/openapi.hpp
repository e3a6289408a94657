#pragma once

#include <string_view>

namespace jobhost::api::native {

/// native/openapi.json as it was at build time: OpenAPI 3.1, the routes of this dialect.
std::string_view openApiDocument();

}  // namespace jobhost::api::native
