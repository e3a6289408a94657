#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "pool/unique_fd.hpp"

namespace jobhost::pool {

/// The host's end of a runner's stdout or stderr: cuts what is printed into lines. A runner that prints faster than
/// kBytesPerWindow is read no further until the window is over, so that it blocks itself and not the host.
class OutputPipe {
 public:
  static constexpr std::size_t kMaxLineBytes = 16 * 1024;
  static constexpr std::size_t kBytesPerWindow = 1 << 20;
  static constexpr std::chrono::milliseconds kWindow{50};

  void set(UniqueFd fd) { fd_ = std::move(fd); }
  [[nodiscard]] int fd() const { return fd_.get(); }
  void close() { fd_.reset(); }

  enum class Status { Open, Paused, Closed };
  /// Reads what is there, up to the window's limit, and appends the lines (without newline) to `lines`.
  Status read(std::vector<std::string>& lines);
  /// The last line when it had no newline; empty: none.
  std::string rest() { return std::exchange(partial_, {}); }

 private:
  void cut(std::string_view bytes, std::vector<std::string>& lines);

  UniqueFd fd_;
  std::string partial_;
  std::chrono::steady_clock::time_point window_;
  std::size_t in_window_ = 0;
};

}  // namespace jobhost::pool
