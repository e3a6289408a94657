#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "fetch/failure.hpp"

namespace jobhost::fetch {

inline constexpr std::size_t kMaxUrlBytes = 8 * 1024;

/// An absolute http or https URL, normalised: host in lower case, numbers that mean an IPv4 address as such. Hosts are
/// ASCII; names in other letters are written as xn--….
struct Url {
  std::string text;     ///< as it is asked for: with userinfo and query, without the fragment
  std::string shown;    ///< scheme, host, port and path alone: for messages and logs
  std::string visible;  ///< without userinfo and fragment, with the query: what a response says of itself
  std::string scheme;
  std::string host;  ///< IPv6 without brackets; no trailing dot
  std::uint16_t port = 0;

  /// Same scheme, host and port: credentials may follow.
  [[nodiscard]] bool sameOrigin(const Url& other) const {
    return scheme == other.scheme && host == other.host && port == other.port;
  }
};

/// The Failure's message is the reason alone, without the URL, which may hold secrets. Codes: InvalidRequest, Scheme.
std::variant<Url, Failure> parseUrl(std::string_view text);
/// Where a redirect from `from` leads. Codes: BadRedirect, Scheme.
std::variant<Url, Failure> resolveUrl(const Url& from, std::string_view location);

/// Whether `host` is one of a permission's patterns: a name, "*.name" for all below it, or "*".
bool hostMatches(std::string_view pattern, std::string_view host);

}  // namespace jobhost::fetch
