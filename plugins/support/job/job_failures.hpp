#pragma once

#include <jobhost/plugin.hpp>

#include <string>

#include "support/common/failure.hpp"

namespace jobhost::support {

/// The job error for a failure of the support libraries: bad input (never tried again) except for I/O (transient) and
/// paths outside the roots (denied).
[[nodiscard]] Error toError(const Failure& failure);

/// The same as Minion clients read it: `message` replaces the text and is the only entry of details {"errors":[…]}.
[[nodiscard]] Error toMinionError(const Failure& failure, const std::string& message);

/// True once the job was asked to stop; what the support libraries ask. `job` is borrowed.
[[nodiscard]] StopCheck stopCheckOf(const Job& job);

/// Runs a handler and turns what the support libraries throw into what the SDK understands.
template <class Handler>
Json translated(Job& job, Handler&& handler) {
  try {
    return handler(job);
  } catch (const Failure& failure) {
    throw toError(failure);
  } catch (const Stopped&) {
    job.check();
    throw Cancelled{};
  }
}

}  // namespace jobhost::support
