#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace jobhost::pool {

/// The pids controller, v1 or v2, where this process may make groups below its own: bounds how many processes a runner
/// can start, which RLIMIT_NPROC does not for root. Used from one thread (the warden's).
class PidsCgroup {
 public:
  /// Looks for a place to make groups in; `name` tells this host's groups from another's. Absent when none is
  /// writable or the name is empty.
  explicit PidsCgroup(const std::string& name);
  ~PidsCgroup();
  PidsCgroup(const PidsCgroup&) = delete;
  PidsCgroup& operator=(const PidsCgroup&) = delete;

  [[nodiscard]] bool available() const { return !base_.empty(); }

  /// Makes the group and puts the process into it; at most `limit` tasks (threads and processes) may live there.
  bool add(const std::string& group, pid_t pid, int limit);
  /// The processes in the group; empty when there is none.
  [[nodiscard]] std::vector<pid_t> members(const std::string& group) const;
  /// Nothing in the group can fork any more.
  void freezeForks(const std::string& group);
  /// How often a fork was refused.
  [[nodiscard]] long refusals(const std::string& group) const;
  void remove(const std::string& group);

 private:
  std::filesystem::path base_;
};

}  // namespace jobhost::pool
