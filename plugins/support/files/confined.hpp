#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "support/common/failure.hpp"
#include "support/files/unique_fd.hpp"

namespace jobhost::support {

/// The folders a plugin may read from, and the only way its handlers open a path a client gave.
///
/// The kernel does the confining (openat2 with RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS below a root), so there is no
/// moment between check and open: `..`, absolute links and links that lead out are refused, links that stay inside
/// work. Thread-safe after construction.
class ConfinedRoots {
 public:
  /// Absolute folders; those that do not exist (yet) are looked for again at each open.
  explicit ConfinedRoots(std::vector<std::filesystem::path> roots);

  /// Opens a regular file for reading. An absolute path must lie below a root as it is spelled; a relative one is
  /// looked for below each root in turn. Throws Failure path.denied (outside, or a link that leads out),
  /// path.not_found, path.not_a_file, path.invalid.
  [[nodiscard]] UniqueFd openFile(std::string_view path) const;

  [[nodiscard]] const std::vector<std::filesystem::path>& roots() const { return roots_; }

 private:
  std::vector<std::filesystem::path> roots_;
};

/// Opens `relative` below the folder `root_fd` as ConfinedRoots does. `flags` as for open(2).
[[nodiscard]] UniqueFd openBeneath(int root_fd, const std::string& relative, int flags);

}  // namespace jobhost::support
