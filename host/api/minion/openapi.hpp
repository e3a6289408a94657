#pragma once

#include <string>
#include <string_view>

namespace jobhost::api::minion {

/// minion/openapi.json as it was at build time: OpenAPI 3.1, every route of this surface.
std::string_view openApiDocument();

/// What OPTIONS answers for a path: its part of the document, keys sorted, '/' as '\/'. `pattern` is a route's.
std::string describePath(std::string_view pattern);

}  // namespace jobhost::api::minion
