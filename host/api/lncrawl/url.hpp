#pragma once

#include <string>
#include <string_view>

#include "core/result.hpp"

namespace jobhost::api::lncrawl {

/// An http(s) URL in the one spelling that names a novel: as the WHATWG URL standard parses and writes it.
struct NormalUrl {
  std::string text;
  std::string host;  ///< lower case, IDN as A-labels
};

/// Longest URL that is taken, in bytes as it comes.
inline constexpr std::size_t kMaxUrl = 2083;

/// Scheme and host in lower case, IDN to punycode, IPv4 addresses in four decimal parts, the default port dropped, an
/// empty path made "/", dot segments resolved, what may not stand in a URL percent-encoded; user and fragment dropped,
/// which no fetch would use. Pure; any thread.
/// Errors: InvalidArgument; `code` of it stands in Error::detail: "url_parsing" (message: why), "url_scheme",
/// "url_too_long".
core::Result<NormalUrl> normalUrl(std::string_view text);

/// What a source is known by: the host without "www.".
std::string sourceHost(std::string_view host);

}  // namespace jobhost::api::lncrawl
