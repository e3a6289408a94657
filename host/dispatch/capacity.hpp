#pragma once

#include <map>
#include <optional>
#include <string>

#include "catalog/catalog.hpp"
#include "core/clock.hpp"
#include "dispatch/options.hpp"
#include "store/job_store.hpp"

namespace jobhost::dispatch {

/// Who may run how much, and what is free of it: the arithmetic behind the standing claim.
///
/// A slot is worth kSlot units. An attempt of an ordinary type takes a whole slot; of a type whose attempts are short
/// on average it takes a part, so that several wait behind each other on a slot (read-ahead). Where a limit counts
/// attempts (of a type, of a plugin, or a global one below the slots there are) there is no read-ahead: handed over is
/// counted as running.
/// Not thread-safe: owned by the dispatcher's thread. Pointers given out stay valid for its life.
class Capacity {
 public:
  static constexpr int kSlot = 1024;

  struct Plugin {
    std::string id;
    int slots = 0;
    int limit = 0;  ///< from Options; 0: none
    int used = 0;   ///< units
    int outstanding = 0;
    int begun = 0;  ///< of those outstanding, known to run
    int failures = 0;
    core::Clock::Steady blocked_until{};  ///< no runner could be had: no claims before
    core::Clock::Steady careful_until{};  ///< a long attempt was met: no read-ahead before
    int stalls = 0;
  };
  struct Type {
    std::string name;
    Plugin* plugin = nullptr;
    int concurrency = 0;
    core::Millis wall{0};
    bool available = false;
    int outstanding = 0;
    int samples = 0;
    double average_us = 0;  ///< moving average of an attempt's duration
  };
  /// What one attempt holds until it is given back.
  struct Place {
    Type* type = nullptr;
    Plugin* plugin = nullptr;
    int cost = 0;
    bool ahead = false;  ///< handed over behind others
  };

  explicit Capacity(const Options& options) : options_(options) {}

  void setTypes(const catalog::Snapshot& snapshot);
  Plugin& setSlots(const std::string& plugin, int slots);

  /// Null: a type the catalog never had.
  [[nodiscard]] Type* find(const std::string& type);
  Place take(Type& type, core::Clock::Steady now);
  void giveBack(const Place& place, bool begun);
  /// The attempt is not as short as its type promised: from now on it takes a whole slot.
  static void takeWholeSlot(Place& place);

  /// Learns from an attempt's duration.
  void learn(Type& type, double micros) const;
  /// A long attempt held others up: this plugin's types are handed over one by one for a while.
  void stalled(Plugin& plugin, core::Clock::Steady now) const;
  /// No runner could be had: no claims for a while, longer each time.
  void failedToStart(Plugin& plugin, core::Clock::Steady now) const;

  /// Fills quotas, groups and total with what is free now.
  void fill(store::ClaimRequest& request, core::Clock::Steady now) const;
  /// When a plugin that is blocked now may claim again.
  [[nodiscard]] std::optional<core::Clock::Steady> nextChange(core::Clock::Steady now) const;

  [[nodiscard]] int outstanding() const { return outstanding_; }
  [[nodiscard]] std::map<std::string, Plugin, std::less<>>& plugins() { return plugins_; }
  /// The plugin's slots under its own limit.
  [[nodiscard]] static int usableSlots(const Plugin& plugin);

 private:
  Plugin& plugin(const std::string& id);
  [[nodiscard]] bool globalLimitBinds() const;
  [[nodiscard]] int depth(const Type& type, core::Clock::Steady now) const;

  const Options& options_;
  std::map<std::string, Plugin, std::less<>> plugins_;
  std::map<std::string, Type, std::less<>> types_;
  int outstanding_ = 0;
};

}  // namespace jobhost::dispatch
