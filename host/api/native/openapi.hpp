#pragma once

#include <string_view>

namespace jobhost::api::native {

/// native/openapi.json as it was at build time: OpenAPI 3.1, native and minion routes.
std::string_view openApiDocument();

}  // namespace jobhost::api::native
