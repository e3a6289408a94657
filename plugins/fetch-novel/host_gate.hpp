#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "fetch-novel/politeness.hpp"
#include "support/files/turns.hpp"

namespace jobhost::novel {

/// Politeness that all processes with the same folder share: a host's requests go out one after the other and with its
/// gap between them, whoever sends them. Turns are the kernel's file locks, so one that is killed loses its own.
///
/// Who finds a host busy need not wait here: it can be told when to come back. Those that are told so are booked one
/// after the other; it is no more than a plan, so that one which never comes leaves a gap that closes by itself.
///
/// One thread. Throws support::Failure file.write when the folder cannot be used.
class HostGate {
 public:
  using Wait = support::Turns::Wait;
  /// The wall clock, which processes share; a test has one of its own.
  using Now = std::function<Politeness::Time()>;

  HostGate(std::filesystem::path folder, Politeness::Options options, Wait wait,
           Now now = &std::chrono::system_clock::now);

  /// The longer one of it and the options' gap counts.
  void setGap(std::string_view host, std::chrono::milliseconds gap) { politeness_.setGap(host, gap); }

  /// One request's turn, until it is gone.
  class Turn {
   public:
    /// What came of it, as Politeness::finished. Not called: the host learns nothing.
    void finish(int status, std::string_view retry_after);

   private:
    friend class HostGate;
    Turn(HostGate& gate, std::string host, support::Turns::Turn slot)
        : gate_(gate), host_(std::move(host)), slot_(std::move(slot)), begun_(std::chrono::steady_clock::now()) {}
    HostGate& gate_;
    std::string host_;
    support::Turns::Turn slot_;
    std::chrono::steady_clock::time_point begun_;
  };
  /// How long enter() waits in place.
  enum class Patience {
    Little,   ///< for one that loses nothing by coming back: the gap between two requests, or a second
    Some,     ///< half a minute for the others, and for the host
    Endless,  ///< as long as it takes
  };
  /// The host's turn, or when to try again.
  struct Entry {
    std::optional<Turn> turn;
    std::chrono::milliseconds away{0};  ///< without a turn
    bool refused =
        false;  ///< the host asked for a pause of `away`, longer than the options' max_wait: do not wait for it
  };
  /// `host`: its name, with the port where it is not the usual one.
  [[nodiscard]] Entry enter(const std::string& host, Patience patience = Patience::Endless);

 private:
  struct Memory;
  [[nodiscard]] std::chrono::milliseconds step(const std::string& host, const Memory& memory) const;
  [[nodiscard]] std::chrono::milliseconds patienceForOthers(const std::string& host, Patience patience);
  [[nodiscard]] Entry book(const std::string& host);
  /// Runs `change` while no other process looks at what is remembered of the host.
  void remembered(const std::string& host, const std::function<void(Memory&, Politeness::Time)>& change);

  std::filesystem::path folder_;
  Politeness::Options options_;
  Politeness politeness_;
  Wait wait_;
  Now now_;
};

/// Removes what is remembered of hosts that nobody asked for a day.
void sweepGate(const std::filesystem::path& folder);

}  // namespace jobhost::novel
