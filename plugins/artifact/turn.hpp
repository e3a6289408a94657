#pragma once

#include <jobhost/plugin.hpp>

#include <filesystem>
#include <vector>

#include "support/files/unique_fd.hpp"

namespace jobhost::artifact {

/// A converter's turn: among all processes of this machine that share the folder, at most `turns` are held at once.
/// A process that dies gives its turn back. Only the conversions wait here: books of our own making do not.
class Turn {
 public:
  /// Waits for one. `folder` is made where missing. Throws Cancelled when the job is asked to stop, and Failure
  /// file.write (Io).
  Turn(Job& job, const std::filesystem::path& folder, int turns);
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn();

 private:
  bool take();

  std::vector<support::UniqueFd> files_;  // one a turn, until one of them is locked: then that one
};

}  // namespace jobhost::artifact
