#pragma once

#include <string>
#include <vector>

#include "api/http_types.hpp"

namespace jobhost::api {

/// Where the caller is: the other end of the connection, or, when that is a proxy we trust, the last address in
/// X-Forwarded-For that is none. What stands further left was written by the caller and may be anything.
std::string clientAddress(const Request& request, const std::vector<std::string>& trusted_proxies);

/// Whether a text is an IPv4 or IPv6 address, and no network or name.
bool isAddress(const std::string& text);

}  // namespace jobhost::api
