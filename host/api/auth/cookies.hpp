#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace jobhost::api {

/// The value of a cookie in a `Cookie` header (RFC 6265), as sent; nullopt: absent, or sent twice with different values
/// (somebody put one in beside ours: neither can be believed).
std::optional<std::string_view> cookieValue(std::string_view header, std::string_view name);

/// `scheme://host[:port]` of an Origin header, in lower case, without the scheme's own port; nullopt: "null", or no
/// origin at all.
std::optional<std::string> normalOrigin(std::string_view origin);

/// Whether an Origin names the host the request was sent to (its Host header), by http or https.
bool sameHost(std::string_view origin, std::string_view host);

}  // namespace jobhost::api
