#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/clock.hpp"

namespace jobhost::api {

/// Slows down whoever guesses passwords: each name from each address, and each address over all names, may fail a few
/// times; after that one attempt at a time is let through, and the wait before it doubles with each failure.
///
/// The steady clock counts, so a jump of wall time sets nobody free. The table is bounded: the entry that failed least
/// recently goes first. Thread-safety: every method from any thread.
class LoginThrottle {
 public:
  struct Options {
    int failures = 5;             ///< of one name from one address before it has to wait
    int address_failures = 50;    ///< of one address over all names
    core::Millis backoff{1'000};  ///< the first wait
    core::Millis backoff_max{900'000};
    core::Millis forget{3'600'000};  ///< an entry that has not failed for so long is new again
    std::size_t entries = 20'000;
  };
  LoginThrottle(Options options, const core::Clock& clock) : options_(options), clock_(clock) {}

  /// Whether an attempt may be made now; otherwise how long to wait. One that may must be ended by ended().
  std::optional<core::Millis> begin(std::string_view name_key, std::string_view address);
  enum class End { Right, Wrong, NotTried };
  void ended(std::string_view name_key, std::string_view address, End end);
  [[nodiscard]] std::size_t entriesForTest();

 private:
  struct Entry {
    std::string key;
    int failures = 0;
    int running = 0;
    core::Clock::Steady last;   ///< failure, or when the entry was made
    core::Clock::Steady until;  ///< no attempt before
  };
  using Entries = std::list<Entry>;  ///< least recently failed first
  Entry& entry(std::string key, core::Clock::Steady now);
  std::optional<core::Millis> wait(Entry& entry, int allowed, core::Clock::Steady now);
  void failed(Entry& entry, int allowed, core::Clock::Steady now);

  const Options options_;
  const core::Clock& clock_;
  std::mutex mutex_;
  Entries entries_;
  std::unordered_map<std::string_view, Entries::iterator> index_;
};

/// What stands for a client's network: an IPv4 address as it is, of an IPv6 address its /64, which one client has
/// whole.
std::string addressGroup(std::string_view address);

}  // namespace jobhost::api
