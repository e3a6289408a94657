#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace jobhost::fetch {

class CookieJar;

struct Header {
  std::string name;
  std::string value;
  bool operator==(const Header&) const = default;
};

/// What is asked for. Members left empty have the client's limits as their value; none may ask for more.
struct Request {
  std::string method = "GET";  ///< GET HEAD POST PUT PATCH DELETE OPTIONS
  std::string url;
  std::vector<Header> headers;
  std::string body;
  /// Patterns (see hostMatches) of the hosts the caller may reach, redirects included; none: no host at all.
  std::vector<std::string> allowed_hosts;
  std::shared_ptr<CookieJar> cookies;                ///< null: cookies are neither kept nor sent
  std::optional<std::chrono::milliseconds> timeout;  ///< of all of it: waits, redirects, retries
  std::optional<std::chrono::milliseconds> connect_timeout;
  std::optional<std::int64_t> max_body_bytes;
  std::optional<int> max_redirects;  ///< 0: a redirect is the response
  int retries = 0;                   ///< of a method that may be repeated, when the failure may pass
  bool decompress = true;
};

/// One response, whole.
struct Response {
  int status = 0;
  std::vector<Header> headers;  ///< in the order they came, names in lower case
  std::string url;              ///< the one that answered, without userinfo
  int redirects = 0;
  int tries = 1;
  std::int64_t body_bytes = 0;                           ///< as the sink got them
  std::int64_t wire_bytes = 0;                           ///< of the body as it was sent
  std::optional<std::chrono::milliseconds> retry_after;  ///< what the server asks for
  std::chrono::milliseconds elapsed{0};
};

}  // namespace jobhost::fetch
