#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace jobhost::fetch {

/// Whose turn it is: so many fetches at once in all and for each host, and so many begun a second for each host. Those
/// that wait go in the order they came, past those whose host is at its limit.
///
/// Pure bookkeeping; one thread. Time is given by the caller and never goes back.
class Turnstile {
 public:
  using Steady = std::chrono::steady_clock;
  using Id = std::uint64_t;
  struct Limits {
    int at_once = 64;
    int at_once_per_host = 6;
    double per_second_per_host = 0;  ///< begun a second, as many at once; 0: no limit
    std::size_t waiting = 1024;
  };

  explicit Turnstile(Limits limits) : limits_(limits) {}

  /// False: too many wait already.
  [[nodiscard]] bool enter(Id id, const std::string& host);
  /// Those whose turn it is now; each must leave() later.
  std::vector<Id> admit(Steady::time_point now);
  void leave(const std::string& host);
  /// One that waits no more; nothing when it does not wait.
  void forget(Id id);
  /// When admit() may have more without any leave(); nullopt: only after one.
  [[nodiscard]] std::optional<Steady::time_point> nextTurn(Steady::time_point now) const;
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
  [[nodiscard]] std::size_t hosts() const { return hosts_.size(); }

 private:
  struct Host {
    int running = 0;
    double tokens = 0;
    Steady::time_point filled;
  };
  struct Waiting {
    Id id;
    std::string host;
  };
  [[nodiscard]] double burst() const;
  [[nodiscard]] double tokensOf(const Host& host, Steady::time_point now) const;
  void dropIdle(Steady::time_point now);

  const Limits limits_;
  int running_ = 0;
  std::map<std::string, Host> hosts_;
  std::list<Waiting> waiting_;
};

}  // namespace jobhost::fetch
