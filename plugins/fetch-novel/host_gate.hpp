#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "fetch-novel/politeness.hpp"
#include "support/files/unique_fd.hpp"

namespace jobhost::novel {

/// Politeness that all processes with the same folder share: a host's requests go out one after the other and with its
/// gap between them, whoever sends them. The kernel's file locks hold the turns, so one that is killed loses its own.
///
/// One thread. Throws support::Failure file.write when the folder cannot be used.
class HostGate {
 public:
  /// Blocks until `fd` (-1: none) is readable or the time is over; throws to end the wait for good.
  using Wait = std::function<void(int fd, std::chrono::milliseconds most)>;

  HostGate(std::filesystem::path folder, Politeness::Options options, Wait wait);

  /// The longer one of it and the options' gap counts.
  void setGap(std::string_view host, std::chrono::milliseconds gap) { politeness_.setGap(host, gap); }

  /// One request's turn, until it is gone.
  class Turn {
   public:
    /// What came of it, as Politeness::finished. Not called: the host learns nothing.
    void finish(int status, std::string_view retry_after);

   private:
    friend class HostGate;
    Turn(HostGate& gate, std::string host, support::UniqueFd slot)
        : gate_(gate), host_(std::move(host)), slot_(std::move(slot)) {}
    HostGate& gate_;
    std::string host_;
    support::UniqueFd slot_;
  };
  /// Waits for the host's turn. `host`: its name, with the port where it is not the usual one.
  [[nodiscard]] Turn enter(const std::string& host);

 private:
  [[nodiscard]] support::UniqueFd takeSlot(const std::string& file);
  /// Runs `change` while no other process looks at what is remembered of the host.
  void remembered(const std::string& host, const std::function<void(Politeness::Time)>& change);

  std::filesystem::path folder_;
  Politeness::Options options_;
  Politeness politeness_;
  Wait wait_;
};

/// Removes what is remembered of hosts that nobody asked for a day.
void sweepGate(const std::filesystem::path& folder);

}  // namespace jobhost::novel
