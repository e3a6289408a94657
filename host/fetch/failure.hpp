#pragma once

#include <string>
#include <string_view>

namespace jobhost::fetch {

/// Why a fetch has no response. The names ("http.timeout") are stable: plugins and operators' scripts read them.
enum class FailureCode {
  InvalidRequest,    ///< the request is wrong: its message names the member
  Scheme,            ///< neither http nor https, also of a redirect
  HostDenied,        ///< the host is none of those the caller may reach, also of a redirect
  AddressDenied,     ///< the name leads to a private, loopback or otherwise guarded address
  Dns,               ///< the name does not resolve
  Connect,           ///< refused, unreachable, reset
  Tls,               ///< no TLS connection, or a certificate that is not trusted
  ConnectTimeout,    ///< no connection in time
  Timeout,           ///< not done in time, all redirects, retries and waits counted
  TooSlow,           ///< fewer bytes a second than asked for, for too long
  Truncated,         ///< the body ended before it was whole
  Protocol,          ///< what came is not HTTP
  HeadersTooLarge,   ///< more bytes of headers than allowed
  BodyTooLarge,      ///< more bytes of body than allowed, unpacked
  Decompression,     ///< cannot be unpacked, or grows too much on being unpacked
  TooManyRedirects,  ///< more than the request allows
  BadRedirect,       ///< a redirect to what is no URL
  Busy,              ///< too many fetches wait already
  Disk,              ///< the body cannot be written
  Canceled,          ///< by cancel()
  ShuttingDown,      ///< the client is being destroyed
  Internal,          ///< a bug, or out of memory
};

/// "http.timeout"
std::string_view toString(FailureCode code);

/// Whether the same request may well succeed a little later.
bool isPassing(FailureCode code);

struct Failure {
  FailureCode code = FailureCode::Internal;
  std::string message;  ///< one sentence: the method, the URL without its secrets, and what is wrong
};

}  // namespace jobhost::fetch
