#pragma once

#include "api/http_types.hpp"

namespace jobhost::api {

/// Bodies from this size on are compressed: a smaller one fits the first packet as it is.
inline constexpr std::size_t kCompressedBody = 860;

/// Compresses the body of an answer in JSON by gzip where it is worth it and the client takes it (RFC 9110 12.5.3), for
/// every dialect alike, and names Accept-Encoding in Vary where the answer depends on it. Files, streamed bodies, event
/// streams, parts (206), answers with a validator or a coding of their own and those beyond 32 MiB stay as they are.
void encodeBody(const Request& request, Response& response);

/// Whether these Accept-Encoding fields prefer gzip to no coding at all.
bool acceptsGzip(std::span<const Header> headers);

}  // namespace jobhost::api
