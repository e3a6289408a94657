#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "fetch/address_guard.hpp"
#include "fetch/cookie_jar.hpp"
#include "fetch/failure.hpp"
#include "fetch/request.hpp"
#include "fetch/sinks.hpp"
#include "fetch/turnstile.hpp"

namespace jobhost::fetch {

/// What every fetch of a client is held to.
struct ClientOptions {
  AddressGuard guard = *AddressGuard::make(false, {});
  std::string user_agent = "jobhost";
  std::string proxy;    ///< URL of the one that all requests go through; empty: none, whatever the environment says
  std::string ca_file;  ///< PEM file of trusted roots; empty: the system's
  /// "name:port:address" in place of what DNS says; the guard judges the address all the same.
  std::vector<std::string> resolve;

  std::chrono::milliseconds timeout{60'000};         ///< of a request that asks for none
  std::chrono::milliseconds max_timeout{3'600'000};  ///< the most a request may ask for
  std::chrono::milliseconds connect_timeout{10'000};
  std::int64_t slow_bytes_per_s = 100;  ///< slower than this …
  std::chrono::seconds slow_after{30};  ///< … for so long ends a fetch
  std::int64_t max_body_bytes = 1LL << 30;
  std::size_t max_header_bytes = 128 * 1024;  ///< of all responses of one try together
  std::size_t max_request_bytes = 16 << 20;   ///< of a request's body
  std::int64_t max_unpack_ratio = 200;        ///< of an unpacked body to what came, beyond the first MiB
  std::size_t max_held_bytes = 256 << 20;     ///< of the bodies of all requests under way or waiting, together
  int max_redirects = 10;
  int max_retries = 5;
  Turnstile::Limits turns;
};

/// The one HTTP client: http and https, on libcurl, with its guards. What it hands over is whole or an error: a
/// response is told when its body is in the sink, and a body cut off is a Failure.
///
/// Redirects are followed here and not by libcurl, so that each target is checked: scheme, the caller's hosts, the
/// address; across origins headers that may carry a credential are dropped. Cookies go by their own rules. Environment
/// (http_proxy), .netrc and caches are not looked at.
///
/// Threads: one of its own, which waits on epoll and does all work; start() and cancel() may be called from any. `done`
/// is called once, on that thread; it must not block and may call start() and cancel(). Failing names the URL without
/// userinfo and query. The destructor ends what runs with ShuttingDown and joins.
class Client {
 public:
  using Outcome = std::variant<Response, Failure>;
  using Done = std::function<void(Outcome)>;
  /// Names a fetch; never reused.
  using Ticket = std::uint64_t;

  explicit Client(ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// `sink` gets the body of the response told, and of none before it.
  Ticket start(Request request, std::shared_ptr<BodySink> sink, Done done);
  /// Ends it with Canceled, unless it has ended; at once, whatever it waits for.
  void cancel(Ticket ticket);

  [[nodiscard]] const ClientOptions& options() const;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace jobhost::fetch
