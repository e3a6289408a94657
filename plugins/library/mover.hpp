#pragma once

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "support/common/failure.hpp"

namespace jobhost::library {

/// Why a file could not be moved: what the system says ("No space left on device").
class MoveError : public std::runtime_error {
 public:
  explicit MoveError(int error);
};

/// The name is taken already, and replacing is not wanted.
struct NameTaken {};

/// Moves the file `from` into `folder` as `name`, by way of a temporary name there (".<tag>.upload"), so that nobody
/// meets half a file: by rename within a file system, else by a copy that is on the disk before it gets its name; then
/// `from` is removed. A file of that name is left alone (NameTaken, also when two are moved at the same moment) unless
/// `replace`. The folder's change is on the disk when it returns. On a failure `from` is where it was, the temporary
/// file is gone.
///
/// `tag` is the mover's own, the same when it is run again after a crash: it then finds what it left. Throws MoveError,
/// NameTaken and support::Stopped.
void moveIntoFolder(const std::filesystem::path& from, const std::filesystem::path& folder, const std::string& name,
                    const std::string& tag, bool replace, const support::StopCheck& stop);

}  // namespace jobhost::library
