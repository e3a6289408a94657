#pragma once

#include <cstdint>
#include <functional>
#include <istream>
#include <string>
#include <string_view>

#include "api/channel.hpp"
#include "core/result.hpp"

namespace jobhost::api {

/// What the head of one part of a multipart/form-data body says.
struct PartHead {
  std::string name;
  std::string file_name;   ///< as sent; empty: a plain field
  std::string media_type;  ///< as sent; empty: none
};

/// Called for each part with its bytes, which are passed over where they are not read to the end. They are read by the
/// stream's own functions, which remember its end: its buffer goes on to the next part when it is asked again. An error
/// ends the walk.
using PartHandler = std::function<core::Result<void>(const PartHead& head, std::istream& bytes)>;

/// Whether a Content-Type is multipart/form-data.
bool isMultipartForm(std::string_view content_type);

/// Walks the parts as they come from the client: nothing is kept. Errors: InvalidArgument (malformed, cut short, too
/// many parts), TooLarge (over `limit` bytes in all), those of BodyReader and of `part`.
core::Result<void> readMultipart(const std::string& content_type, BodyReader& body, std::int64_t limit,
                                 const PartHandler& part);

}  // namespace jobhost::api
