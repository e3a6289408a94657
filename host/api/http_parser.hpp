#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "api/http_types.hpp"

namespace jobhost::api {

/// The head of one HTTP/1.x request. Views point into the text that was parsed.
struct RequestHead {
  Method method = Method::Get;
  std::string_view path;
  std::string_view query;
  std::vector<Header> headers;
  bool http11 = true;
  bool keep_alive = true;
  bool chunked = false;
  bool expects_continue = false;
  std::int64_t content_length = 0;  ///< 0 when chunked or absent
};

struct HeadLimits {
  std::size_t bytes = 32 * 1024;
  std::size_t headers = 100;
};

enum class HeadState { Incomplete, Complete, Bad };

/// What came of a parse: on Complete `used` is the length of the head with its empty line; on Bad `status` and
/// `problem` say what to answer (400, 414, 431, 501, 505); the connection cannot be used further.
struct HeadResult {
  HeadState state = HeadState::Incomplete;
  std::size_t used = 0;
  int status = 400;
  const char* problem = "";
};

/// Reads a request's head strictly: what another server could read in another way is refused (RFC 9112 sections 2, 3,
/// 6, 11.2): bare LF, folded lines, blanks before ':', two Content-Length or Host fields, Content-Length beside
/// Transfer-Encoding, any transfer coding but a single "chunked". Pure; `head` is overwritten.
HeadResult parseHead(std::string_view text, const HeadLimits& limits, RequestHead& head);

/// Decodes a chunked body piece by piece. Pure. Limits: chunk lines 256 bytes, trailers 8 KiB.
class ChunkedDecoder {
 public:
  enum class Step { NeedMore, Data, End, Bad };
  /// Looks at `input`; sets `used` to the bytes consumed and, for Data, `data` to a part of input that is body.
  Step next(std::string_view input, std::size_t& used, std::string_view& data);

 private:
  enum class Phase { Size, Data, DataEnd, Trailer, Done };
  Step readSize(std::string_view input, std::size_t& used);
  Step readTrailer(std::string_view input, std::size_t& used);

  Phase phase_ = Phase::Size;
  std::uint64_t left_ = 0;
  std::size_t trailer_bytes_ = 0;
};

}  // namespace jobhost::api
