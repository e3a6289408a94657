#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "fetch/client.hpp"
#include "pool/http_services.hpp"

namespace jobhost::services {

/// Reads the JSON of a fetch: {"url", "method"?, "headers"? ([[name, value], …]), "timeout_ms"?, "connect_timeout_ms"?,
/// "max_body_bytes"?, "max_redirects"?, "retries"?, "decompress"?, "cookies"?}. Unknown members are refused.
/// `keeps_cookies`: whether cookies are wanted; they are by default. The Failure names the member.
std::variant<fetch::Request, fetch::Failure> parseHttpRequest(std::string_view json, bool& keeps_cookies);

/// {"status", "url", "headers", "redirects", "tries", "body_bytes", "wire_bytes", "elapsed_ms", "retry_after_ms",
/// "file"?}
std::string describeResponse(const fetch::Response& response, std::string_view file);

/// What a plugin is told of a failure.
pool::HttpAnswer describeFailure(const fetch::Failure& failure);

}  // namespace jobhost::services
