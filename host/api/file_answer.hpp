#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "api/http_types.hpp"
#include "core/clock.hpp"

namespace jobhost::api {

/// A regular file that is open to be sent.
struct OpenFile {
  FileBody body;                            ///< all of it
  std::string etag;                         ///< with its quotes; made of size and time of change
  std::optional<core::Instant> changed_at;  ///< nullopt: no Last-Modified is told

  [[nodiscard]] std::int64_t size() const { return body.length; }
};

/// Takes the descriptor over, also when it answers nullopt: it is -1, or no regular file.
std::optional<OpenFile> openedFile(int fd);

/// Makes `response`, which brings its own headers, the answer with this file: 200, 206 with the range that was asked
/// for (RFC 9110 14.1.2, one range; several count as none), 304 for who has it already (If-None-Match, else
/// If-Modified-Since), or 416 without a body, which is the dialect's to say. Adds ETag, Last-Modified, Accept-Ranges
/// and Content-Range.
void answerWith(OpenFile file, const Request& request, Response& response);

}  // namespace jobhost::api
