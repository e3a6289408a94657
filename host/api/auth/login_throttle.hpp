#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "api/auth/token_bucket.hpp"
#include "core/clock.hpp"

namespace jobhost::api {

/// Slows down whoever guesses passwords: each name from each address, each address over all names, and each name over
/// all addresses may fail a few times; after that one attempt at a time is let through, and the wait before it doubles
/// with each failure. An attempt under way counts as one that fails, so that a burst buys no more than its share.
///
/// A name that is guessed at from many networks is slowed down, and cannot be locked: its waits stay short, and they
/// do not hold where that name logged in not long ago. Right passwords cost a hash too, so they have a budget for each
/// name from each address, and no address has more than a few attempts under way.
///
/// The steady clock counts, so a jump of wall time sets nobody free. The tables are bounded: the entry that failed
/// least recently goes first. Thread-safety: every method from any thread.
class LoginThrottle {
 public:
  struct Options {
    int failures = 5;             ///< of one name from one address before it has to wait
    int address_failures = 50;    ///< of one address over all names
    int name_failures = 100;      ///< of one name over all addresses
    int at_once = 2;              ///< attempts of one address under way
    int per_minute = 20;          ///< right passwords of one name from one address, and as many at once
    core::Millis backoff{1'000};  ///< the first wait
    core::Millis backoff_max{900'000};
    core::Millis name_backoff_max{30'000};          ///< of a name over all addresses
    core::Millis familiar{7LL * 24 * 3600 * 1000};  ///< an address knows a name for so long after a login
    core::Millis forget{3'600'000};                 ///< an entry that has not failed for so long is new again
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
    core::Clock::Steady last;                      ///< failure, or when the entry was made
    core::Clock::Steady until;                     ///< no attempt before
    std::unique_ptr<TokenBucket> right = nullptr;  ///< of right passwords; made with the first
  };
  using Entries = std::list<Entry>;  ///< least recently failed first
  struct Familiar {
    std::string key;
    core::Clock::Steady until;
  };
  using Familiars = std::list<Familiar>;  ///< least recently logged in first

  Entry& entry(std::string key, core::Clock::Steady now);
  [[nodiscard]] std::optional<core::Millis> wait(const Entry& entry, int allowed, core::Clock::Steady now) const;
  void failed(Entry& entry, int allowed, core::Millis most, core::Clock::Steady now);
  [[nodiscard]] bool familiar(const std::string& key, core::Clock::Steady now) const;
  void becomesFamiliar(std::string key, core::Clock::Steady now);

  const Options options_;
  const core::Clock& clock_;
  std::mutex mutex_;
  Entries entries_;
  std::unordered_map<std::string_view, Entries::iterator> index_;
  // Apart from the failures, or whoever fails from enough addresses would push these out.
  Familiars familiars_;
  std::unordered_map<std::string_view, Familiars::iterator> familiar_index_;
};

/// What stands for a client's network: an IPv4 address as it is, of an IPv6 address its /64, which one client has
/// whole.
std::string addressGroup(std::string_view address);

}  // namespace jobhost::api
