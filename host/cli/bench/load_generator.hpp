#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "core/result.hpp"

namespace jobhost::cli::bench {

/// What the requests of one run cost. Latencies are sorted.
struct LoadResult {
  std::int64_t answered = 0;
  std::int64_t refused = 0;  ///< answers that were not 2xx
  int first_refusal = 0;     ///< its status; 0: none
  double seconds = 0;
  std::vector<std::uint32_t> latency_us;

  [[nodiscard]] double rate() const { return seconds > 0 ? static_cast<double>(answered - refused) / seconds : 0; }
  /// `share` in 0..1; 0 when nothing was answered.
  [[nodiscard]] double percentileMs(double share) const;
};

/// Sends one prepared request over and over on `connections` kept-alive connections, one at a time on each, from one
/// epoll thread: no allocation, parsing of the status line and Content-Length only, since it shares the cores with the
/// host it measures. Stops after `requests` answers (0: no limit) or `duration`, whichever is first; what is in flight
/// then is still awaited and counted.
struct Load {
  std::string host = "127.0.0.1";
  unsigned short port = 0;
  std::string request;  ///< head and body
  int connections = 1;
  std::int64_t requests = 0;
  std::chrono::milliseconds duration{0};
};
/// Unavailable: a connection could not be made or was closed by the host.
core::Result<LoadResult> run(const Load& load);

/// A whole HTTP/1.1 request.
std::string httpRequest(const std::string& method, const std::string& path, const std::string& host,
                        const std::string& key, const std::string& body);

/// A connected, non-blocking TCP socket with TCP_NODELAY; -1 with errno set. IPv4 address or localhost.
int connectTo(const std::string& host, unsigned short port);

}  // namespace jobhost::cli::bench
