#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fetch/request.hpp"

namespace jobhost::fetch {

inline constexpr std::size_t kMaxRequestHeaders = 100;
inline constexpr std::size_t kMaxRequestHeaderBytes = 32 * 1024;

/// Why a request may not be sent as it is ("headers/3: …"); nullopt: it may. Names that belong to the client (Host,
/// Content-Length, Connection, …) are refused.
std::optional<std::string> problemOf(const std::vector<Header>& headers);
bool isKnownMethod(std::string_view method);
/// May be sent twice without harm: all but POST and PATCH.
bool isIdempotent(std::string_view method);

/// Whether `status` sends the client elsewhere when there is a Location.
bool isRedirect(int status);
/// The method after a redirect, by what browsers do: 303 and, for POST, 301 and 302 become GET, without the body.
std::string methodAfter(int status, const std::string& method);
/// The headers that may go along. To another origin only those that cannot carry a credential: a key may hide under any
/// name, so the harmless ones are listed and not the others. Those that describe a body that is not sent again go.
std::vector<Header> headersAfter(const std::vector<Header>& headers, bool same_origin, bool keeps_body);

bool equalsIgnoringCase(std::string_view one, std::string_view other);

}  // namespace jobhost::fetch
