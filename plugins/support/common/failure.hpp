#pragma once

#include <functional>
#include <stdexcept>
#include <string>

namespace jobhost::support {

/// What went wrong, so far as a caller can act on it.
enum class FailureKind {
  BadInput,     ///< the request or the file cannot be used: another try cannot help
  Limit,        ///< over a configured limit (pixels, entries, bytes, ratio)
  Denied,       ///< outside the configured roots
  NotFound,     ///< no such file, page or entry
  Unsupported,  ///< a format this build does not read or write
  Encrypted,    ///< needs a password
  Damaged,      ///< truncated or corrupt
  Io,           ///< reading or writing failed: another try may help
};

/// What the support libraries throw. `code()` is stable and machine-readable ("archive.encrypted"); what() is one
/// sentence for people, without paths of this machine.
class Failure : public std::runtime_error {
 public:
  Failure(FailureKind kind, std::string code, const std::string& message)
      : std::runtime_error(message), kind_(kind), code_(std::move(code)) {}

  [[nodiscard]] FailureKind kind() const { return kind_; }
  [[nodiscard]] const std::string& code() const { return code_; }

 private:
  FailureKind kind_;
  std::string code_;
};

/// Thrown when the StopCheck said so. No std::exception, so that `catch (const std::exception&)` does not swallow it.
struct Stopped {};

/// Asked often by everything that can take long; true: give up now by throwing Stopped. Called from any thread.
using StopCheck = std::function<bool()>;

/// Throws Stopped when `stop` is set and says so.
inline void checkStop(const StopCheck& stop) {
  if (stop && stop()) throw Stopped{};
}

}  // namespace jobhost::support
