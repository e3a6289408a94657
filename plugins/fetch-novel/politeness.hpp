#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace jobhost::novel {

/// When the next request to a host may go out. Pure: times come from the caller, nothing waits. One thread.
class Politeness {
 public:
  using Time = std::chrono::system_clock::time_point;
  using Span = std::chrono::milliseconds;

  struct Options {
    Span gap{3000};           ///< between the starts of two requests to a host
    std::size_t at_once = 1;  ///< requests under way to a host
    Span back_off{5000};      ///< after the first refusal without Retry-After; doubles with each
    Span max_wait{600'000};   ///< what the doubling may come to
    Span max_gap{60'000};
    std::size_t hosts = 10'000;  ///< remembered; those at rest go first
  };

  /// What a Retry-After may come to.
  static constexpr Span kLongestPause{24 * 3600 * 1000};

  explicit Politeness(Options options) : options_(options) {}

  /// A spec's rate, a Crawl-delay: the longest of those that were set and the options' holds.
  void setGap(std::string_view host, Span gap);
  [[nodiscard]] Span gap(std::string_view host) const;

  /// How long to wait before a request to `host` may start; zero: now. nullopt: too many are under way, ask again
  /// after finished().
  [[nodiscard]] std::optional<Span> wait(std::string_view host, Time now) const;
  void started(std::string_view host, Time now);
  /// `status` 0: no answer. 429 and 503 (and 0) make the host wait; others end its series of refusals.
  void finished(std::string_view host, int status, std::string_view retry_after, Time now);

  /// What is to be remembered of a host between two processes.
  struct Rest {
    Time next{};       ///< before it nothing starts
    int refusals = 0;  ///< in a row
  };
  [[nodiscard]] Rest rest(std::string_view host) const;
  void setRest(std::string_view host, Rest rest, Time now);

 private:
  struct Host {
    Span gap{0};
    Time next{};
    std::size_t under_way = 0;
    int refusals = 0;
  };
  Host& host(std::string_view name, Time now);

  Options options_;
  std::unordered_map<std::string, Host> hosts_;
};

/// A Retry-After: seconds or an HTTP date (all three forms of RFC 9110). nullopt: neither. Never negative.
std::optional<std::chrono::milliseconds> parseRetryAfter(std::string_view value,
                                                         std::chrono::system_clock::time_point now);

}  // namespace jobhost::novel
