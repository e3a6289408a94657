#pragma once

#include <string_view>

namespace jobhost::api::lncrawl {

/// lncrawl/openapi.json as it was at build time: OpenAPI 3.1, every route of this surface.
std::string_view openApiDocument();

}  // namespace jobhost::api::lncrawl
