#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/files/unique_fd.hpp"

namespace jobhost::support {

/// Turns that all processes with the same folder share: at most `n` of one name are held at once. The kernel's file
/// locks hold them, so one that is killed loses its own.
///
/// One thread. Throws Failure file.write (Io) when the folder cannot be used.
class Turns {
 public:
  /// Blocks until `fd` (-1: none) is readable or the time is over; throws to end the wait for good.
  using Wait = std::function<void(int fd, std::chrono::milliseconds most)>;

  /// Opens the files "name.0" … in `folder`, which must be there, and keeps them open: a close wakes all who wait.
  Turns(const std::filesystem::path& folder, const std::string& name, std::size_t n);

  /// One turn, until it is gone.
  class Turn {
   public:
    Turn(Turn&& other) noexcept = default;
    Turn& operator=(Turn&& other) noexcept = default;
    ~Turn();

   private:
    friend class Turns;
    explicit Turn(UniqueFd file) : file_(std::move(file)) {}
    UniqueFd file_;
  };
  /// The first that is free; nullopt: none is.
  [[nodiscard]] std::optional<Turn> take();
  /// Waits for one, `most` at most; nullopt: not in that time.
  [[nodiscard]] std::optional<Turn> take(const Wait& wait, std::chrono::milliseconds most);

  /// For a wait that has no end.
  static constexpr std::chrono::milliseconds kForEver = std::chrono::milliseconds::max();

 private:
  std::vector<std::filesystem::path> paths_;
  std::vector<UniqueFd> files_;  ///< none where a turn was taken of
};

/// Opens a file that others may hold locks on, made where it is missing. Throws as Turns.
[[nodiscard]] UniqueFd openShared(const std::filesystem::path& path);
/// Locks it (how: LOCK_EX, also with LOCK_NB); false: another has it. Throws as Turns.
[[nodiscard]] bool lockShared(int fd, int how);
/// Whether somebody removed the file meanwhile: a lock on it keeps nobody out.
[[nodiscard]] bool isRemoved(int fd);

}  // namespace jobhost::support
