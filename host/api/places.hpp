#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace jobhost::api {

/// A number of places that callers take and give back, of which nobody gets more than a share. Thread-safety: every
/// method from any thread. A place may be given back after the Places are gone.
class Places {
 public:
  /// `all` and `each`: at least 1.
  Places(int all, int each) : state_(std::make_shared<State>(all, each)) {}

  enum class Room { Free, CallerFull, Full };
  [[nodiscard]] Room room(const std::string& caller) const;
  /// Given back when the last copy of it goes; null: there is no room.
  [[nodiscard]] std::shared_ptr<void> take(const std::string& caller);

 private:
  struct State {
    State(int everybodys, int ones) : all(everybodys), each(ones) {}
    const int all;
    const int each;
    std::mutex mutex;
    int taken = 0;
    std::unordered_map<std::string, int> by_caller;  ///< only those who have some
  };
  static Room roomIn(const State& state, const std::string& caller);  ///< under the lock

  std::shared_ptr<State> state_;
};

}  // namespace jobhost::api
