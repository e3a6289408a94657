#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/http_types.hpp"
#include "api/server.hpp"
#include "core/error.hpp"

namespace jobhost::api {

/// The token in the session's cookie; nullopt: none, or not one that can be believed.
std::optional<std::string_view> sessionToken(const Request& request, const AuthOptions& options);
/// A Set-Cookie value that gives the token to the browser; an empty token takes it away.
std::string sessionCookie(std::string_view token, const AuthOptions& options);
/// What is wrong with a request that a page of another site sent; nullopt: it names our own host, a trusted origin, or
/// none at all (it is no browser's).
std::optional<core::Error> refuseForeignOrigin(const Request& request, const AuthOptions& options);

/// The same for a change by the session of this token: it must also show that a page of ours asked for it.
std::optional<core::Error> refuseForged(const Request& request, std::string_view token, const AuthOptions& options);

}  // namespace jobhost::api
