#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace jobhost::novel {

/// An absolute http or https address in the form jobs are stored under, which is the WHATWG URL standard's: scheme and
/// host in lower case, IDN as A-labels, IPv4 addresses in four decimal parts, no default port, no user, an empty path
/// as
/// "/", dot segments resolved, what may not stand in a URL encoded. The server spells the addresses of novels the same
/// way (host/api/lncrawl/url.hpp); one table of tests holds for both.
struct Url {
  std::string scheme;    ///< "http" or "https"
  std::string host;      ///< A-labels; IPv6 in brackets
  std::string port;      ///< digits; empty: the scheme's own
  std::string path;      ///< begins with '/'
  std::string query;     ///< with its '?', or empty
  std::string fragment;  ///< with its '#', or empty

  [[nodiscard]] std::string authority() const;  ///< "example.org:81"
  [[nodiscard]] std::string origin() const;     ///< "https://example.org:81"
  [[nodiscard]] std::string text() const;       ///< without the fragment: what is requested
};

/// nullopt: no http(s) URL with a host, or no UTF-8. Tolerates what browsers do: spaces around it, backslashes, missing
/// escapes and slashes.
std::optional<Url> parseUrl(std::string_view text);

/// A link of a page, as a browser resolves it (RFC 3986, 5.2). nullopt also for other schemes (mailto:, javascript:).
std::optional<Url> resolveUrl(const Url& base, std::string_view reference);

/// The key of a source: the host without "www." and a last dot. From a URL or a bare host; empty when there is none.
std::string sourceHost(std::string_view url);

/// Doubled slashes of the path become one; the query keeps its own.
std::string withSingleSlashes(std::string_view url);

}  // namespace jobhost::novel
